//! The page on which a report for people is written: how wide, and with colours or without.

use crate::check::Status;
use owo_colors::{AnsiColors, OwoColorize as _};
use std::fmt::Write as _;

/// Columns and colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Columns at most; a single word may be longer.
    pub width: usize,
    /// Whether what is wrong is red.
    pub colours: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self { width: 80, colours: false }
    }
}

impl Page {
    /// A status as a word of four letters.
    pub(super) fn mark(self, status: Status) -> String {
        let (word, colour) = match status {
            Status::Pass => ("ok  ", AnsiColors::Green),
            Status::Skip => ("skip", AnsiColors::BrightBlack),
            Status::Warn => ("warn", AnsiColors::Yellow),
            Status::Fail => ("FAIL", AnsiColors::Red),
        };
        if self.colours { word.color(colour).to_string() } else { word.into() }
    }

    /// A line that is seen first.
    pub(super) fn head(self, text: &str) -> String {
        if self.colours { text.bold().to_string() } else { text.into() }
    }

    /// Writes words after what begins a line, and goes on below them where the page ends. `begin` may hold colours; it
    /// is `indent` columns wide.
    pub(super) fn write(self, out: &mut String, begin: &str, indent: usize, words: &str) {
        let lines = wrapped(words, self.width.saturating_sub(indent));
        for (at, line) in lines.iter().enumerate() {
            let _ = match at {
                0 => writeln!(out, "{begin}{line}"),
                _ => writeln!(out, "{:indent$}{line}", ""),
            };
        }
    }
}

/// Words in lines of so many columns. A word that is longer has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if used > 0 && used + 1 + long > width {
            lines.push(String::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { continue };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += long;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_word_is_lost_and_only_single_words_are_too_long(text in "[a-z ]{0,200}", width in 5usize..40) {
            let lines = wrapped(&text, width);
            assert!(lines.iter().all(|l| l.chars().count() <= width || !l.contains(' ')));
            let words = |t: &str| t.split_whitespace().map(String::from).collect::<Vec<_>>();
            assert_eq!(words(&lines.join(" ")), words(&text));
        }
    }
}
