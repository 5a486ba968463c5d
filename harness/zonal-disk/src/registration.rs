//! How the driver makes itself known to the kubelet.
//!
//! The kubelet watches a directory for sockets, asks each one who is there and says what came of it.

use crate::{
    identity::Identity,
    proto::{
        registration::{InfoRequest, PluginInfo, RegistrationStatus, RegistrationStatusResponse},
        services::registration_server,
    },
};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, async_trait};

/// Name of the driver's socket in the kubelet's directory for plugins.
///
/// The `@` is what makes it work: the kubelet dials without naming an authority, its gRPC library then sends the
/// percent-encoded path for one, and our HTTP library refuses an authority that has percent signs anywhere but in
/// the user information. With `@` the path up to it is just that.
const SOCKET: &str = "zonal-disk@loopdrill.sock";

/// The driver's socket in the kubelet's directory for plugins.
pub(crate) fn socket(directory: &Path) -> PathBuf {
    directory.join(SOCKET)
}

/// Answers the kubelet.
pub(crate) struct Registration {
    endpoint: String,
    identity: Identity,
    refused: mpsc::Sender<String>,
}

impl Registration {
    /// `endpoint` is the driver's own socket; the kubelet's refusal is sent to `refused`.
    pub(crate) fn new(endpoint: &Path, identity: Identity, refused: mpsc::Sender<String>) -> Self {
        Self { endpoint: endpoint.to_string_lossy().into_owned(), identity, refused }
    }
}

#[async_trait]
impl registration_server::Registration for Registration {
    async fn get_info(&self, _: Request<InfoRequest>) -> Result<Response<PluginInfo>, Status> {
        Ok(Response::new(PluginInfo {
            r#type: "CSIPlugin".into(),
            name: crate::DRIVER.into(),
            endpoint: self.endpoint.clone(),
            supported_versions: vec!["1.0.0".into()],
        }))
    }

    async fn notify_registration_status(
        &self,
        request: Request<RegistrationStatus>,
    ) -> Result<Response<RegistrationStatusResponse>, Status> {
        let status = request.into_inner();
        self.identity.set_ready(status.plugin_registered);
        if status.plugin_registered {
            tracing::info!("the kubelet registered the driver");
        } else {
            // One refusal ends the driver; more than fit tell nothing new.
            let _ = self.refused.try_send(status.error);
        }
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        proto::services::registration_client::RegistrationClient,
        server::{connect, listen},
    };
    use tonic::transport::Server;

    /// What grpc-go sends as authority when it dials `path` and is told none.
    fn authority(path: &str) -> String {
        path.replace('/', "%2F")
    }

    #[test]
    fn the_authority_that_the_kubelet_sends_is_one() {
        let sent = |path: &str| authority(path).parse::<http::uri::Authority>();
        let path = socket(Path::new("/var/lib/kubelet/plugins_registry"));
        sent(path.to_str().expect("text")).expect("a valid authority");
        sent("/var/lib/kubelet/plugins_registry/zonal-disk.sock").expect_err("without the trick it is none");
    }

    #[tokio::test]
    async fn the_kubelet_learns_who_is_there_and_its_verdict_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = socket(dir.path());
        let (refused, mut refusals) = mpsc::channel(1);
        let identity = Identity::default();
        let service = Registration::new(Path::new("/plugins/csi.sock"), identity.clone(), refused);
        let server = Server::builder().add_service(registration_server::RegistrationServer::new(service));
        tokio::spawn(server.serve_with_incoming(listen(&path).expect("socket")));

        let mut kubelet = RegistrationClient::new(connect(&path).await.expect("connection"));
        let info = kubelet.get_info(InfoRequest {}).await.expect("info").into_inner();
        assert_eq!((info.r#type.as_str(), info.name.as_str()), ("CSIPlugin", crate::DRIVER));
        assert_eq!(info.endpoint, "/plugins/csi.sock");
        assert_eq!(info.supported_versions, ["1.0.0"]);

        let verdict =
            |plugin_registered, error: &str| RegistrationStatus { plugin_registered, error: error.into() };
        kubelet.notify_registration_status(verdict(true, "")).await.expect("notified");
        assert!(refusals.try_recv().is_err());
        kubelet.notify_registration_status(verdict(false, "no such version")).await.expect("notified");
        assert_eq!(refusals.recv().await.as_deref(), Some("no such version"));
    }
}
