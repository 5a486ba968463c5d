//! Intents on disk before anything is touched.
//!
//! One append-only file a cluster, JSON lines, each with a sequence number and a checksum, fsynced before
//! the change it announces. The file is locked while a run or an undo works on the cluster, and removed when
//! nothing in it is left to undo: a journal that exists unlocked is a dirty one.

mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod line;

pub use entry::{Entry, FORMAT, JournalError, Pending};

use crate::Change;
use jiff::Timestamp;
use line::Line;
use loopdrill_cluster::ClusterHandle;
use loopdrill_model::FaultId;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// The journal of one cluster, open and locked.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: Flock<File>,
    next: u64,
    pending: Vec<Pending>,
    changes: u64,
    run: String,
    /// The disk has lost what it was given: nothing more is announced.
    lost: bool,
}

/// What was found in a journal.
#[derive(Debug)]
pub struct Found {
    /// The run that wrote it.
    pub run: String,
    /// The cluster it is about.
    pub cluster: ClusterHandle,
    /// The lines that could not be read.
    pub damage: Vec<JournalError>,
}

/// Where journals live: `$LOOPDRILL_STATE`, or `loopdrill` in `$XDG_STATE_HOME` or `~/.local/state`.
#[must_use]
pub fn state_dir() -> PathBuf {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("LOOPDRILL_STATE")
        .or_else(|| var("XDG_STATE_HOME").map(|d| d.join("loopdrill")))
        .or_else(|| var("HOME").map(|d| d.join(".local/state/loopdrill")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/loopdrill"))
}

/// All journals in `dir`, whether dirty or in use.
///
/// # Errors
/// When the folder exists and cannot be read.
pub fn list(dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let folder = dir.join("journal");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(JournalError::Io { path: folder, doing: "list", source }),
    };
    let mut found: Vec<_> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|x| x == "jsonl"))
        .collect();
    found.sort();
    Ok(found)
}

impl Journal {
    /// Opens the journal of `cluster` for a new run.
    ///
    /// # Errors
    /// [`JournalError::Busy`] when another process works on the cluster, [`JournalError::Dirty`] when an
    /// earlier run left something behind, [`JournalError::Damaged`] when that cannot be told.
    pub fn open(dir: &Path, cluster: &ClusterHandle, run: &str) -> Result<Self, JournalError> {
        let folder = dir.join("journal");
        fs::create_dir_all(&folder).map_err(|source| JournalError::Io {
            path: folder.clone(),
            doing: "create",
            source,
        })?;
        let path = folder.join(format!("{}.jsonl", file_name(cluster)));
        let file = lock(&path, cluster.name(), true)?;
        let parsed = line::parse(&read_all(&file, &path)?, &path);
        if let Some(damage) = parsed.damage.into_iter().next() {
            return Err(damage);
        }
        if !parsed.pending.is_empty() {
            let left = parsed.pending.iter().map(|p| format!("{}: {}", p.drill, p.change)).collect();
            return Err(JournalError::Dirty { cluster: cluster.to_string(), left });
        }
        file.set_len(0).map_err(|source| JournalError::Io { path: path.clone(), doing: "empty", source })?;
        sync_folder(&folder)?;
        let inner = Inner { file, next: 1, pending: Vec::new(), changes: 0, run: run.into(), lost: false };
        let journal = Self { path, inner: Mutex::new(inner) };
        journal.append(Entry::Opened {
            format: FORMAT,
            run: run.into(),
            cluster: cluster.clone(),
            pid: std::process::id(),
            at: Timestamp::now(),
        })?;
        Ok(journal)
    }

    /// Opens a journal that an earlier run left, to undo what is in it. `None` when it is empty.
    ///
    /// # Errors
    /// [`JournalError::Busy`] when its run still goes on; damaged lines are reported in [`Found`].
    pub fn recover(path: &Path) -> Result<Option<(Self, Found)>, JournalError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = lock(path, &name, false)?;
        let bytes = read_all(&file, path)?;
        let parsed = line::parse(&bytes, path);
        let Some((run, cluster)) = parsed.opened else {
            return match parsed.damage.into_iter().next() {
                Some(damage) => Err(damage),
                None => Ok(None),
            };
        };
        // What a crash cut off must not run into the next line.
        let whole = line::whole(&bytes).len() as u64;
        file.set_len(whole).map_err(|source| JournalError::Io { path: path.into(), doing: "cut", source })?;
        let inner = Inner {
            file,
            next: parsed.next,
            changes: parsed.pending.len() as u64,
            pending: parsed.pending,
            run: run.clone(),
            lost: false,
        };
        let journal = Self { path: path.into(), inner: Mutex::new(inner) };
        Ok(Some((journal, Found { run, cluster, damage: parsed.damage })))
    }

    /// What may be in force, oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        self.locked().pending.clone()
    }

    /// Announces `changes` of `drill`; when this returns they are on disk with their undo.
    ///
    /// # Errors
    /// When the disk refuses: then nothing may be changed.
    pub fn intend(&self, drill: &FaultId, changes: Vec<Change>) -> Result<Vec<Pending>, JournalError> {
        let mut announced = Vec::new();
        for change in changes {
            let id = {
                let mut inner = self.locked();
                inner.changes += 1;
                format!("{}-{}", inner.run, inner.changes)
            };
            let pending = Pending { id: id.clone(), drill: drill.clone(), change };
            self.append(Entry::Intent {
                id,
                drill: drill.clone(),
                change: Box::new(pending.change.clone()),
            })?;
            self.locked().pending.push(pending.clone());
            announced.push(pending);
        }
        Ok(announced)
    }

    /// Notes that a change was applied.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn applied(&self, id: &str) -> Result<(), JournalError> {
        self.append(Entry::Applied { id: id.into() })
    }

    /// Notes that an undo began.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn undo_started(&self, id: &str) -> Result<(), JournalError> {
        self.append(Entry::UndoStarted { id: id.into() })
    }

    /// Notes how an undo ended.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn undo_ended(&self, id: &str, result: Result<(), String>) -> Result<(), JournalError> {
        match result {
            Ok(()) => {
                self.append(Entry::UndoFinished { id: id.into() })?;
                self.locked().pending.retain(|p| p.id != id);
                Ok(())
            }
            Err(error) => self.append(Entry::UndoFailed { id: id.into(), error }),
        }
    }

    /// Ends the work on this cluster. The file goes when nothing is left to undo.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn close(&self) -> Result<(), JournalError> {
        if !self.locked().pending.is_empty() {
            return Ok(());
        }
        let io = |source| JournalError::Io { path: self.path.clone(), doing: "remove", source };
        fs::remove_file(&self.path).map_err(io)
    }

    /// The file, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds a line, or leaves the file as it was: half a line would run into the next one.
    fn append(&self, entry: Entry) -> Result<(), JournalError> {
        let io = |doing| move |source| JournalError::Io { path: self.path.clone(), doing, source };
        let mut inner = self.locked();
        if inner.lost && matches!(entry, Entry::Intent { .. }) {
            return Err(JournalError::Lost { path: self.path.clone() });
        }
        let text = Line::encode(inner.next, &entry).map_err(io("encode"))?;
        let before = inner.file.metadata().map_err(io("stat"))?.len();
        let written = inner.file.write_all(text.as_bytes()).map_err(io("write"));
        let kept = written.and_then(|()| {
            // What the kernel could not write it may forget, and say the next time that all is well.
            inner.file.sync_all().map_err(io("sync")).inspect_err(|_| inner.lost = true)
        });
        if kept.is_err() && inner.file.set_len(before).is_err() {
            inner.lost = true;
        }
        kept?;
        inner.next += 1;
        Ok(())
    }
}

/// Makes sure that a file is found in its folder after the machine has lost its power.
fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    let io = |source| JournalError::Io { path: folder.into(), doing: "sync", source };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

fn file_name(cluster: &ClusterHandle) -> String {
    let kind = match cluster {
        ClusterHandle::Lab { .. } | ClusterHandle::Kind { .. } => "kind",
        ClusterHandle::Context { .. } => "context",
    };
    let safe: String = cluster
        .name()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    format!("{kind}-{safe}")
}

/// Locks the file of that name, and makes sure that it still is the file of that name afterwards.
fn lock(path: &Path, cluster: &str, create: bool) -> Result<Flock<File>, JournalError> {
    use std::os::unix::fs::MetadataExt as _;
    let io = |doing| move |source| JournalError::Io { path: path.into(), doing, source };
    loop {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(create)
            .mode(0o600)
            .open(path)
            .map_err(io("open"))?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => {
                JournalError::Busy { cluster: cluster.into(), path: path.into() }
            }
            other => io("lock")(other.into()),
        })?;
        let ours = file.metadata().map_err(io("stat"))?.ino();
        match fs::metadata(path) {
            Ok(there) if there.ino() == ours => return Ok(file),
            Ok(_) => {}
            Err(e) if create && e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(io("stat")(e)),
        }
    }
}

fn read_all(mut file: &File, path: &Path) -> Result<Vec<u8>, JournalError> {
    let mut bytes = Vec::new();
    let io = |source| JournalError::Io { path: path.into(), doing: "read", source };
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod disk_tests;
#[cfg(test)]
mod tests;
