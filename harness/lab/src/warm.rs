//! Labs that are stopped: no process of theirs runs, and all that they know stays in their containers and volumes. A start
//! takes a fraction of the time of a new lab.

use crate::{
    DockerNodes, Engine, Lab, LabError, LabSpec, Progress, UpOptions, boot, engine, inventory, kubeconfig,
    labels, lease, make::NETWORK_TURN, node_image, ready::until,
};
use bollard::models::ContainerSummary;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, Client, api::ListParams};
use loopdrill_cloud as cloud;
use loopdrill_cluster::NodeAccess as _;
use std::time::Instant;

/// Where kind's entrypoint keeps the address that a node had when it started last.
const ADDRESS: &str = "/kind/old-ipv4";
/// What a lab consists of, besides its nodes. What else runs there is its user's.
const OURS: [&str; 2] = ["kube-", "loopdrill-"];
/// On pods that a kubelet reads from files.
const MIRROR: &str = "kubernetes.io/config.mirror";

impl Lab {
    /// Stops a lab; says whether any of its nodes ran. The kernel keeps what they wrote, so their processes are ended as a
    /// power cut would end them.
    ///
    /// # Errors
    /// [`LabError::NotFound`] with the names that exist, [`LabError::Incomplete`], [`LabError::Node`].
    pub async fn stop(name: &str) -> Result<bool, LabError> {
        let engine = Engine::connect().await?;
        let containers = whole(&engine, name).await?;
        let names: Vec<_> = containers.iter().filter(|c| inventory::runs(c)).map(engine::name).collect();
        let nodes = DockerNodes::new(engine, crate::AGENT, names.clone());
        try_join_all(names.iter().map(|node| nodes.power_off(node))).await?;
        Ok(!names.is_empty())
    }

    /// Starts a lab that was stopped, and waits until all of it runs again.
    ///
    /// # Errors
    /// [`LabError::NotFound`] with the names that exist, [`LabError::Incomplete`], [`LabError::NotReady`].
    pub async fn start(name: &str, progress: &Progress) -> Result<Lab, LabError> {
        let engine = Engine::connect().await?;
        let containers = whole(&engine, name).await?;
        let began = Instant::now();
        let since = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        let said = |what: &str| progress(&format!("{what} ({:.1} s)", began.elapsed().as_secs_f32()));
        power_on(&engine, &containers).await?;
        said("nodes are up");
        let (nodes, plane, port) = inventory::access(&engine, name, &inventory::ours(&engine, name).await?)?;
        let config = kubeconfig::fetch(&nodes, &plane, inventory::ADMIN, name, port).await?;
        let client = kubeconfig::client(config).await?;
        until("the API server is", || async { Ok(boot::ask(&client, "/readyz").await.is_ok()) }).await?;
        said("API server answers");
        until("what runs on the lab is", || all_runs_again(&client, since)).await?;
        said("all runs again");
        Lab::attach(name).await
    }
}

/// Whether a lab of that name is there, and stopped.
///
/// # Errors
/// [`LabError::NoEngine`] and the like.
pub async fn is_stopped(name: &str) -> Result<bool, LabError> {
    let found = inventory::ours(&Engine::connect().await?, name).await?;
    Ok(!found.is_empty() && found.iter().all(|container| !inventory::runs(container)))
}

/// A stopped lab that is what `Lab::up` would make of these, and the lease on it: what is made of the same needs not be
/// made again.
///
/// # Errors
/// [`LabError::NoEngine`] and the like.
pub async fn matching(
    spec: &LabSpec,
    options: &UpOptions,
) -> Result<Option<(String, lease::Lease)>, LabError> {
    let engine = Engine::connect().await?;
    let image = match &options.node_image {
        Some(image) => Some(image.clone()),
        None => node_image::at_hand(&engine).await?,
    };
    let Some(image) = image else { return Ok(None) };
    for lab in inventory::list().await?.into_iter().filter(|lab| lab.ours && lab.complete && lab.kept) {
        if lab.nodes.values().any(|runs| *runs) {
            continue;
        }
        let Some(file) = inventory::lab_file(&engine, &lab.name).await else { continue };
        if file.was_made_of(spec, &image, options)
            && let Ok(lease) = lease::exclusive(&lab.name)
        {
            return Ok(Some((lab.name, lease)));
        }
    }
    Ok(None)
}

/// The containers of a lab that came up once.
async fn whole(engine: &Engine, name: &str) -> Result<Vec<ContainerSummary>, LabError> {
    let containers = inventory::ours(engine, name).await?;
    if containers.is_empty() {
        return Err(inventory::not_found(name).await);
    }
    match inventory::lab_file(engine, name).await {
        Some(_) => Ok(containers),
        None => Err(LabError::Incomplete { name: name.into() }),
    }
}

/// Starts the containers one after the other, by the addresses that they had: the engine gives out the lowest that is
/// free, so each gets its own again. kind's entrypoint copes with another one.
async fn power_on(engine: &Engine, containers: &[ContainerSummary]) -> Result<(), LabError> {
    let _network = lease::shared_within(labels::NETWORK_LEASE, NETWORK_TURN).await?;
    let address = async |container: &ContainerSummary| {
        let name = engine::name(container);
        let found = engine.file(&name, ADDRESS).await.unwrap_or_default();
        let found = String::from_utf8_lossy(&found).trim().parse::<std::net::Ipv4Addr>().ok();
        (found, name)
    };
    let mut all = join_all(containers.iter().map(address)).await;
    all.sort();
    let names: Vec<_> = all.into_iter().map(|(_, name)| name).collect();
    for name in &names {
        let started = engine.docker.start_container(name, None).await;
        started.map_err(|e| LabError::engine(format!("start node {name}"), &e))?;
    }
    let nodes = DockerNodes::new(engine.clone(), crate::AGENT, names.clone());
    try_join_all(names.iter().map(|node| nodes.power_on(node))).await?;
    Ok(())
}

/// Whether all nodes, and all pods of the cluster itself, are ready and say so since that moment: what the API server
/// knows at first is what was so before the lab was stopped.
async fn all_runs_again(client: &Client, since: Timestamp) -> Result<bool, kube::Error> {
    let list = ListParams::default();
    let nodes = Api::<Node>::all(client.clone()).list(&list).await?;
    if !nodes.items.iter().all(|node| node_is_back(node, since)) {
        return Ok(false);
    }
    let pods = Api::<Pod>::all(client.clone()).list(&list).await?;
    Ok(pods.items.iter().filter(|pod| is_ours(pod)).all(|pod| pod_is_back(pod, since)))
}

fn is_ours(pod: &Pod) -> bool {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let over = pod.status.as_ref().and_then(|s| s.phase.as_deref()).is_some_and(|p| p == "Succeeded");
    !over && (namespace == cloud::NAMESPACE || OURS.iter().any(|prefix| namespace.starts_with(prefix)))
}

fn node_is_back(node: &Node, since: Timestamp) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.filter(|condition| condition.type_ == "Ready").any(|condition| {
        condition.status == "True" && condition.last_heartbeat_time.as_ref().is_some_and(|t| t.0 >= since)
    })
}

/// Those of the control plane are asked whether they are ready every ten seconds; the API server has said so by then.
fn pod_is_back(pod: &Pod, since: Timestamp) -> bool {
    let Some(status) = &pod.status else { return false };
    let of_a_file = pod.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(MIRROR));
    let mut containers = status.container_statuses.iter().flatten().peekable();
    containers.peek().is_some()
        && containers.all(|container| {
            let running = container.state.as_ref().and_then(|state| state.running.as_ref());
            let started = running.and_then(|running| running.started_at.as_ref());
            (container.ready || of_a_file) && started.is_some_and(|started| started.0 >= since)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const BEFORE: &str = "2026-01-01T00:00:00Z";
    const AFTER: &str = "2026-01-01T00:00:10Z";

    fn since() -> Timestamp {
        "2026-01-01T00:00:05Z".parse().expect("a time")
    }

    fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn a_node_is_back_when_it_has_said_so_since() {
        let node = |status: &str, heartbeat: &str| -> Node {
            let ready = json!({"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat});
            object(json!({"metadata": {}, "status": {"conditions": [ready]}}))
        };
        assert!(node_is_back(&node("True", AFTER), since()));
        assert!(!node_is_back(&node("True", BEFORE), since()));
        assert!(!node_is_back(&node("False", AFTER), since()));
        assert!(!node_is_back(&object(json!({"metadata": {}})), since()));
    }

    #[test]
    fn a_pod_is_back_when_each_container_runs_anew() {
        let container = |ready: bool, started: &str| {
            json!({"name": "x", "ready": ready, "restartCount": 1, "image": "", "imageID": "",
                   "state": {"running": {"startedAt": started}}})
        };
        let pod = |containers: &[Value]| -> Pod {
            object(json!({"metadata": {}, "status": {"containerStatuses": containers}}))
        };
        assert!(pod_is_back(&pod(&[container(true, AFTER), container(true, AFTER)]), since()));
        for bad in
            [vec![container(true, AFTER), container(true, BEFORE)], vec![container(false, AFTER)], vec![]]
        {
            assert!(!pod_is_back(&pod(&bad), since()), "{bad:?}");
        }
        let of_a_file = |container: Value| -> Pod {
            let annotations = json!({"kubernetes.io/config.mirror": "x"});
            object(
                json!({"metadata": {"annotations": annotations}, "status": {"containerStatuses": [container]}}),
            )
        };
        assert!(pod_is_back(&of_a_file(container(false, AFTER)), since()));
        assert!(!pod_is_back(&of_a_file(container(true, BEFORE)), since()));
    }

    #[test]
    fn pods_of_the_lab_itself_are_waited_for_and_no_others() {
        let pod = |namespace: &str, phase: &str| -> Pod {
            object(json!({"metadata": {"namespace": namespace}, "status": {"phase": phase}}))
        };
        assert!(is_ours(&pod("kube-flannel", "Running")) && is_ours(&pod("loopdrill-registry", "Pending")));
        assert!(!is_ours(&pod("default", "Running")) && !is_ours(&pod("kube-system", "Succeeded")));
    }
}
