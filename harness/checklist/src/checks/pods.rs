//! Which workloads' pods a selector selects, found by their labels, with those that only running pods have.

use super::selection::{is_of_one_pod, selected};
use crate::snapshot::{Snapshot, Workload};
use loopdrill_kubernetes::LabelSelector;
use std::collections::{BTreeMap, HashMap};

type Label<'a> = (&'a str, &'a str, &'a str);

/// Workloads by the labels of their pods.
pub(super) struct Pods<'a> {
    by_label: HashMap<Label<'a>, Vec<&'a Workload>>,
    by_namespace: HashMap<&'a str, Vec<&'a Workload>>,
}

impl<'a> Pods<'a> {
    pub(super) fn of(s: &'a Snapshot) -> Self {
        let mut pods = Self { by_label: HashMap::new(), by_namespace: HashMap::new() };
        for w in &s.workloads {
            pods.by_namespace.entry(&w.namespace).or_default().push(w);
            let seen = w.wires.pod_labels.iter().map(|(k, v)| (k, v));
            for (key, value) in w.template.labels.iter().chain(seen) {
                pods.by_label.entry((&w.namespace, key, value)).or_default().push(w);
            }
        }
        pods
    }

    /// The workloads in a namespace of which the selector selects pods.
    pub(super) fn selected<'s>(
        &'s self,
        namespace: &'s str,
        selector: &'s LabelSelector,
    ) -> impl Iterator<Item = &'a Workload> + 's {
        let of = |key: &'s str, value: &'s str| {
            self.by_label.get(&(namespace, key, value)).map_or(&[][..], Vec::as_slice)
        };
        // Every label must be there, so those that have the rarest are enough to look at.
        let labels = selector.labels.iter().filter(|(key, _)| !is_of_one_pod(key));
        let rarest = labels.map(|(key, value)| of(key, value)).min_by_key(|found| found.len());
        let all = || self.by_namespace.get(namespace).map_or(&[][..], Vec::as_slice);
        rarest.unwrap_or_else(all).iter().copied().filter(|w| selects(selector, w))
    }
}

/// Whether a selector selects pods of a workload: such as its template makes, or such as were seen.
fn selects(selector: &LabelSelector, w: &Workload) -> bool {
    selected(Some(selector), w) > 0
        || (!w.wires.pod_labels.is_empty() && selector.matches(&seen(selector, w)))
}

/// The template's labels with those that pods were seen to have. One label may have a value for each pod: what the
/// selector asks for is taken where some pod has it.
fn seen(selector: &LabelSelector, w: &Workload) -> BTreeMap<String, String> {
    let mut labels = w.template.labels.clone();
    for (key, value) in &w.wires.pod_labels {
        let asked = selector.labels.get(key) == Some(value)
            || selector.expressions.iter().any(|e| e.key == *key && e.values.contains(value));
        if asked || !labels.contains_key(key) {
            labels.insert(key.clone(), value.clone());
        }
    }
    labels
}
