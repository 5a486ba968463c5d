//! Compute: capacity is a budget of requests, priorities and disruptions.

use super::{WORKLOADS, is_critical};
use crate::{
    check::{Area, Check, Finding, Severity, Verdict, fault},
    fit::{Room, candidates, domain},
    quantity,
    snapshot::{Amount, Budget, Container, Input, NodeUsage, Selector, Snapshot, Workload},
};
use std::collections::{BTreeMap, BTreeSet};

const PREDICTS: &[&str] = &[fault::FRAGMENTATION];
const PLACEMENT: &[Input] =
    &[Input::Nodes, Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CO-01",
        title: "Every container sets CPU and memory requests",
        area: Area::Compute,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: WORKLOADS,
        manifests: true,
        why: "Without requests the scheduler guesses: nodes fill up with what was never counted, and the kubelet starves.",
        remedy: "resources:\n  requests:\n    cpu: 100m\n    memory: 128Mi\n",
        judge: requests,
    },
    Check {
        id: "CO-02",
        title: "Every container sets a memory limit, and limits are in proportion to requests",
        area: Area::Compute,
        severity: Severity::Medium,
        predicts: PREDICTS,
        needs: WORKLOADS,
        manifests: true,
        why: "A container without a limit takes its node's memory with it; one with a limit far above its request was \
              placed on a promise that the node cannot keep.",
        remedy: "resources:\n  requests:\n    memory: 128Mi\n  limits:\n    memory: 128Mi    # at most twice the request\n",
        judge: limits,
    },
    Check {
        id: "CO-03",
        title: "PriorityClasses tell critical from batch, and what is critical uses one",
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
        area: Area::Compute,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Budgets, Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods],
        manifests: true,
        why: "Without a budget a drain may take all replicas at once; with one that allows nothing it never ends.",
        remedy: "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: APP, namespace: NAMESPACE}\nspec:\n  \
                 maxUnavailable: 1\n  selector:\n    matchLabels: {app: APP}\n",
        judge: budgets,
    },
    Check {
        id: "CO-05",
        title: "One more pod of each workload still fits on some node",
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
        judge: still_fits,
    },
    Check {
        id: "CO-06",
        title: "No node pool is requested to 95 % or more while 25 % or less is used",
        area: Area::Compute,
        severity: Severity::Medium,
        predicts: PREDICTS,
        needs: &[Input::Usage, Input::Nodes, Input::Pods],
        manifests: false,
        why: "That is the early warning of a stuck scheduler: full on paper, idle in fact.",
        remedy: "# Bring requests down to what is used (95th percentile plus a margin), largest first:\n\
                 kubectl top pods -A --sort-by=cpu\nkubectl set resources KIND/NAME -n NAMESPACE --requests=cpu=100m\n",
        judge: full_on_paper,
    },
    Check {
        id: "CO-07",
        title: "The loss of one node leaves no workload unschedulable through its own affinity rules",
        area: Area::Compute,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: PLACEMENT,
        manifests: false,
        why: "A hard rule that just fits today is broken by the first node that goes, and the pod stays Pending.",
        remedy: "affinity:\n  podAntiAffinity:\n    preferredDuringSchedulingIgnoredDuringExecution:\n      - weight: 100\n        \
                 podAffinityTerm:\n          topologyKey: kubernetes.io/hostname\n          labelSelector:\n            \
                 matchLabels: {app: APP}\n",
        judge: affinity,
    },
];

/// Judges every container of the workloads that are to be judged.
fn containers(s: &Snapshot, judge: impl Fn(&Workload, &Container) -> Option<Finding>) -> Verdict {
    let mut count = 0;
    let mut findings = Vec::new();
    for (_, w) in s.judged() {
        count += w.template.containers.len();
        findings.extend(
            w.template.containers.iter().filter_map(|c| judge(w, c)).map(|f| f.in_file(w.file.as_ref())),
        );
    }
    if count == 0 {
        return Verdict::Skip("there is no application workload".into());
    }
    Verdict::looked(findings, count, "containers of applications")
}

fn requests(s: &Snapshot) -> Verdict {
    containers(s, |w, c| {
        let lacks = match (c.cpu_request, c.memory_request) {
            (None, None) => "CPU and memory requests",
            (None, Some(_)) => "a CPU request",
            (Some(_), None) => "a memory request",
            (Some(_), Some(_)) => return None,
        };
        Some(Finding::fail(w, format!("container {} lacks {lacks}", c.name)))
    })
}

/// What a memory limit may be of its request before it is a promise that nodes cannot keep.
const MOST_MEMORY_RATIO: u64 = 4;
const GOOD_MEMORY_RATIO: u64 = 2;
const MOST_CPU_RATIO: u64 = 20;

fn limits(s: &Snapshot) -> Verdict {
    containers(s, |w, c| {
        let Some(limit) = c.memory_limit else {
            return Some(Finding::fail(w, format!("container {} lacks a memory limit", c.name)));
        };
        let ratio = limit / c.memory_request.unwrap_or(limit).max(1);
        let told = || {
            let request = quantity::bytes(c.memory_request.unwrap_or(0));
            format!(
                "container {}: memory limit {} for a request of {request}",
                c.name,
                quantity::bytes(limit)
            )
        };
        if ratio > MOST_MEMORY_RATIO {
            return Some(Finding::fail(w, told()));
        }
        if ratio > GOOD_MEMORY_RATIO {
            return Some(Finding::warn(w, told()));
        }
        let (cpu, request) = (c.cpu_limit?, c.cpu_request?.max(1));
        (cpu / request > MOST_CPU_RATIO).then(|| {
            let (limit, request) = (quantity::cpu(cpu), quantity::cpu(request));
            Finding::warn(w, format!("container {}: CPU limit {limit} for a request of {request}", c.name))
        })
    })
}

fn priorities(s: &Snapshot) -> Verdict {
    let critical: Vec<_> = s.judged().map(|(_, w)| w).filter(|w| is_critical(s, w)).collect();
    if critical.is_empty() {
        return Verdict::Skip("no application workload is behind a Service or holds data".into());
    }
    let own = |name: &str| !name.starts_with("system-");
    let values: BTreeSet<i64> = s.priority_classes.iter().filter(|c| own(&c.name)).map(|c| c.value).collect();
    let mut findings = Vec::new();
    let cannot_know = s.is_manifests() && s.read(Input::PriorityClasses) == 0;
    if values.len() < 2 && !cannot_know {
        let value = match values.len() {
            0 => "there is no PriorityClass beside Kubernetes' own".to_string(),
            _ => "all PriorityClasses have the same value, so critical and batch are one".to_string(),
        };
        findings.push(Finding::fail("", value));
    }
    let by_default = s.priority_classes.iter().any(|c| c.default);
    for w in critical.iter().filter(|w| w.template.priority_class.is_none() && !by_default) {
        findings.push(Finding::fail(w, "is critical and has no priorityClassName").in_file(w.file.as_ref()));
    }
    Verdict::looked(findings, critical.len(), "workloads that others depend on")
}

fn budgets(s: &Snapshot) -> Verdict {
    let replicated =
        |w: &&Workload| matches!(w.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "Rollout");
    let judged: Vec<_> = s.judged().map(|(_, w)| w).filter(replicated).collect();
    let mut findings = Vec::new();
    for w in &judged {
        let of: Vec<&Budget> = s
            .budgets
            .iter()
            .filter(|b| b.namespace == w.namespace && b.selector.matches(&w.template.labels))
            .collect();
        let told = match of.as_slice() {
            [] if w.replicas >= 2 => Some("has no PodDisruptionBudget".to_string()),
            [b] if w.replicas >= 1 && b.allows.of(w.replicas) == 0 => {
                Some(format!("PodDisruptionBudget {} allows none of its {} pods to go", b.name, w.replicas))
            }
            [a, b, ..] => Some(format!(
                "has several PodDisruptionBudgets ({}, {}): the API refuses to evict its pods",
                a.name, b.name
            )),
            _ => None,
        };
        findings.extend(told.map(|value| Finding::fail(w, value).in_file(w.file.as_ref())));
    }
    let subjects = judged.iter().filter(|w| w.replicas >= 2).count();
    if subjects == 0 && findings.is_empty() {
        return Verdict::Skip("no application workload has two replicas or more".into());
    }
    Verdict::looked(findings, subjects, "replicated workloads")
}

fn still_fits(s: &Snapshot) -> Verdict {
    let room = Room::of(s);
    let mut findings = Vec::new();
    let mut count = 0;
    for (_, w) in s.judged().filter(|(_, w)| w.kind != "DaemonSet" && w.replicas > 0) {
        let wanted = w.template.requests;
        if wanted.is_zero() {
            continue;
        }
        count += 1;
        let nodes: Vec<usize> = candidates(s, &w.template).collect();
        if nodes.iter().any(|n| room.free(*n).covers(&wanted)) {
            continue;
        }
        let sum = nodes.iter().map(|n| room.free(*n)).fold(Amount::default(), Amount::plus);
        let most = nodes.iter().map(|n| room.free(*n)).fold(Amount::default(), Amount::max);
        let value = if nodes.is_empty() {
            "no node is open to its pods".to_string()
        } else if sum.covers(&wanted) {
            format!(
                "needs {wanted} on one node; {} nodes have {sum} free in sum, and at most {most} on one",
                nodes.len()
            )
        } else {
            format!("needs {wanted}; {} nodes have {sum} free in sum", nodes.len())
        };
        findings.push((wanted, Finding::fail(w, value)));
    }
    if count == 0 {
        return Verdict::Skip("no application workload requests anything".into());
    }
    findings.sort_by_key(|(wanted, _)| std::cmp::Reverse(wanted.cpu_millis));
    Verdict::looked(findings.into_iter().map(|(_, f)| f).collect(), count, "workloads with requests")
}

fn full_on_paper(s: &Snapshot) -> Verdict {
    let room = Room::of(s);
    let mut pools: BTreeMap<&str, (Amount, Amount, NodeUsage, usize)> = BTreeMap::new();
    for (at, node) in s.nodes.iter().enumerate().filter(|(_, n)| n.ready) {
        let Some(used) = u32::try_from(at).ok().and_then(|at| s.usage.get(&at)) else { continue };
        let pool = pools.entry(node.pool()).or_default();
        pool.0 = pool.0.plus(node.allocatable);
        pool.1 = pool.1.plus(node.allocatable.minus(room.free(at)));
        pool.2.cpu_millis += used.cpu_millis;
        pool.2.memory_bytes += used.memory_bytes;
        pool.3 += 1;
    }
    if pools.is_empty() {
        return Verdict::Skip("no ready node tells what it uses".into());
    }
    let percent = |part: u64, whole: u64| (u128::from(part) * 100) / u128::from(whole.max(1));
    let mut findings = Vec::new();
    for (name, (all, requested, used, nodes)) in &pools {
        let resources = [
            ("CPU", requested.cpu_millis, used.cpu_millis, all.cpu_millis),
            ("memory", requested.memory_bytes, used.memory_bytes, all.memory_bytes),
        ];
        for (what, requested, used, all) in resources {
            let (requested, used) = (percent(requested, all), percent(used, all));
            if all > 0 && requested >= 95 && used <= 25 {
                let value = format!("{what}: {requested} % requested and {used} % used on {nodes} nodes");
                findings.push(Finding::fail(format!("pool {name}"), value));
            }
        }
    }
    Verdict::looked(findings, pools.len(), "node pools")
}

fn affinity(s: &Snapshot) -> Verdict {
    let open = s.nodes.iter().filter(|n| n.is_open()).count();
    if open == 0 {
        return Verdict::Skip("no node is open to ordinary pods".into());
    }
    let mut findings = Vec::new();
    let mut count = 0;
    for (_, w) in s.judged().filter(|(_, w)| w.kind != "DaemonSet" && w.replicas > 0) {
        count += 1;
        findings.extend(after_a_loss(s, w).map(|value| Finding::fail(w, value)));
    }
    if count == 0 {
        return Verdict::Skip("there is no application workload".into());
    }
    Verdict::looked(findings, count, "workloads")
}

/// Why not all pods of a workload could run after the loss of the node that it can spare least.
fn after_a_loss(s: &Snapshot, w: &Workload) -> Option<String> {
    let t = &w.template;
    let nodes: Vec<usize> = candidates(s, t).collect();
    let chosen = !t.node_selector.is_empty() || !t.node_terms.is_empty();
    if nodes.len() == 1 && chosen {
        let name = &s.nodes[nodes[0]].name;
        return Some(format!("its node selector or affinity leaves it {name} alone"));
    }
    for peer in t.anti_affinity.iter().filter(|p| selects_itself(&p.selector, w)) {
        let mut domains: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &nodes {
            if let Some(domain) = domain(&s.nodes[*node], &peer.topology) {
                *domains.entry(domain).or_default() += 1;
            }
        }
        // The node that is alone in its domain takes the domain with it.
        let lost = usize::from(domains.values().any(|n| *n == 1));
        let left = domains.len() - lost.min(domains.len());
        if (w.replicas as usize) > left {
            return Some(format!(
                "anti-affinity over {} needs {} of them; after the loss of one node there are {left}",
                peer.topology, w.replicas
            ));
        }
    }
    None
}

fn selects_itself(selector: &Selector, w: &Workload) -> bool {
    selector.matches(&w.template.labels)
}

#[cfg(test)]
#[path = "compute_tests.rs"]
mod tests;
