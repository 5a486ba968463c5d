//! Finds a process by its name: where it keeps its data, and under which limits it writes.

use super::{
    block_io::{Cgroup, CgroupVersion},
    error::StepError,
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where a process keeps its data, and under which limits it writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDisk {
    /// Its process id on the node.
    pub pid: u32,
    /// Its control group, as far as block I/O is concerned.
    pub cgroup: Cgroup,
    /// The whole disk under its data, as `MAJ:MIN`.
    pub device: String,
    /// The directory of its data.
    pub data: PathBuf,
}

/// Finds the one process called `comm` that has a mount at or above `data`, its group and its disk.
pub(super) fn process_disk(comm: &str, data: &Path) -> Result<ProcessDisk, StepError> {
    process_disk_below(Path::new("/"), comm, data)
}

fn process_disk_below(root: &Path, comm: &str, data: &Path) -> Result<ProcessDisk, StepError> {
    let processes = processes(root, comm)?;
    let [pid] = processes[..] else {
        let count = processes.len();
        return Err(StepError::Unfit(format!(
            "{count} processes are called {comm}; exactly one can be throttled"
        )));
    };
    let text = |path: PathBuf| fs::read_to_string(&path).map_err(StepError::io(path));
    let mounts = text(root.join(format!("proc/{pid}/mountinfo")))?;
    let device = device_of(&mounts, data)
        .ok_or_else(|| StepError::Unfit(format!("{comm} has no mount for {}", data.display())))?;
    let membership = text(root.join(format!("proc/{pid}/cgroup")))?;
    let cgroup = cgroup_of(&membership, &text(root.join("proc/self/mountinfo"))?)?;
    Ok(ProcessDisk { pid, cgroup, device: whole_disk(root, device)?, data: data.into() })
}

fn processes(root: &Path, comm: &str) -> Result<Vec<u32>, StepError> {
    let entries = fs::read_dir(root.join("proc")).map_err(StepError::io("/proc"))?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let named = |pid: &u32| {
        // A process that ended meanwhile is no candidate.
        fs::read_to_string(root.join(format!("proc/{pid}/comm"))).is_ok_and(|name| name.trim_end() == comm)
    };
    Ok(pids.filter(named).collect())
}

/// `MAJ:MIN` of the mount with the longest path at or above `data`; of several on one path, the last.
fn device_of<'a>(mountinfo: &'a str, data: &Path) -> Option<&'a str> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let (device, _root, point) = (fields.next()?, fields.next()?, fields.next()?);
        data.starts_with(point).then_some((point.len(), device))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, device)| device)
}

/// The kernel throttles whole disks only: a partition stands for its disk.
fn whole_disk(root: &Path, device: &str) -> Result<String, StepError> {
    let entry = root.join("sys/dev/block").join(device);
    if !entry.exists() {
        return Err(StepError::Unfit(format!(
            "device {device} is no disk of its own, so it cannot be throttled"
        )));
    }
    if !entry.join("partition").exists() {
        return Ok(device.into());
    }
    let real = entry.canonicalize().map_err(StepError::io(&entry))?;
    let disk = real.parent().map(|disk| disk.join("dev")).unwrap_or_default();
    Ok(fs::read_to_string(&disk).map_err(StepError::io(disk))?.trim().to_owned())
}

/// The group that rules block I/O: of hierarchy `blkio` where that is mounted, the unified one otherwise.
fn cgroup_of(membership: &str, mountinfo: &str) -> Result<Cgroup, StepError> {
    let blkio = membership.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|c| c == "blkio").then_some(path)
    });
    let (version, path) = match blkio {
        Some(path) => (CgroupVersion::V1, Some(path)),
        None => (CgroupVersion::V2, membership.lines().find_map(|line| line.strip_prefix("0::"))),
    };
    let path =
        path.ok_or_else(|| StepError::Unfit("the process is in no control group for block I/O".into()))?;
    let (mount, below) = hierarchy(mountinfo, version)
        .ok_or_else(|| StepError::Unfit("the control groups for block I/O are not mounted".into()))?;
    let path = path.strip_prefix(below.trim_end_matches('/')).unwrap_or(path).trim_start_matches('/');
    if path.is_empty() || path.starts_with("..") {
        return Err(StepError::Unfit(format!("control group /{path} is not the process's own")));
    }
    Ok(Cgroup { version, mount: mount.into(), path: path.into() })
}

/// Mount point of a hierarchy, and which group is seen there.
fn hierarchy(mountinfo: &str, version: CgroupVersion) -> Option<(&str, &str)> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let fits = match version {
            CgroupVersion::V1 => name == "cgroup" && options.split(',').any(|option| option == "blkio"),
            CgroupVersion::V2 => name == "cgroup2",
        };
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        fits.then_some((point, root))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS_V1: &str = "\
590 574 0:44 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
594 590 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
600 590 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
601 590 0:36 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup rw
700 574 254:0 /var/lib/docker/volumes/x/_data /var rw,relatime - ext4 /dev/vda rw
701 574 8:1 /etcd /var/lib/etcd rw,relatime - ext4 /dev/sda1 rw
";

    #[test]
    fn the_longest_mount_decides() {
        assert_eq!(device_of(MOUNTS_V1, Path::new("/var/lib/etcd")), Some("8:1"));
        assert_eq!(device_of(MOUNTS_V1, Path::new("/var/lib/kubelet")), Some("254:0"));
        assert_eq!(device_of(MOUNTS_V1, Path::new("/etc")), None);
    }

    #[test]
    fn version_1_is_taken_where_blkio_is_mounted() {
        let v1 = cgroup_of("9:blkio:/kubelet.slice/c.scope\n0::/x\n", MOUNTS_V1).expect("v1");
        assert_eq!(
            (v1.version, v1.dir()),
            (CgroupVersion::V1, "/sys/fs/cgroup/blkio/kubelet.slice/c.scope".into())
        );
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let v2 = cgroup_of("0::/kubelet.slice/c.scope\n", mounts).expect("v2");
        assert_eq!(
            (v2.version, v2.dir()),
            (CgroupVersion::V2, "/sys/fs/cgroup/kubelet.slice/c.scope".into())
        );
    }

    #[test]
    fn a_mount_of_a_subtree_shortens_the_path() {
        let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n";
        let found = cgroup_of("9:blkio:/docker/abc/kubelet.slice/c.scope\n", mounts).expect("group");
        assert_eq!(found.path, Path::new("kubelet.slice/c.scope"));
    }

    #[test]
    fn the_root_group_and_groups_outside_are_refused() {
        for path in ["/", "/../other"] {
            let found = cgroup_of(&format!("9:blkio:{path}\n"), MOUNTS_V1);
            assert!(matches!(found, Err(StepError::Unfit(_))), "{path}: {found:?}");
        }
    }

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("directories");
        fs::write(path, text).expect("file");
    }

    #[test]
    fn finds_the_one_process_and_its_whole_disk() {
        let root = tempfile::tempdir().expect("temporary directory");
        let root = root.path();
        put(root, "proc/7/comm", "etcd\n");
        put(root, "proc/7/cgroup", "9:blkio:/kubelet.slice/c.scope\n");
        put(root, "proc/7/mountinfo", MOUNTS_V1);
        put(root, "proc/self/mountinfo", MOUNTS_V1);
        put(root, "sys/devices/sda/dev", "8:0\n");
        put(root, "sys/devices/sda/sda1/partition", "1\n");
        fs::create_dir_all(root.join("sys/dev/block")).expect("directory");
        std::os::unix::fs::symlink("../../devices/sda/sda1", root.join("sys/dev/block/8:1")).expect("link");
        let found = process_disk_below(root, "etcd", Path::new("/var/lib/etcd")).expect("found");
        assert_eq!((found.pid, found.device.as_str()), (7, "8:0"));
        put(root, "proc/8/comm", "etcd\n");
        let ambiguous =
            process_disk_below(root, "etcd", Path::new("/var/lib/etcd")).expect_err("two of them");
        assert!(ambiguous.to_string().contains("2 processes"), "{ambiguous}");
    }
}
