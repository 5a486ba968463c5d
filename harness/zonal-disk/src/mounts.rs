//! Bind mounts on a node.

use nix::mount::{MntFlags, MsFlags};
use std::{
    ffi::OsString,
    fs, io,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// The mounts that the driver needs.
pub(crate) trait Mounts: Send + Sync {
    /// Shows `source` at `target`, too.
    fn bind(&self, source: &Path, target: &Path) -> io::Result<()>;
    /// Takes writing away from the mount at `target`.
    fn make_read_only(&self, target: &Path) -> io::Result<()>;
    /// Takes the topmost mount at `target` away.
    fn unmount(&self, target: &Path) -> io::Result<()>;
    /// Whether something is mounted at `target`.
    fn is_mounted(&self, target: &Path) -> io::Result<bool>;
    /// Whether `target` shows `source`.
    fn shows(&self, target: &Path, source: &Path) -> io::Result<bool>;
}

/// The kernel's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel;

impl Mounts for Kernel {
    fn bind(&self, source: &Path, target: &Path) -> io::Result<()> {
        mount(Some(source), target, MsFlags::MS_BIND)
    }

    fn make_read_only(&self, target: &Path) -> io::Result<()> {
        mount(None, target, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY)
    }

    fn unmount(&self, target: &Path) -> io::Result<()> {
        Ok(nix::mount::umount2(target, MntFlags::UMOUNT_NOFOLLOW)?)
    }

    fn is_mounted(&self, target: &Path) -> io::Result<bool> {
        // The table of the thread that mounts, wherever it is.
        let table = fs::read("/proc/thread-self/mountinfo")?;
        Ok(table.split(|&b| b == b'\n').filter_map(mount_point).any(|p| p == target))
    }

    fn shows(&self, target: &Path, source: &Path) -> io::Result<bool> {
        let (target, source) = (fs::symlink_metadata(target)?, fs::symlink_metadata(source)?);
        Ok((target.dev(), target.ino()) == (source.dev(), source.ino()))
    }
}

fn mount(source: Option<&Path>, target: &Path, flags: MsFlags) -> io::Result<()> {
    Ok(nix::mount::mount(source, target, None::<&str>, flags, None::<&str>)?)
}

/// The mount point in a line of `mountinfo`: its fifth field, in which blanks and backslashes are octal.
fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|&b| b == b' ').nth(4)?;
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        match (first, tail.get(..3).and_then(octal)) {
            (b'\\', Some(byte)) => {
                path.push(byte);
                rest = &tail[3..];
            }
            _ => {
                path.push(first);
                rest = tail;
            }
        }
    }
    Some(OsString::from_vec(path).into())
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    #[test]
    fn mount_points_are_unescaped() {
        let line = br"36 35 98:0 /mnt1 /mnt2\040with\134blank rw,noatime master:1 - ext3 /dev/root rw";
        assert_eq!(mount_point(line), Some(r"/mnt2 with\blank".into()));
        assert_eq!(mount_point(br"36 35 98:0 / /a\04 rw - x"), Some(r"/a\04".into()));
        assert_eq!(mount_point(b""), None);
    }

    /// Binds, reads, refuses to write and takes away, in a mount namespace of this thread's own.
    #[test]
    fn the_kernel_binds_and_unbinds() {
        let outcome = std::thread::spawn(|| {
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            if let Err(e) = unshare(CloneFlags::CLONE_NEWNS) {
                println!("skipped: needs CAP_SYS_ADMIN for a mount namespace of its own ({e})");
                return;
            }
            mount(None, Path::new("/"), private).expect("private mounts");
            bind_and_unbind();
        });
        outcome.join().expect("no assertion failed");
    }

    fn bind_and_unbind() {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, target) = (dir.path().join("source"), dir.path().join("the target"));
        fs::create_dir(&source).expect("source");
        fs::create_dir(&target).expect("target");
        fs::write(source.join("file"), "bytes").expect("file");
        let mounted = || Kernel.is_mounted(&target).expect("mountinfo");
        assert!(!mounted() && !Kernel.shows(&target, &source).expect("metadata"));
        Kernel.bind(&source, &target).expect("bind");
        assert!(mounted() && Kernel.shows(&target, &source).expect("metadata"));
        assert_eq!(fs::read(target.join("file")).expect("read"), b"bytes");
        Kernel.make_read_only(&target).expect("read-only");
        let refused = fs::write(target.join("file"), "other").expect_err("no writing");
        assert_eq!(refused.kind(), io::ErrorKind::ReadOnlyFilesystem);
        fs::write(source.join("file"), "other").expect("the source stays writable");
        Kernel.unmount(&target).expect("unmount");
        assert!(!mounted() && !target.join("file").exists());
        Kernel.unmount(&target).expect_err("nothing is mounted any more");
    }
}
