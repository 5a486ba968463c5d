//! Serving and dialling gRPC on Unix sockets, and the two servers that make up the driver.

use crate::{
    controller::Controller,
    identity::Identity,
    mounts::Kernel,
    node::Node,
    nodes::ApiNodes,
    proto::{
        csi::ProbeRequest,
        services::{
            controller_server::ControllerServer, identity_client::IdentityClient,
            identity_server::IdentityServer, node_server::NodeServer,
            registration_server::RegistrationServer,
        },
    },
    registration::{self, Registration},
    volume_store::{VolumeStore, VolumeStoreError, Zone, check_name},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};

/// Why the driver does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    #[error("cannot listen on {path}: {source}")]
    Listen { path: PathBuf, source: io::Error },
    #[error("no driver answers on {path}: {source}")]
    Dial { path: PathBuf, source: tonic::transport::Error },
    #[error("the driver on {path} answers with an error: {message}")]
    Answer { path: PathBuf, message: String },
    #[error("the driver is not ready yet")]
    NotReady,
    #[error("the server stopped: {0}")]
    Serve(#[from] tonic::transport::Error),
    #[error("the cluster's API cannot be used: {0}; the controller runs in a pod with a service account")]
    Api(#[from] kube::Error),
    #[error("no runtime: {0}")]
    Runtime(io::Error),
    #[error("signals cannot be waited for: {0}")]
    Signal(io::Error),
    #[error("this node has no zone; label it with topology.kubernetes.io/zone and delete this pod")]
    NoZone,
    #[error(transparent)]
    Name(#[from] VolumeStoreError),
    #[error("the kubelet refused the driver: {0}")]
    Refused(String),
}

/// Serves the controller's half until it is told to stop.
pub(crate) async fn controller(socket: &Path, store: &Path) -> Result<(), ServerError> {
    let client = kube::Client::try_default().await?;
    let controller = Controller::new(VolumeStore::new(store), Arc::new(ApiNodes(client)));
    let identity = Identity::default();
    identity.set_ready(true);
    let server = Server::builder()
        .add_service(IdentityServer::new(identity))
        .add_service(ControllerServer::new(controller))
        .serve_with_incoming_shutdown(listen(socket)?, told_to_stop()?);
    let outcome = server.await;
    forget(socket);
    Ok(outcome?)
}

/// Where and for whom the node's half works.
pub(crate) struct NodePlace<'a> {
    pub(crate) socket: &'a Path,
    pub(crate) registry: &'a Path,
    pub(crate) store: &'a Path,
    pub(crate) node: &'a str,
    pub(crate) zone: &'a str,
}

/// Serves the node's half until it is told to stop, or the kubelet refuses it.
pub(crate) async fn node(place: NodePlace<'_>) -> Result<(), ServerError> {
    if place.zone.is_empty() {
        return Err(ServerError::NoZone);
    }
    check_name("zone", place.zone)?;
    let identity = Identity::default();
    let (refused, mut refusals) = mpsc::channel(1);
    let registration = Registration::new(place.socket, identity.clone(), refused);
    let node = Node::new(place.node, Zone::new(place.store, place.zone), Arc::new(Kernel));
    let registry_socket = registration::socket(place.registry);

    let (stop, stopped) = watch::channel(false);
    let until_stopped = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the sender is gone, which is a reason to stop as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let told = told_to_stop()?;
    // The driver listens before the kubelet can hear of it.
    let driver = Server::builder()
        .add_service(IdentityServer::new(identity))
        .add_service(NodeServer::new(node))
        .serve_with_incoming_shutdown(listen(place.socket)?, until_stopped(stopped.clone()));
    let registrar = Server::builder()
        .add_service(RegistrationServer::new(registration))
        .serve_with_incoming_shutdown(listen(&registry_socket)?, until_stopped(stopped));
    let stopper = async {
        let refusal = tokio::select! {
            () = told => None,
            refusal = refusals.recv() => refusal,
        };
        forget(&registry_socket);
        let _ = stop.send(true);
        refusal
    };
    let (driver, registrar, refusal) = tokio::join!(driver, registrar, stopper);
    forget(place.socket);
    driver?;
    registrar?;
    refusal.map_or(Ok(()), |why| Err(ServerError::Refused(why)))
}

/// Asks the driver behind `socket` whether it is ready.
pub(crate) async fn probe(socket: &Path) -> Result<(), ServerError> {
    let answer = IdentityClient::new(connect(socket).await?).probe(ProbeRequest {}).await;
    let answer =
        answer.map_err(|s| ServerError::Answer { path: socket.into(), message: s.message().into() })?;
    match answer.into_inner().ready {
        Some(ready) if !ready.value => Err(ServerError::NotReady),
        _ => Ok(()),
    }
}

/// Listens on a Unix socket, in place of one that a predecessor left behind.
pub(crate) fn listen(path: &Path) -> Result<UnixListenerStream, ServerError> {
    let error = |source| ServerError::Listen { path: path.into(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(error)?;
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(error(e)),
        _ => {}
    }
    UnixListener::bind(path).map(UnixListenerStream::new).map_err(error)
}

/// Dials a Unix socket.
pub(crate) async fn connect(path: &Path) -> Result<Channel, ServerError> {
    let error = |source| ServerError::Dial { path: path.into(), source };
    let endpoint = Endpoint::from_shared(format!("unix://{}", path.display())).map_err(error)?;
    endpoint.connect().await.map_err(error)
}

/// Removes a socket; one that is gone already is as good.
fn forget(socket: &Path) {
    let _ = fs::remove_file(socket);
}

fn told_to_stop() -> Result<impl Future<Output = ()>, ServerError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{
        csi::{NodeGetInfoRequest, NodeGetInfoResponse},
        registration::{InfoRequest, RegistrationStatus},
        services::{node_client::NodeClient, registration_client::RegistrationClient},
    };
    use std::time::Duration;

    /// Dials until somebody listens.
    async fn dial(path: &Path) -> Channel {
        let attempts = async {
            loop {
                match connect(path).await {
                    Ok(channel) => break channel,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(300), attempts).await.expect("somebody listens")
    }

    async fn node_info(socket: &Path) -> NodeGetInfoResponse {
        let answer = NodeClient::new(dial(socket).await).node_get_info(NodeGetInfoRequest {}).await;
        answer.expect("info").into_inner()
    }

    #[tokio::test]
    async fn a_node_gets_ready_by_the_kubelets_word_and_ends_by_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let (socket, registry) = (dir.path().join("plugin/csi.sock"), dir.path().join("registry"));
        fs::create_dir_all(socket.parent().expect("a parent")).expect("a directory");
        // A predecessor that was killed left its socket.
        drop(UnixListener::bind(&socket).expect("a socket"));
        let serving = tokio::spawn({
            let (socket, registry, store) = (socket.clone(), registry.clone(), dir.path().join("shelf"));
            async move {
                let place = NodePlace {
                    socket: &socket,
                    registry: &registry,
                    store: &store,
                    node: "node-1",
                    zone: "a",
                };
                node(place).await
            }
        });

        let mut kubelet = RegistrationClient::new(dial(&registration::socket(&registry)).await);
        let endpoint = kubelet.get_info(InfoRequest {}).await.expect("info").into_inner().endpoint;
        assert_eq!(Path::new(&endpoint), socket);
        assert_eq!(node_info(&socket).await.node_id, "node-1");
        let early = probe(&socket).await.expect_err("the kubelet has not spoken");
        assert!(matches!(early, ServerError::NotReady), "{early}");

        let verdict =
            |plugin_registered, error: &str| RegistrationStatus { plugin_registered, error: error.into() };
        kubelet.notify_registration_status(verdict(true, "")).await.expect("notified");
        probe(&socket).await.expect("ready");
        kubelet
            .notify_registration_status(verdict(false, "another driver of that name"))
            .await
            .expect("notified");
        drop(kubelet);
        let end = tokio::time::timeout(Duration::from_secs(300), serving)
            .await
            .expect("it ends")
            .expect("no panic");
        let error = end.expect_err("a refusal is an error").to_string();
        assert_eq!(error, "the kubelet refused the driver: another driver of that name");
        assert!(!socket.exists() && !registration::socket(&registry).exists(), "sockets were left behind");
    }

    #[tokio::test]
    async fn a_socket_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let occupied = dir.path().join("csi.sock");
        fs::create_dir(&occupied).expect("a directory in its place");
        let error = listen(&occupied).expect_err("a directory is no socket").to_string();
        assert!(error.starts_with(&format!("cannot listen on {}", occupied.display())), "{error}");
    }
}
