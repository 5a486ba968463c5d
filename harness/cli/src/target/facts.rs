//! What a drill may rely on in a cluster that is not ours, and which drills its target file allows.

use super::Sight;
use crate::Failure;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use loopdrill_cluster::{ClusterFacts, Fence, StorageFacts};
use loopdrill_drill::{Refused, namespace_of, preflight_id};
use loopdrill_faults::{Fault, Resource, catalogue};
use loopdrill_fence::{TargetFile, Touch};
use loopdrill_model::{Capability, ExitStatus, FaultId};
use std::collections::BTreeMap;

/// Capabilities for which somebody must be on the nodes.
const ON_NODES: [Capability; 5] = [
    Capability::NodeAccess,
    Capability::VxlanOverlay,
    Capability::NodeServiceManager,
    Capability::LocalEtcd,
    Capability::BlockIoThrottle,
];
const NO_AGENT: &str =
    "there is no node agent on a cluster that is known by its kubeconfig; drill this in a lab";
/// Faults whose pods wait for a node, for which an autoscaler may buy one.
const WAITING: [&str; 3] = ["request-fragmentation", "compute-decoy", "cross-az-pvc"];

/// The facts, with only those nodes for victims that the file allows.
pub(super) async fn facts(file: &TargetFile, sight: &Sight) -> Result<ClusterFacts, Failure> {
    let mut facts = loopdrill_lab::probe(&sight.client, None).await?;
    let allowed: BTreeMap<_, _> =
        sight.seen.nodes.iter().map(|n| (n.name.as_str(), file.has_node(&n.labels))).collect();
    for node in &mut facts.nodes {
        node.schedulable &= allowed.get(node.name.as_str()) == Some(&true);
        let is_zone = |zone: &String| file.storage.zones.is_empty() || file.storage.zones.contains(zone);
        node.zone = node.zone.take().filter(is_zone);
    }
    for capability in ON_NODES {
        facts.capabilities.insert(capability, Err(NO_AGENT.into()));
    }
    if let Some(name) = &file.storage.class {
        let found = class(sight, name).await?;
        facts.capabilities.insert(Capability::ZonalStorage, Ok(()));
        facts.storage = Some(found);
    }
    facts.fence = Some(Fence {
        selector: file.nodes.selector.clone(),
        pull_secret: file.image.secret().map(|(a, b)| (a.into(), b.into())),
        pod_security: file.pod_security.name().into(),
        pods: file.blast_radius.pods,
    });
    Ok(facts)
}

/// The class of the target file.
async fn class(sight: &Sight, name: &str) -> Result<StorageFacts, Failure> {
    let found = Api::<StorageClass>::all(sight.client.clone()).get(name).await;
    let found = found.map_err(|e| {
        Failure::new(ExitStatus::Usage, &e).before(&format!("`storage.class` of the target file is {name}"))
    })?;
    match found.volume_binding_mode.as_deref() {
        Some("WaitForFirstConsumer") => {
            Ok(StorageFacts { driver: found.provisioner, wait_class: name.into() })
        }
        _ => Err(Failure::usage(format!(
            "`storage.class` of the target file is {name}, which does not bind WaitForFirstConsumer; name one that does"
        ))),
    }
}

/// The drills that the file does not allow, with the reason.
pub(super) fn refused(file: &TargetFile, sight: &Sight, facts: &ClusterFacts, run: &str) -> Refused {
    let all = catalogue();
    let judged = all.iter().filter(|f| f.spec().needs.iter().all(|c| facts.has(c))).filter_map(|fault| {
        let id = fault.spec().id();
        let touch = touch(&**fault, facts, &id, run);
        let why = loopdrill_fence::leave(file, &sight.seen, &id, &touch, sight.autoscaler).err()?;
        Some((id, (Capability::Fence, why)))
    });
    let mut refused: Refused = judged.collect();
    let preflight = namespace_of(&preflight_id(), run);
    if !file.has_namespace(&preflight) {
        let why =
            format!("the preflight's namespace {preflight} is not among the `namespaces` of the target file");
        refused.extend(all.iter().map(|f| (f.spec().id(), (Capability::Fence, why.clone()))));
    }
    refused
}

fn touch(fault: &dyn Fault, facts: &ClusterFacts, id: &FaultId, run: &str) -> Touch {
    let waits_for_node = WAITING.contains(&id.fault.as_str());
    let mut touch = Touch { namespace: namespace_of(id, run), waits_for_node, ..Touch::default() };
    for resource in fault.footprint(facts).broken() {
        match resource {
            Resource::NodeLife(node) | Resource::NodeCapacity(node) => touch.nodes.push(node.clone()),
            Resource::NodePods(node) => {
                touch.node_pods = true;
                touch.nodes.push(node.clone());
            }
            Resource::NodeNetwork(node) => {
                touch.node_network = true;
                touch.nodes.push(node.clone());
            }
            Resource::DefaultStorageClass => touch.default_class = true,
            Resource::ControlPlane => touch.control_plane = true,
            // These are the drill's own.
            Resource::ZoneStorage(_) | Resource::OwnApiCalls => {}
            other => touch.shared.push(other.to_string()),
        }
    }
    touch.nodes.sort();
    touch.nodes.dedup();
    touch
}
