//! Leases on a lab across processes: one run alone, or several that share it.
//!
//! A lease is a lock on a file, so it ends with its process, however that ends.

use crate::{LabError, state};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A held lease. Dropping it releases it.
#[derive(Debug)]
pub struct Lease {
    file: File,
    name: String,
    alone: bool,
}

/// Takes the lab for this process alone.
///
/// # Errors
/// [`LabError::Busy`] with the holder when any other lease is held.
pub fn exclusive(name: &str) -> Result<Lease, LabError> {
    let mut lease = take(name, true)?;
    note_holder(&mut lease.file)?;
    Ok(lease)
}

/// Takes a share of the lab.
///
/// # Errors
/// [`LabError::Busy`] with the holder when somebody has the lab alone.
pub fn shared(name: &str) -> Result<Lease, LabError> {
    take(name, false)
}

fn take(name: &str, alone: bool) -> Result<Lease, LabError> {
    loop {
        let mut file = open(name)?;
        match if alone { file.try_lock() } else { file.try_lock_shared() } {
            // A file that its last holder has removed meanwhile locks nothing.
            Ok(()) if !is_at(&file, &path(name)) => {}
            Ok(()) => return Ok(Lease { file, name: name.into(), alone }),
            Err(TryLockError::WouldBlock) => {
                return Err(LabError::Busy { name: name.into(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(LabError::io(format!("lock lab {name}"), source)),
        }
    }
}

/// Whether the open file is the one that has this path.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

impl Drop for Lease {
    /// Releases it. A process that held the lab alone and took it down removes the lease's file, too.
    fn drop(&mut self) {
        let path = path(&self.name);
        if self.alone && !path.with_extension("").exists() && is_at(&self.file, &path) {
            let _ = std::fs::remove_file(path);
        }
        // Said, and not left to the closing of the file: a child that this process is just starting has it open as well,
        // until it becomes another program, and would hold the lease for so long.
        let _ = self.file.unlock();
    }
}

/// Takes a share of the lab as soon as whoever has it alone (to build it, say) lets go.
///
/// # Errors
/// [`LabError::Busy`] when that takes longer than `limit`.
pub async fn shared_within(name: &str, limit: Duration) -> Result<Lease, LabError> {
    let deadline = Instant::now() + limit;
    loop {
        match shared(name) {
            Err(LabError::Busy { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}

impl Lease {
    /// The lab's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Turns an exclusive lease into a shared one: whoever built the lab lets the others in.
    ///
    /// # Errors
    /// [`LabError::Io`] when the file system cannot.
    pub fn share(mut self) -> Result<Self, LabError> {
        self.file.lock_shared().map_err(|source| LabError::io(format!("share lab {}", self.name), source))?;
        self.alone = false;
        Ok(self)
    }

    /// Gives up a share. Whoever gives up the last one gets the lab for itself, to take it down, and everyone
    /// else gets nothing: of several that leave at once, exactly one is the last.
    #[must_use]
    pub fn release(mut self) -> Option<Lease> {
        // Converting drops the share first and asks second, so two that leave together cannot both fail.
        self.file.try_lock().ok()?;
        self.alone = true;
        note_holder(&mut self.file).ok()?;
        Some(self)
    }
}

fn path(name: &str) -> PathBuf {
    state::dir().join("labs").join(format!("{name}.lock"))
}

fn open(name: &str) -> Result<File, LabError> {
    let path = path(name);
    state::create(path.parent().unwrap_or(&path))?;
    OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| LabError::io(format!("open {}", path.display()), source))
}

fn note_holder(file: &mut File) -> Result<(), LabError> {
    let command: Vec<_> = std::env::args().take(4).collect();
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "process {} ({})", std::process::id(), command.join(" "))
    };
    write(file).map_err(|source| LabError::io("note who holds the lab".into(), source))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
        Ok(_) if !text.is_empty() => text,
        _ => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that no other test and no real lab has.
    fn name(test: &str) -> String {
        format!("lease-test-{test}-{}", std::process::id())
    }

    struct Removed(String);
    impl Drop for Removed {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(path(&self.0));
        }
    }

    #[test]
    fn two_runs_at_once_get_a_clear_error() {
        let lab = Removed(name("two"));
        let held = exclusive(&lab.0).expect("the first gets it");
        let error = exclusive(&lab.0).expect_err("the second does not");
        assert!(error.to_string().contains(&std::process::id().to_string()), "names the holder: {error}");
        assert!(matches!(shared(&lab.0), Err(LabError::Busy { .. })));
        drop(held);
        assert!(!path(&lab.0).exists(), "without a lab the file goes, too");
        exclusive(&lab.0).expect("free again");
    }

    #[test]
    fn the_last_of_several_knows_it() {
        let lab = Removed(name("last"));
        let first = exclusive(&lab.0).expect("free").share().expect("shared");
        let second = shared(&lab.0).expect("shares");
        assert!(exclusive(&lab.0).is_err());
        assert!(first.release().is_none(), "the second still holds it");
        let last = second.release().expect("was the last");
        assert!(shared(&lab.0).is_err(), "the last one has it alone");
        drop(last);
    }

    #[tokio::test]
    async fn a_share_waits_for_the_builder() {
        let lab = Removed(name("wait"));
        let builder = exclusive(&lab.0).expect("free");
        let waiting = tokio::spawn({
            let name = lab.0.clone();
            async move { shared_within(&name, Duration::from_secs(20)).await }
        });
        assert!(shared_within(&lab.0, Duration::from_millis(150)).await.is_err());
        let _shared = builder.share().expect("shared");
        waiting.await.expect("no panic").expect("gets its share");
    }
}
