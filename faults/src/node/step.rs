//! What can be changed on a node, and what the node remembers of the state before.
//!
//! A [`Step`] says what to do; [`Planned`] adds the snapshot ([`Before`]) without which nothing is ever
//! touched. Both are plain data: the harness plans them, the journal keeps them, the node holds them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::{fmt, net::Ipv4Addr, path::PathBuf};

/// One reversible change of a node's kernel, services or files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// A link gets another MTU.
    LinkMtu {
        /// The link's name.
        link: String,
        /// The new MTU.
        mtu: u32,
    },
    /// Whether packets that a vxlan device encapsulates are marked "don't fragment".
    VxlanDf {
        /// The device's name.
        link: String,
        /// Marked or not.
        on: bool,
    },
    /// A host route with an MTU of its own to a neighbour: the path narrows, the device does not.
    RouteMtu {
        /// The neighbour.
        peer: Ipv4Addr,
        /// The path's MTU.
        mtu: u32,
    },
    /// Outgoing ICMP "fragmentation needed" is dropped, in a table (or by rules) of our own.
    DropFragNeeded {
        /// Names the table or the rules, so that they are known as ours.
        tag: String,
    },
    /// Packets that leave by a link are dropped, all or by chance, in a table (or by rules) of our own.
    DropOutgoing {
        /// Names the table or the rules.
        tag: String,
        /// The link.
        link: String,
        /// How many of a hundred.
        percent: u8,
    },
    /// Writes of one control group to one disk are limited.
    BlockWrites {
        /// The group.
        cgroup: Cgroup,
        /// The whole disk as `MAJ:MIN`.
        device: String,
        /// Write operations a second.
        write_iops: u32,
    },
    /// A unit of the node's service manager is stopped.
    StopUnit {
        /// Its name, such as `kubelet.service`.
        unit: String,
    },
    /// A file gets another content, in place: inode, owner and mode stay.
    File {
        /// Its path.
        path: PathBuf,
        /// The new content.
        content: Content,
    },
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

/// The state that a step found, as far as its undo and the comparison need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "before", rename_all = "kebab-case")]
pub enum Before {
    /// The link's MTU.
    Mtu {
        /// The value.
        mtu: u32,
    },
    /// The vxlan's `df`: 0 unset, 1 set, 2 inherit.
    Df {
        /// The kernel's value.
        df: u8,
    },
    /// There was no host route to the peer; this is the way that packets took.
    Path {
        /// The device.
        dev: String,
        /// The gateway, where there was one.
        via: Option<Ipv4Addr>,
        /// The source address that the kernel chose.
        src: Option<Ipv4Addr>,
    },
    /// There was no table (no rule) of that name.
    NoFilter {
        /// With which tool the filter is set.
        tool: FilterTool,
    },
    /// The group had no limit for the device.
    NoLimit {
        /// Content of the limits' file.
        limits: String,
        /// Groups that did not hand the `io` controller down (v2), outermost first.
        without_io: Vec<PathBuf>,
    },
    /// The unit was active.
    Active,
    /// The file as it was.
    File(FileBefore),
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of stat(2)")]
pub struct FileBefore {
    pub content: Content,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_s: i64,
    pub mtime_ns: i64,
}

/// With which tool packets are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the tools' own names")]
pub enum FilterTool {
    Nft,
    Iptables,
}

/// A step with the snapshot that its undo needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// What to do.
    pub step: Step,
    /// What was found.
    pub before: Before,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::LinkMtu { link, mtu } => write!(f, "set the MTU of {link} to {mtu}"),
            Step::VxlanDf { link, on: true } => write!(f, "mark what {link} sends as \"don't fragment\""),
            Step::VxlanDf { link, on: false } => write!(f, "let what {link} sends be fragmented"),
            Step::RouteMtu { peer, mtu } => write!(f, "narrow the path to {peer} to an MTU of {mtu}"),
            Step::DropFragNeeded { .. } => f.write_str("drop outgoing ICMP \"fragmentation needed\""),
            Step::BlockWrites { device, write_iops, cgroup } => {
                write!(f, "limit {} to {write_iops} writes/s on disk {device}", cgroup.path.display())
            }
            Step::DropOutgoing { link, percent, .. } => {
                write!(f, "drop {percent} of 100 packets that leave by {link}")
            }
            Step::StopUnit { unit } => write!(f, "stop {unit}"),
            Step::File { path, .. } => write!(f, "edit {}", path.display()),
        }
    }
}
