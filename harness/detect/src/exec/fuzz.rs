//! What fuzzing tries of a command's output.

use super::wire::Reader;
use loopdrill_model::{Diagnoses, Timestamp};

/// What a rival prints: its last document is the same however the output is cut, and can be put into a report.
///
/// # Panics
/// When it is not, or cannot.
pub fn exec(bytes: &[u8]) {
    let now = Timestamp::UNIX_EPOCH;
    let whole = Reader::default().feed(bytes, now);
    for cut in [1, 7] {
        let mut reader = Reader::default();
        let read: Result<_, String> =
            bytes.chunks(cut).try_fold(None, |last, part| Ok(reader.feed(part, now)?.or(last)));
        match (&whole, read) {
            (Ok(whole), Ok(read)) => assert_eq!(read, *whole, "in pieces of {cut}"),
            // A document that contradicts itself, and that a later one replaced before anybody looked at it.
            (Ok(_), Err(why)) => assert!(why.starts_with("it contradicts itself"), "{why}"),
            (Err(why), Ok(_)) => panic!("in pieces of {cut} it is read, and as a whole: {why}"),
            (Err(_), Err(_)) => {}
        }
    }
    let Ok(Some(diagnoses)) = whole else { return };
    let told = Diagnoses { diagnoses, ..Diagnoses::default() };
    let text = serde_json::to_string(&told).expect("a report is JSON");
    let again: Diagnoses = serde_json::from_str(&text).expect("our own form");
    assert_eq!(again.diagnoses, told.diagnoses);
}

#[cfg(test)]
#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
#[test]
fn the_corpus_of_exec() {
    replay::replay("exec", exec);
}
