//! Which of the detector's findings count for which drill.

use loopdrill_detect::{Strays, is_role};
use loopdrill_faults::{Footprint, Resource};
use loopdrill_model::{Diagnosis, FaultId};
use loopdrill_observe::record::Reach;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Where a drill's effects may show: its namespace, the nodes it breaks, the control plane.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    namespace: String,
    nodes: BTreeSet<String>,
    /// Cloud roles: who lives from one elsewhere suffers, too.
    roles: BTreeSet<String>,
    everything: bool,
}

impl Scope {
    pub(crate) fn of(namespace: &str, footprint: &Footprint) -> Self {
        let mut scope = Self {
            namespace: namespace.into(),
            nodes: BTreeSet::new(),
            roles: BTreeSet::new(),
            everything: false,
        };
        for broken in footprint.broken() {
            match broken {
                Resource::NodeLife(n) | Resource::NodeNetwork(n) | Resource::NodeCapacity(n) => {
                    scope.nodes.insert(n.clone());
                }
                Resource::ControlPlane | Resource::Cluster => scope.everything = true,
                Resource::CloudRole(role) => {
                    scope.roles.insert(role.clone());
                }
                Resource::Registry | Resource::ZoneStorage(_) | Resource::DefaultStorageClass => {}
            }
        }
        scope
    }

    /// Whether a finding is about something that this drill touches.
    pub(crate) fn holds(&self, d: &Diagnosis) -> bool {
        self.everything
            || d.subjects.iter().any(|s| {
                let node = s.name.split('/').next().unwrap_or_default();
                s.namespace == self.namespace
                    || (s.namespace.is_empty() && self.nodes.contains(node))
                    || is_role(s, |name| self.roles.contains(name))
            })
    }

    /// The same for a recording.
    pub(crate) fn reach(&self) -> Reach {
        Reach {
            namespace: self.namespace.clone(),
            nodes: self.nodes.iter().cloned().collect(),
            roles: self.roles.iter().cloned().collect(),
            everything: self.everything,
        }
    }

    /// Whether effects may show anywhere on the nodes it breaks.
    fn breaks_nodes(&self) -> bool {
        !self.nodes.is_empty()
    }
}

/// The scopes of the drills that run now, and the findings that belong to none.
#[derive(Debug, Default)]
pub(crate) struct Scopes(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    active: BTreeMap<FaultId, Scope>,
    strays: Strays,
}

impl Scopes {
    pub(crate) fn enter(&self, drill: &FaultId, scope: Scope) {
        self.lock().active.insert(drill.clone(), scope);
    }

    pub(crate) fn leave(&self, drill: &FaultId) {
        self.lock().active.remove(drill);
    }

    /// Findings that were there before anything was touched are the cluster's own trouble, not false alarms.
    pub(crate) fn tolerate(&self, present: &[Diagnosis]) {
        self.lock().strays.tolerate(present);
    }

    /// Sorts out the findings that no running drill can have caused.
    pub(crate) fn judge(&self, present: &[Diagnosis]) {
        let Inner { active, strays } = &mut *self.lock();
        strays.judge(present, |d| active.values().any(|s| s.holds(d) || s.breaks_nodes()));
    }

    pub(crate) fn strays(&self) -> Vec<Diagnosis> {
        self.lock().strays.found().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Cause, Loop, Subject, Timestamp};

    fn finding(kind: &str, namespace: &str, name: &str) -> Diagnosis {
        Diagnosis {
            control_loop: Loop::Network,
            cause: Some(Cause::OverlayMtu),
            subjects: vec![Subject::new(kind, namespace, name)],
            confidence: 0.9,
            evidence: Vec::new(),
            chain: Vec::new(),
            first_evidence_at: Timestamp::UNIX_EPOCH,
            diagnosed_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_scope_holds_its_namespace_and_its_broken_nodes() {
        let footprint = Footprint::default()
            .breaks(Resource::NodeNetwork("n1".into()))
            .uses(Resource::NodeLife("n2".into()));
        let scope = Scope::of("ns", &footprint);
        assert!(scope.holds(&finding("Pod", "ns", "p")));
        assert!(!scope.holds(&finding("Pod", "other", "n1")));
        assert!(scope.holds(&finding("Node", "", "n1")));
        assert!(scope.holds(&finding("Interface", "", "n1/overlay")));
        assert!(!scope.holds(&finding("Node", "", "n2")));
        let scope = Scope::of("ns", &Footprint::default().breaks(Resource::CloudRole("app".into())));
        assert!(scope.holds(&finding("CloudRole", "", "arn:aws:iam::123456789012:role/team/app")));
        assert!(!scope.holds(&finding("CloudRole", "", "arn:aws:iam::123456789012:role/other")));
        assert!(!scope.holds(&finding("Pod", "elsewhere", "app")));
    }

    #[test]
    fn a_finding_nobody_can_have_caused_is_a_stray_once() {
        let scopes = Scopes::default();
        let drill = FaultId::new("f", "v");
        scopes.tolerate(&[finding("Pod", "old", "p")]);
        scopes.enter(&drill, Scope::of("ns", &Footprint::default()));
        let present = [finding("Pod", "old", "p"), finding("Pod", "ns", "p"), finding("Pod", "new", "p")];
        scopes.judge(&present);
        scopes.judge(&present);
        assert_eq!(
            scopes.strays().iter().map(|d| d.subjects[0].namespace.as_str()).collect::<Vec<_>>(),
            ["new"]
        );
        scopes.leave(&drill);
        scopes.judge(&present);
        assert_eq!(scopes.strays().len(), 1, "it was right, and has not gone yet");
        scopes.judge(&[]);
        scopes.judge(&present);
        assert_eq!(scopes.strays().len(), 2, "it came back without a reason");
    }
}
