//! Every call over a real socket, as the kubelet makes it, on a table of mounts in memory.

use super::Node;
use crate::{
    ZONE_LABEL,
    mounts::Mounts,
    proto::{
        csi::{self, Mode},
        services::{node_client::NodeClient, node_server::NodeServer},
    },
    server::{connect, listen},
    volume_store::{VolumeStore, Zone},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tonic::{
    Code, Status,
    transport::{Channel, Server},
};

/// A mount: target, source, whether it is read-only.
type Mount = (PathBuf, PathBuf, bool);

/// Mounts as the kernel would keep them, topmost last.
#[derive(Debug, Default)]
struct Table {
    mounts: Mutex<Vec<Mount>>,
    busy: Mutex<bool>,
}

impl Table {
    fn list(&self) -> Vec<Mount> {
        self.mounts.lock().expect("lock").clone()
    }

    /// What a path shows: the directory under all mounts.
    fn origin(&self, path: &Path) -> PathBuf {
        let mounts = self.mounts.lock().expect("lock");
        let mut path = path.to_path_buf();
        while let Some((_, source, _)) = mounts.iter().rev().find(|(target, ..)| *target == path) {
            path.clone_from(source);
        }
        path
    }
}

impl Mounts for Table {
    fn bind(&self, source: &Path, target: &Path) -> io::Result<()> {
        if !target.is_dir() || !source.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let source = self.origin(source);
        self.mounts.lock().expect("lock").push((target.into(), source, false));
        Ok(())
    }

    fn make_read_only(&self, target: &Path) -> io::Result<()> {
        let mut mounts = self.mounts.lock().expect("lock");
        let mount = mounts.iter_mut().rev().find(|(t, ..)| t == target).ok_or(io::ErrorKind::InvalidInput)?;
        mount.2 = true;
        Ok(())
    }

    fn unmount(&self, target: &Path) -> io::Result<()> {
        if *self.busy.lock().expect("lock") {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let mut mounts = self.mounts.lock().expect("lock");
        let at = mounts.iter().rposition(|(t, ..)| t == target).ok_or(io::ErrorKind::InvalidInput)?;
        mounts.remove(at);
        Ok(())
    }

    fn is_mounted(&self, target: &Path) -> io::Result<bool> {
        Ok(self.list().iter().any(|(t, ..)| t == target))
    }

    fn shows(&self, target: &Path, source: &Path) -> io::Result<bool> {
        target.symlink_metadata()?;
        Ok(self.origin(target) == self.origin(source))
    }
}

/// Node `a1` in zone `a`, and the store of all zones.
struct Machine {
    client: NodeClient<Channel>,
    table: Arc<Table>,
    store: VolumeStore,
    dir: TempDir,
}

impl Machine {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let table = Arc::new(Table::default());
        let root = dir.path().join("shelf");
        let node = Node::new("a1", Zone::new(root.join("a"), "a"), table.clone());
        let socket = dir.path().join("csi.sock");
        let server = Server::builder().add_service(NodeServer::new(node));
        tokio::spawn(server.serve_with_incoming(listen(&socket).expect("a socket")));
        let client = NodeClient::new(connect(&socket).await.expect("a connection"));
        Self { client, table, store: VolumeStore::new(root), dir }
    }

    /// A disk of zone `a`, attached to `node`.
    fn attached(&self, id: &str, node: &str) -> PathBuf {
        self.store.create(id, "a", 1).expect("created");
        self.store.attach(id, node, "a").expect("attached");
        self.dir.path().join("shelf/a").join(id).join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn stage(&mut self, id: &str) -> Result<(), Status> {
        let request = csi::NodeStageVolumeRequest {
            volume_id: id.into(),
            staging_target_path: text(&self.path("staging")),
            volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        };
        self.client.node_stage_volume(request).await.map(|_| ())
    }

    async fn publish(&mut self, id: &str, target: &str, readonly: bool) -> Result<(), Status> {
        let request = csi::NodePublishVolumeRequest {
            volume_id: id.into(),
            staging_target_path: text(&self.path("staging")),
            target_path: text(&self.path(target)),
            volume_capability: Some(mounted(Mode::SingleNodeWriter)),
            readonly,
        };
        self.client.node_publish_volume(request).await.map(|_| ())
    }

    async fn unpublish(&mut self, target: &str) -> Result<(), Status> {
        let request = csi::NodeUnpublishVolumeRequest {
            volume_id: "disk".into(),
            target_path: text(&self.path(target)),
        };
        self.client.node_unpublish_volume(request).await.map(|_| ())
    }

    async fn unstage(&mut self) -> Result<(), Status> {
        let staging_target_path = text(&self.path("staging"));
        let request = csi::NodeUnstageVolumeRequest { volume_id: "disk".into(), staging_target_path };
        self.client.node_unstage_volume(request).await.map(|_| ())
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").into()
}

fn mounted(mode: Mode) -> csi::VolumeCapability {
    csi::VolumeCapability {
        access_type: Some(csi::AccessType::Mount(csi::MountVolume::default())),
        access_mode: Some(csi::AccessMode { mode: mode.into() }),
    }
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, word: &str) {
    let status = result.expect_err("a refusal");
    assert_eq!(status.code(), code, "{}", status.message());
    assert!(status.message().contains(word), "{word:?} is missing in {:?}", status.message());
}

#[tokio::test]
async fn the_node_tells_its_name_and_zone() {
    let mut machine = Machine::new().await;
    let info = machine.client.node_get_info(csi::NodeGetInfoRequest {}).await.expect("info").into_inner();
    let zone = info.accessible_topology.and_then(|t| t.segments.get(ZONE_LABEL).cloned());
    assert_eq!((info.node_id.as_str(), zone.as_deref()), ("a1", Some("a")));
    let answer =
        machine.client.node_get_capabilities(csi::NodeGetCapabilitiesRequest {}).await.expect("an answer");
    let rpcs: Vec<_> = answer.into_inner().capabilities.into_iter().filter_map(|c| c.rpc).collect();
    assert!(rpcs.iter().any(|rpc| rpc.r#type() == csi::NodeRpcType::StageUnstageVolume));
}

#[tokio::test]
async fn a_disk_is_shown_to_two_pods_and_taken_away_again() {
    let mut machine = Machine::new().await;
    let data = machine.attached("disk", "a1");
    for _ in 0..2 {
        machine.stage("disk").await.expect("staged");
        machine.publish("disk", "pod-1", false).await.expect("published");
        machine.publish("disk", "pod-2", true).await.expect("published read-only");
    }
    let shown = |name: &str, readonly| (machine.path(name), data.clone(), readonly);
    assert_eq!(machine.table.list(), [shown("staging", false), shown("pod-1", false), shown("pod-2", true)]);

    for _ in 0..2 {
        machine.unpublish("pod-1").await.expect("unpublished");
        machine.unpublish("pod-2").await.expect("unpublished");
        machine.unstage().await.expect("unstaged");
    }
    assert_eq!(machine.table.list(), []);
    assert!(!machine.path("pod-1").exists() && data.is_dir());
}

#[tokio::test]
async fn a_disk_that_is_not_attached_here_is_refused() {
    let mut machine = Machine::new().await;
    machine.attached("other", "a2");
    assert_refused(machine.stage("other").await, Code::FailedPrecondition, "not attached to node a1");
    machine.store.create("loose", "a", 1).expect("created");
    assert_refused(machine.stage("loose").await, Code::FailedPrecondition, "not attached to node a1");
    machine.store.create("far", "b", 1).expect("created");
    machine.store.attach("far", "a1", "b").expect("attached by mistake");
    assert_refused(machine.stage("far").await, Code::NotFound, "cannot be reached from zone a");
    assert_refused(machine.stage("../b/far").await, Code::NotFound, "cannot be reached");
    assert_eq!(machine.table.list(), []);
}

#[tokio::test]
async fn a_disk_that_was_detached_behind_the_node_is_not_published() {
    let mut machine = Machine::new().await;
    machine.attached("disk", "a1");
    machine.stage("disk").await.expect("staged");
    machine.store.detach("disk", Some("a1")).expect("detached");
    assert_refused(machine.publish("disk", "pod", false).await, Code::FailedPrecondition, "not attached");
    machine.unstage().await.expect("taking away always works");
}

#[tokio::test]
async fn publishing_needs_staging() {
    let mut machine = Machine::new().await;
    machine.attached("disk", "a1");
    assert_refused(machine.publish("disk", "pod", false).await, Code::FailedPrecondition, "not staged");
    std::fs::create_dir(machine.path("staging")).expect("an empty staging directory");
    assert_refused(machine.publish("disk", "pod", false).await, Code::FailedPrecondition, "not staged");
    assert!(!machine.path("pod").exists());
}

#[tokio::test]
async fn foreign_mounts_and_files_stay() {
    let mut machine = Machine::new().await;
    machine.attached("disk", "a1");
    let (staging, foreign) = (machine.path("staging"), machine.path("foreign"));
    for dir in [&staging, &foreign] {
        std::fs::create_dir(dir).expect("a directory");
    }
    machine.table.bind(&foreign, &staging).expect("a foreign mount");
    assert_refused(machine.stage("disk").await, Code::Internal, "another mount");
    assert_eq!(machine.table.list().len(), 1);

    let pod = machine.path("pod");
    std::fs::create_dir(&pod).expect("a directory");
    std::fs::write(pod.join("file"), "bytes").expect("a file");
    assert_refused(machine.unpublish("pod").await, Code::Internal, "cannot remove");
    assert!(pod.join("file").exists());
}

#[tokio::test]
async fn a_mount_that_stays_is_an_error_and_can_be_tried_again() {
    let mut machine = Machine::new().await;
    machine.attached("disk", "a1");
    machine.stage("disk").await.expect("staged");
    machine.publish("disk", "pod", false).await.expect("published");
    *machine.table.busy.lock().expect("lock") = true;
    assert_refused(machine.unpublish("pod").await, Code::Internal, "cannot unmount");
    assert_refused(machine.unstage().await, Code::Internal, "cannot unmount");
    *machine.table.busy.lock().expect("lock") = false;
    machine.unpublish("pod").await.expect("unpublished");
    machine.unstage().await.expect("unstaged");
    assert_eq!(machine.table.list(), []);
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let mut machine = Machine::new().await;
    machine.attached("disk", "a1");
    assert_refused(machine.stage("").await, Code::InvalidArgument, "volume_id");
    let stage = |path: &str, volume_capability| csi::NodeStageVolumeRequest {
        volume_id: "disk".into(),
        staging_target_path: path.into(),
        volume_capability,
    };
    let good = || Some(mounted(Mode::SingleNodeWriter));
    for (request, word) in [
        (stage("", good()), "staging_target_path is missing"),
        (stage("relative", good()), "must be absolute"),
        (stage("/staging", None), "capability"),
        (stage("/staging", Some(mounted(Mode::MultiNodeMultiWriter))), "one node at a time"),
    ] {
        assert_refused(machine.client.node_stage_volume(request).await, Code::InvalidArgument, word);
    }
    let request =
        csi::NodeUnpublishVolumeRequest { volume_id: "disk".into(), target_path: "relative".into() };
    assert_refused(machine.client.node_unpublish_volume(request).await, Code::InvalidArgument, "absolute");
    let request =
        csi::NodeUnstageVolumeRequest { volume_id: String::new(), staging_target_path: "/s".into() };
    assert_refused(machine.client.node_unstage_volume(request).await, Code::InvalidArgument, "volume_id");
}
