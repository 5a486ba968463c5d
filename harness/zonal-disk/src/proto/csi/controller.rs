//! The controller service.

use super::{CapacityRange, TopologyRequirement, Volume, VolumeCapability, VolumeContentSource};
use prost::Enumeration;
use std::collections::HashMap;

messages! {
    CreateVolumeRequest {
        "1" name: String as string;
        "2" capacity_range: Option<CapacityRange> as message, optional;
        "3" volume_capabilities: Vec<VolumeCapability> as message, repeated;
        "4" parameters: HashMap<String, String> as map = "string, string";
        "6" volume_content_source: Option<VolumeContentSource> as message, optional;
        "7" accessibility_requirements: Option<TopologyRequirement> as message, optional;
    }
    CreateVolumeResponse {
        "1" volume: Option<Volume> as message, optional;
    }
    DeleteVolumeRequest {
        "1" volume_id: String as string;
    }
    DeleteVolumeResponse {}
    ControllerPublishVolumeRequest {
        "1" volume_id: String as string;
        "2" node_id: String as string;
        "3" volume_capability: Option<VolumeCapability> as message, optional;
        "4" readonly: bool as bool;
    }
    ControllerPublishVolumeResponse {
        "1" publish_context: HashMap<String, String> as map = "string, string";
    }
    ControllerUnpublishVolumeRequest {
        "1" volume_id: String as string;
        "2" node_id: String as string;
    }
    ControllerUnpublishVolumeResponse {}
    ValidateVolumeCapabilitiesRequest {
        "1" volume_id: String as string;
        "3" volume_capabilities: Vec<VolumeCapability> as message, repeated;
    }
    ValidateVolumeCapabilitiesResponse {
        "1" confirmed: Option<Confirmed> as message, optional;
        "2" message: String as string;
    }
    Confirmed {
        "2" volume_capabilities: Vec<VolumeCapability> as message, repeated;
    }
    ListVolumesRequest {
        "1" max_entries: i32 as int32;
        "2" starting_token: String as string;
    }
    ListVolumesResponse {
        "1" entries: Vec<ListedVolume> as message, repeated;
        "2" next_token: String as string;
    }
    ListedVolume {
        "1" volume: Option<Volume> as message, optional;
        "2" status: Option<VolumeStatus> as message, optional;
    }
    VolumeStatus {
        "1" published_node_ids: Vec<String> as string, repeated;
    }
    ControllerGetCapabilitiesRequest {}
    ControllerGetCapabilitiesResponse {
        "1" capabilities: Vec<ControllerServiceCapability> as message, repeated;
    }
    ControllerServiceCapability {
        "1" rpc: Option<ControllerRpc> as message, optional;
    }
    ControllerRpc {
        "1" r#type: i32 as enumeration = "ControllerRpcType";
    }
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
