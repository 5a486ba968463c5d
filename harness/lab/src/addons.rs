//! What a lab has beyond a bare cluster: zonal storage and a private registry.

use crate::{LabError, apply, boot, engine::Engine, labels, nodes::DockerNodes, owner, registry};
use bollard::{models::ContainerCreateBody, query_parameters::CreateContainerOptions};
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::Node,
};
use kube::{Api, Client};
use loopdrill_zonal_disk as zonal;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(300);

/// Files that the addons need on every node before it starts.
pub(crate) fn files(lab: &str) -> Vec<(String, String)> {
    vec![registry::hosts_file(lab)]
}

/// The directory of all zonal disks: one anonymous volume that the nodes share and that goes with the last of them.
///
/// A container that is never started owns it until the nodes have taken it over. The engine remembers that the
/// volume is anonymous, so removing the last node (by whatever tool) removes it.
pub(crate) struct Shelf {
    holder: String,
}

impl Shelf {
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
        Ok(Shelf { holder })
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

/// Installs storage and registry side by side and waits until both are ready. Installing again with another
/// image replaces what ran the old one.
pub(crate) async fn install(
    client: &Client,
    nodes: &DockerNodes,
    lab: &str,
    image: &str,
) -> Result<(), LabError> {
    tokio::try_join!(storage(client, image), registry::install(client, nodes, lab, image)).map(drop)
}

async fn storage(client: &Client, image: &str) -> Result<(), LabError> {
    apply::objects(client, zonal::manifests(image)).await?;
    let deployments = Api::<Deployment>::namespaced(client.clone(), zonal::NAMESPACE);
    let daemons = Api::<DaemonSet>::namespaced(client.clone(), zonal::NAMESPACE);
    until("the zonal storage is", || async {
        let controller = deployments.get(zonal::CONTROLLER_DEPLOYMENT).await?;
        let node = daemons.get(zonal::NODE_DAEMON_SET).await?;
        Ok(boot::is_available(&controller) && is_complete(&node))
    })
    .await
}

/// Polls a condition until it holds.
pub(crate) async fn until<F>(what: &str, holds: impl Fn() -> F) -> Result<(), LabError>
where
    F: Future<Output = Result<bool, kube::Error>>,
{
    let started = Instant::now();
    loop {
        let last = match holds().await {
            Ok(true) => return Ok(()),
            Ok(false) => "its pods are not ready".to_string(),
            Err(error) => error.to_string(),
        };
        if started.elapsed() > LIMIT {
            return Err(LabError::NotReady {
                what: what.into(),
                seconds: LIMIT.as_secs(),
                log: format!("  | {last}"),
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The address by which the nodes of a cluster reach one of them.
pub(crate) fn internal_ip(node: &Node) -> Option<String> {
    let all = node.status.as_ref()?.addresses.as_ref()?;
    Some(all.iter().find(|a| a.type_ == "InternalIP")?.address.clone())
}

pub(crate) fn is_complete(daemons: &DaemonSet) -> bool {
    daemons.status.as_ref().is_some_and(|status| {
        status.observed_generation == daemons.metadata.generation
            && status.desired_number_scheduled > 0
            && status.updated_number_scheduled == Some(status.desired_number_scheduled)
            && status.number_ready == status.desired_number_scheduled
    })
}
