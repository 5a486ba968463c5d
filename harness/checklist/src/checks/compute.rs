//! Compute: capacity is a budget of requests, priorities and disruptions.

mod amounts;
mod budgets;
mod placement;

use super::{SYSTEM_CLASSES, WORKLOADS, is_critical, selection::Services};
use crate::{
    check::{Area, Check, Finding, Severity, Stage, Verdict, fault},
    snapshot::{Input, Snapshot, Workload},
};
use std::collections::BTreeSet;

const PREDICTS: &[&str] = &[fault::FRAGMENTATION];
const PLACEMENT: &[Input] =
    &[Input::Nodes, Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CO-01",
        title: "Every container sets CPU and memory requests",
        stage: Stage::Operational,
        area: Area::Compute,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: WORKLOADS,
        manifests: true,
        why: "Without requests the scheduler guesses: nodes fill up with what was never counted, and the kubelet starves.",
        remedy: "resources:\n  requests:\n    cpu: 100m\n    memory: 128Mi\n",
        judge: amounts::requests,
    },
    Check {
        id: "CO-02",
        title: "Every container sets a memory limit, and limits are in proportion to requests",
        stage: Stage::Architectural,
        area: Area::Compute,
        severity: Severity::Medium,
        predicts: PREDICTS,
        needs: WORKLOADS,
        manifests: true,
        why: "A container without a limit takes its node's memory with it; one with a limit far above its request was \
              placed on a promise that the node cannot keep.",
        remedy: "resources:\n  requests:\n    memory: 128Mi\n  limits:\n    memory: 128Mi    # at most twice the request\n",
        judge: amounts::limits,
    },
    Check {
        id: "CO-03",
        title: "PriorityClasses tell critical from batch, and what is critical uses one",
        stage: Stage::Architectural,
        area: Area::Compute,
        severity: Severity::Medium,
        predicts: PREDICTS,
        needs: &[
            Input::PriorityClasses,
            Input::Services,
            Input::Deployments,
            Input::StatefulSets,
            Input::DaemonSets,
            Input::Pods,
        ],
        manifests: true,
        why: "When the cluster is full, who goes first? Without priorities the answer is: whoever comes last.",
        remedy: "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: critical}\nvalue: 100000\n---\n\
                 apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: batch}\nvalue: 1000\n\
                 preemptionPolicy: Never\n---\n# in the pod template:\nspec:\n  priorityClassName: critical\n",
        judge: priorities,
    },
    Check {
        id: "CO-04",
        title: "Every replicated workload has a PodDisruptionBudget, and none blocks a drain for ever",
        stage: Stage::Architectural,
        area: Area::Compute,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Budgets, Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods],
        manifests: true,
        why: "Without a budget a drain may take all replicas at once; with one that allows nothing it never ends.",
        remedy: "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: APP, namespace: NAMESPACE}\nspec:\n  \
                 maxUnavailable: 1\n  selector:\n    matchLabels: {app: APP}\n",
        judge: budgets::judge,
    },
    Check {
        id: "CO-05",
        title: "One more pod of each workload still fits on some node",
        stage: Stage::Architectural,
        area: Area::Compute,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: PLACEMENT,
        manifests: false,
        why: "Free capacity in sum is of no use to a pod that needs it on one node: it stays Pending on a cluster that \
              looks half empty.",
        remedy: "# Make room where the pod may run, or ask for less:\nkubectl describe nodes | grep -A6 'Allocated resources'\n\
                 kubectl set resources KIND/NAME -n NAMESPACE --requests=cpu=500m,memory=512Mi\n\
                 # And hold headroom: idle pods of a negative priority, as large as the largest pod, which give way to it.\n\
                 ---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: headroom}\nvalue: -10\n\
                 preemptionPolicy: Never\n",
        judge: placement::still_fits,
    },
    Check {
        id: "CO-06",
        title: "No node pool is requested to 95 % or more while 25 % or less is used",
        stage: Stage::Platform,
        area: Area::Compute,
        severity: Severity::Medium,
        predicts: PREDICTS,
        needs: &[Input::Usage, Input::Nodes, Input::Pods],
        manifests: false,
        why: "That is the early warning of a stuck scheduler: full on paper, idle in fact.",
        remedy: "# Bring requests down to what is used (95th percentile plus a margin), largest first:\n\
                 kubectl top pods -A --sort-by=cpu\nkubectl set resources KIND/NAME -n NAMESPACE --requests=cpu=100m\n",
        judge: placement::full_on_paper,
    },
    Check {
        id: "CO-07",
        title: "The loss of one node leaves no workload unschedulable through its own affinity rules",
        stage: Stage::Architectural,
        area: Area::Compute,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: PLACEMENT,
        manifests: false,
        why: "A hard rule that just fits today is broken by the first node that goes, and the pod stays Pending.",
        remedy: "affinity:\n  podAntiAffinity:\n    preferredDuringSchedulingIgnoredDuringExecution:\n      - weight: 100\n        \
                 podAffinityTerm:\n          topologyKey: kubernetes.io/hostname\n          labelSelector:\n            \
                 matchLabels: {app: APP}\n",
        judge: placement::affinity,
    },
];

fn priorities(s: &Snapshot) -> Verdict {
    let services = Services::of(s);
    let critical: Vec<_> = s.judged().map(|(_, w)| w).filter(|w| is_critical(&services, w)).collect();
    if critical.is_empty() {
        return Verdict::Skip("no application workload is behind a Service or holds data".into());
    }
    let mut findings = classes(s, &critical);
    let by_default = s.priority_classes.iter().any(|c| c.default);
    let elsewhere = s.is_manifests() && s.read(Input::PriorityClasses) == 0;
    for w in critical.iter().filter(|w| w.template.priority_class.is_none() && !by_default) {
        let finding = if elsewhere {
            Finding::warn(
                w,
                "is critical and has no priorityClassName; a default PriorityClass is not in these manifests",
            )
        } else {
            Finding::fail(w, "is critical and has no priorityClassName")
        };
        findings.push(finding.in_file(w.file.as_ref()));
    }
    Verdict::looked(findings, critical.len(), "workloads that others depend on")
}

/// Whether there are classes that tell critical from batch. Manifests need not bring them along.
fn classes(s: &Snapshot, critical: &[&Workload]) -> Vec<Finding> {
    let system = |name: &str| SYSTEM_CLASSES.contains(&name);
    let values: BTreeSet<i64> =
        s.priority_classes.iter().filter(|c| !system(&c.name)).map(|c| c.value).collect();
    if s.is_manifests() && s.read(Input::PriorityClasses) == 0 {
        let named: BTreeSet<&str> =
            critical.iter().filter_map(|w| w.template.priority_class.as_deref()).collect();
        let unknown = named.into_iter().filter(|name| !system(name));
        return unknown
            .map(|name| Finding::warn("", format!("PriorityClass {name} is not in these manifests")))
            .collect();
    }
    let value = match values.len() {
        0 => "there is no PriorityClass beside Kubernetes' own",
        1 => "all PriorityClasses have the same value, so critical and batch are one",
        _ => return Vec::new(),
    };
    vec![Finding::fail("", value)]
}

#[cfg(test)]
#[path = "compute_tests.rs"]
mod tests;
