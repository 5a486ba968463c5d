//! What a cluster consists of and can do, from its API and, where there is access, from its nodes.
//!
//! Nothing is assumed from a cluster's origin: a cluster that the `kind` CLI made is asked the same questions as a
//! lab, and every missing capability comes with its reason.

use crate::{LabError, registry};
use futures::future::join_all;
use k8s_openapi::api::{
    core::v1::Node,
    storage::v1::{CSIDriver, CSINode, StorageClass},
};
use kube::{Api, Client, ResourceExt, api::ListParams};
use loopdrill_cluster::objects;
use loopdrill_cluster::{ClusterFacts, NodeAccess, NodeFacts, StorageFacts};
use loopdrill_kubernetes::well_known;
use loopdrill_model::Capability;
use std::{collections::BTreeMap, sync::Arc};

const ON_NODE: &str = include_str!("probe/node.sh");

/// What a node says about itself.
type Answers = BTreeMap<String, String>;

/// Asks the API, and each node where `nodes` gives access.
///
/// # Errors
/// [`LabError::Kube`] when the API server does not answer.
pub async fn probe(client: &Client, nodes: Option<&Arc<dyn NodeAccess>>) -> Result<ClusterFacts, LabError> {
    let version = client.apiserver_version().await.map_err(|e| LabError::kube("tell its version", e))?;
    let list = Api::<Node>::all(client.clone()).list(&ListParams::default()).await;
    let list = list.map_err(|e| LabError::kube("list nodes", e))?.items;
    let kernel = list.first().and_then(|node| node.status.as_ref()?.node_info.as_ref());
    let mut facts = ClusterFacts {
        kernel: kernel.map(|info| info.kernel_version.clone()).unwrap_or_default(),
        kubernetes: version.git_version,
        nodes: list.iter().map(node_facts).collect(),
        ..ClusterFacts::default()
    };
    facts.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let plane = facts.control_plane().map(|node| node.name.clone());

    let (answers, storage, registry) =
        tokio::join!(ask_all(nodes, &facts.nodes), storage(client), registry::find(client, plane.as_deref()));
    let named = plane.as_deref();
    let named =
        named.ok_or("the API names no control-plane node (a managed control plane hides it)".to_string());
    let of_plane = named
        .clone()
        .and_then(|name| answers.get(name).cloned().unwrap_or_else(|| Err("its node was not asked".into())));
    let mut set = |capability, answer| facts.capabilities.insert(capability, answer);
    set(Capability::NodeAccess, all(&answers, |_| Ok(())));
    set(Capability::VxlanOverlay, all(&answers, vxlan));
    set(Capability::NodeServiceManager, all(&answers, service_manager));
    set(Capability::ControlPlaneNode, named.map(drop));
    set(Capability::LocalEtcd, of_plane.clone().and_then(|answers| etcd(&answers)));
    set(Capability::BlockIoThrottle, of_plane.and_then(|answers| throttle(&answers)));
    set(Capability::ZonalStorage, storage.as_ref().map(drop).map_err(Clone::clone));
    set(Capability::PrivateRegistry, registry.as_ref().map(drop).map_err(Clone::clone));
    facts.storage = storage.ok();
    facts.registry = registry.ok();
    Ok(facts)
}

pub(crate) fn node_facts(node: &Node) -> NodeFacts {
    let labels = node.labels();
    NodeFacts {
        name: node.name_any(),
        zone: well_known::zone(labels).map(ToOwned::to_owned),
        control_plane: well_known::is_control_plane(labels),
        schedulable: objects::takes_ordinary_pods(node),
        allocatable: objects::resources(node.status.as_ref().and_then(|status| status.allocatable.as_ref())),
    }
}

// --- nodes -------------------------------------------------------------------------------------------------

async fn ask_all(
    access: Option<&Arc<dyn NodeAccess>>,
    nodes: &[NodeFacts],
) -> BTreeMap<String, Result<Answers, String>> {
    let ask = |node: &NodeFacts| {
        let name = node.name.clone();
        async move {
            let answer = match access {
                None => Err("only the API of this cluster is known; use a lab or a kind cluster".to_string()),
                Some(access) => ask(access.as_ref(), &name).await,
            };
            (name, answer)
        }
    };
    join_all(nodes.iter().map(ask)).await.into_iter().collect()
}

async fn ask(access: &dyn NodeAccess, node: &str) -> Result<Answers, String> {
    let argv = ["bash", "-c", ON_NODE];
    let output = access.exec(node, &argv, None).await.map_err(|error| error.to_string())?;
    let text = output.success(node, &["bash", "-c", "(probe)"]).map_err(|error| error.to_string())?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect())
}

/// Whether all nodes answer well; else what the first that does not says.
fn all(
    answers: &BTreeMap<String, Result<Answers, String>>,
    check: impl Fn(&Answers) -> Result<(), String>,
) -> Result<(), String> {
    for (node, answer) in answers {
        answer.clone().and_then(|found| check(&found)).map_err(|why| format!("{node}: {why}"))?;
    }
    if answers.is_empty() { Err("the cluster has no nodes".into()) } else { Ok(()) }
}

fn get<'a>(answers: &'a Answers, key: &str) -> &'a str {
    answers.get(key).map(String::as_str).unwrap_or_default()
}

fn vxlan(answers: &Answers) -> Result<(), String> {
    match get(answers, "vxlan") {
        "" => Err("no VXLAN device; the overlay is of another kind".into()),
        _ => Ok(()),
    }
}

fn service_manager(answers: &Answers) -> Result<(), String> {
    match get(answers, "systemd") {
        "running" | "degraded" | "starting" => Ok(()),
        "" => Err("systemd does not answer".into()),
        other => Err(format!("systemd is {other}")),
    }
}

fn etcd(answers: &Answers) -> Result<(), String> {
    if get(answers, "etcd") != "static-pod" {
        return Err("the control-plane node runs no etcd as static pod".into());
    }
    match get(answers, "disk") {
        "" => Err("etcd's data lies on no block device".into()),
        disk if disk.starts_with("0:") => {
            Err(format!("etcd's data lies on no block device of its own ({disk})"))
        }
        _ => Ok(()),
    }
}

fn throttle(answers: &Answers) -> Result<(), String> {
    etcd(answers)?;
    match get(answers, "throttle") {
        "yes" => Ok(()),
        "" => Err("the node did not say".into()),
        why => Err(why.into()),
    }
}

// --- storage -----------------------------------------------------------------------------------------------

/// A driver that knows zones on all nodes that it runs on, with a class that waits for the consumer.
async fn storage(client: &Client) -> Result<StorageFacts, String> {
    let text = |error: kube::Error| error.to_string();
    let every = ListParams::default();
    let (drivers, nodes, classes) = (
        Api::<CSIDriver>::all(client.clone()),
        Api::<CSINode>::all(client.clone()),
        Api::<StorageClass>::all(client.clone()),
    );
    let (drivers, nodes, classes) =
        tokio::join!(drivers.list(&every), nodes.list(&every), classes.list(&every));
    let (drivers, nodes, classes) = (drivers.map_err(text)?, nodes.map_err(text)?, classes.map_err(text)?);
    if drivers.items.is_empty() {
        return Err("the cluster has no CSI driver".into());
    }
    let zonal = |name: &str| {
        let knows = |node: &CSINode| {
            let of = node.spec.drivers.iter().find(|driver| driver.name == name);
            of.is_some_and(|d| d.topology_keys.iter().flatten().any(|key| key.ends_with("/zone")))
        };
        nodes.items.iter().filter(|node| knows(node)).count() >= 2
    };
    let waits = |class: &&StorageClass| class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
    let mut without_class = None;
    for driver in drivers.items.iter().map(ResourceExt::name_any).filter(|name| zonal(name)) {
        match classes.items.iter().filter(waits).find(|class| class.provisioner == driver) {
            Some(class) => return Ok(StorageFacts { wait_class: class.name_any(), driver }),
            None => without_class = Some(driver),
        }
    }
    Err(match without_class {
        Some(driver) => format!("CSI driver {driver} has no class that binds WaitForFirstConsumer"),
        None => "no CSI driver knows zones on two nodes".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(pairs: &[(&str, &str)]) -> Answers {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn every_missing_capability_has_its_reason() {
        assert!(vxlan(&answers(&[("vxlan", "flannel.1")])).is_ok());
        assert!(vxlan(&answers(&[("vxlan", "")])).is_err());
        let plane = [("etcd", "static-pod"), ("disk", "254:0"), ("throttle", "the io controller is off")];
        assert!(etcd(&answers(&plane)).is_ok());
        assert_eq!(throttle(&answers(&plane)), Err("the io controller is off".into()));
        assert!(etcd(&answers(&[("etcd", "static-pod"), ("disk", "0:34")])).is_err());
    }

    #[test]
    fn one_bad_node_spoils_it_for_all_and_is_named() {
        let all_nodes = BTreeMap::from([
            ("good".to_string(), Ok(answers(&[("vxlan", "flannel.1")]))),
            ("worse".to_string(), Err("is down".to_string())),
        ]);
        assert_eq!(all(&all_nodes, vxlan), Err("worse: is down".into()));
    }
}
