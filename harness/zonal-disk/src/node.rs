//! The node service: shows the data of an attached disk to pods.
//!
//! Staging binds the disk's data to the kubelet's staging path, publishing binds that to a pod's path. Everything
//! is idempotent and read back: a mount that is not seen is an error, and so is one that stays.

#[cfg(test)]
mod tests;

use crate::{
    controller::topology,
    mounts::Mounts,
    proto::{
        csi::{self, NodeRpcType},
        services::node_server,
    },
    status::{answer, required, supported},
    volume_store::Zone,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tonic::{Request, Response, Status, async_trait};

/// How many mounts on top of each other are taken away at most.
const MAX_LAYERS: usize = 16;

/// The driver's half on one node.
#[derive(Clone)]
pub(crate) struct Node {
    name: String,
    zone: Arc<Zone>,
    mounts: Arc<dyn Mounts>,
}

impl Node {
    pub(crate) fn new(name: impl Into<String>, zone: Zone, mounts: Arc<dyn Mounts>) -> Self {
        Self { name: name.into(), zone: Arc::new(zone), mounts }
    }

    fn stage(&self, request: &csi::NodeStageVolumeRequest) -> Result<(), Status> {
        let id = required("volume_id", &request.volume_id)?;
        let target = path("staging_target_path", &request.staging_target_path)?;
        supported(request.volume_capability.as_ref())?;
        let data = self.zone.data(id, &self.name)?;
        self.bind(&data, target)
    }

    fn publish(&self, request: &csi::NodePublishVolumeRequest) -> Result<(), Status> {
        let id = required("volume_id", &request.volume_id)?;
        let staging = path("staging_target_path", &request.staging_target_path)?;
        let target = path("target_path", &request.target_path)?;
        supported(request.volume_capability.as_ref())?;
        let data = self.zone.data(id, &self.name)?;
        if !self.shows(staging, &data)? {
            return Err(Status::failed_precondition(format!(
                "disk {id} is not staged at {}",
                staging.display()
            )));
        }
        self.bind(staging, target)?;
        if request.readonly {
            self.mounts.make_read_only(target).map_err(internal("cannot make read-only", target))?;
        }
        Ok(())
    }

    fn bind(&self, source: &Path, target: &Path) -> Result<(), Status> {
        fs::create_dir_all(target).map_err(internal("cannot make", target))?;
        if self.shows(target, source)? {
            return Ok(());
        }
        if self.is_mounted(target)? {
            return Err(Status::internal(format!("{} holds another mount", target.display())));
        }
        self.mounts.bind(source, target).map_err(internal("cannot mount at", target))?;
        if self.shows(target, source)? {
            Ok(())
        } else {
            Err(Status::internal(format!("{} does not show the disk after mounting it", target.display())))
        }
    }

    /// Takes every mount at `target` away.
    fn release(&self, target: &Path) -> Result<(), Status> {
        for _ in 0..MAX_LAYERS {
            if !self.is_mounted(target)? {
                return Ok(());
            }
            self.mounts.unmount(target).map_err(internal("cannot unmount", target))?;
        }
        Err(Status::internal(format!("{} is still mounted after {MAX_LAYERS} attempts", target.display())))
    }

    fn unpublish(&self, request: &csi::NodeUnpublishVolumeRequest) -> Result<(), Status> {
        required("volume_id", &request.volume_id)?;
        let target = path("target_path", &request.target_path)?;
        self.release(target)?;
        // Only an empty directory goes: what is mounted elsewhere or was written beside a mount stays.
        match fs::remove_dir(target) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(internal("cannot remove", target)(e)),
            _ => Ok(()),
        }
    }

    fn unstage(&self, request: &csi::NodeUnstageVolumeRequest) -> Result<(), Status> {
        required("volume_id", &request.volume_id)?;
        self.release(path("staging_target_path", &request.staging_target_path)?)
    }

    fn is_mounted(&self, target: &Path) -> Result<bool, Status> {
        self.mounts.is_mounted(target).map_err(internal("cannot look up mounts of", target))
    }

    fn shows(&self, target: &Path, source: &Path) -> Result<bool, Status> {
        match self.mounts.shows(target, source) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map_err(internal("cannot look at", target)),
        }
    }

    /// Does the work off the runtime's workers: a mount may take its time.
    async fn run<R, T>(
        &self,
        rpc: &str,
        subject: String,
        request: Request<R>,
        work: fn(&Self, &R) -> Result<(), Status>,
        done: T,
    ) -> Result<Response<T>, Status>
    where
        R: Send + 'static,
    {
        let node = self.clone();
        let result = tokio::task::spawn_blocking(move || work(&node, request.get_ref()))
            .await
            .unwrap_or_else(|e| Err(Status::internal(format!("the work on the node ended early: {e}"))));
        answer(rpc, &subject, result.map(|()| done))
    }
}

#[async_trait]
impl node_server::Node for Node {
    async fn node_stage_volume(
        &self,
        request: Request<csi::NodeStageVolumeRequest>,
    ) -> Result<Response<csi::NodeStageVolumeResponse>, Status> {
        let id = request.get_ref().volume_id.clone();
        self.run("NodeStageVolume", id, request, Self::stage, csi::NodeStageVolumeResponse {}).await
    }

    async fn node_unstage_volume(
        &self,
        request: Request<csi::NodeUnstageVolumeRequest>,
    ) -> Result<Response<csi::NodeUnstageVolumeResponse>, Status> {
        let id = request.get_ref().volume_id.clone();
        self.run("NodeUnstageVolume", id, request, Self::unstage, csi::NodeUnstageVolumeResponse {}).await
    }

    async fn node_publish_volume(
        &self,
        request: Request<csi::NodePublishVolumeRequest>,
    ) -> Result<Response<csi::NodePublishVolumeResponse>, Status> {
        let id = request.get_ref().volume_id.clone();
        self.run("NodePublishVolume", id, request, Self::publish, csi::NodePublishVolumeResponse {}).await
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<csi::NodeUnpublishVolumeRequest>,
    ) -> Result<Response<csi::NodeUnpublishVolumeResponse>, Status> {
        let id = request.get_ref().volume_id.clone();
        self.run("NodeUnpublishVolume", id, request, Self::unpublish, csi::NodeUnpublishVolumeResponse {})
            .await
    }

    async fn node_get_capabilities(
        &self,
        _: Request<csi::NodeGetCapabilitiesRequest>,
    ) -> Result<Response<csi::NodeGetCapabilitiesResponse>, Status> {
        let capabilities = [NodeRpcType::StageUnstageVolume, NodeRpcType::SingleNodeMultiWriter]
            .map(|rpc| csi::NodeServiceCapability { rpc: Some(csi::NodeRpc { r#type: rpc.into() }) });
        Ok(Response::new(csi::NodeGetCapabilitiesResponse { capabilities: capabilities.into() }))
    }

    async fn node_get_info(
        &self,
        _: Request<csi::NodeGetInfoRequest>,
    ) -> Result<Response<csi::NodeGetInfoResponse>, Status> {
        Ok(Response::new(csi::NodeGetInfoResponse {
            node_id: self.name.clone(),
            max_volumes_per_node: 0,
            accessible_topology: Some(topology(self.zone.name())),
        }))
    }
}

fn path<'a>(field: &str, value: &'a str) -> Result<&'a Path, Status> {
    let path = Path::new(required(field, value)?);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(Status::invalid_argument(format!("{field} must be absolute")))
    }
}

fn internal<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> Status + use<'a> {
    let path: PathBuf = path.into();
    move |e| Status::internal(format!("{what} {}: {e}", path.display()))
}
