//! A new default class binds `Immediate` and provisions in another zone than the one in which the workload
//! must run: its next replica gets a volume that it can never reach.
//!
//! The class is the fault and goes with the undo. The claim that it spoiled is the victim's own and cannot be
//! healed; `relieve` deletes it, as an operator would, and the replica gets a good one from the old class.

use super::writer::{BYTES, NAME, START, misplaced, storage};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    object::{Create, ObjectChange},
    victim::{
        Claim, Latch, Seen, Workload, api, create, look_at_all, metadata,
        place::{zone_that_stays, zone_to_lose},
        scale, seen, typed, until, wait_ready,
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
use loopdrill_model::{Capability, Cause, Evidence};
use loopdrill_target::ClusterFacts;
use serde_json::json;
use std::time::Duration;

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
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
#[derive(Debug, Default)]
pub struct Immediate {
    latch: Latch,
}

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

/// The class that a claim without one gets: the newest of the default ones.
async fn default_class(ctx: &FaultContext) -> Result<Option<StorageClass>, FaultError> {
    let all: Api<StorageClass> = Api::all(ctx.target.client.clone());
    let all = all.list(&ListParams::default()).await.map_err(FaultError::api("list the storage classes"))?;
    Ok(newest_default(all.items))
}

/// Of two of the same second the API server takes the first by name.
fn newest_default(all: Vec<StorageClass>) -> Option<StorageClass> {
    let defaults = all.into_iter().filter(|c| c.annotations().get(DEFAULT).is_some_and(|v| v == "true"));
    defaults.max_by_key(|c| (c.metadata.creation_timestamp.clone(), std::cmp::Reverse(c.name_any())))
}

async fn require_waiting_default(ctx: &FaultContext) -> Result<(), FaultError> {
    let driver = &storage(&ctx.target.facts)?.driver;
    let found = default_class(ctx).await?;
    let good = found.as_ref().is_some_and(|c| {
        c.provisioner == *driver && c.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
    });
    let name = found.map_or_else(|| "none".into(), |c| c.name_any());
    good.then_some(()).ok_or_else(|| {
        FaultError::Unfit(format!(
            "the default storage class is {name}; this drill needs one of {driver} that binds WaitForFirstConsumer"
        ))
    })
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
        workers.into_iter().fold(footprint, |f, n| f.uses(Resource::NodeLife(n.into())))
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (home, wrong) = zones(cluster).unwrap_or(("one", "another"));
        vec![
            format!("start a StatefulSet that must run in zone {home}, with claims on the default class"),
            format!(
                "create a newer default StorageClass that binds Immediate in zone {wrong}, and scale up by one"
            ),
            "undo: delete that class".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.latch.reset();
        require_waiting_default(ctx).await?;
        let (home, _) = zones(&ctx.target.facts)?;
        let workload = Workload::new(ctx, NAME, &["disk-writer", "/data"]).volume(&Claim::Template);
        create(ctx, &workload.tells_readiness().in_zone(home).stateful_set(1, BYTES)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let facts = &ctx.target.facts;
        let topology = json!({"key": "topology.kubernetes.io/zone", "values": [zones(facts)?.1]});
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

    async fn provoke(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        scale::<StatefulSet>(ctx, NAME, 2).await
    }

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        Ok(self.latch.judge(look_at_all::<StatefulSet>(ctx, NAME, misplaced).await?))
    }

    async fn relieve(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let (claim, pod) = (format!("data-{NAME}-1"), format!("{NAME}-1"));
        let claims: Api<PersistentVolumeClaim> = api(ctx);
        let Some(spoiled) = claims.get_opt(&claim).await.map_err(FaultError::api("read the claim"))? else {
            return Ok(());
        };
        let params = DeleteParams::default();
        claims
            .delete(&claim, &params)
            .await
            .map(drop)
            .map_err(FaultError::api(format!("delete claim {claim}")))?;
        until(ctx, format!("the end of claim {claim}"), START, || async {
            let now = claims.get_opt(&claim).await.map_err(FaultError::api("read the claim"))?;
            Ok(match now.is_some_and(|c| c.metadata.uid == spoiled.metadata.uid) {
                true => Seen::NotYet("it is being deleted".into()),
                false => Seen::Yes(()),
            })
        })
        .await?;
        let pods: Api<Pod> = api(ctx);
        pods.delete(&pod, &params).await.map(drop).map_err(FaultError::api(format!("delete pod {pod}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_default_class_is_the_one_that_counts() {
        let class = |name: &str, default: &str, second: u32| -> StorageClass {
            typed(json!({"provisioner": "p", "metadata": {
                "name": name, "annotations": {DEFAULT: default},
                "creationTimestamp": format!("2026-01-01T00:00:0{second}Z")}}))
        };
        let all = vec![
            class("old", "true", 1),
            class("b", "true", 2),
            class("a", "true", 2),
            class("c", "false", 3),
        ];
        assert_eq!(newest_default(all).map(|c| c.name_any()).as_deref(), Some("a"));
        assert!(newest_default(vec![class("c", "false", 3)]).is_none());
    }
}
