//! The node service.

use super::{Topology, VolumeCapability};
use prost::Enumeration;

messages! {
    NodeStageVolumeRequest {
        "1" volume_id: String as string;
        "3" staging_target_path: String as string;
        "4" volume_capability: Option<VolumeCapability> as message, optional;
    }
    NodeStageVolumeResponse {}
    NodeUnstageVolumeRequest {
        "1" volume_id: String as string;
        "2" staging_target_path: String as string;
    }
    NodeUnstageVolumeResponse {}
    NodePublishVolumeRequest {
        "1" volume_id: String as string;
        "3" staging_target_path: String as string;
        "4" target_path: String as string;
        "5" volume_capability: Option<VolumeCapability> as message, optional;
        "6" readonly: bool as bool;
    }
    NodePublishVolumeResponse {}
    NodeUnpublishVolumeRequest {
        "1" volume_id: String as string;
        "2" target_path: String as string;
    }
    NodeUnpublishVolumeResponse {}
    NodeGetCapabilitiesRequest {}
    NodeGetCapabilitiesResponse {
        "1" capabilities: Vec<NodeServiceCapability> as message, repeated;
    }
    NodeServiceCapability {
        "1" rpc: Option<NodeRpc> as message, optional;
    }
    NodeRpc {
        "1" r#type: i32 as enumeration = "NodeRpcType";
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum NodeRpcType {
    Unknown = 0,
    StageUnstageVolume = 1,
    SingleNodeMultiWriter = 5,
}

messages! {
    NodeGetInfoRequest {}
    NodeGetInfoResponse {
        "1" node_id: String as string;
        "2" max_volumes_per_node: i64 as int64;
        "3" accessible_topology: Option<Topology> as message, optional;
    }
}
