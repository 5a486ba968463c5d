//! One YAML document as kubectl reads it, with the lines of what is in it.
//!
//! The parser gives events; this composes them. Merge keys are merged, a key that comes twice is an error, and aliases
//! are followed within bounds.

use super::scalar;
use crate::snapshot::Lines;
use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value, map::Entry};
use std::{borrow::Cow, collections::HashMap};

/// What aliases may add to a document: more is an attack on memory, or a mistake.
const MOST_COPIES: usize = 1_000_000;

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    /// What it holds.
    pub(super) value: Value,
    /// Its lines.
    pub(super) lines: Lines,
    /// The lines of the elements of its `items`.
    pub(super) items: Vec<Lines>,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(super) struct Refused {
    /// The line, from 1.
    pub(super) line: usize,
    /// The reason.
    pub(super) why: String,
}

impl From<ScanError> for Refused {
    fn from(error: ScanError) -> Self {
        Self { line: error.marker().line(), why: error.info() }
    }
}

type Step<'a> = (Event<'a>, Span);

/// The documents of a text, up to the first that cannot be read.
pub(super) fn documents(text: &str) -> Vec<Result<Document, Refused>> {
    let mut composer = Composer::new(text);
    let mut all = Vec::new();
    loop {
        match composer.document() {
            Ok(Some(document)) => all.push(Ok(document)),
            Ok(None) => return all,
            Err(refused) => {
                all.push(Err(refused));
                return all;
            }
        }
    }
}

/// Something that an alias can stand for, with how much it holds.
struct Anchored {
    value: Value,
    size: usize,
}

/// Where a node is, as far as that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Items,
    Elsewhere,
}

enum Key {
    Merge,
    Text(String),
}

struct Composer<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Anchored>,
    /// Nodes so far, copies included, and copies alone.
    nodes: usize,
    copies: usize,
    /// The last line with content so far, and for each line the last up to it that is not blank.
    last: usize,
    written: Vec<usize>,
    items: Vec<Lines>,
}

impl<'a> Composer<'a> {
    fn new(text: &'a str) -> Self {
        // Where comments are told, the parser refuses a text with many of them in a row.
        let mut options = Options::default();
        options.set_emit_comments(false);
        Self {
            events: Parser::new_from_str_with_options(text, options),
            anchors: HashMap::new(),
            nodes: 0,
            copies: 0,
            last: 1,
            written: written(text),
            items: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<Step<'a>, Refused> {
        let ended = || Refused { line: self.last, why: "it ends in the middle".into() };
        Ok(self.events.next_event().ok_or_else(ended)??)
    }

    fn document(&mut self) -> Result<Option<Document>, Refused> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                step => {
                    self.items.clear();
                    self.anchors.clear();
                    let (value, lines) = self.node(step, Place::Root)?;
                    return Ok(Some(Document { value, lines, items: std::mem::take(&mut self.items) }));
                }
            }
        }
    }

    fn node(&mut self, (event, span): Step<'a>, place: Place) -> Result<(Value, Lines), Refused> {
        self.reach(span);
        let (first, before) = (span.start.line(), self.nodes);
        self.nodes += 1;
        let anchor = event.anchor_id();
        let value = match event {
            Event::Scalar(text, style, _, tag) => scalar_value(text, style, tag.as_deref()),
            Event::Alias(id) => self.copy(id, first)?,
            Event::SequenceStart(..) => self.sequence(place)?,
            Event::MappingStart(..) => self.mapping(place)?,
            _ => return Err(Refused { line: first, why: "a value is missing".into() }),
        };
        if let Some(id) = anchor {
            self.anchors.insert(id, Anchored { value: value.clone(), size: self.nodes - before });
        }
        Ok((value, Lines { first: number(first), last: number(self.last.max(first)) }))
    }

    /// Notes how far down content goes. A token that ends at the start of a line has ended on the line before.
    fn reach(&mut self, span: Span) {
        let (start, end) = (span.start.line(), span.end.line());
        let end = if span.end.col() == 0 && end > start { end - 1 } else { end };
        let end = self.written.get(end).copied().unwrap_or(end);
        self.last = self.last.max(end);
    }

    fn copy(&mut self, id: usize, line: usize) -> Result<Value, Refused> {
        let inside = || Refused { line, why: "an alias stands within what it stands for".into() };
        let anchored = self.anchors.get(&id).ok_or_else(inside)?;
        self.nodes += anchored.size;
        self.copies += anchored.size;
        if self.copies > MOST_COPIES {
            return Err(Refused { line, why: "its aliases stand for too much".into() });
        }
        Ok(anchored.value.clone())
    }

    fn sequence(&mut self, place: Place) -> Result<Value, Refused> {
        let mut all = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, span) => {
                    self.close(span);
                    return Ok(Value::Array(all));
                }
                step => {
                    let (value, lines) = self.node(step, Place::Elsewhere)?;
                    if place == Place::Items {
                        self.items.push(lines);
                    }
                    all.push(value);
                }
            }
        }
    }

    fn mapping(&mut self, place: Place) -> Result<Value, Refused> {
        let (mut own, mut merged) = (Map::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                self.close(span);
                break;
            }
            let line = span.start.line();
            let key = self.key(event, span)?;
            let of_items = place == Place::Root && matches!(&key, Key::Text(k) if k == "items");
            let next = self.next()?;
            let (value, _) = self.node(next, if of_items { Place::Items } else { Place::Elsewhere })?;
            match key {
                Key::Merge => merged.push((line, value)),
                Key::Text(key) => insert(&mut own, key, value, line)?,
            }
        }
        for (line, value) in merged {
            merge(&mut own, value, line)?;
        }
        Ok(Value::Object(own))
    }

    /// The end of a flow collection is content; that of a block is only the absence of more.
    fn close(&mut self, span: Span) {
        if span.end.index() > span.start.index() {
            self.reach(span);
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span) -> Result<Key, Refused> {
        let line = span.start.line();
        if matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<") {
            return Ok(Key::Merge);
        }
        let (value, _) = self.node((event, span), Place::Elsewhere)?;
        let text = scalar::key(value).ok_or_else(|| Refused { line, why: "a key is no text".into() })?;
        Ok(Key::Text(text))
    }
}

/// For each line, from 1, the last one up to it that is not blank.
fn written(text: &str) -> Vec<usize> {
    let mut last = 1;
    let lines = text.lines().enumerate().map(|(at, line)| {
        if !line.trim().is_empty() {
            last = at + 1;
        }
        last
    });
    std::iter::once(1).chain(lines).collect()
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

fn scalar_value(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match tag.and_then(Tag::core_suffix) {
        Some(tag) => scalar::tagged(tag, &text),
        None if style == ScalarStyle::Plain => scalar::plain(&text),
        None => Value::String(text.into_owned()),
    }
}

fn insert(own: &mut Map<String, Value>, key: String, value: Value, line: usize) -> Result<(), Refused> {
    match own.entry(key) {
        Entry::Occupied(entry) => {
            let why = format!("the key {:?} comes twice; is a `---` missing before it?", entry.key());
            Err(Refused { line, why })
        }
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
    }
}

/// What `<<` brings: keys that are not there yet, the first of several mappings first.
fn merge(own: &mut Map<String, Value>, value: Value, line: usize) -> Result<(), Refused> {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                own.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(all) if all.iter().all(Value::is_object) => {
            all.into_iter().try_for_each(|one| merge(own, one, line))
        }
        _ => Err(Refused { line, why: "`<<` takes a mapping, or a list of mappings".into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(text: &str) -> Document {
        documents(text).remove(0).expect("it is good")
    }

    fn refused(text: &str) -> Refused {
        documents(text).into_iter().find_map(Result::err).expect("it is wrong")
    }

    #[test]
    fn anchors_and_merge_keys() {
        assert_eq!(one("a: &x {p: 1}\nb: *x\n").value, json!({"a": {"p": 1}, "b": {"p": 1}}));
        let text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall: {<<: [*one, *two], c: 3}\n";
        assert_eq!(one(text).value["all"], json!({"a": 1, "b": 1, "c": 3}));
        assert_eq!(one("x: &x {a: 1}\nz:\n  a: 2\n  <<: *x\n").value["z"], json!({"a": 2}));
        assert_eq!(one("\"<<\": {a: 1}\n").value, json!({"<<": {"a": 1}}));
        assert_eq!(refused("a: 1\n<<: 5\n").line, 2);
    }

    #[test]
    fn json_is_read_with_its_escapes() {
        let text =
            "{\t\"a\": \"\\u00e4\\/\\ud83d\\ude00\",\n\t\"b\": [1, 2.5, null, true],\n\t\"c\":{\"d\":\"x\"}}";
        assert_eq!(one(text).value, json!({"a": "ä/😀", "b": [1, 2.5, null, true], "c": {"d": "x"}}));
    }

    #[test]
    fn lines_are_those_of_the_text() {
        let text =
            "# a comment\nkind: List\nitems:\n- a: 1\n  b: |\n    x\n\n# more\n- {c: 2,\n   d: 3}\n\n# end\n";
        let list = one(text);
        assert_eq!(list.lines, Lines { first: 2, last: 10 });
        assert_eq!(list.items, [Lines { first: 4, last: 6 }, Lines { first: 9, last: 10 }]);
    }

    #[test]
    fn what_comes_twice_is_told_with_its_line() {
        let twice = refused("a: 1\nb: {c: 1,\n  c: 2}\n");
        assert_eq!((twice.line, twice.why.contains("\"c\" comes twice")), (3, true), "{twice}");
        assert_eq!(refused("true: 1\n\"true\": 2\n").line, 2);
        assert_eq!(refused("a: [1, 2\nb: c\n").line, 2);
        assert!(refused("? {a: 1}\n: 2\n").why.contains("no text"));
    }

    #[test]
    fn aliases_cannot_fill_the_memory() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
        for n in 1..10 {
            let of = format!("*a{}, ", n - 1).repeat(10);
            text.push_str(&format!("a{n}: &a{n} [{of}]\n"));
        }
        assert!(refused(&text).why.contains("too much"));
        assert!(refused("a: &a [*a]\n").why.contains("within"));
        assert!(!refused("a: *nobody\n").why.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = documents(&text);
        }

        #[test]
        fn lines_stay_within_the_text(text in "[-a:{}\\[\\]&*<|> \\n\"']{0,60}") {
            for document in documents(&text).into_iter().flatten() {
                let Lines { first, last } = document.lines;
                proptest::prop_assert!(first >= 1 && first <= last);
                proptest::prop_assert!(last as usize <= text.lines().count() + 1, "{}", last);
            }
        }
    }
}
