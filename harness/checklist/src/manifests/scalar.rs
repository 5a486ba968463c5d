//! Plain scalars as kubectl reads them: YAML 1.1 with its many booleans, octal numbers and nulls.

use serde_json::{Number, Value};

const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: [&str; 11] = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// The value of a scalar without quotes and without a tag.
pub(super) fn plain(text: &str) -> Value {
    if NULL.contains(&text) {
        return Value::Null;
    }
    if TRUE.contains(&text) {
        return Value::Bool(true);
    }
    if FALSE.contains(&text) {
        return Value::Bool(false);
    }
    number(text).map_or_else(|| Value::String(text.into()), Value::Number)
}

/// The value of a scalar with one of YAML's own tags; the text where the tag says nothing about it.
pub(super) fn tagged(tag: &str, text: &str) -> Value {
    match tag {
        "null" => Value::Null,
        "bool" | "int" | "float" => plain(text),
        _ => Value::String(text.into()),
    }
}

/// A key: all keys of a JSON object are texts.
pub(super) fn key(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some("null".into()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn number(text: &str) -> Option<Number> {
    // Most texts are no numbers: look at the first character before anything else.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    integer(text).or_else(|| decimal(text))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative { i64::try_from(magnitude).ok().map(|n| Number::from(-n)) } else { Some(magnitude.into()) }
}

/// A decimal fraction; infinity and what is no number have no place in JSON and stay texts.
fn decimal(text: &str) -> Option<Number> {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let has_digit = body.bytes().any(|b| b.is_ascii_digit());
    let plain = body.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    if !has_digit || !plain {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // JSON knows one kind of number: `3.0` is written as 3.
    let whole = value.fract() == 0.0 && value.abs() < 1e15;
    if whole { format!("{value:.0}").parse::<i64>().ok().map(Number::from) } else { Number::from_f64(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_those_of_yaml_1_1() {
        for (text, value) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("n", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
            ("0644", json!(420)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("-3", json!(-3)),
            ("1_000", json!(1000)),
            ("0.5", json!(0.5)),
            ("1e3", json!(1000)),
            ("3.0", json!(3)),
            ("1.5e-3", json!(0.0015)),
            ("0", json!(0)),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
        for text in
            ["yEs", "1.2.3", "100m", "64Mi", "-", ".", "+", "1e", ".inf", "2026-01-01", "0x", "09", "12:30"]
        {
            let read = plain(text);
            assert!(read.is_string() || text == "09", "{text} is {read}");
        }
        assert_eq!(tagged("str", "yes"), json!("yes"));
        assert_eq!(key(json!(true)).as_deref(), Some("true"));
        assert_eq!(key(json!([1])), None);
    }
}
