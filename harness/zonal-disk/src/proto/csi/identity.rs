//! The identity service.

use prost::Enumeration;

messages! {
    GetPluginInfoRequest {}
    GetPluginInfoResponse {
        "1" name: String as string;
        "2" vendor_version: String as string;
    }
    GetPluginCapabilitiesRequest {}
    GetPluginCapabilitiesResponse {
        "1" capabilities: Vec<PluginCapability> as message, repeated;
    }
    PluginCapability {
        "1" service: Option<PluginService> as message, optional;
    }
    PluginService {
        "1" r#type: i32 as enumeration = "PluginServiceType";
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum PluginServiceType {
    Unknown = 0,
    ControllerService = 1,
    VolumeAccessibilityConstraints = 2,
}

messages! {
    ProbeRequest {}
    ProbeResponse {
        /// `google.protobuf.BoolValue`.
        "1" ready: Option<BoolValue> as message, optional;
    }
    /// `google.protobuf.BoolValue`.
    BoolValue {
        "1" value: bool as bool;
    }
}
