//! Storage: data has mass; a zonal volume cannot follow a pod.

use super::{selection::selected, zonal::is_zonal};
use crate::{
    check::{Area, Check, Finding, Severity, Stage, Verdict, fault},
    snapshot::{Input, Snapshot, Spread, StorageClass, Template, Workload},
};
use loopdrill_kubernetes::{LabelSelector, NodeTerm, Operator};
use std::collections::{BTreeMap, BTreeSet};

const PREDICTS: &[&str] = &[fault::PVC];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "ST-01",
        title: "The default StorageClass binds when the first consumer is placed",
        stage: Stage::Architectural,
        area: Area::Storage,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::StorageClasses],
        manifests: true,
        why: "A volume that is bound at once lies in a zone that was picked without asking the scheduler.",
        remedy: "# volumeBindingMode cannot be changed: make a class that waits, and make it the default one\n\
                 kubectl annotate storageclass OLD storageclass.kubernetes.io/is-default-class-\n---\n\
                 apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata:\n  name: zonal\n  annotations:\n    \
                 storageclass.kubernetes.io/is-default-class: \"true\"\nprovisioner: PROVISIONER\n\
                 volumeBindingMode: WaitForFirstConsumer\n",
        judge: default_class,
    },
    Check {
        id: "ST-02",
        title: "No zonal StorageClass that is in use binds immediately",
        stage: Stage::Architectural,
        area: Area::Storage,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::StorageClasses, Input::Claims, Input::Volumes, Input::CsiNodes, Input::StatefulSets],
        manifests: true,
        why: "Two schedulers that do not talk: one places the disk, the other the pod, and they meet by luck.",
        remedy: "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: NAME-waits}\nprovisioner: PROVISIONER\n\
                 volumeBindingMode: WaitForFirstConsumer\n# use it in new claims; move data over by snapshot or backup\n",
        judge: immediate_classes,
    },
    Check {
        id: "ST-03",
        title: "Replicated stateful workloads spread over zones",
        stage: Stage::Architectural,
        area: Area::Storage,
        severity: Severity::Medium,
        predicts: PREDICTS,
        needs: &[Input::StatefulSets],
        manifests: true,
        why: "Replicas that were placed side by side have their volumes side by side, for ever: the zone takes all of them.",
        remedy: "topologySpreadConstraints:\n  - maxSkew: 1\n    topologyKey: topology.kubernetes.io/zone\n    \
                 whenUnsatisfiable: ScheduleAnyway   # DoNotSchedule where a lost zone may keep its replicas down\n    \
                 labelSelector:\n      matchLabels: {app: APP}\n",
        judge: spreading,
    },
    Check {
        id: "ST-04",
        title: "Writers on volumes for one node run as StatefulSets and not as Deployments",
        stage: Stage::Architectural,
        area: Area::Storage,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Deployments, Input::Claims],
        manifests: true,
        why: "A Deployment starts the new pod before the old one has let go of the disk; after a node's death both wait.",
        remedy: "apiVersion: apps/v1\nkind: StatefulSet\nspec:\n  serviceName: APP\n  volumeClaimTemplates:\n    - metadata: {name: data}\n      \
                 spec:\n        accessModes: [ReadWriteOncePod]\n        resources: {requests: {storage: 10Gi}}\n",
        judge: writers,
    },
    Check {
        id: "ST-05",
        title: "Every zone that holds volumes in use has a second node for their pods",
        stage: Stage::Architectural,
        area: Area::Storage,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Volumes, Input::Nodes],
        manifests: false,
        why: "When the only node of a zone goes, the pod may run anywhere and its data nowhere else.",
        remedy: "# Two nodes at least in each zone that has disks, for example one node group a zone:\n\
                 eksctl create nodegroup --cluster CLUSTER --node-zones ZONE --nodes-min 2\n",
        judge: second_nodes,
    },
];

fn default_class(s: &Snapshot) -> Verdict {
    if s.storage_classes.is_empty() {
        let what = if s.is_manifests() { "these manifests hold" } else { "the cluster has" };
        return Verdict::Skip(format!("{what} no StorageClass"));
    }
    let defaults: Vec<_> = s.storage_classes.iter().filter(|c| c.default).collect();
    if defaults.is_empty() {
        if s.is_manifests() {
            return Verdict::Skip("no StorageClass in these manifests is the default one".into());
        }
        let finding =
            Finding::warn("", "no StorageClass is the default one: claims that name none stay unbound");
        return Verdict::looked(vec![finding], s.storage_classes.len(), "StorageClasses");
    }
    let immediate = defaults.iter().filter(|c| !c.waits);
    let mut findings: Vec<_> = immediate
        .map(|c| {
            Finding::fail(format!("StorageClass {}", c.name), "is the default one and binds immediately")
                .in_file(c.file.as_ref())
        })
        .collect();
    if defaults.len() > 1 {
        let names = defaults.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        findings.push(Finding::warn(
            "",
            format!("several classes are the default one: {names}; the newest wins"),
        ));
    }
    Verdict::looked(findings, defaults.len(), "default StorageClasses")
}

/// Names of the classes in use, with how often.
fn used_classes(s: &Snapshot) -> BTreeMap<&str, usize> {
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let of_claims = s.claims.iter().filter(|c| s.asked_for(&c.namespace)).map(|c| c.class.as_deref());
    let of_templates = s.workloads.iter().filter(|w| s.asked_for(&w.namespace));
    let of_templates = of_templates.flat_map(|w| w.claim_templates.iter().map(|c| c.as_deref()));
    for name in of_claims.chain(of_templates) {
        // Of several defaults the newest is taken, and which that is may not be known: it may be any.
        let meant = |c: &&StorageClass| name.map_or(c.default, |name| c.name == name);
        for class in s.storage_classes.iter().filter(meant) {
            *used.entry(&class.name).or_default() += 1;
        }
    }
    for volume in s.volumes.iter().filter(|v| v.claim.is_some()) {
        if let Some(class) = volume.class.as_deref() {
            used.entry(class).or_default();
        }
    }
    used
}

fn immediate_classes(s: &Snapshot) -> Verdict {
    let used = used_classes(s);
    let zonal: Vec<_> =
        s.storage_classes.iter().filter(|c| used.contains_key(c.name.as_str()) && is_zonal(s, c)).collect();
    if zonal.is_empty() {
        return Verdict::Skip("no zonal StorageClass is in use".into());
    }
    let mut immediate: Vec<_> = zonal.iter().filter(|c| !c.waits).collect();
    immediate.sort_by_key(|c| std::cmp::Reverse(used[c.name.as_str()]));
    let tell = |c: &&&StorageClass| {
        let value = format!(
            "its volumes belong to a zone, it binds immediately, and {} claims use it",
            used[c.name.as_str()]
        );
        Finding::fail(format!("StorageClass {}", c.name), value).in_file(c.file.as_ref())
    };
    Verdict::looked(immediate.iter().map(tell).collect(), zonal.len(), "zonal StorageClasses in use")
}

fn zones(s: &Snapshot) -> BTreeSet<&str> {
    s.nodes.iter().filter(|n| !n.is_control_plane()).filter_map(|n| n.zone()).collect()
}

fn spreading(s: &Snapshot) -> Verdict {
    let stateful = |w: &&Workload| w.kind == "StatefulSet" && w.replicas >= 2;
    let judged: Vec<_> = s.judged().map(|(_, w)| w).filter(stateful).collect();
    if judged.is_empty() {
        return Verdict::Skip("no application StatefulSet has two replicas or more".into());
    }
    if !s.nodes.is_empty() && zones(s).len() < 2 {
        return Verdict::Skip("the workers lie in fewer than two zones".into());
    }
    let alone = judged.iter().filter_map(|w| Some((w, unspread(w)?)));
    let tell = |(w, why): (&&Workload, &str)| {
        Finding::fail(w, format!("{} replicas, and {why}", w.replicas)).in_file(w.file.as_ref())
    };
    Verdict::looked(alone.map(tell).collect(), judged.len(), "replicated StatefulSets")
}

/// Why replicas are not spread over zones.
fn unspread(w: &Workload) -> Option<&'static str> {
    let over_zones = |topology: &str| topology.ends_with("/zone");
    // A rule that counts other pods, or not all of these, leaves them where they are.
    let own = |selector: &Option<LabelSelector>| selected(selector.as_ref(), w) >= w.replicas;
    // So does a hard one that allows as much of a difference as there are pods.
    let binds = |c: &Spread| !c.hard || c.max_skew < w.replicas;
    let template = &w.template;
    let together = template.affinity.iter().any(|p| over_zones(&p.topology) && own(&p.selector));
    if together || in_one_zone(template) {
        return Some("its own affinity or node selector holds all of them in one zone");
    }
    let spread = template.spread.iter().any(|c| over_zones(&c.topology) && own(&c.selector) && binds(c))
        || template.anti_affinity.iter().any(|p| over_zones(&p.topology) && own(&p.selector));
    (!spread).then_some("no topologySpreadConstraints spread them over zones")
}

/// Whether pods may only stand in one and the same zone.
fn in_one_zone(template: &Template) -> bool {
    let of_zone = |key: &str| key.ends_with("/zone");
    let zones = |term: &NodeTerm| -> Vec<String> {
        let named = term.expressions.iter().filter(|e| of_zone(&e.key) && e.operator == Operator::In);
        named.flat_map(|e| e.values.iter().cloned()).collect()
    };
    let named: Vec<_> = template.node_terms.iter().map(zones).collect();
    let all: BTreeSet<_> = named.iter().flatten().collect();
    let pinned = template.node_selector.keys().any(|key| of_zone(key));
    pinned || (all.len() == 1 && named.iter().all(|zones| !zones.is_empty()))
}

/// Kinds that start a new pod before the old one has gone, or that have pods on several nodes.
const REPLACED: [&str; 9] = [
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Rollout",
    "DeploymentConfig",
    "DaemonSet",
    // Knative's.
    "Service",
    "Configuration",
    "Revision",
];

fn writers(s: &Snapshot) -> Verdict {
    let mut findings = Vec::new();
    let mut count = 0;
    let has_volume = |w: &Workload| {
        let template = &w.template;
        !template.claims.is_empty() || !template.disks.is_empty() || !w.claim_templates.is_empty()
    };
    for (_, w) in s.judged().filter(|(_, w)| has_volume(w)) {
        count += 1;
        // The pods of a StatefulSet that mount one claim want it all at once.
        let together = w.kind == "StatefulSet" && w.replicas >= 2;
        if !together && !REPLACED.contains(&w.kind.as_str()) {
            continue;
        }
        for disk in &w.template.disks {
            let value = format!("writes to a volume of {disk}, which only one node can use at a time");
            findings.push(Finding::fail(w, value).in_file(w.file.as_ref()));
        }
        for name in &w.template.claims {
            let claim = s.claims.iter().find(|c| c.namespace == w.namespace && c.name == *name);
            if claim.is_none() && s.is_manifests() {
                let value =
                    format!("claim {name} is not in these manifests; whether others can write is not known");
                findings.push(Finding::warn(w, value).in_file(w.file.as_ref()));
            }
            if claim.is_some_and(|c| !c.shared) {
                let value = format!("writes to claim {name}, which only one node can use at a time");
                findings.push(Finding::fail(w, value).in_file(w.file.as_ref()));
            }
        }
    }
    if count == 0 {
        return Verdict::Skip("no application workload has a volume".into());
    }
    Verdict::looked(findings, count, "workloads with volumes")
}

fn second_nodes(s: &Snapshot) -> Verdict {
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for volume in s.volumes.iter().filter(|v| v.claim.as_ref().is_some_and(|(ns, _)| s.asked_for(ns))) {
        // A volume that several zones can use does not hang on one of them.
        if let [zone] = volume.zones.as_slice() {
            *used.entry(zone).or_default() += 1;
        }
    }
    if used.is_empty() {
        return Verdict::Skip("no volume in use belongs to a zone".into());
    }
    let open = |zone: &str| s.nodes.iter().filter(|n| n.is_open() && n.zone() == Some(zone)).count();
    let poor = used.iter().map(|(zone, n)| (zone, n, open(zone))).filter(|(_, _, open)| *open < 2);
    let tell = |(zone, volumes, open): (&&str, &usize, usize)| {
        Finding::fail(
            format!("zone {zone}"),
            format!("{volumes} volumes in use and {open} nodes for their pods"),
        )
    };
    Verdict::looked(poor.map(tell).collect(), used.len(), "zones with volumes in use")
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
