//! What the services share: volumes, their capabilities and their topology.

use prost::{Enumeration, Message, Oneof};
use std::collections::HashMap;

messages! {
    Volume {
        "1" capacity_bytes: i64 as int64;
        "2" volume_id: String as string;
        "3" volume_context: HashMap<String, String> as map = "string, string";
        "5" accessible_topology: Vec<Topology> as message, repeated;
    }
    CapacityRange {
        "1" required_bytes: i64 as int64;
        "2" limit_bytes: i64 as int64;
    }
    Topology {
        "1" segments: HashMap<String, String> as map = "string, string";
    }
    TopologyRequirement {
        "1" requisite: Vec<Topology> as message, repeated;
        "2" preferred: Vec<Topology> as message, repeated;
    }
    /// Where the data of a new volume would come from; the driver only needs to know that it is asked for.
    VolumeContentSource {}
    BlockVolume {}
    MountVolume {
        "1" fs_type: String as string;
        "2" mount_flags: Vec<String> as string, repeated;
    }
    AccessMode {
        "1" mode: i32 as enumeration = "Mode";
    }
}

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
