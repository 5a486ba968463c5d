//! Where other pods keep a pod from a node: required (anti-)affinity between pods, hard topology spread, host ports.
//!
//! Invariants:
//! - A term selects pods as the scheduler does: no selector selects nothing, an empty one everything; without any
//!   namespace it is about the pod's own.
//! - Nothing here counts pods; it says which pods count, and what a count means.

use crate::{Labels, selector::LabelSelector, selector::selects};
use serde::{Deserialize, Serialize};

/// A term of required affinity or anti-affinity between pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct PodTerm {
    /// The label of nodes by which places are told apart.
    pub topology_key: String,
    /// Which pods; `None` is none.
    pub selector: Option<LabelSelector>,
    /// In which namespaces, by name.
    pub namespaces: Vec<String>,
    /// In which namespaces, by label; an empty one is all.
    pub namespace_selector: Option<LabelSelector>,
}

/// A pod as a term looks at it.
#[derive(Debug, Clone, Copy)]
pub struct PodView<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// The labels of its namespace.
    pub namespace_labels: &'a Labels,
    /// Its own labels.
    pub labels: &'a Labels,
}

impl PodTerm {
    /// Whether the term of a pod in namespace `own` is about `pod`.
    #[must_use]
    pub fn selects(&self, own: &str, pod: &PodView<'_>) -> bool {
        let listed = self.namespaces.iter().any(|n| n == pod.namespace);
        let selected = selects(self.namespace_selector.as_ref(), pod.namespace_labels);
        let alone = self.namespaces.is_empty() && self.namespace_selector.is_none() && pod.namespace == own;
        (listed || selected || alone) && selects(self.selector.as_ref(), pod.labels)
    }
}

/// A topology spread constraint with `whenUnsatisfiable: DoNotSchedule`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// The label of nodes by which places are told apart.
    pub topology_key: String,
    /// By how many pods the fullest place may differ from the emptiest.
    pub max_skew: u32,
    /// Which pods of the namespace count.
    pub selector: Option<LabelSelector>,
    /// With fewer places than this, the emptiest counts as empty.
    pub min_domains: u32,
    /// `nodeTaintsPolicy: Honor`: nodes whose taints repel the pod are no places.
    pub honors_taints: bool,
    /// `nodeAffinityPolicy: Ignore`: nodes that the pod does not want are places, too.
    pub ignores_affinity: bool,
}

impl Spread {
    /// Whether a pod may be added where `here` of those that count already are; of `places` in all the emptiest has
    /// `least` of them.
    #[must_use]
    pub fn allows(&self, here: u32, itself: bool, places: usize, least: u32) -> bool {
        let least = if places >= self.min_domains as usize { least } else { 0 };
        (here + u32::from(itself)).saturating_sub(least) <= self.max_skew
    }
}

/// A port of the node that a pod takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct HostPort {
    /// On which of the node's addresses; empty for all.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Its number.
    pub port: u16,
}

impl HostPort {
    /// Whether two pods cannot both have theirs on one node.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        let anywhere = |ip: &str| matches!(ip, "" | "0.0.0.0");
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || anywhere(&self.ip) || anywhere(&other.ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn term(namespaces: &[&str], namespace_selector: Option<LabelSelector>) -> PodTerm {
        PodTerm {
            topology_key: "zone".into(),
            selector: Some(LabelSelector { labels: labels(&[("app", "web")]), expressions: vec![] }),
            namespaces: namespaces.iter().map(ToString::to_string).collect(),
            namespace_selector,
        }
    }

    #[test]
    fn a_term_is_about_its_own_namespace_unless_it_says_otherwise() {
        let (web, of_team) = (labels(&[("app", "web")]), labels(&[("team", "a")]));
        let pod = |namespace| PodView { namespace, namespace_labels: &of_team, labels: &web };
        assert!(term(&[], None).selects("shop", &pod("shop")));
        assert!(!term(&[], None).selects("shop", &pod("data")));
        assert!(term(&["data"], None).selects("shop", &pod("data")));
        assert!(!term(&["data"], None).selects("shop", &pod("shop")));
        assert!(term(&[], Some(LabelSelector::default())).selects("shop", &pod("data")), "all of them");
        let team = |name| LabelSelector { labels: labels(&[("team", name)]), expressions: vec![] };
        assert!(term(&[], Some(team("a"))).selects("shop", &pod("data")));
        assert!(!term(&[], Some(team("b"))).selects("shop", &pod("data")));
        let nobody = PodTerm { selector: None, ..term(&[], None) };
        assert!(!nobody.selects("shop", &pod("shop")));
    }

    #[test]
    fn skew_counts_from_the_emptiest_place() {
        let spread = Spread { max_skew: 1, ..Spread::default() };
        assert!(spread.allows(0, true, 2, 0));
        assert!(!spread.allows(1, true, 2, 0));
        assert!(spread.allows(1, false, 2, 0), "it does not count itself");
        let wide = Spread { min_domains: 3, ..spread };
        assert!(!wide.allows(1, true, 2, 1), "a third place counts as empty");
    }

    #[test]
    fn ports_conflict_on_one_address_or_on_all() {
        let port =
            |ip: &str, protocol: &str, port| HostPort { ip: ip.into(), protocol: protocol.into(), port };
        assert!(port("", "TCP", 80).conflicts(&port("10.0.0.1", "TCP", 80)));
        assert!(port("0.0.0.0", "TCP", 80).conflicts(&port("", "TCP", 80)));
        assert!(!port("10.0.0.2", "TCP", 80).conflicts(&port("10.0.0.1", "TCP", 80)));
        assert!(!port("", "UDP", 80).conflicts(&port("", "TCP", 80)));
        assert!(!port("", "TCP", 81).conflicts(&port("", "TCP", 80)));
    }
}
