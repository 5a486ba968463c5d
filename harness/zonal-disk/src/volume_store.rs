//! The disks themselves: one directory each, on a directory that the nodes of a lab share.
//!
//! ```text
//! <store>/<zone>/<disk>/disk.json   what the controller knows about the disk
//! <store>/<zone>/<disk>/data/       what a pod sees
//! ```
//!
//! The controller owns `disk.json` and replaces it as a whole, so a restart at any moment leaves either the old
//! or the new state. A disk exists when its `disk.json` does. Nodes see the directory of their own zone alone
//! ([`Zone`]) and never write outside `data/`.

use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const STATE: &str = "disk.json";
const DATA: &str = "data";

/// What is known about a disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Disk {
    /// Its name, which is also its id.
    pub(crate) id: String,
    /// The zone in which it lies.
    pub(crate) zone: String,
    /// Its nominal size.
    pub(crate) capacity_bytes: i64,
    /// The node to which it is attached.
    pub(crate) attached_to: Option<String>,
}

/// Why something cannot be done with a disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeStoreError {
    #[error(
        "{what} {name:?} must be 1 to 128 letters, digits, '.', '_' or '-' and start with a letter or digit"
    )]
    Name { what: &'static str, name: String },
    #[error("disk {0} does not exist")]
    Unknown(String),
    #[error("disk {id} exists already with {have}; {want} was asked for")]
    Differs { id: String, have: String, want: String },
    #[error("disk {id} is attached to node {node}; a zonal disk can be attached to one node at a time")]
    AttachedElsewhere { id: String, node: String },
    #[error("disk {id} is attached to node {node}; detach it before deleting it")]
    InUse { id: String, node: String },
    #[error(
        "disk {id} is in zone {zone} and node {node} in zone {node_zone}; a zonal disk can be attached in its own zone only"
    )]
    WrongZone { id: String, zone: String, node: String, node_zone: String },
    #[error("disk {id} is not attached to node {node}")]
    NotAttached { id: String, node: String },
    #[error("disk {id} cannot be reached from zone {zone}")]
    Unreachable { id: String, zone: String },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} does not describe a disk: {source}")]
    Corrupt { path: PathBuf, source: serde_json::Error },
}

/// All disks of a lab, as its one controller sees them.
#[derive(Debug)]
pub(crate) struct VolumeStore {
    root: PathBuf,
}

impl VolumeStore {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Every disk, by zone and id.
    pub(crate) fn list(&self) -> Result<Vec<Disk>, VolumeStoreError> {
        let mut disks = Vec::new();
        for zone in directories(&self.root)? {
            for directory in directories(&zone)? {
                disks.extend(read(&directory)?);
            }
        }
        disks.sort_by(|a, b| (&a.zone, &a.id).cmp(&(&b.zone, &b.id)));
        Ok(disks)
    }

    /// The disk with this id.
    pub(crate) fn find(&self, id: &str) -> Result<Disk, VolumeStoreError> {
        check_name("volume id", id).map_err(|_| VolumeStoreError::Unknown(id.into()))?;
        for zone in directories(&self.root)? {
            if let Some(disk) = read(&zone.join(id))? {
                return Ok(disk);
            }
        }
        Err(VolumeStoreError::Unknown(id.into()))
    }

    /// Makes a disk that does not exist yet.
    pub(crate) fn create(&self, id: &str, zone: &str, capacity_bytes: i64) -> Result<Disk, VolumeStoreError> {
        check_name("volume name", id)?;
        check_name("zone", zone)?;
        let disk = Disk { id: id.into(), zone: zone.into(), capacity_bytes, attached_to: None };
        let data = self.directory(&disk).join(DATA);
        fs::create_dir_all(&data).map_err(io_error(&data))?;
        self.write(&disk)?;
        Ok(disk)
    }

    /// Deletes a disk with its data. Deleting what is not there is no error.
    pub(crate) fn delete(&self, id: &str) -> Result<(), VolumeStoreError> {
        let disk = match self.find(id) {
            Err(VolumeStoreError::Unknown(_)) => return Ok(()),
            other => other?,
        };
        if let Some(node) = disk.attached_to {
            return Err(VolumeStoreError::InUse { id: id.into(), node });
        }
        let directory = self.directory(&disk);
        let data = directory.join(DATA);
        // The data first: as long as they are there, so is the disk, and a retry finishes the work.
        remove_tree(&data)?;
        remove_tree(&directory)
    }

    /// Attaches a disk to a node, when both are in the same zone and no other node has it.
    pub(crate) fn attach(&self, id: &str, node: &str, node_zone: &str) -> Result<(), VolumeStoreError> {
        let mut disk = self.find(id)?;
        if disk.zone != node_zone {
            return Err(VolumeStoreError::WrongZone {
                id: id.into(),
                zone: disk.zone,
                node: node.into(),
                node_zone: node_zone.into(),
            });
        }
        match disk.attached_to.as_deref() {
            Some(same) if same == node => Ok(()),
            Some(other) => Err(VolumeStoreError::AttachedElsewhere { id: id.into(), node: other.into() }),
            None => {
                disk.attached_to = Some(node.into());
                self.write(&disk)
            }
        }
    }

    /// Detaches a disk from `node`, or from wherever it is. What is not attached there stays as it is.
    pub(crate) fn detach(&self, id: &str, node: Option<&str>) -> Result<(), VolumeStoreError> {
        let mut disk = match self.find(id) {
            Err(VolumeStoreError::Unknown(_)) => return Ok(()),
            other => other?,
        };
        let attached = disk.attached_to.as_deref();
        if attached.is_none() || node.is_some_and(|node| attached != Some(node)) {
            return Ok(());
        }
        disk.attached_to = None;
        self.write(&disk)
    }

    fn directory(&self, disk: &Disk) -> PathBuf {
        self.root.join(&disk.zone).join(&disk.id)
    }

    fn write(&self, disk: &Disk) -> Result<(), VolumeStoreError> {
        let path = self.directory(disk).join(STATE);
        let new = path.with_extension("new");
        let text = serde_json::to_vec(disk)
            .map_err(|source| VolumeStoreError::Corrupt { path: path.clone(), source })?;
        let replace = || {
            fs::write(&new, text)?;
            fs::File::open(&new)?.sync_all()?;
            fs::rename(&new, &path)
        };
        replace().map_err(io_error(&path))
    }
}

/// The disks of one zone, as a node of that zone sees them.
#[derive(Debug)]
pub(crate) struct Zone {
    root: PathBuf,
    name: String,
}

impl Zone {
    pub(crate) fn new(root: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self { root: root.into(), name: name.into() }
    }

    /// The zone's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The data of a disk that is attached to `node`.
    pub(crate) fn data(&self, id: &str, node: &str) -> Result<PathBuf, VolumeStoreError> {
        let unreachable = || VolumeStoreError::Unreachable { id: id.into(), zone: self.name.clone() };
        check_name("volume id", id).map_err(|_| unreachable())?;
        let directory = self.root.join(id);
        let disk = read(&directory)?.ok_or_else(unreachable)?;
        if disk.attached_to.as_deref() == Some(node) {
            Ok(directory.join(DATA))
        } else {
            Err(VolumeStoreError::NotAttached { id: id.into(), node: node.into() })
        }
    }
}

/// Names become directories: nothing that leads elsewhere is let through.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), VolumeStoreError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed);
    if good { Ok(()) } else { Err(VolumeStoreError::Name { what, name: name.into() }) }
}

fn read(directory: &Path) -> Result<Option<Disk>, VolumeStoreError> {
    let path = directory.join(STATE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| VolumeStoreError::Corrupt { path, source }),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(VolumeStoreError::Io { path, source }),
    }
}

fn directories(path: &Path) -> Result<Vec<PathBuf>, VolumeStoreError> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io_error(path))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error(path))?;
        if entry.file_type().map_err(io_error(path))?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn remove_tree(path: &Path) -> Result<(), VolumeStoreError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(io_error(path)),
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> VolumeStoreError + '_ {
    move |source| VolumeStoreError::Io { path: path.into(), source }
}
