//! The identity service.

use prost::{Enumeration, Message};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetPluginInfoRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetPluginInfoResponse {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) vendor_version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetPluginCapabilitiesRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetPluginCapabilitiesResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) capabilities: Vec<PluginCapability>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PluginCapability {
    #[prost(message, optional, tag = "1")]
    pub(crate) service: Option<PluginService>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PluginService {
    #[prost(enumeration = "PluginServiceType", tag = "1")]
    pub(crate) r#type: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum PluginServiceType {
    Unknown = 0,
    ControllerService = 1,
    VolumeAccessibilityConstraints = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProbeRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProbeResponse {
    /// `google.protobuf.BoolValue`.
    #[prost(message, optional, tag = "1")]
    pub(crate) ready: Option<BoolValue>,
}

/// `google.protobuf.BoolValue`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BoolValue {
    #[prost(bool, tag = "1")]
    pub(crate) value: bool,
}
