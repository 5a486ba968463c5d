//! The node of the volume's pod is cordoned, as for a maintenance, and the pod is deleted. Where the volume's zone has
//! no other node, the pod cannot come back.

use super::writer::{self, NAME, lost, set_up};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    object::{ObjectChange, Patch},
    victim::delete_pods,
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Node;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};
use serde_json::{Value, json};

static SPEC: FaultSpec = FaultSpec {
    fault: "cross-az-pvc",
    variant: "cordon",
    title: "the node of a zone's volume is cordoned, and its pod stays Pending beside free nodes",
    roots: &[&[Cause::VolumeZoneMismatch]],
    needs: &[Capability::TwoZones, Capability::ZonalStorage],
    ..FaultSpec::CANONICAL
};

/// See the module.
#[derive(Debug)]
pub struct Cordon;

/// What drills that take the zone's nodes away touch.
pub(super) fn footprint(facts: &ClusterFacts) -> Footprint {
    let footprint = Footprint::default().uses(Resource::ControlPlane);
    let Ok((zone, workers)) = lost(facts) else { return footprint };
    let footprint = footprint.uses(Resource::ZoneStorage(zone.into()));
    workers.into_iter().fold(footprint, |f, n| f.breaks(Resource::NodeLife(n.into())))
}

#[async_trait]
impl Fault for Cordon {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        footprint(cluster)
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (zone, workers) = lost(cluster).unwrap_or(("of the volume", vec![]));
        vec![
            format!("start a workload that writes to a volume in zone {zone} and may run anywhere"),
            format!("cordon its node ({}), and delete the workload's pod", workers.join(" or ")),
            "undo: uncordon it".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        set_up(ctx, |w| w).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let cordoned: [(&[&str], Option<Value>); 1] = [(&["spec", "unschedulable"], Some(json!(true)))];
        let (client, run) = (&ctx.target.client, &ctx.target.run);
        let node = writer::node_of(ctx).await?;
        let patch = Patch::plan::<Node>(client, None, &node, run, &cordoned).await?;
        Ok(vec![Change::Object(ObjectChange::Patch(patch))])
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }

    async fn absorbed_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        writer::elsewhere(ctx).await
    }

    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        writer::look_at_writer(ctx, shown).await
    }
}
