//! The kubelet's `pluginregistration` service, by which a plugin makes itself known.

use prost::Message;

/// The kubelet asks who is there.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct InfoRequest {}

/// Who is there.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PluginInfo {
    /// `CSIPlugin`.
    #[prost(string, tag = "1")]
    pub(crate) r#type: String,
    /// The driver's name.
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    /// The socket of the driver itself, as the kubelet sees it.
    #[prost(string, tag = "3")]
    pub(crate) endpoint: String,
    /// Versions of CSI that the driver speaks.
    #[prost(string, repeated, tag = "4")]
    pub(crate) supported_versions: Vec<String>,
}

/// What came of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RegistrationStatus {
    /// Whether the kubelet took the plugin in.
    #[prost(bool, tag = "1")]
    pub(crate) plugin_registered: bool,
    /// Why not.
    #[prost(string, tag = "2")]
    pub(crate) error: String,
}

/// Nothing to say.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RegistrationStatusResponse {}
