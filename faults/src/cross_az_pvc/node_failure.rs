//! The node of the volume's pod dies; the replacement of the evicted pod finds its volume in a zone without a living
//! node, still attached to the dead one. A second node in the zone is of no use before Kubernetes gives up on the dead
//! one's attachment, which takes six minutes.
//!
//! Where the nodes are in reach, the kubelet is stopped there; elsewhere a pod lets it stand still ([`frozen_kubelet`]).
//!
//! The victim is a Deployment: its old pod stays Terminating on the dead node, as pods do, and the
//! ReplicaSet makes a new one beside it. Nobody deletes anything by hand.

use super::{
    cordon, frozen_kubelet,
    writer::{self, NAME, look_at_writer, lost, set_up, volume_of},
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    node::{Limits, NodeChange, StopUnit},
    victim::{describe, is_ready, newest, pods_of},
};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    core::v1::{Node, Pod},
    storage::v1::VolumeAttachment,
};
use kube::{Api, ResourceExt, api::ListParams};
use loopdrill_cluster::{ClusterFacts, objects::node_is_ready};
use loopdrill_model::{Capability, Cause, Evidence, Loop};

/// A volume that moves by itself has moved by then.
const SWIFT: SignedDuration = SignedDuration::from_secs(10);

static SPEC: FaultSpec = FaultSpec {
    fault: "cross-az-pvc",
    variant: "node-failure",
    title: "the kubelet beside a zone's volume dies, and the evicted pod's replacement stays Pending",
    roots: &[&[Cause::VolumeZoneMismatch, Cause::AttachOrMountFailed]],
    needs: &[Capability::TwoZones, Capability::ZonalStorage],
    ..FaultSpec::CANONICAL
};

static MACHINE: FaultSpec = FaultSpec {
    fault: "domino",
    variant: "node-loss",
    title: "a machine is lost, its volume's zone has no node left, and the replacement stays Pending",
    roots: &[&[Cause::NodeDown]],
    chain: &[Loop::Compute, Loop::Storage, Loop::Compute],
    needs: &[Capability::TwoZones, Capability::ZonalStorage, Capability::NodeAccess],
    ..FaultSpec::DOMINO
};

/// See the module.
#[derive(Debug)]
pub struct NodeFailure {
    spec: &'static FaultSpec,
}

impl Default for NodeFailure {
    fn default() -> Self {
        Self { spec: &SPEC }
    }
}

impl NodeFailure {
    /// The whole machine goes, not only its kubelet: then the node is the root, and not where the volume is.
    #[must_use]
    pub fn of_the_machine() -> Self {
        Self { spec: &MACHINE }
    }

    fn takes_the_machine(&self) -> bool {
        self.spec.variant == MACHINE.variant
    }

    fn is_by_pod(&self, facts: &ClusterFacts) -> bool {
        !self.takes_the_machine() && frozen_kubelet::is_by_pod(facts)
    }
}

/// What still attaches the writer's volume, and to which node.
async fn attachments(ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
    let volume = volume_of(ctx, NAME).await?.name_any();
    let all: Api<VolumeAttachment> = Api::all(ctx.target.client.clone());
    let all = all.list(&ListParams::default()).await.map_err(FaultError::api("list the attachments"))?;
    let mine =
        all.items.into_iter().filter(|a| a.spec.source.persistent_volume_name.as_ref() == Some(&volume));
    Ok(mine.map(|a| seen("the volume is attached to", a.spec.node_name)).collect())
}

/// The first node of the zone that is not Ready.
async fn dead_node(ctx: &FaultContext) -> Result<Option<String>, FaultError> {
    let nodes: Api<Node> = Api::all(ctx.target.client.clone());
    for name in lost(&ctx.target.facts)?.1 {
        let node = nodes.get(name).await.map_err(FaultError::api(format!("read node {name}")))?;
        if !node_is_ready(&node) {
            return Ok(Some(name.into()));
        }
    }
    Ok(None)
}

/// The replacement has a node and waits there for a volume that is attached to the dead one.
async fn waits_for_its_volume(ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
    let pods = pods_of(ctx, NAME).await?;
    let Some(pod) = newest(&pods).filter(|p| !is_ready(p) && is_older(p, SWIFT)) else { return Ok(None) };
    let Some(node) = pod.spec.as_ref().and_then(|s| s.node_name.clone()) else { return Ok(None) };
    let Some(dead) = dead_node(ctx).await?.filter(|dead| *dead != node) else { return Ok(None) };
    let attached = attachments(ctx).await?;
    let waits = attached.iter().any(|e| e.value == dead);
    Ok(waits.then(|| vec![seen("the pod waits for its volume on", node), seen("its state", describe(pod))]))
}

fn is_older(pod: &Pod, age: SignedDuration) -> bool {
    let created = pod.metadata.creation_timestamp.as_ref();
    created.is_some_and(|at| Timestamp::now().duration_since(at.0) > age)
}

#[async_trait]
impl Fault for NodeFailure {
    fn spec(&self) -> &'static FaultSpec {
        self.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = cordon::footprint(cluster);
        let workers = lost(cluster).map_or(vec![], |(_, workers)| workers);
        workers.into_iter().fold(footprint, |f, n| f.breaks(Resource::NodePods(n.into())))
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (zone, workers) = lost(cluster).unwrap_or(("of the volume", vec![]));
        let workers = workers.join(" or ");
        let mut steps =
            vec![format!("start a workload that writes to a volume in zone {zone} and may run anywhere")];
        if self.is_by_pod(cluster) {
            steps.extend(frozen_kubelet::dry_run(&workers));
        } else if self.takes_the_machine() {
            steps.push(format!("switch off its node ({workers})"));
            steps.push("undo: switch it on again; `loopdrill undo` does so when we are gone".into());
        } else {
            steps.push(format!("stop the kubelet on its node ({workers})"));
            steps.push("undo: start it again; the node starts it by itself when we are gone".into());
        }
        steps
    }

    fn held_by(&self) -> &'static str {
        frozen_kubelet::HELD_BY
    }

    /// Whether the agent is admitted is asked first.
    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        if self.is_by_pod(&ctx.target.facts) {
            frozen_kubelet::set_up(ctx).await?;
        }
        set_up(ctx, |w| w).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let node = writer::node_of(ctx).await?;
        if self.takes_the_machine() {
            return Ok(vec![Change::Node(NodeChange::power_off(&node))]);
        }
        if self.is_by_pod(&ctx.target.facts) {
            return Ok(vec![frozen_kubelet::plan(ctx, &node)?]);
        }
        let stop = StopUnit { unit: "kubelet.service".into() }.into();
        let change =
            NodeChange::plan(ctx.target.node_access()?, &node, vec![stop], Limits::default()).await?;
        Ok(vec![Change::Node(change)])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        match self.is_by_pod(&ctx.target.facts) {
            true => frozen_kubelet::in_force(ctx, &writer::node_of(ctx).await?).await,
            false => Ok(Vec::new()),
        }
    }

    async fn absorbed_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        writer::elsewhere(ctx).await
    }

    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        Ok(match look_at_writer(ctx, shown).await? {
            Look::Broken(mut evidence) => {
                evidence.extend(attachments(ctx).await?);
                Look::Broken(evidence)
            }
            Look::Settling(what) => match waits_for_its_volume(ctx).await? {
                Some(mut evidence) => {
                    evidence.extend(attachments(ctx).await?);
                    Look::Broken(evidence)
                }
                None => Look::Settling(what),
            },
            Look::Well if shown => match dead_node(ctx).await? {
                Some(node) => Look::Settling(format!("node {node} is not Ready yet")),
                None => Look::Well,
            },
            Look::Well => Look::Well,
        })
    }
}
