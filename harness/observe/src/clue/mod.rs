//! What programs say before they end, as classes: a pure classifier over the bytes of a log.
//!
//! Invariants:
//! - No text leaves: a [`ClueKind`] has fields of fixed shape only, and each passes `shape` first.
//! - Bounded in whatever is fed in: bytes, lines, the length of a line, and the clues that come out.
//! - A line that says of itself that it is information gives no clue; nor does one long before the end.

mod decode;
#[cfg(test)]
mod field;
mod place;
mod shape;
mod table;
mod termination;
#[cfg(test)]
mod tests;

pub(crate) use place::Mounts;
pub(crate) use shape::peer;
pub(crate) use termination::{clue, termination_clues};

use decode::{Line, lines};
use loopdrill_model::signal::{ClueKind, FilePlace};

/// Different things taken from one log. A program that ends has one reason, and some repeat others' troubles.
const MOST_CLUES: usize = 8;
/// Seconds before the last line of a log in which a line still belongs to its end.
const LAST_WORDS: f64 = 120.0;

/// One thing that was said, and where between the lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) kind: ClueKind,
    /// In how many lines.
    pub(crate) lines: u32,
    /// How many lines came after the last of them.
    pub(crate) lines_after: u32,
}

/// Classifies the end of a log, with or without the API's time stamps; the newest first.
pub(crate) fn classify(bytes: &[u8], mounts: &Mounts) -> Vec<Heard> {
    let lines = lines(bytes);
    let end = lines.iter().rev().find_map(|line| line.at);
    let fresh = |line: &&Line| match (end, line.at) {
        (Some(end), Some(at)) => end.duration_since(at).as_secs_f64() <= LAST_WORDS,
        _ => true,
    };
    let mut heard: Vec<Heard> = Vec::new();
    for (after, line) in lines.iter().filter(fresh).rev().enumerate() {
        let Some(kind) = line_kind(&line.text, mounts) else { continue };
        let room = heard.len() < MOST_CLUES;
        match heard.iter_mut().find(|h| h.kind == kind) {
            Some(known) => known.lines += 1,
            None if room => {
                heard.push(Heard { kind, lines: 1, lines_after: u32::try_from(after).unwrap_or(u32::MAX) });
            }
            None => {}
        }
    }
    heard
}

/// What one line says.
fn line_kind(text: &str, mounts: &Mounts) -> Option<ClueKind> {
    let mut kind = table::kind(text)?;
    if let ClueKind::NoSpace { file }
    | ClueKind::ReadOnlyFileSystem { file }
    | ClueKind::DiskError { file }
    | ClueKind::FilePermission { file } = &mut kind
    {
        *file = mounts.place_of(text).unwrap_or(FilePlace::Unknown);
    }
    Some(kind)
}
