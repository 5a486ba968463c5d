//! Recordings: JSON lines under a line that says what they are, compressed with gzip.
//!
//! A recording holds exactly what a detector took in, in its order, and the moments at which it judged, so that a
//! replay gives the same documents. Marks say what was really done to the cluster; detectors never see them.
//!
//! | version | what it added |
//! |---|---|
//! | 1 | observations, not compressed |
//! | 2 | judgements and marks; gzip; numbers that come back bit by bit |
//! | 3 | a mark before the injection begins; the cloud roles that a drill breaks |
//! | 4 | whose time is over, where several detectors were listened to; reports of drills in format 2 |
//! | 5 | recordings of one look, which say the drill that they are about; drills beside it are not theirs to answer |

mod entry;
mod writer;

pub use entry::{Entry, Judged};
pub use writer::{RecordingError, RecordingWriter};

use flate2::bufread::MultiGzDecoder;
use loopdrill_model::{FaultId, Observation};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

/// The format that is written. A reader takes this and every earlier one.
pub const VERSION: u32 = 5;

const FORMAT: &str = "loopdrill-recording";
const LONGEST_LINE: u64 = 16 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always `loopdrill-recording`.
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The writer's own version.
    pub loopdrill: String,
    /// The drill that was looked at once, after its symptom had shown; absent where all was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<FaultId>,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Another kind of file.
    #[error("this is no recording; record one with `loopdrill run` or `loopdrill diagnose --record`")]
    NotARecording,
    /// A later loopdrill wrote it.
    #[error(
        "the recording has version {found}, this loopdrill reads up to {VERSION}; use loopdrill {by} or later"
    )]
    Newer {
        /// Its version.
        found: u32,
        /// Who wrote it.
        by: String,
    },
    /// A line in it is broken.
    #[error("line {line} of the recording is broken: {why}")]
    Broken {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// Its end is missing.
    #[error("the recording is cut off in line {line}; everything before it was read")]
    CutOff {
        /// Which, from 1.
        line: u64,
    },
    /// Reading failed.
    #[error("reading the recording failed: {0}")]
    Read(#[from] io::Error),
}

/// Writes a recording.
pub struct Recorder<W: Write>(W);

impl<W: Write> Recorder<W> {
    /// Begins a recording.
    ///
    /// # Errors
    /// When writing fails.
    pub fn new(out: W) -> io::Result<Self> {
        Self::of(out, None)
    }

    /// Begins a recording of one look at a drill, or of all that is watched.
    ///
    /// # Errors
    /// When writing fails.
    pub fn of(mut out: W, look: Option<FaultId>) -> io::Result<Self> {
        let loopdrill = env!("CARGO_PKG_VERSION").into();
        let header = Header { format: FORMAT.into(), version: VERSION, loopdrill, look };
        serde_json::to_writer(&mut out, &header)?;
        out.write_all(b"\n")?;
        Ok(Self(out))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        entry.write(&mut self.0)
    }

    /// Adds an observation.
    ///
    /// # Errors
    /// When writing fails.
    pub fn record(&mut self, observation: &Observation) -> io::Result<()> {
        self.write(&Entry::Seen(observation.clone()))
    }

    /// Hands on what was added so far.
    ///
    /// # Errors
    /// When writing fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}

/// The lines of a recording, in the order in which they were written.
pub struct Replay<R> {
    input: R,
    header: Header,
    line: u64,
    ended: bool,
}

/// Opens the recording in a file, compressed or not.
///
/// # Errors
/// [`ReplayError`] when it is none, or a later one.
pub fn open(path: &Path) -> Result<Replay<Box<dyn BufRead + Send>>, ReplayError> {
    read(BufReader::new(File::open(path)?))
}

/// Opens the recording in `input`, compressed or not.
///
/// # Errors
/// [`ReplayError`] when it is none, or a later one.
pub fn read(
    mut input: impl BufRead + Send + 'static,
) -> Result<Replay<Box<dyn BufRead + Send>>, ReplayError> {
    if input.fill_buf()?.starts_with(&GZIP) {
        replay(Box::new(BufReader::new(MultiGzDecoder::new(input))))
    } else {
        replay(Box::new(input))
    }
}

/// Reads a recording that is not compressed, or not any more.
///
/// # Errors
/// [`ReplayError`] when it is none, or a later one.
pub fn replay<R: BufRead>(mut input: R) -> Result<Replay<R>, ReplayError> {
    let mut first = Vec::new();
    match io::Read::take(&mut input, 4096).read_until(b'\n', &mut first) {
        Ok(_) => {}
        Err(error) if is_damage(&error) => return Err(ReplayError::NotARecording),
        Err(error) => return Err(error.into()),
    }
    let header: Header = serde_json::from_slice(&first).map_err(|_| ReplayError::NotARecording)?;
    if header.format != FORMAT {
        return Err(ReplayError::NotARecording);
    }
    if header.version > VERSION {
        return Err(ReplayError::Newer { found: header.version, by: header.loopdrill });
    }
    Ok(Replay { input, header, line: 1, ended: false })
}

/// Whether the compressed data itself is wrong.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    )
}

impl<R: BufRead> Replay<R> {
    /// What the recording says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The observations alone.
    pub fn observations(self) -> impl Iterator<Item = Result<Observation, ReplayError>> {
        self.filter_map(|entry| match entry {
            Ok(Entry::Seen(observation)) => Some(Ok(observation)),
            Ok(Entry::Judged(_) | Entry::Mark(_)) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn read(&mut self) -> Result<Option<Entry>, ReplayError> {
        let mut text = Vec::new();
        self.line += 1;
        let line = self.line;
        match io::Read::take(&mut self.input, LONGEST_LINE).read_until(b'\n', &mut text) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ReplayError::CutOff { line });
            }
            Err(error) if is_damage(&error) => {
                return Err(ReplayError::Broken { line, why: error.to_string() });
            }
            Err(error) => return Err(error.into()),
        }
        if text.is_empty() {
            return Ok(None);
        }
        match Entry::read(&text) {
            Ok(entry) => Ok(Some(entry)),
            Err(_) if text.last() != Some(&b'\n') => Err(ReplayError::CutOff { line }),
            Err(error) => Err(ReplayError::Broken { line, why: error.to_string() }),
        }
    }
}

impl<R: BufRead> Iterator for Replay<R> {
    type Item = Result<Entry, ReplayError>;

    /// After an error nothing follows.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests;
