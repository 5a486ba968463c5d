//! The controller service: what a cloud's control plane does with disks.
//!
//! Calls are served one after the other: each reads a disk's state, decides and replaces it.

mod create;
#[cfg(test)]
mod tests;

use crate::{
    nodes::Nodes,
    proto::{
        csi::{self, ControllerRpcType},
        services::controller_server,
    },
    status::{answer, required, supported, unsupported},
    volume_store::{Disk, VolumeStore, VolumeStoreError},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tonic::{Request, Response, Status, async_trait};

/// The controller of a lab's disks. There must be only one.
pub(crate) struct Controller {
    store: Arc<Mutex<VolumeStore>>,
    nodes: Arc<dyn Nodes>,
}

impl Controller {
    pub(crate) fn new(store: VolumeStore, nodes: Arc<dyn Nodes>) -> Self {
        Self { store: Arc::new(Mutex::new(store)), nodes }
    }

    /// Works with the store, off the runtime's workers.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&VolumeStore) -> Result<T, VolumeStoreError> + Send + 'static,
    ) -> Result<T, Status> {
        let store = Arc::clone(&self.store);
        // The lock guards no data of its own: after a panic the disks are as they were written last.
        tokio::task::spawn_blocking(move || work(&store.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .map_err(|e| Status::internal(format!("the work on the store ended early: {e}")))?
            .map_err(Status::from)
    }

    async fn attach(&self, request: csi::ControllerPublishVolumeRequest) -> Result<(), Status> {
        let id = required("volume_id", &request.volume_id)?.to_owned();
        let node = required("node_id", &request.node_id)?.to_owned();
        supported(request.volume_capability.as_ref())?;
        if request.readonly {
            return Err(Status::invalid_argument(
                "a zonal disk cannot be attached read-only; mount it read-only",
            ));
        }
        // The disk before the node: who asks for a disk that is gone learns that first.
        let wanted = id.clone();
        self.with(move |store| store.find(&wanted)).await?;
        let found = self.nodes.zone(&node).await.map_err(|e| Status::unavailable(e.to_string()))?;
        let zone =
            found.ok_or_else(|| Status::not_found(format!("node {node} does not exist")))?.ok_or_else(
                || Status::failed_precondition(format!("node {node} has no label {}", crate::ZONE_LABEL)),
            )?;
        self.with(move |store| store.attach(&id, &node, &zone)).await
    }

    async fn validate(
        &self,
        request: csi::ValidateVolumeCapabilitiesRequest,
    ) -> Result<csi::ValidateVolumeCapabilitiesResponse, Status> {
        let id = required("volume_id", &request.volume_id)?.to_owned();
        if request.volume_capabilities.is_empty() {
            return Err(Status::invalid_argument("volume_capabilities are missing"));
        }
        self.with(move |store| store.find(&id)).await?;
        Ok(match request.volume_capabilities.iter().find_map(unsupported) {
            Some(message) => csi::ValidateVolumeCapabilitiesResponse { confirmed: None, message },
            None => csi::ValidateVolumeCapabilitiesResponse {
                confirmed: Some(csi::Confirmed { volume_capabilities: request.volume_capabilities }),
                message: String::new(),
            },
        })
    }

    async fn list(&self, request: csi::ListVolumesRequest) -> Result<csi::ListVolumesResponse, Status> {
        let start = if request.starting_token.is_empty() {
            0
        } else {
            let token = &request.starting_token;
            token.parse().map_err(|_| {
                Status::aborted(format!("starting_token {token:?} is not one of this driver's"))
            })?
        };
        let max = match usize::try_from(request.max_entries) {
            Ok(0) => usize::MAX,
            Ok(max) => max,
            Err(_) => return Err(Status::invalid_argument("max_entries must not be negative")),
        };
        let disks = self.with(VolumeStore::list).await?;
        if start > disks.len() {
            return Err(Status::aborted(format!(
                "starting_token {start} is beyond the last of {} disks",
                disks.len()
            )));
        }
        let next = start.saturating_add(max);
        let next_token = if next < disks.len() { next.to_string() } else { String::new() };
        Ok(csi::ListVolumesResponse {
            entries: disks.into_iter().skip(start).take(max).map(listed).collect(),
            next_token,
        })
    }
}

#[async_trait]
impl controller_server::Controller for Controller {
    async fn create_volume(
        &self,
        request: Request<csi::CreateVolumeRequest>,
    ) -> Result<Response<csi::CreateVolumeResponse>, Status> {
        let request = request.into_inner();
        let name = request.name.clone();
        let result = self.create(request).await;
        answer(
            "CreateVolume",
            &name,
            result.map(|disk| csi::CreateVolumeResponse { volume: Some(volume(disk)) }),
        )
    }

    async fn delete_volume(
        &self,
        request: Request<csi::DeleteVolumeRequest>,
    ) -> Result<Response<csi::DeleteVolumeResponse>, Status> {
        let id = required("volume_id", &request.get_ref().volume_id)?.to_owned();
        let disk = id.clone();
        let result = self.with(move |store| store.delete(&disk)).await;
        answer("DeleteVolume", &id, result.map(|()| csi::DeleteVolumeResponse {}))
    }

    async fn controller_publish_volume(
        &self,
        request: Request<csi::ControllerPublishVolumeRequest>,
    ) -> Result<Response<csi::ControllerPublishVolumeResponse>, Status> {
        let request = request.into_inner();
        let subject = format!("{} on {}", request.volume_id, request.node_id);
        let result = self.attach(request).await;
        let published = csi::ControllerPublishVolumeResponse { publish_context: HashMap::new() };
        answer("ControllerPublishVolume", &subject, result.map(|()| published))
    }

    async fn controller_unpublish_volume(
        &self,
        request: Request<csi::ControllerUnpublishVolumeRequest>,
    ) -> Result<Response<csi::ControllerUnpublishVolumeResponse>, Status> {
        let csi::ControllerUnpublishVolumeRequest { volume_id, node_id } = request.into_inner();
        let subject = format!("{} on {}", required("volume_id", &volume_id)?, node_id);
        let node = (!node_id.is_empty()).then_some(node_id);
        let result = self.with(move |store| store.detach(&volume_id, node.as_deref())).await;
        answer(
            "ControllerUnpublishVolume",
            &subject,
            result.map(|()| csi::ControllerUnpublishVolumeResponse {}),
        )
    }

    async fn validate_volume_capabilities(
        &self,
        request: Request<csi::ValidateVolumeCapabilitiesRequest>,
    ) -> Result<Response<csi::ValidateVolumeCapabilitiesResponse>, Status> {
        self.validate(request.into_inner()).await.map(Response::new)
    }

    async fn list_volumes(
        &self,
        request: Request<csi::ListVolumesRequest>,
    ) -> Result<Response<csi::ListVolumesResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new)
    }

    async fn controller_get_capabilities(
        &self,
        _: Request<csi::ControllerGetCapabilitiesRequest>,
    ) -> Result<Response<csi::ControllerGetCapabilitiesResponse>, Status> {
        let capabilities = [
            ControllerRpcType::CreateDeleteVolume,
            ControllerRpcType::PublishUnpublishVolume,
            ControllerRpcType::ListVolumes,
            ControllerRpcType::ListVolumesPublishedNodes,
            ControllerRpcType::SingleNodeMultiWriter,
        ]
        .map(|rpc| csi::ControllerServiceCapability { rpc: Some(csi::ControllerRpc { r#type: rpc.into() }) });
        Ok(Response::new(csi::ControllerGetCapabilitiesResponse { capabilities: capabilities.into() }))
    }
}

fn volume(disk: Disk) -> csi::Volume {
    csi::Volume {
        capacity_bytes: disk.capacity_bytes,
        volume_id: disk.id,
        volume_context: HashMap::new(),
        accessible_topology: vec![topology(disk.zone)],
    }
}

fn listed(disk: Disk) -> csi::ListedVolume {
    let published_node_ids = disk.attached_to.clone().into_iter().collect();
    csi::ListedVolume { volume: Some(volume(disk)), status: Some(csi::VolumeStatus { published_node_ids }) }
}

/// The topology that is one zone.
pub(crate) fn topology(zone: impl Into<String>) -> csi::Topology {
    csi::Topology { segments: HashMap::from([(crate::ZONE_LABEL.to_owned(), zone.into())]) }
}
