//! Terms of anti-affinity and constraints on spreading, as far as they are about a workload's own pods: one that is about
//! others, or that counts each pod alone, keeps a selector of nothing.

use super::{raw, template::selector};
use crate::{
    checks::is_of_one_pod,
    snapshot::{Peer, Spread},
};
use loopdrill_kubernetes::{Labels, well_known::NAMESPACE_NAME};

/// Whose terms they are.
#[derive(Clone, Copy)]
pub(super) struct Own<'a> {
    /// The workload's namespace.
    pub(super) namespace: &'a str,
    /// Its pods' labels.
    pub(super) labels: &'a Labels,
}

impl Own<'_> {
    /// Whether a term looks among pods such as these.
    fn is_meant_by(self, term: &raw::PodTerm) -> bool {
        // Pods with the same value of such a key are left out, and these have the same.
        let others = term.mismatch_label_keys.iter().any(|key| self.labels.contains_key(key));
        !others && self.lies_in(term)
    }

    /// Whether a term is about this namespace: where it names none, it is about its pod's.
    fn lies_in(self, term: &raw::PodTerm) -> bool {
        let here: Labels = [(NAMESPACE_NAME.to_string(), self.namespace.to_string())].into();
        let chosen = term.namespace_selector.as_ref().map(selector);
        let none = term.namespaces.is_empty() && chosen.is_none();
        none || term.namespaces.iter().any(|n| n == self.namespace)
            || chosen.is_some_and(|s| s.matches(&here))
    }

    pub(super) fn peer(self, term: &raw::PodTerm) -> Peer {
        let meant = term.label_selector.as_ref().filter(|_| self.is_meant_by(term));
        Peer { topology: term.topology_key.clone(), selector: meant.map(selector) }
    }

    /// A wish to be apart from other pods spreads as a soft constraint does.
    pub(super) fn apart(self, term: &raw::PreferredTerm) -> Spread {
        let Peer { topology, selector } = self.peer(&term.pod_affinity_term);
        Spread { topology, selector, ..Spread::default() }
    }
}

/// A constraint. Pods are counted apart by `matchLabelKeys`: by a key that differs from pod to pod, each of them alone.
pub(super) fn spread(raw: &raw::Spread) -> Spread {
    let alone = raw.match_label_keys.iter().any(|key| is_of_one_pod(key));
    Spread {
        topology: raw.topology_key.clone(),
        hard: raw.when_unsatisfiable != "ScheduleAnyway",
        max_skew: raw.max_skew,
        selector: raw.label_selector.as_ref().filter(|_| !alone).map(selector),
    }
}
