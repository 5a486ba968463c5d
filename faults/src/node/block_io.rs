//! A write limit on one control group and one disk, with version 1 and version 2 of the kernel's interface.
//!
//! A group that vanished (its container was restarted) took its limit with it: that counts as restored, and
//! as not in force.

use super::{error::StepError, mechanism::Mechanism};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Writes of one control group to one disk are limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitWriteIops {
    /// The group.
    pub cgroup: Cgroup,
    /// The whole disk as `MAJ:MIN`.
    pub device: String,
    /// Write operations a second.
    pub write_iops: u32,
}

/// The group had no limit for the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoLimit {
    /// Content of the limits' file.
    pub(crate) limits: String,
    /// Groups that did not hand the `io` controller down (v2), outermost first.
    pub(crate) without_io: Vec<PathBuf>,
}

/// A control group of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Which interface the kernel offers.
    pub version: CgroupVersion,
    /// Where the hierarchy is mounted.
    pub mount: PathBuf,
    /// The group's path below the mount, without a leading slash.
    pub path: PathBuf,
}

impl Cgroup {
    /// The group's directory.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.mount.join(&self.path)
    }
}

/// Version of the kernel's control-group interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the kernel's own names")]
pub enum CgroupVersion {
    V1,
    V2,
}

impl fmt::Display for LimitWriteIops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cgroup, device, write_iops } = self;
        write!(f, "limit {} to {write_iops} writes/s on disk {device}", cgroup.path.display())
    }
}

impl Mechanism for LimitWriteIops {
    type Before = NoLimit;
    const BEFORE: &'static str = "no-limit";

    /// Reads the limits of the group and refuses a limit for the device that is there already.
    fn snapshot(&self) -> Result<NoLimit, StepError> {
        let dir = self.cgroup.dir();
        if !dir.is_dir() {
            return Err(StepError::Unfit(format!("there is no control group {}", dir.display())));
        }
        let limits = limits(&self.cgroup)?;
        match line_of(&limits, &self.device) {
            Some(line) => Err(self.foreign(line)),
            None => Ok(NoLimit { without_io: without_io(&self.cgroup)?, limits }),
        }
    }

    /// Hands the controller down where that is missing (v2), and sets the limit.
    fn apply(&self, before: &NoLimit) -> Result<(), StepError> {
        for group in &before.without_io {
            write(&group.join("cgroup.subtree_control"), "+io")?;
        }
        self.set(&self.write_iops.to_string())
    }

    /// The limit as the kernel shows it, when it is ours.
    fn read(&self, _: &NoLimit) -> Result<Option<String>, StepError> {
        let limits = limits(&self.cgroup)?;
        let name = file_name(self.cgroup.version);
        let line = line_of(&limits, &self.device).filter(|line| self.is_ours(line));
        Ok(line.map(|line| format!("{name} of {}: {line}", self.cgroup.path.display())))
    }

    /// Takes the limit away where it is still ours.
    fn restore(&self, before: &NoLimit) -> Result<(), StepError> {
        match line_of(&limits(&self.cgroup)?, &self.device) {
            Some(line) if !self.is_ours(line) => return Err(self.foreign(line)),
            Some(_) => self.set(match self.cgroup.version {
                CgroupVersion::V1 => "0",
                CgroupVersion::V2 => "max",
            })?,
            None => {}
        }
        for group in before.without_io.iter().rev().filter(|group| group.is_dir()) {
            if hands_down_io(group)? {
                write(&group.join("cgroup.subtree_control"), "-io")?;
            }
        }
        Ok(())
    }

    /// Compares the limits and the controllers with the snapshot.
    fn difference(&self, before: &NoLimit) -> Result<Option<String>, StepError> {
        let (now, before_limits, path) = (limits(&self.cgroup)?, &before.limits, self.cgroup.path.display());
        if self.cgroup.dir().is_dir() && now != *before_limits {
            return Ok(Some(format!("I/O limits of {path}: {now:?}, before: {before_limits:?}")));
        }
        for group in before.without_io.iter().filter(|group| group.is_dir()) {
            if hands_down_io(group)? {
                return Ok(Some(format!("{} hands the io controller down, before: not", group.display())));
            }
        }
        Ok(None)
    }
}

impl LimitWriteIops {
    /// Sets the group's limit for the device.
    fn set(&self, limit: &str) -> Result<(), StepError> {
        let device = &self.device;
        match self.cgroup.version {
            CgroupVersion::V1 => write(&file(&self.cgroup), &format!("{device} {limit}")),
            CgroupVersion::V2 => write(&file(&self.cgroup), &format!("{device} wiops={limit}")),
        }
    }

    fn is_ours(&self, line: &str) -> bool {
        iops_of(self.cgroup.version, line) == Some(self.write_iops)
    }

    fn foreign(&self, line: &str) -> StepError {
        StepError::foreign(format!("the I/O limit of {}", self.cgroup.path.display()), line)
    }
}

const fn file_name(version: CgroupVersion) -> &'static str {
    match version {
        CgroupVersion::V1 => "blkio.throttle.write_iops_device",
        CgroupVersion::V2 => "io.max",
    }
}

fn file(cgroup: &Cgroup) -> PathBuf {
    cgroup.dir().join(file_name(cgroup.version))
}

/// The content of the limits' file. Without group or controller there are none.
fn limits(cgroup: &Cgroup) -> Result<String, StepError> {
    let path = file(cgroup);
    match fs::read_to_string(&path) {
        Ok(limits) => Ok(limits),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !missing_for_good(cgroup) => {
            Ok(String::new())
        }
        Err(error) => Err(StepError::io(path)(error)),
    }
}

/// With version 1 a group without the file means a kernel without throttling.
fn missing_for_good(cgroup: &Cgroup) -> bool {
    cgroup.version == CgroupVersion::V1 && cgroup.dir().is_dir()
}

fn line_of<'a>(limits: &'a str, device: &str) -> Option<&'a str> {
    limits.lines().find(|line| line.split_whitespace().next() == Some(device))
}

fn iops_of(version: CgroupVersion, line: &str) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    match version {
        CgroupVersion::V1 => words.next()?.parse().ok(),
        CgroupVersion::V2 => words.find_map(|word| word.strip_prefix("wiops="))?.parse().ok(),
    }
}

/// The groups above `cgroup` that do not hand the controller down, outermost first.
fn without_io(cgroup: &Cgroup) -> Result<Vec<PathBuf>, StepError> {
    if cgroup.version == CgroupVersion::V1 {
        return Ok(vec![]);
    }
    let available = fs::read_to_string(cgroup.mount.join("cgroup.controllers"));
    let available = available.map_err(StepError::io(cgroup.mount.join("cgroup.controllers")))?;
    if !available.split_whitespace().any(|controller| controller == "io") {
        return Err(StepError::Unfit("the node's control groups have no io controller".into()));
    }
    let mut groups = vec![];
    let mut group = cgroup.mount.clone();
    for part in &cgroup.path {
        if !hands_down_io(&group)? {
            groups.push(group.clone());
        }
        group.push(part);
    }
    Ok(groups)
}

fn hands_down_io(group: &Path) -> Result<bool, StepError> {
    let path = group.join("cgroup.subtree_control");
    let controllers = fs::read_to_string(&path).map_err(StepError::io(&path))?;
    Ok(controllers.split_whitespace().any(|controller| controller == "io"))
}

fn write(path: &Path, text: &str) -> Result<(), StepError> {
    fs::write(path, text).map_err(StepError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("directories");
        fs::write(path, text).expect("file");
    }

    /// A limit of 12 writes on a group of its own.
    fn limit(version: CgroupVersion) -> (tempfile::TempDir, LimitWriteIops) {
        let root = tempfile::tempdir().expect("temporary directory");
        let cgroup = Cgroup { version, mount: root.path().into(), path: "kubelet.slice/c.scope".into() };
        fs::create_dir_all(cgroup.dir()).expect("directory");
        (root, LimitWriteIops { cgroup, device: "8:0".into(), write_iops: 12 })
    }

    const NONE: NoLimit = NoLimit { limits: String::new(), without_io: Vec::new() };

    #[test]
    fn version_1_sets_reads_and_refuses() {
        let (_root, limit) = limit(CgroupVersion::V1);
        let file = file(&limit.cgroup);
        assert!(limit.snapshot().is_err(), "a kernel without throttling");
        fs::write(&file, "").expect("limits");
        assert_eq!(limit.snapshot().expect("snapshot"), NONE);
        limit.apply(&NONE).expect("apply");
        assert!(limit.read(&NONE).expect("read").expect("in force").contains("8:0 12"));
        let other = LimitWriteIops { write_iops: 13, ..limit.clone() };
        assert_eq!(other.read(&NONE).expect("read"), None);
        assert!(matches!(limit.snapshot(), Err(StepError::Foreign { .. })));
        assert!(matches!(other.restore(&NONE), Err(StepError::Foreign { .. })));
        assert!(limit.difference(&NONE).expect("compare").is_some());
        limit.restore(&NONE).expect("restore");
        assert_eq!(fs::read_to_string(&file).expect("limits"), "8:0 0");
    }

    #[test]
    fn version_2_hands_the_controller_down_and_takes_it_back() {
        let (root, limit) = limit(CgroupVersion::V2);
        let file = file(&limit.cgroup);
        put(root.path(), "cgroup.controllers", "cpu io memory");
        put(root.path(), "cgroup.subtree_control", "cpu io memory");
        put(root.path(), "kubelet.slice/cgroup.subtree_control", "cpu memory");
        let before = limit.snapshot().expect("snapshot");
        assert_eq!(before.without_io, [root.path().join("kubelet.slice")]);
        let controllers = before.without_io[0].join("cgroup.subtree_control");
        limit.apply(&before).expect("apply");
        assert_eq!(fs::read_to_string(&file).expect("limits"), "8:0 wiops=12");
        assert!(limit.read(&before).expect("read").is_some());
        // The kernel would show the controllers; the fake shows what was written.
        fs::write(&controllers, "cpu io memory").expect("controllers");
        limit.restore(&before).expect("restore");
        assert_eq!(fs::read_to_string(&file).expect("limits"), "8:0 wiops=max");
        assert_eq!(fs::read_to_string(&controllers).expect("controllers"), "-io");
        fs::remove_file(&file).expect("gone with its controller");
        fs::write(&controllers, "cpu memory").expect("controllers");
        assert_eq!(limit.difference(&before).expect("compare"), None);
    }

    #[test]
    fn a_group_that_vanished_is_restored_and_not_in_force() {
        let (_root, limit) = limit(CgroupVersion::V1);
        fs::remove_dir_all(limit.cgroup.dir()).expect("container restarted");
        limit.restore(&NONE).expect("restore");
        assert_eq!(limit.read(&NONE).expect("read"), None);
        assert_eq!(limit.difference(&NONE).expect("compare"), None);
    }
}
