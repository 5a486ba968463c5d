//! Bytes into lines: whatever encoding, colours, JSON; bounded.

use jiff::Timestamp;
use serde_json::Value;

/// Bytes of a log that are looked at, from its end.
const MOST_BYTES: usize = 64 << 10;
/// Lines that are looked at, from the end.
const MOST_LINES: usize = 200;
/// Characters of a line that are looked at at either end: the error stands first or last.
const HALF_LINE: usize = 2048;
/// How deep a log line of JSON is looked into.
const DEEPEST: usize = 6;

/// A line of a log, as plain text.
pub(super) struct Line {
    /// When it was written, where the API tells.
    pub(super) at: Option<Timestamp>,
    pub(super) text: String,
}

/// The last lines, in their order. Those that call themselves information are told without a text: they count as lines.
pub(super) fn lines(bytes: &[u8]) -> Vec<Line> {
    let bytes = &bytes[bytes.len().saturating_sub(MOST_BYTES)..];
    let text = text(bytes);
    let mut lines: Vec<_> = text.lines().rev().filter(|l| !l.trim().is_empty()).take(MOST_LINES).collect();
    lines.reverse();
    lines.into_iter().map(line).collect()
}

/// UTF-8 where it is, UTF-16 where every other byte is nil, and whatever can be read of the rest.
fn text(bytes: &[u8]) -> String {
    let is_nil = |start: usize| {
        let half = bytes.iter().skip(start).step_by(2);
        let (nil, all) = (half.clone().filter(|b| **b == 0).count(), half.count());
        all > 4 && nil * 10 > all * 7
    };
    let pairs = |start: usize, unit: fn([u8; 2]) -> u16| {
        let units = bytes[start.min(bytes.len())..].chunks_exact(2).map(|p| unit([p[0], p[1]]));
        String::from_utf16_lossy(&units.collect::<Vec<_>>())
    };
    // The end of a log may begin in the middle of a unit; then the nil bytes still stand beside the others.
    match (bytes.starts_with(&[0xff, 0xfe]), bytes.starts_with(&[0xfe, 0xff])) {
        (true, _) => pairs(2, u16::from_le_bytes),
        (_, true) => pairs(2, u16::from_be_bytes),
        _ if is_nil(1) => pairs(0, u16::from_le_bytes),
        _ if is_nil(0) => pairs(0, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn line(raw: &str) -> Line {
    let (at, rest) = stamped(raw);
    let bare = without_colours(&halves(rest));
    let text = match json(&bare) {
        Some(text) => text,
        None if is_information(&bare) => String::new(),
        None => unquoted(&bare),
    };
    debug_assert!(text.is_ascii());
    Line { at, text }
}

/// The time that the API puts before a line, and the rest.
fn stamped(raw: &str) -> (Option<Timestamp>, &str) {
    let Some((first, rest)) = raw.split_once(' ').filter(|(first, _)| (20..=40).contains(&first.len()))
    else {
        return (None, raw);
    };
    match first.parse::<Timestamp>() {
        Ok(at) => (Some(at), rest),
        Err(_) => (None, raw),
    }
}

/// Both ends of a line that is too long.
fn halves(line: &str) -> String {
    if line.len() <= 2 * HALF_LINE {
        return line.to_owned();
    }
    let head = &line[..line.floor_char_boundary(HALF_LINE)];
    let tail = &line[line.ceil_char_boundary(line.len() - HALF_LINE)..];
    format!("{head} {tail}")
}

/// In ASCII, without terminal sequences and other control characters.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                for c in chars.by_ref() {
                    if ('\u{40}'..='\u{7e}').contains(&c) {
                        break;
                    }
                }
            }
            '\t' => plain.push(' '),
            '‘' | '’' => plain.push('\''),
            '“' | '”' => plain.push('"'),
            c if c.is_control() => {}
            // No client's words, and no name, has others.
            c => plain.push(if c.is_ascii() { c } else { '?' }),
        }
    }
    plain
}

/// All texts of a line of JSON, and nothing of one that is information.
fn json(line: &str) -> Option<String> {
    let begin = line.find('{').filter(|at| line[..*at].trim().is_empty())?;
    let value: Value = serde_json::from_str(&line[begin..]).ok()?;
    let level =
        ["level", "severity", "lvl", "log.level", "@l", "levelname", "s"].iter().find_map(|k| value.get(k));
    let calm = match level {
        Some(Value::String(level)) => is_calm(level),
        // pino and bunyan: 10 trace, 20 debug, 30 info.
        Some(Value::Number(level)) => level.as_u64().is_some_and(|n| (10..=30).contains(&n)),
        _ => false,
    };
    let mut out = String::new();
    if !calm {
        texts(&value, 0, &mut out);
    }
    Some(unquoted(&out))
}

fn texts(value: &Value, depth: usize, out: &mut String) {
    if depth > DEEPEST || out.len() > 2 * HALF_LINE {
        return;
    }
    match value {
        Value::String(text) => {
            out.push_str(&without_colours(&text.replace('\n', " ")));
            out.push_str("; ");
        }
        Value::Array(all) => all.iter().for_each(|v| texts(v, depth + 1, out)),
        Value::Object(all) => all.values().for_each(|v| texts(v, depth + 1, out)),
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

fn is_calm(level: &str) -> bool {
    ["info", "information", "debug", "trace", "notice", "i", "d"].contains(&level.to_lowercase().as_str())
}

/// Whether a line in plain text says that it is no error: `level=info`, `INFO`, klog's `I0608`. Only near its beginning,
/// where levels stand.
fn is_information(line: &str) -> bool {
    let head = &line[..line.floor_char_boundary(80)];
    let mut words = head.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty());
    let klog = head.as_bytes().first() == Some(&b'I')
        && head.len() > 5
        && head.as_bytes()[1..5].iter().all(u8::is_ascii_digit);
    let is_level = |w: &str| {
        matches!(
            w,
            "INFO"
                | "DEBUG"
                | "TRACE"
                | "ERROR"
                | "WARN"
                | "WARNING"
                | "FATAL"
                | "CRITICAL"
                | "SEVERE"
                | "error"
                | "warn"
                | "warning"
                | "fatal"
                | "info"
                | "debug"
                | "trace"
                | "level"
        )
    };
    let first = words.find(|w| is_level(w));
    let level = match first {
        Some("level") => words.next(),
        other => other,
    };
    // In small letters it is a word as good as any other, unless it is written as a level.
    let lower = |w: &str| ["level=", "[", "\""].iter().any(|before| head.contains(&format!("{before}{w}")));
    klog || match level {
        Some("INFO" | "DEBUG" | "TRACE") => true,
        Some(word @ ("info" | "debug" | "trace")) => lower(word),
        _ => false,
    }
}

/// Quotes as they were before somebody quoted the whole.
fn unquoted(text: &str) -> String {
    text.replace("\\\\\\\"", "\"").replace("\\\"", "\"").replace("\\n", " ").replace("&quot;", "\"")
}
