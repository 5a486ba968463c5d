//! The kubelet's `pluginregistration` service, by which a plugin makes itself known.

messages! {
    /// The kubelet asks who is there.
    InfoRequest {}
    /// Who is there.
    PluginInfo {
        /// `CSIPlugin`.
        "1" r#type: String as string;
        /// The driver's name.
        "2" name: String as string;
        /// The socket of the driver itself, as the kubelet sees it.
        "3" endpoint: String as string;
        /// Versions of CSI that the driver speaks.
        "4" supported_versions: Vec<String> as string, repeated;
    }
    /// What came of it.
    RegistrationStatus {
        /// Whether the kubelet took the plugin in.
        "1" plugin_registered: bool as bool;
        /// Why not.
        "2" error: String as string;
    }
    /// Nothing to say.
    RegistrationStatusResponse {}
}
