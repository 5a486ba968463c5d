//! What looks like fragmented requests: pods that wait for a node, or never come into being.

use super::condition::{Condition, NAME, Site, Symptom, Told, shows};
use crate::{
    FaultError, FaultSpec,
    object::Create,
    victim::{Claim, VICTIM_LABEL, metadata, place::quiet_worker, typed},
};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::{LimitRange, ResourceQuota},
};
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
        objects: |site| {
            site.runs(&site.victim(&["sleep"]).cpu_millis(50).set("nodeSelector", json!({"disk": "fast"})))
        },
        symptom: Symptom::Pod(shows::no_node),
        told: Told::Symptom("node affinity/selector"),
        ..Condition::PLAIN
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
        objects: |site| {
            let all: u64 = site.facts().nodes.iter().map(|n| n.allocatable.cpu_millis).sum();
            site.runs(&site.victim(&["sleep"]).cpu_millis(2 * all.max(1000)))
        },
        symptom: Symptom::Pod(shows::no_node),
        told: Told::Symptom("Insufficient cpu"),
        ..Condition::PLAIN
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
        objects: |site| {
            let quota = json!({"metadata": metadata(site.ctx, "budget"), "spec": {"hard": {"pods": "0"}}});
            let mut objects = vec![site.creates::<ResourceQuota>(&typed(quota))?];
            objects.extend(site.runs(&site.victim(&["sleep"]))?);
            Ok(objects)
        },
        symptom: Symptom::NoPod,
        told: Told::Symptom("exceeded quota"),
        ..Condition::PLAIN
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
        objects: |site| site.runs(&site.victim(&["sleep"]).volume(&Claim::Named(NAME.into()))),
        symptom: Symptom::Pod(shows::no_node),
        told: Told::Symptom("not found"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "limit-range",
            title: "a LimitRange allows no container of the size that a Deployment wants",
            roots: &[&[Cause::BadConfiguration]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that wants less than its namespace's LimitRange allows a container",
        objects: |site| {
            let limits = json!([{"type": "Container", "min": {"cpu": "1"}}]);
            let range = json!({"metadata": metadata(site.ctx, "sizes"), "spec": {"limits": limits}});
            let mut objects = vec![site.creates::<LimitRange>(&typed(range))?];
            objects.extend(site.runs(&site.victim(&["sleep"]).cpu_millis(500))?);
            Ok(objects)
        },
        symptom: Symptom::NoPod,
        told: Told::Symptom("minimum cpu usage per Container"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "policy",
            title: "an admission policy of the cluster refuses a Deployment's pods",
            roots: &[&[Cause::BadConfiguration]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload in a namespace in which a ValidatingAdmissionPolicy allows no pod without a team",
        objects: denied_by_policy,
        symptom: Symptom::NoPod,
        told: Told::Symptom("denied request"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "missing-account",
            title: "a Deployment's ServiceAccount does not exist, and it has no pod",
            roots: &[&[Cause::BadConfiguration]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload as a ServiceAccount that nobody made",
        objects: |site| site.runs(&site.victim(&["sleep"]).account_without_token("runner")),
        symptom: Symptom::NoPod,
        told: Told::Symptom("error looking up service account"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "host-port",
            title: "two pods want the same port of one node, and the second one stays Pending",
            roots: &[&[Cause::PlacementConstraint]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload of two pods on one node that both want the same port of it",
        objects: |site| {
            let ports = json!([{"containerPort": 9, "hostPort": 38_211}]);
            let both = site.pinned(&["sleep"])?.of_container("ports", ports);
            Ok(vec![site.creates(&both.deployment(2))?])
        },
        symptom: Symptom::AnyPod(shows::no_node),
        told: Told::Symptom("free ports"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "anti-affinity",
            title: "pods of one Deployment must not share a node, and are told to run on the same one",
            roots: &[&[Cause::PlacementConstraint]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload of two pods that keep away from each other, with room on one node only",
        objects: |site| {
            let away = json!([{"labelSelector": {"matchLabels": {VICTIM_LABEL: NAME}},
                "topologyKey": "kubernetes.io/hostname"}]);
            let away = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": away}});
            let node = quiet_worker(site.facts()).map(|node| json!({"kubernetes.io/hostname": node.name}));
            let both =
                site.victim(&["sleep"]).set("affinity", away).set("nodeSelector", node.unwrap_or_default());
            Ok(vec![site.creates(&both.deployment(2))?])
        },
        symptom: Symptom::AnyPod(shows::no_node),
        told: Told::Symptom("anti-affinity"),
        ..Condition::PLAIN
    },
];

/// Pods of this namespace must say whose they are, and the victim does not.
fn denied_by_policy(site: &Site<'_>) -> Result<Vec<Create>, FaultError> {
    let name = format!("{NAME}-{}", site.ctx.target.run);
    let policy = json!({
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
            }]},
            "validations": [{"expression": "'team' in object.metadata.labels", "message": "no team is named"}],
        },
    });
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": site.ctx.namespace}});
    let binding = json!({
        "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        },
    });
    let mut objects = vec![
        site.creates::<ValidatingAdmissionPolicy>(&typed(policy))?,
        site.creates::<ValidatingAdmissionPolicyBinding>(&typed(binding))?,
    ];
    objects.extend(site.runs(&site.victim(&["sleep"]))?);
    Ok(objects)
}
