//! A file of the node, edited in place.
//!
//! In place, because the file may be mounted into a container by itself: a new inode would not be seen there.
//! A crash between truncation and writing leaves a beginning of the new or the old content; both are ours.

use super::{error::StepError, mechanism::Mechanism};
use base64::{Engine, prelude::BASE64_STANDARD};
use nix::sys::{
    stat::{UtimensatFlags, utimensat},
    time::TimeSpec,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A file gets another content, in place: inode, owner and mode stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditFile {
    /// Its path.
    pub path: PathBuf,
    /// The new content.
    pub content: Content,
}

/// A file's content: base64 when serialised, and never printed, as it may hold credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(pub Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl Serialize for Content {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Content).map_err(serde::de::Error::custom)
    }
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileBefore {
    pub(crate) content: Content,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime_s: i64,
    pub(crate) mtime_ns: i64,
}

impl fmt::Display for EditFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edit {}", self.path.display())
    }
}

impl Mechanism for EditFile {
    type Before = FileBefore;
    const BEFORE: &'static str = "file";

    /// Reads content, owner, mode and time of the last change.
    fn snapshot(&self) -> Result<FileBefore, StepError> {
        let meta = fs::symlink_metadata(&self.path).map_err(StepError::io(&self.path))?;
        match meta.is_file() {
            true => read(&self.path),
            false => Err(self.foreign("not a regular file")),
        }
    }

    fn apply(&self, _: &FileBefore) -> Result<(), StepError> {
        write(&self.path, &self.content)
    }

    fn read(&self, _: &FileBefore) -> Result<Option<String>, StepError> {
        let now = fs::read(&self.path).map_err(StepError::io(&self.path))?;
        Ok((now == self.content.0).then(|| format!("{} edited ({} bytes)", self.path.display(), now.len())))
    }

    /// Writes the old content, and sets its time, unless someone else has changed the file since.
    fn restore(&self, before: &FileBefore) -> Result<(), StepError> {
        let now = fs::read(&self.path).map_err(StepError::io(&self.path))?;
        if now != before.content.0 {
            if !(self.content.0.starts_with(&now) || before.content.0.starts_with(&now)) {
                return Err(self.foreign("someone else has changed it since"));
            }
            write(&self.path, &before.content)?;
        }
        let mtime = TimeSpec::new(before.mtime_s, before.mtime_ns);
        let (now, follow) = (&TimeSpec::UTIME_OMIT, UtimensatFlags::NoFollowSymlink);
        utimensat(nix::fcntl::AT_FDCWD, &self.path, now, &mtime, follow)
            .map_err(|errno| StepError::io(&self.path)(errno.into()))
    }

    fn difference(&self, before: &FileBefore) -> Result<Option<String>, StepError> {
        let now = match read(&self.path) {
            Ok(now) => now,
            Err(StepError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Some(format!("{} is gone", self.path.display())));
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
        Ok(Some(format!("{} of {} is not as before", what, self.path.display())))
    }
}

impl EditFile {
    fn foreign(&self, found: &str) -> StepError {
        StepError::foreign(self.path.display().to_string(), found)
    }
}

fn write(path: &Path, content: &Content) -> Result<(), StepError> {
    let put = || {
        let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
        file.write_all(&content.0)?;
        file.sync_all()
    };
    put().map_err(StepError::io(path))
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

    const OURS: &[u8] = b"mallory:hash\n";

    fn edit(path: &Path) -> EditFile {
        EditFile { path: path.into(), content: Content(OURS.into()) }
    }

    fn sample() -> (tempfile::NamedTempFile, EditFile, FileBefore) {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        fs::write(file.path(), b"alice:hash\n").expect("write");
        let edit = edit(file.path());
        let before = edit.snapshot().expect("snapshot");
        (file, edit, before)
    }

    #[test]
    fn comes_back_byte_for_byte_with_its_time() {
        let (_file, edit, before) = sample();
        edit.apply(&before).expect("apply");
        assert!(edit.read(&before).expect("read").is_some());
        assert!(edit.difference(&before).expect("compare").expect("differs").contains("content"));
        edit.restore(&before).expect("restore");
        edit.restore(&before).expect("restore twice");
        assert_eq!(edit.difference(&before).expect("compare"), None);
    }

    #[test]
    fn a_half_written_file_is_ours_and_another_content_is_not() {
        let (file, edit, before) = sample();
        fs::write(file.path(), b"mall").expect("write");
        edit.restore(&before).expect("restore");
        assert_eq!(edit.difference(&before).expect("compare"), None);
        fs::write(file.path(), b"bob:hash\n").expect("write");
        let refused = edit.restore(&before);
        assert!(matches!(refused, Err(StepError::Foreign { .. })), "{refused:?}");
        assert_eq!(fs::read(file.path()).expect("read"), b"bob:hash\n");
    }

    #[test]
    fn a_link_or_a_directory_is_refused() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert!(matches!(edit(dir.path()).snapshot(), Err(StepError::Foreign { .. })));
        assert!(matches!(edit(&dir.path().join("none")).snapshot(), Err(StepError::Io { .. })));
    }
}
