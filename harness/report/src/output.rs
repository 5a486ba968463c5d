//! The output directory of a run.
//!
//! It belongs to one run at a time, and what an earlier run left is removed when it is claimed: a report that
//! is there was written by this run, whole.

use loopdrill_model::ExitStatus;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The output directory cannot be used.
    #[error("cannot use {} as output directory: {source}; name another with --output-dir", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another run writes there.
    #[error("another run is writing to {}; wait for its end or name another directory with --output-dir", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {}: {why}; free some space or name another directory with --output-dir", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not a {what} of loopdrill: {why}", path.display())]
    Garbled {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A file was written by a newer build.
    #[error("{} has format {found} and this build reads formats up to {known}; read it with a newer loopdrill", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this build reads.
        known: u32,
    },
}

impl ReportError {
    /// How a process ends that fails for this reason alone.
    #[must_use]
    pub const fn exit(&self) -> ExitStatus {
        ExitStatus::Usage
    }
}

/// A directory that this run alone writes to, for as long as the value lives.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
    /// `events.jsonl`, locked.
    pub(crate) events: File,
}

impl OutputDir {
    /// Name of the event stream.
    pub const EVENTS: &'static str = "events.jsonl";
    /// Name of the report for programs.
    pub const JSON: &'static str = "report.json";
    /// Name of the report for CI systems.
    pub const JUNIT: &'static str = "junit.xml";
    /// Name of the scorecard, as the console prints it.
    pub const SCORECARD: &'static str = "scorecard.txt";
    /// Name of the page for people.
    pub const HTML: &'static str = "report.html";
    /// Name of the summary for a pipeline's page.
    pub const MARKDOWN: &'static str = "summary.md";
    /// Name of the metrics for a textfile collector.
    pub const PROMETHEUS: &'static str = "metrics.prom";
    /// Name of the checklist's results, where it was run beside the drills.
    pub const CHECKS: &'static str = "readiness.json";
    /// Name of what became of the checklist's predictions.
    pub const PREDICTIONS: &'static str = "predictions.json";
    /// Name of the recording of what the built-in detector saw.
    pub const RECORDING: &'static str = "recording.gz";

    /// Creates `path` where needed, makes it ours and removes what an earlier run left in it.
    ///
    /// # Errors
    /// [`ReportError::Directory`] when it cannot be created or written to, [`ReportError::Busy`] when another
    /// run holds it.
    pub fn claim(path: impl Into<PathBuf>) -> Result<Self, ReportError> {
        let path = path.into();
        let refused = |source| ReportError::Directory { path: path.clone(), source };
        fs::create_dir_all(&path).map_err(refused)?;
        // Opened without truncation: the lock decides first whose file it is.
        let events = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join(Self::EVENTS))
            .map_err(refused)?;
        match events.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ReportError::Busy { path }),
            Err(TryLockError::Error(source)) => return Err(ReportError::Directory { path, source }),
        }
        events.set_len(0).map_err(refused)?;
        for stale in [
            Self::JSON,
            Self::JUNIT,
            Self::SCORECARD,
            Self::HTML,
            Self::MARKDOWN,
            Self::PROMETHEUS,
            Self::RECORDING,
        ] {
            match fs::remove_file(path.join(stale)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(refused(e)),
                _ => {}
            }
        }
        Ok(Self { path, events })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file `name` so that it appears whole or not at all.
    ///
    /// # Errors
    /// [`ReportError::Write`]; nothing is left behind then, and an older file of that name stays.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), ReportError> {
        let path = self.path.join(name);
        let draft = self.path.join(format!(".{name}.draft"));
        replace(&draft, &path, content).map_err(|e| {
            // The draft may not even exist; the error that counts is the one above.
            let _ = fs::remove_file(&draft);
            ReportError::Write { path, why: e.to_string() }
        })
    }
}

fn replace(draft: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_and_nothing_of_the_last_one() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("deep/report");
        let first = OutputDir::claim(&path).expect("claimed");
        first.write(OutputDir::JSON, b"old").expect("written");
        assert!(matches!(OutputDir::claim(&path), Err(ReportError::Busy { .. })));
        assert!(path.join(OutputDir::JSON).exists(), "a refused claim touches nothing");
        drop(first);
        let _second = OutputDir::claim(&path).expect("claimed again");
        let mut names: Vec<_> =
            fs::read_dir(&path).expect("readable").map(|e| e.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, [OutputDir::EVENTS]);
    }

    #[test]
    fn a_directory_that_cannot_be_is_a_usage_error() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let error = OutputDir::claim(file.path().join("report")).expect_err("below a file");
        assert!(matches!(error, ReportError::Directory { .. }));
        assert_eq!(error.exit(), ExitStatus::Usage);
        assert!(error.to_string().contains("--output-dir"), "{error}");
    }

    #[test]
    fn a_failed_write_leaves_no_draft() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let out = OutputDir::claim(dir.path()).expect("claimed");
        fs::create_dir(dir.path().join("taken")).expect("created");
        let error = out.write("taken", b"x").expect_err("a directory is in the way");
        assert!(matches!(error, ReportError::Write { .. }));
        assert!(!dir.path().join(".taken.draft").exists());
    }
}
