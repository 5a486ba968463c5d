//! Where pods fit now, and after the loss of a node.

use crate::{
    check::{Finding, Verdict},
    fit::{Room, candidates, domain},
    snapshot::{NodeUsage, Snapshot, Workload},
};
use loopdrill_kubernetes::{Resources, selects};
use std::collections::BTreeMap;

pub(super) fn still_fits(s: &Snapshot) -> Verdict {
    let room = Room::of(s);
    let mut findings = Vec::new();
    let mut count = 0;
    for (_, w) in s.judged().filter(|(_, w)| w.kind != "DaemonSet" && w.replicas > 0) {
        let wanted = &w.template.requests;
        if wanted.is_best_effort() {
            continue;
        }
        count += 1;
        let nodes: Vec<usize> = candidates(s, &w.template).collect();
        if nodes.iter().any(|n| room.free(*n).covers(wanted)) {
            continue;
        }
        let sum = nodes.iter().map(|n| room.free(*n)).sum::<Resources>();
        let most = nodes.iter().map(|n| room.free(*n)).fold(Resources::default(), Resources::max);
        let value = if nodes.is_empty() {
            "no node is open to its pods".to_string()
        } else if sum.covers(wanted) {
            format!(
                "needs {wanted} on one node; {} nodes have {sum} free in sum, and at most {most} on one",
                nodes.len()
            )
        } else {
            format!("needs {wanted}; {} nodes have {sum} free in sum{}", nodes.len(), unusual(&sum, wanted))
        };
        findings.push((wanted, Finding::fail(w, value)));
    }
    if count == 0 {
        return Verdict::Skip("no application workload requests anything".into());
    }
    findings.sort_by_key(|(wanted, _)| std::cmp::Reverse(wanted.cpu_millis));
    Verdict::looked(findings.into_iter().map(|(_, f)| f).collect(), count, "workloads with requests")
}

/// What is too little beside CPU and memory, whose figures are told.
fn unusual(free: &Resources, wanted: &Resources) -> String {
    let names: Vec<_> = free.lacking(wanted).filter(|n| !matches!(*n, "cpu" | "memory")).collect();
    if names.is_empty() { String::new() } else { format!("; there is too little of {}", names.join(", ")) }
}

pub(super) fn full_on_paper(s: &Snapshot) -> Verdict {
    let room = Room::of(s);
    let mut pools: BTreeMap<&str, (Resources, Resources, NodeUsage, usize)> = BTreeMap::new();
    for (at, node) in s.nodes.iter().enumerate().filter(|(_, n)| n.ready) {
        let Some(used) = u32::try_from(at).ok().and_then(|at| s.usage.get(&at)) else { continue };
        let pool = pools.entry(node.pool()).or_default();
        pool.0 += &node.allocatable;
        pool.1 += &node.allocatable.clone().minus(room.free(at));
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

pub(super) fn affinity(s: &Snapshot) -> Verdict {
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
    for peer in t.anti_affinity.iter().filter(|p| selects(p.selector.as_ref(), &t.labels)) {
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
