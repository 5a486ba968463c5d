//! The identity service, which both halves of the driver offer.

use crate::proto::{
    csi::{self, PluginServiceType},
    services::identity_server,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tonic::{Request, Response, Status, async_trait};

/// Who the driver is, and whether it is ready.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    ready: Arc<AtomicBool>,
}

impl Identity {
    /// From now on probes answer that the driver is ready, or that it is not.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}

#[async_trait]
impl identity_server::Identity for Identity {
    async fn get_plugin_info(
        &self,
        _: Request<csi::GetPluginInfoRequest>,
    ) -> Result<Response<csi::GetPluginInfoResponse>, Status> {
        Ok(Response::new(csi::GetPluginInfoResponse {
            name: crate::DRIVER.into(),
            vendor_version: env!("CARGO_PKG_VERSION").into(),
        }))
    }

    async fn get_plugin_capabilities(
        &self,
        _: Request<csi::GetPluginCapabilitiesRequest>,
    ) -> Result<Response<csi::GetPluginCapabilitiesResponse>, Status> {
        let capabilities =
            [PluginServiceType::ControllerService, PluginServiceType::VolumeAccessibilityConstraints]
                .map(|t| csi::PluginCapability { service: Some(csi::PluginService { r#type: t.into() }) });
        Ok(Response::new(csi::GetPluginCapabilitiesResponse { capabilities: capabilities.into() }))
    }

    async fn probe(&self, _: Request<csi::ProbeRequest>) -> Result<Response<csi::ProbeResponse>, Status> {
        let value = self.ready.load(Ordering::Relaxed);
        Ok(Response::new(csi::ProbeResponse { ready: Some(csi::BoolValue { value }) }))
    }
}
