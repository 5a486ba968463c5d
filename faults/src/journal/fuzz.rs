//! What fuzzing tries of journals.

use super::{
    JournalError,
    entry::{Entry, FORMAT},
    line::{self, Line},
};
use jiff::Timestamp;
use serde_json::value::RawValue;
use std::path::Path;

/// A journal as it is, and one whose every line is an entry under a checksum that is right: a checksum cannot be guessed.
///
/// # Panics
/// When a line of no journal is blamed, or what was read cannot be written and read again.
pub fn journal(bytes: &[u8]) {
    holds(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let sealed = lines.filter_map(|(at, line)| {
        let data: &RawValue = serde_json::from_slice(line).ok()?;
        Line::seal(at as u64 + 1, data).ok()
    });
    holds(sealed.collect::<String>().as_bytes());
}

fn holds(bytes: &[u8]) {
    let path = Path::new("journal");
    let read = line::parse(bytes, path);
    let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
    for damage in &read.damage {
        let JournalError::Damaged { line, .. } = damage else { panic!("{damage}") };
        assert!((1..=ends).contains(line), "{damage} of {ends} lines");
    }
    let opened = read.opened.map(|(run, cluster)| {
        let at = Timestamp::UNIX_EPOCH;
        Entry::Opened { format: FORMAT, run, cluster, pid: 1, at }
    });
    let intents = read.pending.iter().cloned();
    let intents = intents.map(|p| Entry::Intent { id: p.id, drill: p.drill, change: Box::new(p.change) });
    let entries = opened.into_iter().chain(intents);
    let written = (1..).zip(entries).map(|(seq, entry)| Line::encode(seq, &entry).expect("it was JSON"));
    let again = line::parse(written.collect::<String>().as_bytes(), path);
    assert!(again.damage.is_empty(), "{:?}", again.damage);
    assert_eq!(again.pending, read.pending);
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
#[test]
fn the_corpus_of_journals() {
    replay::replay("journal", journal);
}
