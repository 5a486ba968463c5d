//! What is wrong with a suite, for its author.

use crate::locate::{self, Step};
use std::{io, path::PathBuf};

/// A suite that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file says something wrong.
    #[error("{file}:{line}:{column}: {what}")]
    Wrong {
        /// Which file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl SuiteError {
    /// What the YAML reader refused.
    pub(crate) fn of_yaml(file: &str, e: &serde_yaml::Error) -> Self {
        let (line, column) = e.location().map_or((1, 1), |at| (at.line(), at.column()));
        let text = e.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
        let what = match quoted(text).split_first() {
            Some((wrong, right)) if !text.contains(HINT) => {
                with_hint(text, nearest(wrong, right.iter().copied()))
            }
            _ => text.into(),
        };
        Self::Wrong { file: file.into(), line, column, what }
    }

    /// What the format allows and this build cannot do, at a place of the text.
    pub(crate) fn at(file: &str, text: &str, path: &[Step], what: &str) -> Self {
        let (line, column) = locate::position(text, path);
        Self::Wrong { file: file.into(), line, column, what: what.into() }
    }
}

/// The words in backticks: first the one that was found, then those that were expected.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

const HINT: &str = "did you mean";

fn with_hint(text: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| text.to_string(), |word| format!("{text}; {HINT} `{word}`?"))
}

/// The word that `wrong` most likely stands for.
pub(crate) fn nearest<'a>(wrong: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |word: &str| strsim::damerau_levenshtein(wrong, word);
    let near = |word: &&str| likeness(word) <= word.len().max(wrong.len()) / 3;
    words.into_iter().filter(near).min_by_key(|word| likeness(word))
}

/// A list of words for an error, with the nearest one.
#[must_use]
pub fn unknown<'a>(what: &str, wrong: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_unstable();
    words.dedup();
    let text = format!("unknown {what} `{wrong}`, there are: {}", words.join(", "));
    with_hint(&text, nearest(wrong, words))
}
