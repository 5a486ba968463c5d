//! A CPU limit on one control group, with version 1 and version 2 of the kernel's interface.
//!
//! Only a group without a limit of its own is touched. One that vanished (its container was restarted) took the
//! limit with it: that counts as restored, and as not in force.

use super::{
    block_io,
    error::StepError,
    step::{Before, Cgroup, CgroupVersion},
};
use std::{fs, io, path::PathBuf};

/// The kernel's accounting period in microseconds.
const PERIOD: u64 = 100_000;

/// Reads the group's limit and refuses one that is set already.
pub(super) fn snapshot(cgroup: &Cgroup) -> Result<Before, StepError> {
    let limit = limit(cgroup)?.ok_or_else(|| {
        StepError::Unfit(format!("there is no CPU limit to set in {}", cgroup.dir().display()))
    })?;
    match is_unlimited(&limit) {
        true => Ok(Before::NoCpuLimit { limit }),
        false => Err(StepError::foreign(format!("the CPU limit of {}", cgroup.path.display()), limit)),
    }
}

/// Sets the limit.
pub(super) fn apply(cgroup: &Cgroup, millis: u32) -> Result<(), StepError> {
    write(cgroup, &ours(cgroup, millis))
}

/// The limit as the kernel shows it, when it is ours.
pub(super) fn read(cgroup: &Cgroup, millis: u32) -> Result<Option<String>, StepError> {
    let now = limit(cgroup)?.filter(|now| *now == ours(cgroup, millis));
    Ok(now.map(|now| format!("{} of {}: {now}", file_name(cgroup.version), cgroup.path.display())))
}

/// Takes the limit away where it is still ours.
pub(super) fn restore(cgroup: &Cgroup, millis: u32, before: &str) -> Result<(), StepError> {
    match limit(cgroup)? {
        Some(now) if now == ours(cgroup, millis) => write(cgroup, before),
        Some(now) if now != before => {
            Err(StepError::foreign(format!("the CPU limit of {}", cgroup.path.display()), now))
        }
        _ => Ok(()),
    }
}

/// Compares the limit with the snapshot.
pub(super) fn difference(cgroup: &Cgroup, before: &str) -> Result<Option<String>, StepError> {
    let now = limit(cgroup)?.filter(|now| now != before);
    Ok(now.map(|now| format!("CPU limit of {}: {now:?}, before: {before:?}", cgroup.path.display())))
}

/// The group of the one process called `comm`.
pub(super) fn process_group(comm: &str) -> Result<Cgroup, StepError> {
    let pid = block_io::the_one(comm)?;
    let text = |path: String| fs::read_to_string(&path).map_err(StepError::io(path));
    let membership = text(format!("/proc/{pid}/cgroup"))?;
    block_io::group_of("cpu", &membership, &text("/proc/self/mountinfo".into())?)
}

fn is_unlimited(limit: &str) -> bool {
    limit == "-1" || limit.starts_with("max")
}

fn ours(cgroup: &Cgroup, millis: u32) -> String {
    let quota = u64::from(millis) * PERIOD / 1000;
    match cgroup.version {
        CgroupVersion::V1 => quota.to_string(),
        CgroupVersion::V2 => format!("{quota} {PERIOD}"),
    }
}

const fn file_name(version: CgroupVersion) -> &'static str {
    match version {
        CgroupVersion::V1 => "cpu.cfs_quota_us",
        CgroupVersion::V2 => "cpu.max",
    }
}

fn file(cgroup: &Cgroup) -> PathBuf {
    cgroup.dir().join(file_name(cgroup.version))
}

/// The content of the limit's file, or nothing when the group is gone.
fn limit(cgroup: &Cgroup) -> Result<Option<String>, StepError> {
    let path = file(cgroup);
    match fs::read_to_string(&path) {
        Ok(limit) => Ok(Some(limit.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StepError::io(path)(error)),
    }
}

fn write(cgroup: &Cgroup, limit: &str) -> Result<(), StepError> {
    let path = file(cgroup);
    fs::write(&path, limit).map_err(StepError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(version: CgroupVersion, limit: &str) -> (tempfile::TempDir, Cgroup) {
        let root = tempfile::tempdir().expect("temporary directory");
        let cgroup = Cgroup { version, mount: root.path().into(), path: "kubelet.slice/c.scope".into() };
        fs::create_dir_all(cgroup.dir()).expect("directory");
        fs::write(file(&cgroup), limit).expect("limit");
        (root, cgroup)
    }

    #[test]
    fn sets_reads_refuses_and_restores_with_both_versions() {
        for (version, none, set) in
            [(CgroupVersion::V1, "-1", "15000"), (CgroupVersion::V2, "max 100000", "15000 100000")]
        {
            let (_root, cgroup) = group(version, &format!("{none}\n"));
            let before = Before::NoCpuLimit { limit: none.into() };
            assert_eq!(snapshot(&cgroup).expect("snapshot"), before);
            apply(&cgroup, 150).expect("apply");
            assert_eq!(fs::read_to_string(file(&cgroup)).expect("limit"), set);
            assert!(read(&cgroup, 150).expect("read").is_some());
            assert_eq!(read(&cgroup, 151).expect("read"), None);
            assert!(matches!(snapshot(&cgroup), Err(StepError::Foreign { .. })));
            assert!(matches!(restore(&cgroup, 99, none), Err(StepError::Foreign { .. })));
            assert!(difference(&cgroup, none).expect("compare").is_some());
            restore(&cgroup, 150, none).expect("restore");
            restore(&cgroup, 150, none).expect("twice");
            assert_eq!(difference(&cgroup, none).expect("compare"), None);
        }
    }

    #[test]
    fn a_group_that_vanished_is_restored_and_not_in_force() {
        let (_root, cgroup) = group(CgroupVersion::V1, "15000");
        fs::remove_dir_all(cgroup.dir()).expect("container restarted");
        restore(&cgroup, 150, "-1").expect("restore");
        assert_eq!(read(&cgroup, 150).expect("read"), None);
        assert_eq!(difference(&cgroup, "-1").expect("compare"), None);
        assert!(snapshot(&cgroup).is_err());
    }
}
