//! The little XML that AWS' protocols need: texts out of answers, answers out of texts.

use quick_xml::{Reader, events::Event};

/// The texts of all elements of a name, in their order.
pub(crate) fn texts(xml: &str, name: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    let (mut found, mut current) = (Vec::new(), None::<String>);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                current = (start.local_name().as_ref() == name.as_bytes()).then(String::new);
            }
            Ok(Event::Empty(start)) if start.local_name().as_ref() == name.as_bytes() => {
                found.push(String::new());
            }
            Ok(Event::Text(text)) => {
                if let (Some(current), Ok(text)) = (&mut current, text.decode()) {
                    current.push_str(&text);
                }
            }
            Ok(Event::GeneralRef(reference)) => {
                if let (Some(current), Ok(name)) = (&mut current, reference.decode())
                    && let Ok(text) = quick_xml::escape::unescape(&format!("&{name};"))
                {
                    current.push_str(&text);
                }
            }
            Ok(Event::End(_)) => found.extend(current.take()),
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

/// The text of the first element of a name.
pub(crate) fn text(xml: &str, name: &str) -> Option<String> {
    texts(xml, name).into_iter().next()
}

/// A text that may stand in an element.
pub(crate) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_the_name_of_their_element() {
        let xml = "<?xml version=\"1.0\"?><A xmlns=\"x\"><Names><member>one</member><member>a&amp;b &lt;&#65;</member>\
                   <member/></Names><Id>7</Id></A>";
        assert_eq!(texts(xml, "member"), ["one", "a&b <A", ""]);
        assert_eq!(text(xml, "Id").as_deref(), Some("7"));
        assert_eq!(text(xml, "Nothing"), None);
        assert_eq!(escape("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }

    #[test]
    fn what_is_no_xml_gives_what_was_whole() {
        assert!(texts("no xml", "a").is_empty());
        assert_eq!(texts("<a>1</a><b>", "a"), ["1"]);
        assert!(texts("<a>1", "a").is_empty());
    }
}
