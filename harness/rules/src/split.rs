//! An alert's expression as a series and its threshold.
//!
//! What an alert's value is, is the first operand of `and` and `unless`; the others only say when it counts. Where that
//! operand ends in a comparison with a number, the series is what stands left of it.

/// Comparisons, the longer before the shorter.
const COMPARISONS: [&str; 6] = ["==", "!=", ">=", "<=", ">", "<"];

/// The series of an expression and the number that it is compared with, where there is one. Of expressions that `or`
/// unites there is none.
pub(crate) fn split(expr: &str) -> Option<(&str, f64)> {
    let open = outermost(expr);
    let word = |at: &usize, words: &[&str]| words.iter().any(|w| is_word(expr, *at, w));
    if open.iter().any(|at| word(at, &["or"])) {
        return None;
    }
    let end = open.iter().find(|at| word(at, &["and", "unless"])).map_or(expr.len(), |at| *at);
    let first = &expr[..end];
    let compared = |at: &usize| COMPARISONS.iter().find(|c| first[*at..].starts_with(**c)).map(|c| (*at, *c));
    let mut ends = open.iter().filter(|at| **at < end).filter_map(compared);
    // The second character of `>=` is found as none: `=` is no comparison.
    let (at, comparison) = ends.next_back()?;
    let number = first[at + comparison.len()..].trim().parse().ok()?;
    Some((first[..at].trim(), number))
}

/// Where the characters are that stand in no brackets and in no text.
fn outermost(expr: &str) -> Vec<usize> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    let mut open = Vec::new();
    for (at, c) in expr.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(q), '\\') if q != '`' => escaped = true,
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 => open.push(at),
            (None, _) => {}
        }
    }
    open
}

/// Whether this word, and no longer one, begins here.
fn is_word(expr: &str, at: usize, word: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let rest = &expr[at..];
    rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
        && !expr[..at].ends_with(goes_on)
        && !rest[word.len()..].starts_with(goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_left_of_the_outermost_comparison_with_a_number() {
        for (expr, series, at) in [
            ("up == 0", "up", 0.0),
            ("a >= 1e3", "a", 1000.0),
            ("a > -0.5", "a", -0.5),
            ("sum by (x) (rate(a{b=\"c > 1\"}[5m])) > 0.25", "sum by (x) (rate(a{b=\"c > 1\"}[5m]))", 0.25),
            ("a > 0.1 and on (i) (b / c) > 0.05", "a", 0.1),
            ("max(a > 3) < 7 unless on () max(b) > 1", "max(a > 3)", 7.0),
            ("a / b > 2 AND c", "a / b", 2.0),
            (r#"a{x="\" or "} > 2"#, r#"a{x="\" or "}"#, 2.0),
            ("origin:or_and > 1", "origin:or_and", 1.0),
            ("a > 1 > 2", "a > 1", 2.0),
        ] {
            assert_eq!(split(expr), Some((series, at)), "{expr}");
        }
    }

    #[test]
    fn what_ends_in_no_comparison_with_a_number_stays_whole() {
        for expr in [
            "a",
            "max by (x) (a > 5)",
            "a > b",
            "a > 1 or b > 2",
            "a and b > 2",
            "1 < a",
            "a > bool 1",
            "é > ü",
            "",
        ] {
            assert_eq!(split(expr), None, "{expr}");
        }
    }
}
