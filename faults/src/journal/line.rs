//! One line of a journal: `{"seq":…,"crc":…,"data":{…}}`, the checksum over sequence number and data.

use super::entry::{Entry, FORMAT, JournalError, Pending};
use loopdrill_cluster::ClusterHandle;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{io, path::Path};

#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    seq: u64,
    crc: u32,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Line<'_> {
    pub(super) fn encode(seq: u64, entry: &Entry) -> io::Result<String> {
        Self::seal(seq, &serde_json::value::to_raw_value(entry)?)
    }

    /// The line of an entry, under its checksum.
    pub(super) fn seal(seq: u64, data: &RawValue) -> io::Result<String> {
        let line = Line { seq, crc: checksum(seq, data.get()), data };
        Ok(serde_json::to_string(&line)? + "\n")
    }

    /// The sequence number and the entry of a line.
    fn decode(text: &[u8]) -> Result<(u64, Entry), String> {
        let line: Line<'_> = serde_json::from_slice(text).map_err(|e| format!("not a journal line ({e})"))?;
        if line.crc != checksum(line.seq, line.data.get()) {
            return Err("the checksum does not match".into());
        }
        let entry = serde_json::from_str(line.data.get());
        Ok((line.seq, entry.map_err(|e| format!("an entry this version does not know ({e})"))?))
    }
}

fn checksum(seq: u64, data: &str) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&seq.to_le_bytes());
    crc.update(data.as_bytes());
    crc.finalize()
}

/// All that could be read of a journal.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) opened: Option<(String, ClusterHandle)>,
    pub(super) pending: Vec<Pending>,
    pub(super) next: u64,
    pub(super) damage: Vec<JournalError>,
}

/// The lines that end. One that does not was cut by a crash before anything it announces was touched.
pub(super) fn whole(bytes: &[u8]) -> &[u8] {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(&[], |end| &bytes[..=end])
}

/// Reads what can be read. A line that is as it was written counts, whatever happened to those before it: it may
/// announce a change that nobody else knows. What is missing between two such lines is damage.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Parsed {
    let mut parsed = Parsed { next: 1, ..Parsed::default() };
    for (index, line) in whole(bytes).split_inclusive(|byte| *byte == b'\n').enumerate() {
        let damaged = |why| JournalError::Damaged { path: path.into(), line: index + 1, why };
        match Line::decode(line) {
            Ok((_, Entry::Opened { format, .. })) if format > FORMAT => {
                let why = format!("format {format} is newer than this build's {FORMAT}");
                parsed.damage.push(damaged(why));
            }
            Ok((seq, _)) if seq < parsed.next => {
                parsed
                    .damage
                    .push(damaged(format!("line {} was expected and line {seq} found", parsed.next)));
            }
            Ok((seq, entry)) => {
                if seq > parsed.next && parsed.damage.is_empty() {
                    let why = format!("line {} was expected and line {seq} found", parsed.next);
                    parsed.damage.push(damaged(why));
                }
                parsed.take(entry);
                parsed.next = seq + 1;
            }
            Err(why) => parsed.damage.push(damaged(why)),
        }
    }
    parsed
}

impl Parsed {
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Opened { run, cluster, .. } => self.opened = Some((run, cluster)),
            Entry::Intent { id, drill, change } => self.pending.push(Pending { id, drill, change: *change }),
            Entry::UndoFinished { id } => self.pending.retain(|p| p.id != id),
            Entry::Applied { .. } | Entry::UndoStarted { .. } | Entry::UndoFailed { .. } => {}
        }
    }
}
