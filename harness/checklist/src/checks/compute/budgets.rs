//! PodDisruptionBudgets, each over all pods that it selects.

use crate::{
    check::{Finding, Verdict},
    checks::selection::budgeted,
    snapshot::{Input, PodDisruptionBudget, Snapshot, Workload},
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
        for w in s.workloads.iter().filter(|w| REPLICATED.contains(&w.kind.as_str()) && w.replicas > 0) {
            workloads.entry(&w.namespace).or_default().push(w);
        }
        let mut all: BTreeMap<&str, Vec<(&PodDisruptionBudget, u32)>> = BTreeMap::new();
        for budget in &s.budgets {
            let beside = workloads.get(budget.namespace.as_str()).into_iter().flatten();
            let pods = beside.map(|w| budgeted(budget, w)).fold(0, u32::saturating_add);
            all.entry(&budget.namespace).or_default().push((budget, pods));
        }
        Self(all)
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

fn without_budget(s: &Snapshot, w: &Workload) -> Finding {
    if s.is_manifests() && s.read(Input::Budgets) == 0 {
        return Finding::warn(w, "has no PodDisruptionBudget: not in these manifests");
    }
    Finding::fail(w, "has no PodDisruptionBudget")
}
