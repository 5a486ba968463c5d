//! The node service.

use super::{Topology, VolumeCapability};
use prost::{Enumeration, Message};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeStageVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
    #[prost(string, tag = "3")]
    pub(crate) staging_target_path: String,
    #[prost(message, optional, tag = "4")]
    pub(crate) volume_capability: Option<VolumeCapability>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeStageVolumeResponse {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeUnstageVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
    #[prost(string, tag = "2")]
    pub(crate) staging_target_path: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeUnstageVolumeResponse {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodePublishVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
    #[prost(string, tag = "3")]
    pub(crate) staging_target_path: String,
    #[prost(string, tag = "4")]
    pub(crate) target_path: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) volume_capability: Option<VolumeCapability>,
    #[prost(bool, tag = "6")]
    pub(crate) readonly: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodePublishVolumeResponse {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeUnpublishVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
    #[prost(string, tag = "2")]
    pub(crate) target_path: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeUnpublishVolumeResponse {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeGetCapabilitiesRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeGetCapabilitiesResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) capabilities: Vec<NodeServiceCapability>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeServiceCapability {
    #[prost(message, optional, tag = "1")]
    pub(crate) rpc: Option<NodeRpc>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeRpc {
    #[prost(enumeration = "NodeRpcType", tag = "1")]
    pub(crate) r#type: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum NodeRpcType {
    Unknown = 0,
    StageUnstageVolume = 1,
    SingleNodeMultiWriter = 5,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeGetInfoRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeGetInfoResponse {
    #[prost(string, tag = "1")]
    pub(crate) node_id: String,
    #[prost(int64, tag = "2")]
    pub(crate) max_volumes_per_node: i64,
    #[prost(message, optional, tag = "3")]
    pub(crate) accessible_topology: Option<Topology>,
}
