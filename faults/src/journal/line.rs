//! One line of a journal: `{"seq":…,"crc":…,"data":{…}}`, the checksum over sequence number and data.

use super::{Entry, FORMAT, JournalError, Pending};
use loopdrill_target::ClusterHandle;
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
        let data = serde_json::value::to_raw_value(entry)?;
        let line = Line { seq, crc: checksum(seq, data.get()), data: &data };
        Ok(serde_json::to_string(&line)? + "\n")
    }

    fn decode(text: &str, expected: u64) -> Result<Entry, String> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| format!("not a journal line ({e})"))?;
        if line.crc != checksum(line.seq, line.data.get()) {
            return Err("the checksum does not match".into());
        }
        if line.seq != expected {
            return Err(format!("line {expected} was expected and line {} found", line.seq));
        }
        serde_json::from_str(line.data.get())
            .map_err(|e| format!("an entry this version does not know ({e})"))
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

/// Reads what can be read. A last line without its newline was cut by a crash before anything it
/// announces was touched, so it is no damage.
pub(super) fn parse(text: &str, path: &Path) -> Parsed {
    let mut parsed = Parsed { next: 1, ..Parsed::default() };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for (index, line) in whole.lines().enumerate() {
        let number = index + 1;
        match Line::decode(line, number as u64) {
            Ok(Entry::Opened { format, .. }) if format > FORMAT => {
                parsed.damage.push(JournalError::Damaged {
                    path: path.into(),
                    line: number,
                    why: format!("format {format} is newer than this build's {FORMAT}"),
                })
            }
            Ok(entry) => parsed.take(entry),
            Err(why) => parsed.damage.push(JournalError::Damaged { path: path.into(), line: number, why }),
        }
        parsed.next = number as u64 + 1;
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
