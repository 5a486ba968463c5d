//! What the services share: volumes, their capabilities and their topology.

use prost::{Enumeration, Message, Oneof};
use std::collections::HashMap;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Volume {
    #[prost(int64, tag = "1")]
    pub(crate) capacity_bytes: i64,
    #[prost(string, tag = "2")]
    pub(crate) volume_id: String,
    #[prost(map = "string, string", tag = "3")]
    pub(crate) volume_context: HashMap<String, String>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) accessible_topology: Vec<Topology>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CapacityRange {
    #[prost(int64, tag = "1")]
    pub(crate) required_bytes: i64,
    #[prost(int64, tag = "2")]
    pub(crate) limit_bytes: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Topology {
    #[prost(map = "string, string", tag = "1")]
    pub(crate) segments: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TopologyRequirement {
    #[prost(message, repeated, tag = "1")]
    pub(crate) requisite: Vec<Topology>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) preferred: Vec<Topology>,
}

/// Where the data of a new volume would come from; the driver only needs to know that it is asked for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct VolumeContentSource {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct VolumeCapability {
    #[prost(oneof = "AccessType", tags = "1, 2")]
    pub(crate) access_type: Option<AccessType>,
    #[prost(message, optional, tag = "3")]
    pub(crate) access_mode: Option<AccessMode>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum AccessType {
    #[prost(message, tag = "1")]
    Block(BlockVolume),
    #[prost(message, tag = "2")]
    Mount(MountVolume),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BlockVolume {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MountVolume {
    #[prost(string, tag = "1")]
    pub(crate) fs_type: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) mount_flags: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccessMode {
    #[prost(enumeration = "Mode", tag = "1")]
    pub(crate) mode: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum Mode {
    Unknown = 0,
    SingleNodeWriter = 1,
    SingleNodeReaderOnly = 2,
    MultiNodeReaderOnly = 3,
    MultiNodeSingleWriter = 4,
    MultiNodeMultiWriter = 5,
    SingleNodeSingleWriter = 6,
    SingleNodeMultiWriter = 7,
}
