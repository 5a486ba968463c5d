//! A new default class binds `Immediate` and provisions in another zone than the one in which the workload
//! must run: its next replica gets a volume that it can never reach.
//!
//! The first replica's claim is there before, on a class that waits. The victim follows the custom of the house: where
//! the cluster's own replicated StatefulSets spread over zones instead of naming one, so does it, and then it can
//! follow the volume.
//!
//! The class is the fault and goes with the undo. The claim that it spoiled is the victim's own and cannot be
//! healed; `after_undo` deletes it, as an operator would, and the replica gets a good one from the old class.

use super::writer::{BYTES, NAME, START, misplaced, storage};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    object::{Create, ObjectChange},
    victim::{
        Claim, Seen, Workload, api, create, is_ready, look_at_all, metadata,
        place::{zone_that_stays, zone_to_lose},
        pods_of, scale, typed, until, wait_ready,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use loopdrill_cluster::{ClusterFacts, NodeFacts, RUN_LABEL};
use loopdrill_kubernetes::well_known::{self, ZONE};
use loopdrill_model::{Capability, Cause, Evidence};
use serde_json::json;
use std::time::Duration;

const DEFAULT: &str = well_known::DEFAULT_CLASS[0];
const ADMISSION: Duration = Duration::from_secs(15);

static SPEC: FaultSpec = FaultSpec {
    fault: "cross-az-pvc",
    variant: "immediate",
    title: "an Immediate default class provisions in the wrong zone, and the pod stays Pending",
    roots: &[&[Cause::VolumeZoneMismatch]],
    needs: &[Capability::TwoZones, Capability::ZonalStorage],
    ..FaultSpec::CANONICAL
};

/// See the module.
#[derive(Debug)]
pub struct Immediate;

/// The zone in which the workload runs, and the wrong one.
fn zones(facts: &ClusterFacts) -> Result<(&str, &str), FaultError> {
    let (home, wrong) = (zone_that_stays(facts), zone_to_lose(facts));
    let both = home.zip(wrong).map(|((home, _), (wrong, _))| (home, wrong));
    both.ok_or_else(|| FaultError::Unfit("there are no two zones with workers".into()))
}

/// Class names are the cluster's: ours has the drill's namespace in it, which is the run's own.
fn class_name(ctx: &FaultContext) -> String {
    format!("{}-fast", ctx.namespace)
}

/// Whether the cluster's own replicated StatefulSets leave the zone to the scheduler: there are some, and all spread.
async fn house_spreads(ctx: &FaultContext) -> Result<bool, FaultError> {
    let all: Api<StatefulSet> = Api::all(ctx.target.client.clone());
    let all = all.list(&ListParams::default()).await.map_err(FaultError::api("list the StatefulSets"))?;
    Ok(all_spread(&all.items))
}

fn all_spread(all: &[StatefulSet]) -> bool {
    let own = |s: &&StatefulSet| {
        let namespace = s.namespace().unwrap_or_default();
        s.spec.replicas.unwrap_or(1) > 1
            && !namespace.starts_with("kube-")
            && !namespace.starts_with("loopdrill")
            && !s.labels().contains_key(RUN_LABEL)
    };
    let spreads = |s: &StatefulSet| {
        let spec = s.spec.template.spec.as_ref();
        let mut constraints = spec.iter().flat_map(|s| s.topology_spread_constraints.iter().flatten());
        constraints.any(|c| c.topology_key == ZONE)
    };
    let mut house = all.iter().filter(own).peekable();
    house.peek().is_some() && house.all(spreads)
}

/// The claim of a replica on the class that waits, as if the workload had been there before its default class went bad.
async fn good_claim(ctx: &FaultContext, replica: u32) -> Result<(), FaultError> {
    let claim = json!({"metadata": metadata(ctx, &format!("data-{NAME}-{replica}")), "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": storage(&ctx.target.facts)?.wait_class,
        "resources": {"requests": {"storage": BYTES.to_string()}},
    }});
    create::<PersistentVolumeClaim>(ctx, &typed(claim)).await.map(drop)
}

/// The class that the API server gives to a claim that asks for none, without creating one.
async fn admitted_class(ctx: &FaultContext) -> Result<Option<String>, FaultError> {
    let claim: PersistentVolumeClaim = typed(json!({"metadata": metadata(ctx, "asked"), "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": BYTES.to_string()}},
    }}));
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let claim =
        api(ctx).create(&params, &claim).await.map_err(FaultError::api("try a claim without a class"))?;
    Ok(claim.spec.and_then(|s| s.storage_class_name))
}

#[async_trait]
impl Fault for Immediate {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint =
            Footprint::default().uses(Resource::ControlPlane).breaks(Resource::DefaultStorageClass);
        let (Some((home, workers)), Ok((_, wrong))) = (zone_that_stays(cluster), zones(cluster)) else {
            return footprint;
        };
        let zones = [home, wrong].map(|z| Resource::ZoneStorage(z.into()));
        let footprint = zones.into_iter().fold(footprint, Footprint::uses);
        let footprint = workers.into_iter().fold(footprint, |f, n| f.uses(Resource::NodeLife(n.into())));
        // With a second node in it, the other zone may take replicas of a house that spreads.
        let others = zone_to_lose(cluster).map(|(_, workers)| workers).filter(|w| w.len() > 1);
        others.into_iter().flatten().fold(footprint, |f, n| f.uses(Resource::NodeLife(n.into())))
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (home, wrong) = zones(cluster).unwrap_or(("one", "another"));
        vec![
            format!(
                "start a StatefulSet with claims on the default class; it must run in zone {home}, unless the cluster's \
                 own StatefulSets spread over zones"
            ),
            format!(
                "create a newer default StorageClass that binds Immediate in zone {wrong}, and scale up by one"
            ),
            "undo: delete that class".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let (home, _) = zones(&ctx.target.facts)?;
        good_claim(ctx, 0).await?;
        let workload = Workload::new(ctx, NAME, &["disk-writer", "/data"]).volume(&Claim::Template);
        let workload = match house_spreads(ctx).await? {
            true => workload.spread_over_zones(),
            false => workload.in_zone(home),
        };
        create(ctx, &workload.tells_readiness().stateful_set(1, BYTES)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let facts = &ctx.target.facts;
        let topology = json!({"key": ZONE, "values": [zones(facts)?.1]});
        let class: StorageClass = typed(json!({
            "metadata": {"name": class_name(ctx), "annotations": {DEFAULT: "true"}},
            "provisioner": storage(facts)?.driver, "volumeBindingMode": "Immediate", "reclaimPolicy": "Delete",
            "allowedTopologies": [{"matchLabelExpressions": [topology]}],
        }));
        Ok(vec![Change::Object(ObjectChange::Create(Create::new(&class, &ctx.target.run)?))])
    }

    /// Admission learns of the class a moment after it is there.
    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let ours = class_name(ctx);
        until(ctx, format!("class {ours} as the default"), ADMISSION, || async {
            let class = admitted_class(ctx).await?;
            let name = class.unwrap_or_else(|| "none".into());
            Ok(if name == ours {
                Seen::Yes(vec![seen("class of a claim without one", name)])
            } else {
                Seen::NotYet(format!("a claim without a class gets {name}"))
            })
        })
        .await
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        scale::<StatefulSet>(ctx, NAME, 2).await
    }

    async fn absorbed_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let place = |n: &NodeFacts| format!("{} in zone {}", n.name, n.zone.as_deref().unwrap_or("none"));
        let pods = pods_of(ctx, NAME).await?;
        let on = |pod: &Pod| {
            let node = pod.spec.as_ref()?.node_name.clone()?;
            let facts = ctx.target.facts.nodes.iter().find(|n| n.name == node).map(place);
            Some(seen(format!("{} is with its volume on", pod.name_any()), facts.unwrap_or(node)))
        };
        Ok(pods.iter().filter_map(on).collect())
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_at_all::<StatefulSet>(ctx, NAME, misplaced).await
    }

    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let (claim, pod) = (format!("data-{NAME}-1"), format!("{NAME}-1"));
        // A replica that followed its volume keeps it.
        if pods_of(ctx, NAME).await?.iter().any(|p| p.name_any() == pod && is_ready(p)) {
            return Ok(());
        }
        // Scaled down, it cannot come back with one more claim on whatever class is the default now.
        scale::<StatefulSet>(ctx, NAME, 1).await?;
        let claims: Api<PersistentVolumeClaim> = api(ctx);
        until(ctx, format!("the end of {pod} and claim {claim}"), START, || async {
            if pods_of(ctx, NAME).await?.iter().any(|p| p.name_any() == pod) {
                return Ok(Seen::NotYet("the pod is there".into()));
            }
            let now = claims.get_opt(&claim).await.map_err(FaultError::api("read the claim"))?;
            let Some(now) = now else { return Ok(Seen::Yes(())) };
            if now.metadata.deletion_timestamp.is_none() {
                let doing = format!("delete claim {claim}");
                let deleted = claims.delete(&claim, &DeleteParams::default()).await;
                deleted.map(drop).map_err(FaultError::api(doing))?;
            }
            Ok(Seen::NotYet("the claim is being deleted".into()))
        })
        .await?;
        good_claim(ctx, 1).await?;
        scale::<StatefulSet>(ctx, NAME, 2).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_victim_spreads_where_the_house_does() {
        let set = |namespace: &str, replicas: u32, key: Value| -> StatefulSet {
            let spread = json!([{"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway"}]);
            let spread = if key.is_null() { json!([]) } else { spread };
            let template = json!({"spec": {"containers": [], "topologySpreadConstraints": spread}});
            typed(json!({"metadata": {"name": "s", "namespace": namespace},
                "spec": {"replicas": replicas, "selector": {}, "serviceName": "s", "template": template}}))
        };
        let good = || set("shop", 2, json!(ZONE));
        let bad = |namespace, replicas| set(namespace, replicas, Value::Null);
        assert!(all_spread(&[good(), bad("shop", 1), bad("kube-system", 3), bad("loopdrill-x", 2)]));
        assert!(!all_spread(&[good(), bad("shop", 2)]));
        assert!(!all_spread(&[good(), set("shop", 2, json!("kubernetes.io/hostname"))]));
        assert!(!all_spread(&[]), "a house without customs has not spread");
    }
}
