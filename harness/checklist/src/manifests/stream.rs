//! A file taken apart into documents, each with the line on which it starts, so that a broken one does not take the
//! others with it. As in kubectl, lines with `---` separate documents, and JSON objects may follow one another without.

/// A part of a file that holds one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// The line of the file on which it starts, from 1.
    pub(super) line: usize,
}

/// The parts of a file that hold more than comments.
pub(super) fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut all = Vec::new();
    let (mut start, mut first, mut at, mut line) = (0, 1, 0, 1);
    for row in text.split_inclusive('\n') {
        if is_separator(row) {
            all.push(Chunk { text: &text[start..at], line: first });
            (start, first) = (at + 3, line);
        }
        at += row.len();
        line += 1;
    }
    all.push(Chunk { text: &text[start..], line: first });
    all.into_iter().filter(|c| says_something(c.text)).flat_map(values).collect()
}

fn is_separator(row: &str) -> bool {
    row.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether there is more than comments and directives.
fn says_something(text: &str) -> bool {
    let idle = |row: &str| row.is_empty() || row.starts_with(['#', '%']) || row == "..." || row == "\u{feff}";
    text.lines().any(|row| !idle(row.trim()))
}

/// The JSON objects of a chunk that holds several; the chunk as it is otherwise.
fn values(chunk: Chunk<'_>) -> Vec<Chunk<'_>> {
    let mut parts = Vec::new();
    let (mut rest, mut line) = (chunk.text, chunk.line);
    loop {
        let body = rest.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        line += rest[..rest.len() - body.len()].matches('\n').count();
        if body.is_empty() {
            break;
        }
        let Some(end) = end_of_object(body) else { return vec![chunk] };
        parts.push(Chunk { text: &body[..end], line });
        line += body[..end].matches('\n').count();
        rest = &body[end..];
    }
    if parts.len() > 1 { parts } else { vec![chunk] }
}

/// Where the JSON object ends with which a text begins.
fn end_of_object(text: &str) -> Option<usize> {
    if !text.starts_with('{') {
        return None;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(usize, &str)> {
        chunks(text).into_iter().map(|c| (c.line, c.text.trim())).collect()
    }

    #[test]
    fn documents_start_where_they_are() {
        assert_eq!(parts("# x\na: 1\n---\n\n--- # y\nb: 2\n---\n"), [(1, "# x\na: 1"), (5, "# y\nb: 2")]);
        assert_eq!(parts("\u{feff}a: 1\r\n---\r\nb: 2\r\n"), [(1, "a: 1"), (2, "b: 2")]);
        assert_eq!(parts("a: |\n  ---\n---x: 1\n"), [(1, "a: |\n  ---\n---x: 1")]);
        assert_eq!(parts("%YAML 1.1\n---\na: 1\n...\n"), [(2, "a: 1\n...")]);
        assert_eq!(parts(""), []);
    }

    #[test]
    fn objects_of_json_follow_one_another() {
        assert_eq!(
            parts("{\"a\": \"}{\"}\n\n{\"b\": \"\\\"\"} {\"c\": {}}"),
            [(1, "{\"a\": \"}{\"}"), (3, "{\"b\": \"\\\"\"}"), (3, "{\"c\": {}}"),]
        );
        for whole in ["{a: '\"}'}\n", "{a: 1}\nb: 2\n", "{{ x }}: 1\n", "[1, 2]", "{"] {
            assert_eq!(parts(whole), [(1, whole.trim())], "{whole}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_or_lose_a_line(text in "[-{}\"\\\\a\\n\u{feff}: ]{0,60}") {
            for chunk in chunks(&text) {
                let line = text.lines().nth(chunk.line - 1).unwrap_or_default();
                let first = chunk.text.lines().next().unwrap_or_default();
                proptest::prop_assert!(line.contains(first), "{:?} is not in {:?}", first, line);
            }
        }
    }
}
