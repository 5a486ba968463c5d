//! PodDisruptionBudgets, each over all pods that it selects.

use crate::{
    check::{Finding, Verdict},
    checks::selection::budgeted,
    snapshot::{Disruptions, Input, PodDisruptionBudget, Snapshot, Workload},
};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds whose pods are one another's replicas.
const REPLICATED: [&str; 6] =
    ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout", "DeploymentConfig"];

pub(super) fn judge(s: &Snapshot) -> Verdict {
    let replicated = |w: &&Workload| REPLICATED.contains(&w.kind.as_str());
    let judged: Vec<_> = s.judged().map(|(_, w)| w).filter(replicated).collect();
    let counts = Budgets::of(s);
    let mut findings = Vec::new();
    for w in &judged {
        findings.extend(counts.judge(s, w).map(|f| f.in_file(w.file.as_ref())));
    }
    findings.extend(counts.without_scale(s));
    let subjects = judged.iter().filter(|w| w.replicas >= 2).count();
    if subjects == 0 && findings.is_empty() {
        return Verdict::Skip("no application workload has two replicas or more".into());
    }
    Verdict::looked(findings, subjects, "replicated workloads")
}

/// All budgets by their namespace, each with how many pods it counts, whoever made them.
struct Budgets<'a>(BTreeMap<&'a str, Vec<(&'a PodDisruptionBudget, u32)>>);

impl<'a> Budgets<'a> {
    fn of(s: &'a Snapshot) -> Self {
        let mut workloads: BTreeMap<&str, Vec<&Workload>> = BTreeMap::new();
        let counted = |w: &&Workload| REPLICATED.contains(&w.kind.as_str()) || is_bare(s, w);
        for w in s.workloads.iter().filter(counted).filter(|w| w.replicas > 0) {
            workloads.entry(&w.namespace).or_default().push(w);
        }
        let mut all: BTreeMap<&str, Vec<(&PodDisruptionBudget, u32)>> = BTreeMap::new();
        for budget in &s.budgets {
            let beside = workloads.get(budget.namespace.as_str()).into_iter().flatten();
            // A share of pods without a controller is no number: they are not counted then.
            let beside = beside.filter(|w| w.kind != "Pod" || is_number(budget));
            let pods = beside.map(|w| budgeted(budget, w)).fold(0, u32::saturating_add);
            all.entry(&budget.namespace).or_default().push((budget, pods));
        }
        Self(all)
    }

    /// Budgets that hold pods for ever which no number of replicas stands behind: for those alone `minAvailable` as a number
    /// can be counted. In a cluster such pods may be a node's own, which no drain evicts.
    fn without_scale(&self, s: &Snapshot) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (_, w) in s.judged().filter(|(_, w)| s.is_manifests() && w.replicas > 0) {
            let ends = matches!(w.kind.as_str(), "Job" | "CronJob");
            let mine = self.0.get(w.namespace.as_str()).into_iter().flatten();
            let mut mine = mine.filter(|(b, _)| (ends || w.kind == "Pod") && budgeted(b, w) > 0);
            let blocks = |b: &PodDisruptionBudget, pods: u32| {
                if ends { !is_number(b) } else { b.allows.of(pods) == 0 }
            };
            let Some((budget, _)) = mine.find(|(b, pods)| blocks(b, *pods)) else { continue };
            let name = &budget.name;
            let finding = if is_number(budget) {
                Finding::fail(w, format!("PodDisruptionBudget {name} allows none of its pods to go"))
            } else {
                let value = format!(
                    "PodDisruptionBudget {name} can only count it by minAvailable as a number: none may go"
                );
                // Pods that come to an end hold no drain for ever.
                if ends { Finding::warn(w, value) } else { Finding::fail(w, value) }
            };
            findings.push(finding.in_file(w.file.as_ref()));
        }
        findings
    }

    /// What is wrong with the budgets of a workload.
    fn judge(&self, s: &Snapshot, w: &Workload) -> Option<Finding> {
        let mine = self.0.get(w.namespace.as_str()).into_iter().flatten();
        let mine: Vec<_> =
            mine.map(|(b, all)| (*b, *all, budgeted(b, w))).filter(|(_, _, n)| *n > 0).collect();
        if w.replicas >= 2 && mine.is_empty() {
            return Some(without_budget(s, w));
        }
        if let Some((budget, pods, _)) =
            mine.iter().find(|(b, all, _)| w.replicas > 0 && b.allows.of(*all) == 0)
        {
            let value = format!("PodDisruptionBudget {} allows none of its {pods} pods to go", budget.name);
            return Some(Finding::fail(w, value));
        }
        let counted = mine.iter().map(|(_, _, n)| *n).fold(0, u32::saturating_add);
        if counted > w.replicas.max(1) {
            let names = mine.iter().map(|(b, _, _)| b.name.as_str()).collect::<BTreeSet<_>>();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let value =
                format!("has several PodDisruptionBudgets ({names}): the API refuses to evict its pods");
            return Some(Finding::fail(w, value));
        }
        (counted < w.replicas && w.replicas >= 2).then(|| {
            Finding::fail(w, format!("PodDisruptionBudgets count {counted} of its {} pods", w.replicas))
        })
    }
}

/// Whether no controller stands behind it.
fn is_bare(s: &Snapshot, w: &Workload) -> bool {
    w.kind == "Pod" && s.is_manifests()
}

fn is_number(budget: &PodDisruptionBudget) -> bool {
    matches!(budget.allows, Disruptions::MinAvailable(_))
}

fn without_budget(s: &Snapshot, w: &Workload) -> Finding {
    if s.is_manifests() && s.read(Input::Budgets) == 0 {
        return Finding::warn(w, "has no PodDisruptionBudget: not in these manifests");
    }
    Finding::fail(w, "has no PodDisruptionBudget")
}
