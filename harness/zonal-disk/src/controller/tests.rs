//! Every call over a real socket, as the sidecars make it.

mod attach;
mod create;

use super::{Controller, topology};
use crate::{
    nodes::{LookupError, Nodes},
    proto::{
        csi::{self, ControllerRpcType, Mode},
        services::{controller_client::ControllerClient, controller_server::ControllerServer},
    },
    server::{connect, listen},
    volume_store::VolumeStore,
};
use std::{collections::HashMap, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tonic::{
    Code, Status, async_trait,
    transport::{Channel, Server},
};

/// Nodes `a1`, `a2` in zone `a`, `b1` in zone `b`, and `nowhere` without one.
struct FourNodes;

#[async_trait]
impl Nodes for FourNodes {
    async fn zone(&self, node: &str) -> Result<Option<Option<String>>, LookupError> {
        Ok(match node {
            "a1" | "a2" => Some(Some("a".into())),
            "b1" => Some(Some("b".into())),
            "nowhere" => Some(None),
            _ => None,
        })
    }
}

/// A controller with a store of its own, and a client of it.
struct Cloud {
    client: ControllerClient<Channel>,
    server: tokio::task::JoinHandle<()>,
    dir: TempDir,
}

impl Cloud {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (client, server) = serve(&dir).await;
        Self { client, server, dir }
    }

    /// The same after the controller was killed and started again.
    async fn restarted(self) -> Self {
        self.server.abort();
        let (client, server) = serve(&self.dir).await;
        Self { client, server, dir: self.dir }
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("shelf")
    }

    async fn create(&mut self, request: csi::CreateVolumeRequest) -> Result<csi::Volume, Status> {
        let response = self.client.create_volume(request).await?;
        Ok(response.into_inner().volume.expect("a volume in the response"))
    }

    /// A disk in `zone`.
    async fn disk(&mut self, name: &str, zone: &str) -> String {
        self.create(wish(name, &[zone], &[])).await.expect("created").volume_id
    }

    async fn attach(&mut self, id: &str, node: &str) -> Result<(), Status> {
        let request = csi::ControllerPublishVolumeRequest {
            volume_id: id.into(),
            node_id: node.into(),
            volume_capability: Some(mounted(Mode::SingleNodeWriter)),
            readonly: false,
        };
        self.client.controller_publish_volume(request).await.map(|_| ())
    }

    async fn detach(&mut self, id: &str, node: &str) -> Result<(), Status> {
        let request = csi::ControllerUnpublishVolumeRequest { volume_id: id.into(), node_id: node.into() };
        self.client.controller_unpublish_volume(request).await.map(|_| ())
    }

    async fn delete(&mut self, id: &str) -> Result<(), Status> {
        let request = csi::DeleteVolumeRequest { volume_id: id.into() };
        self.client.delete_volume(request).await.map(|_| ())
    }

    async fn list(&mut self, max_entries: i32, token: &str) -> Result<csi::ListVolumesResponse, Status> {
        let request = csi::ListVolumesRequest { max_entries, starting_token: token.into() };
        Ok(self.client.list_volumes(request).await?.into_inner())
    }
}

async fn serve(dir: &TempDir) -> (ControllerClient<Channel>, tokio::task::JoinHandle<()>) {
    let socket = dir.path().join("csi.sock");
    let controller = Controller::new(VolumeStore::new(dir.path().join("shelf")), Arc::new(FourNodes));
    let server = Server::builder().add_service(ControllerServer::new(controller));
    let incoming = listen(&socket).expect("a socket");
    let server = tokio::spawn(async move { server.serve_with_incoming(incoming).await.expect("served") });
    (ControllerClient::new(connect(&socket).await.expect("a connection")), server)
}

fn mounted(mode: Mode) -> csi::VolumeCapability {
    csi::VolumeCapability {
        access_type: Some(csi::AccessType::Mount(csi::MountVolume::default())),
        access_mode: Some(csi::AccessMode { mode: mode.into() }),
    }
}

/// A disk of 1 MiB in one of the zones.
fn wish(name: &str, preferred: &[&str], requisite: &[&str]) -> csi::CreateVolumeRequest {
    let topologies = |zones: &[&str]| zones.iter().map(|z| topology(*z)).collect();
    csi::CreateVolumeRequest {
        name: name.into(),
        capacity_range: Some(csi::CapacityRange { required_bytes: 1 << 20, limit_bytes: 0 }),
        volume_capabilities: vec![mounted(Mode::SingleNodeWriter)],
        parameters: HashMap::from([("csi.storage.k8s.io/pvc/name".into(), "claim".into())]),
        volume_content_source: None,
        accessibility_requirements: Some(csi::TopologyRequirement {
            requisite: topologies(requisite),
            preferred: topologies(preferred),
        }),
    }
}

/// Asserts the code, and that the message has each of the words.
fn assert_refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, words: &[&str]) {
    let status = result.expect_err("a refusal");
    assert_eq!(status.code(), code, "{}", status.message());
    for word in words {
        assert!(status.message().contains(word), "{word:?} is missing in {:?}", status.message());
    }
}

#[tokio::test]
async fn the_controller_says_what_it_can_do() {
    let mut cloud = Cloud::new().await;
    let answer = cloud.client.controller_get_capabilities(csi::ControllerGetCapabilitiesRequest {}).await;
    let rpcs: Vec<_> =
        answer.expect("capabilities").into_inner().capabilities.into_iter().filter_map(|c| c.rpc).collect();
    let kinds: Vec<_> = rpcs.iter().map(csi::ControllerRpc::r#type).collect();
    for kind in [ControllerRpcType::CreateDeleteVolume, ControllerRpcType::PublishUnpublishVolume] {
        assert!(kinds.contains(&kind), "{kind:?} is missing in {kinds:?}");
    }
}

#[tokio::test]
async fn listing_pages_through_all_disks_with_their_nodes() {
    let mut cloud = Cloud::new().await;
    for (name, zone) in [("one", "a"), ("two", "b"), ("three", "a")] {
        cloud.disk(name, zone).await;
    }
    cloud.attach("two", "b1").await.expect("attached");
    let all = cloud.list(0, "").await.expect("all");
    let seen = |entry: &csi::ListedVolume| {
        let nodes = entry.status.clone().unwrap_or_default().published_node_ids;
        (entry.volume.clone().unwrap_or_default().volume_id, nodes)
    };
    let expected = [("one".into(), vec![]), ("three".into(), vec![]), ("two".into(), vec!["b1".to_owned()])];
    assert_eq!(all.entries.iter().map(seen).collect::<Vec<_>>(), expected);
    assert!(all.next_token.is_empty());

    let first = cloud.list(2, "").await.expect("a page");
    let second = cloud.list(2, &first.next_token).await.expect("the next page");
    assert_eq!((first.entries.len(), second.entries.len(), second.next_token.as_str()), (2, 1, ""));
    assert_refused(cloud.list(0, "nonsense").await, Code::Aborted, &["nonsense"]);
    assert_refused(cloud.list(0, "17").await, Code::Aborted, &["17"]);
    assert_refused(cloud.list(-1, "").await, Code::InvalidArgument, &["max_entries"]);
}

#[tokio::test]
async fn capabilities_are_validated() {
    let mut cloud = Cloud::new().await;
    cloud.disk("disk", "a").await;
    let mut validate = async |id: &str, modes: &[Mode]| {
        let volume_capabilities = modes.iter().copied().map(mounted).collect();
        let request = csi::ValidateVolumeCapabilitiesRequest { volume_id: id.into(), volume_capabilities };
        cloud.client.validate_volume_capabilities(request).await.map(tonic::Response::into_inner)
    };
    let good =
        validate("disk", &[Mode::SingleNodeWriter, Mode::SingleNodeSingleWriter]).await.expect("an answer");
    assert_eq!(good.confirmed.map(|c| c.volume_capabilities.len()), Some(2));
    let bad = validate("disk", &[Mode::MultiNodeMultiWriter]).await.expect("an answer");
    assert!(bad.confirmed.is_none() && bad.message.contains("one node at a time"), "{}", bad.message);
    assert_refused(validate("none", &[Mode::SingleNodeWriter]).await, Code::NotFound, &["none"]);
    assert_refused(validate("disk", &[]).await, Code::InvalidArgument, &["missing"]);
    assert_refused(validate("", &[Mode::SingleNodeWriter]).await, Code::InvalidArgument, &["volume_id"]);
}

#[tokio::test]
async fn what_is_not_offered_is_unimplemented() {
    let cloud = Cloud::new().await;
    let channel = connect(&cloud.dir.path().join("csi.sock")).await.expect("a connection");
    let mut raw = tonic::client::Grpc::new(channel);
    raw.ready().await.expect("ready");
    let codec: tonic_prost::ProstCodec<csi::ProbeRequest, csi::ProbeResponse> =
        tonic_prost::ProstCodec::default();
    let path = http::uri::PathAndQuery::from_static("/csi.v1.Controller/CreateSnapshot");
    let answer = raw.unary(tonic::Request::new(csi::ProbeRequest {}), path, codec).await;
    assert_refused(answer, Code::Unimplemented, &[]);
}
