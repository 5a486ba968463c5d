//! What looks like fragmented requests: pods that wait for a node, or never come into being.

use super::condition::{Condition, NAME, Symptom, shows};
use crate::{
    FaultSpec,
    victim::{Claim, metadata, typed},
};
use k8s_openapi::api::core::v1::ResourceQuota;
use loopdrill_model::{Capability, Cause};
use serde_json::json;

const FAULT: &str = "compute-decoy";

pub(super) static CONDITIONS: &[Condition] = &[
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "selector",
            title: "a node selector matches no node, and a pod stays Pending beside empty ones",
            roots: &[&[Cause::PlacementConstraint]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that wants a node with a label that none has",
        pulls: false,
        objects: |site| {
            site.runs(&site.victim(&["sleep"]).cpu_millis(50).set("nodeSelector", json!({"disk": "fast"})))
        },
        symptom: Symptom::Pod(shows::no_node),
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "exhaustion",
            title: "a pod asks for more CPU than all nodes have together",
            roots: &[&[Cause::Exhaustion]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that requests twice the CPU of all nodes",
        pulls: false,
        objects: |site| {
            let all: u64 = site.facts().nodes.iter().map(|n| n.allocatable.cpu_millis).sum();
            site.runs(&site.victim(&["sleep"]).cpu_millis(2 * all.max(1000)))
        },
        symptom: Symptom::Pod(shows::no_node),
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "quota",
            title: "a quota allows no further pod, and a Deployment has none",
            roots: &[&[Cause::QuotaExceeded]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload in a namespace whose quota allows no pod",
        pulls: false,
        objects: |site| {
            let quota = json!({"metadata": metadata(site.ctx, "budget"), "spec": {"hard": {"pods": "0"}}});
            let mut objects = vec![site.creates::<ResourceQuota>(&typed(quota))?];
            objects.extend(site.runs(&site.victim(&["sleep"]))?);
            Ok(objects)
        },
        symptom: Symptom::NoPod,
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "missing-claim",
            title: "a pod wants a claim that does not exist, and stays Pending",
            roots: &[&[Cause::ClaimOrClassMissing]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that mounts a claim that nobody made",
        pulls: false,
        objects: |site| site.runs(&site.victim(&["sleep"]).volume(&Claim::Named(NAME.into()))),
        symptom: Symptom::Pod(shows::no_node),
    },
];
