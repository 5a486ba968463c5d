//! A recording in the making, shared by whoever has something to say in it.
//!
//! Writing happens on a thread of its own: neither a slow disk nor the compression holds up a detector. What was
//! said up to about a second before a kill can be read.

use super::{Entry, Recorder};
use flate2::{Compression, write::GzEncoder};
use loopdrill_model::FaultId;
use std::{
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Between two moments at which everything said so far is on its way to the disk.
const FLUSH: Duration = Duration::from_secs(1);

/// A recording could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the recording {path}: {source}; make room or name another file with --record")]
pub struct RecordingError {
    path: PathBuf,
    source: io::Error,
}

type Writer = JoinHandle<io::Result<()>>;

/// A recording in the making. Clones write to the same one.
#[derive(Debug, Clone)]
pub struct RecordingWriter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Both are gone when the recording is finished.
    running: Mutex<Option<(mpsc::Sender<Entry>, Writer)>>,
}

impl RecordingWriter {
    /// Begins a recording in a new file; an old one of that name is replaced.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, RecordingError> {
        Self::begin(path, None)
    }

    /// Begins the recording of one look at `drill` in a file beside `path`, with the drill in its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn of_look(path: &Path, drill: &FaultId) -> Result<Self, RecordingError> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{stem}.once.{}.{}.gz", drill.fault, drill.variant);
        Self::begin(&path.with_file_name(name), Some(drill.clone()))
    }

    fn begin(path: &Path, look: Option<FaultId>) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError { path: path.into(), source };
        let file = File::create(path).map_err(failed)?;
        let compressed = GzEncoder::new(BufWriter::new(file), Compression::default());
        let recorder = Recorder::of(compressed, look).map_err(failed)?;
        let (say, said) = mpsc::channel();
        let writer =
            std::thread::Builder::new().name("recording".into()).spawn(move || write(recorder, &said));
        let running = Mutex::new(Some((say, writer.map_err(failed)?)));
        Ok(Self(Arc::new(Inner { path: path.into(), running })))
    }

    /// Where it is written to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Adds a line. After [`RecordingWriter::finish`] nothing is added any more.
    pub fn say(&self, entry: Entry) {
        if let Some((say, _)) = &*self.0.running.lock().unwrap_or_else(PoisonError::into_inner) {
            // A writer that is gone says why when the recording is finished.
            let _ = say.send(entry);
        }
    }

    /// Ends the recording and waits until it is written. Once is enough; a second call does nothing.
    ///
    /// # Errors
    /// The first thing that went wrong with the file.
    pub fn finish(&self) -> Result<(), RecordingError> {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((say, writer)) = running else { return Ok(()) };
        drop(say);
        let written = writer.join().unwrap_or_else(|_| Err(io::Error::other("its writer has died")));
        written.map_err(|source| RecordingError { path: self.0.path.clone(), source })
    }
}

fn write(mut to: Recorder<GzEncoder<BufWriter<File>>>, said: &mpsc::Receiver<Entry>) -> io::Result<()> {
    let mut flushed = Instant::now();
    loop {
        match said.recv_timeout(FLUSH) {
            Ok(entry) => to.write(&entry)?,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        if flushed.elapsed() >= FLUSH {
            to.flush()?;
            flushed = Instant::now();
        }
    }
    to.finish()?.finish()?.into_inner()?.sync_all()
}
