//! A file of the node, edited in place.
//!
//! In place, because the file may be mounted into a container by itself: a new inode would not be seen there.
//! A crash between truncation and writing leaves a beginning of the new or the old content; both are ours.

use super::{
    error::StepError,
    step::{Before, Content, FileBefore},
};
use nix::sys::{
    stat::{UtimensatFlags, utimensat},
    time::TimeSpec,
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Reads content, owner, mode and time of the last change.
pub(super) fn snapshot(path: &Path) -> Result<Before, StepError> {
    let meta = fs::symlink_metadata(path).map_err(StepError::io(path))?;
    if !meta.is_file() {
        return Err(StepError::foreign(path.display().to_string(), "not a regular file"));
    }
    Ok(Before::File(read(path)?))
}

pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), StepError> {
    let put = || {
        let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    put().map_err(StepError::io(path))
}

pub(super) fn read_written(path: &Path, content: &[u8]) -> Result<Option<String>, StepError> {
    let now = fs::read(path).map_err(StepError::io(path))?;
    Ok((now == content).then(|| format!("{} edited ({} bytes)", path.display(), now.len())))
}

/// Writes the old content, and sets its time, unless someone else has changed the file since.
pub(super) fn restore(path: &Path, ours: &[u8], before: &FileBefore) -> Result<(), StepError> {
    let now = fs::read(path).map_err(StepError::io(path))?;
    if now != before.content.0 {
        if !(ours.starts_with(&now) || before.content.0.starts_with(&now)) {
            return Err(StepError::foreign(path.display().to_string(), "someone else has changed it since"));
        }
        write(path, &before.content.0)?;
    }
    let mtime = TimeSpec::new(before.mtime_s, before.mtime_ns);
    utimensat(nix::fcntl::AT_FDCWD, path, &TimeSpec::UTIME_OMIT, &mtime, UtimensatFlags::NoFollowSymlink)
        .map_err(|errno| StepError::io(path)(errno.into()))
}

pub(super) fn difference(path: &Path, before: &FileBefore) -> Result<Option<String>, StepError> {
    let now = match read(path) {
        Ok(now) => now,
        Err(StepError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some(format!("{} is gone", path.display())));
        }
        Err(other) => return Err(other),
    };
    let what = if now == *before {
        return Ok(None);
    } else if now.content != before.content {
        "content"
    } else if (now.mode, now.uid, now.gid) != (before.mode, before.uid, before.gid) {
        "mode or owner"
    } else {
        "time of the last change"
    };
    Ok(Some(format!("{} of {} is not as before", what, path.display())))
}

fn read(path: &Path) -> Result<FileBefore, StepError> {
    let content = fs::read(path).map_err(StepError::io(path))?;
    let meta = fs::metadata(path).map_err(StepError::io(path))?;
    Ok(FileBefore {
        content: Content(content),
        mode: meta.mode(),
        uid: meta.uid(),
        gid: meta.gid(),
        mtime_s: meta.mtime(),
        mtime_ns: meta.mtime_nsec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (tempfile::NamedTempFile, FileBefore) {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        write(file.path(), b"alice:hash\n").expect("write");
        let Before::File(before) = snapshot(file.path()).expect("snapshot") else {
            panic!("not a file's snapshot")
        };
        (file, before)
    }

    #[test]
    fn comes_back_byte_for_byte_with_its_time() {
        let (file, before) = sample();
        write(file.path(), b"mallory:hash\n").expect("write");
        assert!(read_written(file.path(), b"mallory:hash\n").expect("read").is_some());
        assert!(difference(file.path(), &before).expect("compare").expect("differs").contains("content"));
        restore(file.path(), b"mallory:hash\n", &before).expect("restore");
        restore(file.path(), b"mallory:hash\n", &before).expect("restore twice");
        assert_eq!(difference(file.path(), &before).expect("compare"), None);
    }

    #[test]
    fn a_half_written_file_is_ours_and_another_content_is_not() {
        let (file, before) = sample();
        write(file.path(), b"mall").expect("write");
        restore(file.path(), b"mallory:hash\n", &before).expect("restore");
        assert_eq!(difference(file.path(), &before).expect("compare"), None);
        write(file.path(), b"bob:hash\n").expect("write");
        let refused = restore(file.path(), b"mallory:hash\n", &before);
        assert!(matches!(refused, Err(StepError::Foreign { .. })), "{refused:?}");
        assert_eq!(fs::read(file.path()).expect("read"), b"bob:hash\n");
    }

    #[test]
    fn a_link_or_a_directory_is_refused() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert!(matches!(snapshot(dir.path()), Err(StepError::Foreign { .. })));
        assert!(matches!(snapshot(&dir.path().join("none")), Err(StepError::Io { .. })));
    }
}
