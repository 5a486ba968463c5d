//! The lines of a recording: what was seen, when it was judged, and what really happened.

use loopdrill_model::{Mark, Observation, Timestamp};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// One line of a recording.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Something was observed, and the detector took it in.
    Seen(Observation),
    /// The detector let time pass to this moment and judged.
    Judged(Judged),
    /// What was done to the cluster. No detector ever sees one.
    Mark(Mark),
}

/// A judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The detector's time.
    pub at: Timestamp,
    /// CRC-32 of the document that it published, as JSON; absent where it published none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u32>,
    /// It judged although not everything that it needs had been listed, and some may never be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

const JUDGED: &[u8] = b"{\"judged\":";
const MARK: &[u8] = b"{\"mark\":";

#[derive(Serialize, Deserialize)]
struct JudgedLine<T> {
    judged: T,
}

#[derive(Serialize, Deserialize)]
struct MarkLine<T> {
    mark: T,
}

impl Entry {
    pub(super) fn write(&self, mut out: impl Write) -> io::Result<()> {
        match self {
            Entry::Seen(seen) => serde_json::to_writer(&mut out, seen)?,
            Entry::Judged(judged) => serde_json::to_writer(&mut out, &JudgedLine { judged })?,
            Entry::Mark(mark) => serde_json::to_writer(&mut out, &MarkLine { mark })?,
        }
        out.write_all(b"\n")
    }

    pub(super) fn read(line: &[u8]) -> serde_json::Result<Self> {
        if line.starts_with(JUDGED) {
            serde_json::from_slice::<JudgedLine<_>>(line).map(|l| Entry::Judged(l.judged))
        } else if line.starts_with(MARK) {
            serde_json::from_slice::<MarkLine<_>>(line).map(|l| Entry::Mark(l.mark))
        } else {
            serde_json::from_slice(line).map(Entry::Seen)
        }
    }
}
