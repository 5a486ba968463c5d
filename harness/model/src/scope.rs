//! Which findings belong to a drill: the one definition, for a live run and for the replay of its recording.

use crate::{Diagnosis, Subject};
use serde::{Deserialize, Serialize};

/// Where a drill's effects may show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Its namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The nodes that it breaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// The cloud roles that it breaks: who lives from one elsewhere suffers, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Anywhere: it breaks the control plane, or it is the control drill.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
}

impl Scope {
    /// Whether a finding belongs to the drill: one of its subjects is in the drill's namespace, is one of the nodes
    /// that the drill breaks or a part of one (`node/interface`), or is one of its cloud roles.
    #[must_use]
    pub fn holds(&self, finding: &Diagnosis) -> bool {
        self.everything || finding.subjects.iter().any(|s| self.touches(s))
    }

    /// Whether the drill may have caused a finding. A broken node may be felt by every workload, so a drill that
    /// breaks one explains every finding: such a finding is no false alarm, and no answer to the drill either.
    #[must_use]
    pub fn explains(&self, finding: &Diagnosis) -> bool {
        self.holds(finding) || !self.nodes.is_empty()
    }

    fn touches(&self, subject: &Subject) -> bool {
        if !subject.namespace.is_empty() {
            return subject.namespace == self.namespace;
        }
        let node = subject.name.split('/').next().unwrap_or_default();
        // The name of a role is the last part of its ARN.
        let role = subject.name.rsplit('/').next().filter(|_| subject.kind == "CloudRole");
        self.nodes.iter().any(|n| n == node) || self.roles.iter().any(|r| Some(r.as_str()) == role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, Loop, Timestamp};

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
    fn a_drill_owns_what_is_in_its_namespace_and_on_the_nodes_it_breaks() {
        let scope = Scope { namespace: "ns".into(), nodes: vec!["n1".into()], ..Scope::default() };
        assert!(scope.holds(&finding("Pod", "ns", "p")));
        assert!(!scope.holds(&finding("Pod", "other", "n1")));
        assert!(scope.holds(&finding("Node", "", "n1")));
        assert!(scope.holds(&finding("Interface", "", "n1/overlay")));
        assert!(!scope.holds(&finding("Node", "", "n2")));
    }

    #[test]
    fn a_cloud_role_goes_by_the_last_part_of_its_arn() {
        let scope = Scope { roles: vec!["app".into()], ..Scope::default() };
        assert!(scope.holds(&finding("CloudRole", "", "arn:aws:iam::123456789012:role/team/app")));
        assert!(!scope.holds(&finding("CloudRole", "", "arn:aws:iam::123456789012:role/other")));
        assert!(!scope.holds(&finding("Pod", "elsewhere", "app")));
    }

    #[test]
    fn no_namespace_is_not_the_namespace_of_what_has_none() {
        assert!(!Scope::default().holds(&finding("Node", "", "n1")));
        assert!(Scope { everything: true, ..Scope::default() }.holds(&finding("Node", "", "n1")));
    }

    #[test]
    fn a_broken_node_explains_what_is_not_about_it() {
        let elsewhere = finding("Pod", "elsewhere", "p");
        let scope = Scope { nodes: vec!["n1".into()], ..Scope::default() };
        assert!(scope.explains(&elsewhere) && !scope.holds(&elsewhere));
        assert!(!Scope { namespace: "ns".into(), ..Scope::default() }.explains(&elsewhere));
    }
}
