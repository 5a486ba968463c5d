//! A workload was scaled down over night, and others took the room of its zone meanwhile. In the morning there is
//! room in another zone only, where an autoscaler might have added it: the volume stays behind.
//!
//! It falls through four loops: the zone's nodes are full, the volume is pinned to them, the pod is Pending beside
//! empty nodes, and the Service that leads to it leads nowhere.

use super::writer::{self, NAME, START, lost};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    object::{Create, ObjectChange},
    request_fragmentation::{Room, VictimRequest},
    victim::{READY_PORT, Seen, VICTIM_LABEL, Workload, create, metadata, pods_of, scale, typed, until},
};
use async_trait::async_trait;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Loop};
use serde_json::json;

static SPEC: FaultSpec = FaultSpec {
    fault: "domino",
    variant: "zone-full",
    title: "a volume's zone is full, the nodes with room are in another one, and a Service leads nowhere",
    roots: &[&[Cause::VolumeZoneMismatch]],
    chain: &[Loop::Compute, Loop::Storage, Loop::Compute, Loop::Network],
    needs: &[Capability::TwoZones, Capability::ZonalStorage],
    ..FaultSpec::DOMINO
};

/// See the module.
#[derive(Debug)]
pub(super) struct ZoneFull;

fn request(ctx: &FaultContext) -> u64 {
    VictimRequest::default().millis(&ctx.target.facts)
}

#[async_trait]
impl Fault for ZoneFull {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        let (zone, _) = lost(cluster).unwrap_or_default();
        let footprint = footprint.uses(Resource::ZoneStorage(zone.to_owned()));
        cluster.workers().fold(footprint, |f, n| {
            let f = f.uses(Resource::NodeLife(n.name.clone()));
            match n.zone.as_deref() == Some(zone) {
                true => f.breaks(Resource::NodeCapacity(n.name.clone())),
                false => f.uses(Resource::NodeCapacity(n.name.clone())),
            }
        })
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (zone, workers) = lost(cluster).unwrap_or(("of the volume", vec![]));
        vec![
            format!(
                "start a workload that writes to a volume in zone {zone} and may run anywhere; scale it to 0"
            ),
            format!("create idle filler pods that take the room of {}", workers.join(", ")),
            "scale the workload to 1 again".into(),
            "undo: delete the fillers".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        writer::set_up(ctx, |w| w.cpu_millis(request(ctx))).await?;
        let service = json!({"metadata": metadata(ctx, NAME), "spec": {
            "selector": {VICTIM_LABEL: NAME}, "ports": [{"port": 80, "targetPort": READY_PORT}],
        }});
        create::<Service>(ctx, &typed(service)).await?;
        scale::<Deployment>(ctx, NAME, 0).await?;
        until(ctx, "a workload without pods", START, || async {
            let left = pods_of(ctx, NAME).await?.len();
            Ok(if left == 0 { Seen::Yes(()) } else { Seen::NotYet(format!("{left} pods are left")) })
        })
        .await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let (_, workers) = lost(&ctx.target.facts)?;
        let room = Room::settled(ctx).await?;
        let fillers =
            room.fill(&workers, request(ctx)).into_iter().enumerate().map(|(index, (node, millis))| {
                let filler = Workload::new(ctx, &format!("filler-{index}"), &["sleep"]);
                let filler = filler.on_node(&node).cpu_millis(millis).pod();
                Ok(Change::Object(ObjectChange::Create(Create::new(&filler, &ctx.target.run)?)))
            });
        fillers.collect()
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        scale::<Deployment>(ctx, NAME, 1).await
    }

    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        writer::look_at_writer(ctx, shown).await
    }
}
