//! The victim of the first two variants: one pod that writes to a claim bound in the zone that will be lost.

use crate::{
    FaultContext, FaultError, Look,
    look::seen,
    victim::{
        Claim, Seen, Workload, api, create, describe, is_ready, log_of, metadata, newest,
        place::zone_to_lose, pods_of, records_found, typed, unscheduled, until, wait_ready,
    },
};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{Api, ResourceExt};
use loopdrill_cluster::{ClusterFacts, StorageFacts};
use loopdrill_model::Evidence;
use serde_json::json;
use std::time::Duration;

pub(super) const NAME: &str = "writer";
pub(super) const BYTES: u64 = 16 << 20;
pub(super) const START: Duration = Duration::from_secs(60);

pub(super) fn storage(facts: &ClusterFacts) -> Result<&StorageFacts, FaultError> {
    facts.storage.as_ref().ok_or_else(|| FaultError::Unfit("there is no zonal storage in the cluster".into()))
}

/// The zone that will be lost and its workers.
pub(super) fn lost(facts: &ClusterFacts) -> Result<(&str, Vec<&str>), FaultError> {
    zone_to_lose(facts).ok_or_else(|| FaultError::Unfit("there are no two zones with workers".into()))
}

/// Starts the writer. It may run anywhere; that its volume is in the zone is the scheduler's choice, made by
/// us: the claim names a node of the zone, as the scheduler would.
pub(super) async fn set_up(
    ctx: &FaultContext,
    refine: impl FnOnce(Workload) -> Workload,
) -> Result<(), FaultError> {
    let (zone, workers) = lost(&ctx.target.facts)?;
    let mut metadata = metadata(ctx, NAME);
    metadata["annotations"] = json!({"volume.kubernetes.io/selected-node": workers.first()});
    let claim = json!({"metadata": metadata, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": storage(&ctx.target.facts)?.wait_class,
        "resources": {"requests": {"storage": BYTES.to_string()}},
    }});
    create::<PersistentVolumeClaim>(ctx, &typed(claim)).await?;
    let workload = Workload::new(ctx, NAME, &["disk-writer", "/data"])
        .volume(&Claim::Named(NAME.into()))
        .tells_readiness()
        .leaves_lost_node_after(1);
    create(ctx, &refine(workload).deployment(1)).await?;
    wait_ready(ctx, NAME, 1, START).await?;
    let volume = volume_of(ctx, NAME).await?;
    match is_pinned_to(&volume, zone) {
        true => Ok(()),
        false => Err(FaultError::Unfit(format!(
            "volume {} is not pinned to zone {zone}: the class {} is not zonal",
            volume.name_any(),
            storage(&ctx.target.facts)?.wait_class
        ))),
    }
}

/// The node on which the writer runs.
pub(super) async fn node_of(ctx: &FaultContext) -> Result<String, FaultError> {
    let pods = pods_of(ctx, NAME).await?;
    let node = newest(&pods).and_then(|p| p.spec.as_ref()?.node_name.clone());
    node.ok_or_else(|| FaultError::Unfit("the writer runs on no node".into()))
}

/// Where the writer is after it lost its node, with its data: what held.
pub(super) async fn elsewhere(ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
    let zone = lost(&ctx.target.facts)?.0;
    let pods = pods_of(ctx, NAME).await?;
    let Some(pod) = newest(&pods) else { return Ok(Vec::new()) };
    let records = records_found(&log_of(ctx, &pod.name_any(), false).await?).unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or_default();
    Ok(vec![
        seen("the writer's node now", format!("{node}, another one of zone {zone}")),
        seen("records on the volume", records.to_string()),
    ])
}

/// The volume that a claim is bound to.
pub(super) async fn volume_of(ctx: &FaultContext, claim: &str) -> Result<PersistentVolume, FaultError> {
    let claims: Api<PersistentVolumeClaim> = api(ctx);
    let volume = until(ctx, format!("the volume of claim {claim}"), START, || async {
        let found = claims.get(claim).await.map_err(FaultError::api(format!("read claim {claim}")))?;
        let volume = found.spec.and_then(|s| s.volume_name);
        Ok(volume.map_or_else(|| Seen::NotYet("the claim is not bound".into()), Seen::Yes))
    })
    .await?;
    let volumes: Api<PersistentVolume> = Api::all(ctx.target.client.clone());
    volumes.get(&volume).await.map_err(FaultError::api(format!("read volume {volume}")))
}

/// Whether every node that the volume can be used from is in `zone`.
fn is_pinned_to(volume: &PersistentVolume, zone: &str) -> bool {
    let required = volume.spec.as_ref().and_then(|s| s.node_affinity.as_ref()?.required.as_ref());
    required.is_some_and(|required| {
        required.node_selector_terms.iter().all(|term| {
            let names_zone = |values: &Vec<String>| values.iter().all(|v| v == zone);
            term.match_expressions.iter().flatten().any(|e| {
                e.operator == "In" && e.values.as_ref().is_some_and(|v| !v.is_empty() && names_zone(v))
            })
        })
    })
}

/// The scheduler's words, when it says that the volume is elsewhere.
pub(super) fn misplaced(pod: &Pod) -> Option<Vec<Evidence>> {
    let why = unscheduled(pod)?;
    let of_volume = why.contains("PersistentVolume's node affinity") || why.contains("volume node affinity");
    of_volume.then(|| vec![seen("the scheduler's answer", why)])
}

/// One look at the writer: well when it writes; after it was broken, when it writes on the data that it had.
pub(super) async fn look_at_writer(ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
    let pods = pods_of(ctx, NAME).await?;
    let Some(pod) = newest(&pods) else { return Ok(Look::Settling("there is no pod".into())) };
    if let Some(evidence) = misplaced(pod) {
        return Ok(Look::Broken(evidence));
    }
    if !is_ready(pod) {
        return Ok(Look::Settling(describe(pod)));
    }
    if !shown {
        return Ok(Look::Well);
    }
    let log = match log_of(ctx, &pod.name_any(), false).await {
        Ok(log) => log,
        Err(e) => return Ok(Look::Settling(e.to_string())),
    };
    Ok(match records_found(&log) {
        None => Look::Settling("it has not said what it found on its volume".into()),
        Some(0) => Look::Broken(vec![seen("records on the volume", "0: the data is lost")]),
        Some(_) => Look::Well,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_volume_is_pinned_by_all_of_its_terms() {
        let volume = |terms: Value| -> PersistentVolume {
            typed(json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}}))
        };
        let term = |values: Value| json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": values}]});
        assert!(is_pinned_to(&volume(json!([term(json!(["a"]))])), "a"));
        assert!(!is_pinned_to(&volume(json!([term(json!(["a", "b"]))])), "a"));
        assert!(!is_pinned_to(&volume(json!([term(json!(["a"])), term(json!(["b"]))])), "a"));
        assert!(!is_pinned_to(&PersistentVolume::default(), "a"));
    }

    #[test]
    fn only_the_volumes_own_affinity_counts() {
        let pod = |message: &str| -> Pod {
            typed(json!({"status": {"conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}}))
        };
        for message in [
            "1 node(s) didn't match PersistentVolume's node affinity",
            "1 node(s) had volume node affinity conflict",
        ] {
            assert!(misplaced(&pod(message)).is_some(), "{message}");
        }
        for message in [
            "1 node(s) didn't match Pod's node affinity/selector",
            "unbound immediate PersistentVolumeClaims",
        ] {
            assert!(misplaced(&pod(message)).is_none(), "{message}");
        }
    }
}
