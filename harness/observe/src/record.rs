//! Recordings: observations as JSON lines under a line that says what they are.

use loopdrill_model::Observation;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// The format that is written. A reader takes this and every earlier one.
pub const VERSION: u32 = 1;

const FORMAT: &str = "loopdrill-recording";
const LONGEST_LINE: u64 = 16 << 20;

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always `loopdrill-recording`.
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The writer's own version.
    pub loopdrill: String,
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
    pub fn new(mut out: W) -> io::Result<Self> {
        let header =
            Header { format: FORMAT.into(), version: VERSION, loopdrill: env!("CARGO_PKG_VERSION").into() };
        serde_json::to_writer(&mut out, &header)?;
        out.write_all(b"\n")?;
        Ok(Self(out))
    }

    /// Adds an observation.
    ///
    /// # Errors
    /// When writing fails.
    pub fn record(&mut self, observation: &Observation) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, observation)?;
        self.0.write_all(b"\n")
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

/// The observations of a recording, in the order in which they were seen.
#[derive(Debug)]
pub struct Replay<R> {
    input: R,
    header: Header,
    line: u64,
    ended: bool,
}

/// Opens a recording.
///
/// # Errors
/// [`ReplayError`] when it is none, or a later one.
pub fn replay<R: BufRead>(mut input: R) -> Result<Replay<R>, ReplayError> {
    let mut first = Vec::new();
    io::Read::take(&mut input, 4096).read_until(b'\n', &mut first)?;
    let header: Header = serde_json::from_slice(&first).map_err(|_| ReplayError::NotARecording)?;
    if header.format != FORMAT {
        return Err(ReplayError::NotARecording);
    }
    if header.version > VERSION {
        return Err(ReplayError::Newer { found: header.version, by: header.loopdrill });
    }
    Ok(Replay { input, header, line: 1, ended: false })
}

impl<R: BufRead> Replay<R> {
    /// What the recording says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All of it as a stream.
    pub fn into_stream(self) -> impl futures::Stream<Item = Result<Observation, ReplayError>> {
        futures::stream::iter(self)
    }

    fn read(&mut self) -> Result<Option<Observation>, ReplayError> {
        let mut text = Vec::new();
        self.line += 1;
        let line = self.line;
        io::Read::take(&mut self.input, LONGEST_LINE).read_until(b'\n', &mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        match serde_json::from_slice(&text) {
            Ok(observation) => Ok(Some(observation)),
            Err(_) if text.last() != Some(&b'\n') => Err(ReplayError::CutOff { line }),
            Err(error) => Err(ReplayError::Broken { line, why: error.to_string() }),
        }
    }
}

impl<R: BufRead> Iterator for Replay<R> {
    type Item = Result<Observation, ReplayError>;

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
mod tests {
    use super::*;
    use jiff::Timestamp;
    use loopdrill_model::signal::Usage;
    use loopdrill_model::{Signal, Source};

    fn observations() -> Vec<Observation> {
        let usage = Signal::Usage(Usage { node: "n".into(), cpu_millis: 1, memory_bytes: 2 });
        let seen = |signal| Observation { at: Timestamp::UNIX_EPOCH, source: Source::node("n"), signal };
        vec![seen(Signal::Tick), seen(usage)]
    }

    fn recording() -> Vec<u8> {
        let mut recorder = Recorder::new(Vec::new()).expect("memory");
        for observation in observations() {
            recorder.record(&observation).expect("memory");
        }
        recorder.finish().expect("memory")
    }

    #[test]
    fn what_is_recorded_replays() {
        let bytes = recording();
        let replay = replay(&bytes[..]).expect("a recording");
        assert_eq!(replay.header().version, VERSION);
        assert_eq!(replay.collect::<Result<Vec<_>, _>>().expect("complete"), observations());
    }

    #[test]
    fn version_1_is_read_for_ever() {
        let text = "{\"format\":\"loopdrill-recording\",\"version\":1,\"loopdrill\":\"0.1.0\"}\n\
                    {\"at\":\"1970-01-01T00:00:00Z\",\"source\":\"clock\",\"signal\":{\"type\":\"tick\"}}\n";
        let all: Vec<_> = replay(text.as_bytes()).expect("a recording").collect();
        assert!(matches!(&all[..], [Ok(o)] if o.signal == Signal::Tick), "{all:?}");
    }

    #[test]
    fn a_bad_recording_is_said_to_be_so() {
        assert!(matches!(replay(&b""[..]), Err(ReplayError::NotARecording)));
        assert!(matches!(replay(&b"\x28\xb5\x2f\xfd"[..]), Err(ReplayError::NotARecording)));
        let newer = b"{\"format\":\"loopdrill-recording\",\"version\":99,\"loopdrill\":\"9.0.0\"}\n";
        assert!(matches!(replay(&newer[..]), Err(ReplayError::Newer { found: 99, .. })));
        let whole = recording();
        let cut: Vec<_> = replay(&whole[..whole.len() - 5]).expect("a recording").collect();
        assert!(matches!(&cut[..], [Ok(_), Err(ReplayError::CutOff { line: 3 })]), "{cut:?}");
        let broken = [&whole[..], b"{}\n"].concat();
        let all: Vec<_> = replay(&broken[..]).expect("a recording").collect();
        assert!(matches!(&all[..], [Ok(_), Ok(_), Err(ReplayError::Broken { line: 4, .. })]), "{all:?}");
    }
}
