//! Which pods of a workload are selected: by the labels of its template, and by those that its controller adds.

use crate::snapshot::{PodDisruptionBudget, Service, Snapshot, Workload};
use loopdrill_kubernetes::{LabelSelector, Labels, selects, service_selects};
use std::collections::BTreeMap;

/// Labels that a StatefulSet gives to each of its pods.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// More pods of one StatefulSet are not looked at one by one.
const MOST_PODS: u32 = 1000;

/// Services by their namespace: a large cluster has too many to ask each of them about each workload.
pub(super) struct Services<'a>(BTreeMap<&'a str, Vec<&'a Service>>);

impl<'a> Services<'a> {
    /// All of a snapshot.
    pub(super) fn of(s: &'a Snapshot) -> Self {
        let mut all: BTreeMap<&str, Vec<&Service>> = BTreeMap::new();
        for service in &s.services {
            all.entry(&service.namespace).or_default().push(service);
        }
        Self(all)
    }

    /// Those that lead to some of a workload's pods.
    pub(super) fn leading_to<'b>(&'b self, w: &'b Workload) -> impl Iterator<Item = &'a Service> + 'b {
        let beside = self.0.get(w.namespace.as_str()).into_iter().flatten();
        beside.copied().filter(|service| leads_to(service, w))
    }
}

/// Whether a Service leads to some of a workload's pods.
fn leads_to(service: &Service, w: &Workload) -> bool {
    let single = service.selector.keys().any(|k| is_of_one_pod(k));
    service.namespace == w.namespace
        && count(w, single, |labels| service_selects(&service.selector, labels)) > 0
}

/// How many of a workload's pods a budget counts.
pub(super) fn budgeted(budget: &PodDisruptionBudget, w: &Workload) -> u32 {
    if budget.namespace == w.namespace { selected(budget.selector.as_ref(), w) } else { 0 }
}

/// How many of a workload's pods a selector of its namespace selects.
pub(super) fn selected(selector: Option<&LabelSelector>, w: &Workload) -> u32 {
    let keys = |s: &LabelSelector| {
        s.labels.keys().chain(s.expressions.iter().map(|e| &e.key)).any(|k| is_of_one_pod(k))
    };
    count(w, selector.is_some_and(keys), |labels| selects(selector, labels))
}

/// Whether a label has another value for each pod of a StatefulSet.
pub(crate) fn is_of_one_pod(label: &str) -> bool {
    label == POD_NAME || label == POD_INDEX
}

fn count(w: &Workload, single: bool, selects: impl Fn(&Labels) -> bool) -> u32 {
    if !single || w.kind != "StatefulSet" {
        return if selects(&w.template.labels) { w.replicas.max(1) } else { 0 };
    }
    let of_pod = |index: &u32| {
        let mut labels = w.template.labels.clone();
        labels.insert(POD_NAME.into(), format!("{}-{index}", w.name));
        labels.insert(POD_INDEX.into(), index.to_string());
        selects(&labels)
    };
    let found = (0..w.replicas.clamp(1, MOST_PODS)).filter(of_pod).count();
    u32::try_from(found).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_selected_by_the_labels_that_they_will_have() {
        let mut db =
            Workload { kind: "StatefulSet".into(), name: "db".into(), replicas: 3, ..Workload::default() };
        db.template.labels = [("app".to_string(), "db".to_string())].into();
        let by = |key: &str, value: &str| LabelSelector {
            labels: [(key.to_string(), value.to_string())].into(),
            ..LabelSelector::default()
        };
        assert_eq!(selected(Some(&by("app", "db")), &db), 3);
        assert_eq!(selected(Some(&by("app", "x")), &db), 0);
        assert_eq!(selected(Some(&by(POD_NAME, "db-2")), &db), 1);
        assert_eq!(selected(Some(&by(POD_NAME, "db-3")), &db), 0);
        assert_eq!(selected(Some(&by(POD_INDEX, "0")), &db), 1);
        let service = |selector: LabelSelector| Service { selector: selector.labels, ..Service::default() };
        assert!(leads_to(&service(by(POD_NAME, "db-0")), &db));
        assert!(!leads_to(&service(LabelSelector::default()), &db));
        db.kind = "Deployment".into();
        assert_eq!(selected(Some(&by(POD_NAME, "db-0")), &db), 0);
    }
}
