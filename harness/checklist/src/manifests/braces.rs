//! Whether a text cannot be read because it is a template.

use super::yaml::{self, Refused};

/// Whether the placeholders of a template are what a text cannot be read for: without them it could be, or would fail
/// elsewhere. A script may well hold braces beside a fault that has nothing to do with them.
pub(super) fn are_why(text: &str, refused: &Refused) -> bool {
    let still = || yaml::documents(&without(text)).into_iter().find_map(Result::err);
    first_line(text).is_some() && still().as_ref() != Some(refused)
}

/// The line of the first placeholder that is not in a comment, from 0.
pub(super) fn first_line(text: &str) -> Option<usize> {
    text.lines().position(|l| !l.trim_start().starts_with('#') && l.contains("{{"))
}

/// The text with words in place of placeholders; lines of nothing else become empty, and stay lines.
fn without(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut within = false;
    for line in text.lines() {
        let (kept, open) = line_without(line, within);
        // Control structures stand on lines of their own.
        plain.push_str(if kept.trim().trim_matches('_').is_empty() { "" } else { &kept });
        plain.push('\n');
        within = open;
    }
    plain
}

/// A line without its placeholders, and whether one goes on in the next line.
fn line_without(line: &str, within: bool) -> (String, bool) {
    let mut kept = String::new();
    let (mut rest, mut within) = (line, within);
    loop {
        if within {
            let Some((_, after)) = rest.split_once("}}") else { return (kept, true) };
            (rest, within) = (after, false);
        } else {
            let Some((before, after)) = rest.split_once("{{") else {
                kept.push_str(rest);
                return (kept, false);
            };
            kept.push_str(before);
            kept.push('_');
            (rest, within) = (after, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(text: &str) -> bool {
        let refused = yaml::documents(text).into_iter().find_map(Result::err).expect("it is wrong");
        are_why(text, &refused)
    }

    #[test]
    fn braces_are_blamed_for_what_they_do() {
        assert!(blamed("name: {{ .Values.name }}\n"));
        assert!(blamed("{{- if .x }}\na: 1\n{{- else }}\na: 2\n{{- end }}\n"));
        assert!(blamed("{{/* a comment\n  of two lines */}}\na: {{ b }}-{{ c }}\n"));
        assert!(blamed("labels:\n{{ include \"labels\" . | indent 2 }}\nname: x\n"));
        assert!(!blamed("run: \"{{ .x }}\"\na: 1\na: 2\n"));
        assert!(!blamed("run: |\n  {{ range }}\na: [1\nb: 2\n"));
        assert!(!blamed("a: [1\n# {{ x }}\nb: 2\n"));
    }

    proptest::proptest! {
        #[test]
        fn lines_stay_lines(text in "[a{}: \\n]{0,40}") {
            proptest::prop_assert_eq!(without(&text).lines().count(), text.lines().count());
        }
    }
}
