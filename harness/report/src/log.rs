//! `events.jsonl`: one event a line, written through at once, so that a killed run leaves a readable stream.

use crate::{Fold, OutputDir, ReportError};
use loopdrill_model::{Event, EventKind};
use std::{fs, io::Write, path::Path, sync::Arc};

/// The fold that writes `events.jsonl`.
pub struct EventLog {
    dir: Arc<OutputDir>,
    failed: Option<ReportError>,
}

impl EventLog {
    /// Writes the stream in `dir`.
    #[must_use]
    pub fn new(dir: &Arc<OutputDir>) -> Self {
        Self { dir: Arc::clone(dir), failed: None }
    }

    fn write(&self, event: &Event) -> Result<(), String> {
        let mut line = serde_json::to_vec(event).map_err(|e| e.to_string())?;
        line.push(b'\n');
        // One write a line, without a buffer of ours: nothing is lost when the process is killed.
        (&self.dir.events).write_all(&line).map_err(|e| e.to_string())
    }
}

impl Fold for EventLog {
    fn event(&mut self, event: &Event) {
        // After a failed write the line may be half there: a stream that goes on behind it would be garbled.
        if self.failed.is_none()
            && let Err(why) = self.write(event)
        {
            self.failed = Some(ReportError::Write { path: self.dir.path().join(OutputDir::EVENTS), why });
        }
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.dir.events.sync_all().map_err(|e| ReportError::Write {
                path: self.dir.path().join(OutputDir::EVENTS),
                why: e.to_string(),
            }),
        }
    }
}

/// Reads an event stream. A last line that was cut off by a kill is left out.
///
/// # Errors
/// [`ReportError::Read`], [`ReportError::Newer`] for the stream of a newer build, and
/// [`ReportError::Garbled`] with the number of a whole line that is no event.
pub fn read_events(path: &Path) -> Result<Vec<Event>, ReportError> {
    let text = fs::read_to_string(path).map_err(|source| ReportError::Read { path: path.into(), source })?;
    let garbled = |why| ReportError::Garbled { path: path.into(), what: "event stream", why };
    let mut events = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if number == 0 {
            check_format(path, line)?;
        }
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(_) if !line.ends_with('\n') => break,
            Err(e) => return Err(garbled(format!("line {}: {e}", number + 1))),
        }
    }
    match events.first() {
        Some(Event { kind: EventKind::RunStarted { .. }, .. }) => Ok(events),
        _ => Err(garbled("it does not begin with `run-started`".into())),
    }
}

/// The format stands in the first line, and is looked at before the rest of that line: a newer build may have
/// changed it.
fn check_format(path: &Path, line: &str) -> Result<(), ReportError> {
    let found = serde_json::from_str::<serde_json::Value>(line).ok().and_then(|v| v["format"].as_u64());
    match found {
        Some(found) if found > u64::from(EventKind::FORMAT) => Err(ReportError::Newer {
            path: path.into(),
            found: u32::try_from(found).unwrap_or(u32::MAX),
            known: EventKind::FORMAT,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn written(events: &[Event]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let out = Arc::new(OutputDir::claim(dir.path()).expect("claimed"));
        let mut log = EventLog::new(&out);
        events.iter().for_each(|e| log.event(e));
        let path = dir.path().join(OutputDir::EVENTS);
        (dir, path)
    }

    #[test]
    fn is_readable_at_every_byte_where_a_kill_may_cut_it() {
        let events = sample::events(&sample::run());
        let (_dir, path) = written(&events);
        assert_eq!(read_events(&path).expect("readable"), events);
        let whole = fs::read(&path).expect("readable");
        let first = whole.iter().position(|b| *b == b'\n').expect("a line") + 1;
        for cut in (first..whole.len()).step_by(97) {
            fs::write(&path, &whole[..cut]).expect("written");
            let read = read_events(&path).expect("readable");
            // What is missing is what was cut; a line without its end mark is still whole.
            let ends = whole[..cut].iter().filter(|b| **b == b'\n').count();
            assert!(read.len() == ends || read.len() == ends + 1, "cut at {cut}");
            assert_eq!(read, events[..read.len()]);
        }
    }

    #[test]
    fn a_newer_stream_and_garbage_are_told_apart() {
        let (_dir, path) = written(&sample::events(&sample::run()));
        let text = fs::read_to_string(&path).expect("readable");
        fs::write(&path, text.replacen("\"format\":2", "\"format\":7", 1)).expect("written");
        assert!(matches!(read_events(&path), Err(ReportError::Newer { found: 7, .. })));
        fs::write(&path, text.replacen("gate-answered", "gate-guessed", 1)).expect("written");
        let error = read_events(&path).expect_err("no such event").to_string();
        assert!(error.contains("line "), "{error}");
        for nothing in ["", "{}\n", "hello"] {
            fs::write(&path, nothing).expect("written");
            assert!(matches!(read_events(&path), Err(ReportError::Garbled { .. })), "{nothing:?}");
        }
    }

    #[test]
    fn a_stream_of_format_1_is_read() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join(OutputDir::EVENTS);
        fs::write(&path, include_str!("fixtures/events.format-1.jsonl")).expect("written");
        let events = read_events(&path).expect("format 1");
        let started = events.iter().find(|e| matches!(e.kind, EventKind::DrillStarted { .. })).expect("one");
        assert_eq!(loopdrill_model::Mark::of(started), None, "format 1 did not tell where effects may show");
        let Some(EventKind::DrillFinished { report }) = events.last().map(|e| &e.kind) else {
            panic!("no end")
        };
        assert_eq!((report.detectors.len(), &report.outcome), (1, &loopdrill_model::Outcome::Passed));
    }

    #[test]
    fn a_write_error_comes_out_once_at_the_end() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut out = OutputDir::claim(dir.path()).expect("claimed");
        // A handle that cannot be written to, as a full disk would be.
        out.events = fs::File::open(dir.path().join(OutputDir::EVENTS)).expect("opened");
        let mut log = EventLog::new(&Arc::new(out));
        sample::events(&sample::run()).iter().for_each(|e| log.event(e));
        let error = log.finish().expect_err("nothing was written").to_string();
        assert!(error.contains(OutputDir::EVENTS) && error.contains("--output-dir"), "{error}");
        assert!(log.finish().is_ok(), "once");
    }
}
