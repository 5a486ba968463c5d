//! The controller service.

use super::{CapacityRange, TopologyRequirement, Volume, VolumeCapability, VolumeContentSource};
use prost::{Enumeration, Message};
use std::collections::HashMap;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CreateVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) capacity_range: Option<CapacityRange>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) volume_capabilities: Vec<VolumeCapability>,
    #[prost(map = "string, string", tag = "4")]
    pub(crate) parameters: HashMap<String, String>,
    #[prost(message, optional, tag = "6")]
    pub(crate) volume_content_source: Option<VolumeContentSource>,
    #[prost(message, optional, tag = "7")]
    pub(crate) accessibility_requirements: Option<TopologyRequirement>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CreateVolumeResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) volume: Option<Volume>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeleteVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeleteVolumeResponse {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerPublishVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
    #[prost(string, tag = "2")]
    pub(crate) node_id: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) volume_capability: Option<VolumeCapability>,
    #[prost(bool, tag = "4")]
    pub(crate) readonly: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerPublishVolumeResponse {
    #[prost(map = "string, string", tag = "1")]
    pub(crate) publish_context: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerUnpublishVolumeRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
    #[prost(string, tag = "2")]
    pub(crate) node_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerUnpublishVolumeResponse {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValidateVolumeCapabilitiesRequest {
    #[prost(string, tag = "1")]
    pub(crate) volume_id: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) volume_capabilities: Vec<VolumeCapability>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValidateVolumeCapabilitiesResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) confirmed: Option<Confirmed>,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Confirmed {
    #[prost(message, repeated, tag = "2")]
    pub(crate) volume_capabilities: Vec<VolumeCapability>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ListVolumesRequest {
    #[prost(int32, tag = "1")]
    pub(crate) max_entries: i32,
    #[prost(string, tag = "2")]
    pub(crate) starting_token: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ListVolumesResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) entries: Vec<ListedVolume>,
    #[prost(string, tag = "2")]
    pub(crate) next_token: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ListedVolume {
    #[prost(message, optional, tag = "1")]
    pub(crate) volume: Option<Volume>,
    #[prost(message, optional, tag = "2")]
    pub(crate) status: Option<VolumeStatus>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct VolumeStatus {
    #[prost(string, repeated, tag = "1")]
    pub(crate) published_node_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerGetCapabilitiesRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerGetCapabilitiesResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) capabilities: Vec<ControllerServiceCapability>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerServiceCapability {
    #[prost(message, optional, tag = "1")]
    pub(crate) rpc: Option<ControllerRpc>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ControllerRpc {
    #[prost(enumeration = "ControllerRpcType", tag = "1")]
    pub(crate) r#type: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum ControllerRpcType {
    Unknown = 0,
    CreateDeleteVolume = 1,
    PublishUnpublishVolume = 2,
    ListVolumes = 3,
    ListVolumesPublishedNodes = 10,
    SingleNodeMultiWriter = 13,
}
