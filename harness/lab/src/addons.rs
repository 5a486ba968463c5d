//! What a lab has beyond a bare cluster: zonal storage and a private registry.

use crate::{
    LabError, apply,
    engine::Engine,
    image::PodImage,
    labels,
    nodes::DockerNodes,
    owner,
    ready::{is_available, is_complete, until},
    registry,
};
use bollard::{models::ContainerCreateBody, query_parameters::CreateContainerOptions};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use kube::{Api, Client};
use loopdrill_zonal_disk as zonal;
use std::collections::HashMap;

/// Files that the addons need on every node before it starts.
pub(crate) fn files(lab: &str) -> Vec<(String, String)> {
    vec![registry::hosts_file(lab)]
}

/// The directory of all zonal disks: one anonymous volume that the nodes share and that goes with the last of them.
///
/// A container that is never started owns it until the nodes have taken it over. The engine remembers that the
/// volume is anonymous, so removing the last node (by whatever tool) removes it.
pub(crate) struct VolumeStore {
    holder: String,
}

impl VolumeStore {
    pub(crate) async fn create(
        engine: &Engine,
        lab: &str,
        image: &str,
        keep: bool,
    ) -> Result<Self, LabError> {
        let holder = format!("{lab}-shelf");
        let body = ContainerCreateBody {
            image: Some(image.into()),
            entrypoint: Some(vec!["/bin/true".into()]),
            volumes: Some(vec![zonal::SHELF_DIR.into()]),
            labels: Some(HashMap::from([
                (labels::LAB.into(), lab.into()),
                (labels::OWNER.into(), owner::current()),
                (labels::KEPT.into(), keep.to_string()),
            ])),
            ..Default::default()
        };
        let options = CreateContainerOptions { name: Some(holder.clone()), ..Default::default() };
        let created = engine.docker.create_container(Some(options), body).await;
        created.map_err(|e| LabError::engine("create the volume for zonal disks", &e))?;
        Ok(VolumeStore { holder })
    }

    /// The container from which nodes take the volume.
    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// Leaves the volume to the nodes that have it now.
    pub(crate) async fn hand_over(self, engine: &Engine) -> Result<(), LabError> {
        engine.remove_without_volumes(&self.holder).await
    }
}

/// Puts the program on all nodes, installs storage and registry, and waits until both are ready. Installing again with
/// another program replaces what ran the old one.
pub(crate) async fn install(
    client: &Client,
    nodes: &DockerNodes,
    lab: &str,
    program: &PodImage,
) -> Result<(), LabError> {
    let image = program.reference();
    let ((), password) = tokio::try_join!(program.ensure(nodes), registry::start(client, nodes, lab, image))?;
    tokio::try_join!(storage(client, image), registry::push(nodes, lab, image, &password)).map(drop)
}

async fn storage(client: &Client, image: &str) -> Result<(), LabError> {
    apply::objects(client, zonal::manifests(image)).await?;
    let deployments = Api::<Deployment>::namespaced(client.clone(), zonal::NAMESPACE);
    let daemons = Api::<DaemonSet>::namespaced(client.clone(), zonal::NAMESPACE);
    until("the zonal storage is", || async {
        let controller = deployments.get(zonal::CONTROLLER_DEPLOYMENT).await?;
        let node = daemons.get(zonal::NODE_DAEMON_SET).await?;
        Ok(is_available(&controller) && is_complete(&node))
    })
    .await
}
