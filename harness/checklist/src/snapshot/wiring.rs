//! What objects refer to, and what there is to be referred to.

use loopdrill_kubernetes::LabelSelector;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What a workload's own declaration refers to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wires {
    /// The selector by which the controller finds its pods, where it declares one.
    pub selector: Option<LabelSelector>,
    /// Objects without which its pods do not start.
    pub wants: BTreeSet<Want>,
    /// Probes of ports that their container does not declare.
    pub lost_probes: Vec<LostProbe>,
    /// Names of containers that run before the others.
    pub init: BTreeSet<String>,
    /// Labels that its pods have beside those of the template: a role, a number.
    pub pod_labels: BTreeSet<(String, String)>,
    /// Of a CronJob: what it says about when it must have started, and ended.
    pub deadlines: Option<Deadlines>,
}

/// An object that a pod names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Want {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A probe of a port that its container does not declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostProbe {
    /// The container.
    pub container: String,
    /// `readiness`, `liveness` or `startup`.
    pub probe: String,
    /// The port, as it is written.
    pub port: String,
    /// Whether it is a name, so that it can only be found among the declared ports.
    pub named: bool,
}

/// Whether a CronJob says until when a run may start, and how long it may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// `startingDeadlineSeconds`.
    pub start: bool,
    /// `activeDeadlineSeconds` of its Jobs or pods.
    pub end: bool,
    /// Whether runs have so little time to start that they may never do.
    #[serde(default)]
    pub brief: bool,
}

/// What other objects refer to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wiring {
    /// Services by namespace and name, also those that select no pods.
    #[serde(with = "pairs")]
    pub services: BTreeMap<(String, String), ServiceWires>,
    /// Backends of Ingresses.
    pub backends: Vec<Backend>,
    /// Which pods NetworkPolicies are about.
    pub policies: Vec<PolicyWires>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Vec<Autoscaler>,
    /// Names of ConfigMaps and Secrets: kind, namespace, name.
    pub bundles: BTreeSet<(String, String, String)>,
    /// Roles and ClusterRoles, but for those that Kubernetes makes for itself.
    pub roles: Vec<Role>,
}

/// Services in a snapshot's file: a list, since a key of JSON is one text.
mod pairs {
    use super::{BTreeMap, ServiceWires};
    use serde::{Deserialize, Deserializer, Serializer};

    type Services = BTreeMap<(String, String), ServiceWires>;

    pub(super) fn serialize<S: Serializer>(services: &Services, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(services)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Services, D::Error> {
        let pairs = Vec::<((String, String), ServiceWires)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}

/// A Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceWires {
    /// Which pods; empty where somebody else makes its endpoints.
    pub selector: BTreeMap<String, String>,
    /// Whether it is a name for something outside.
    pub external: bool,
    /// Its ports: name and number.
    pub ports: Vec<(String, u16)>,
}

impl ServiceWires {
    /// Its selector as the one of everything else.
    #[must_use]
    pub fn selector(&self) -> LabelSelector {
        LabelSelector { labels: self.selector.clone(), ..LabelSelector::default() }
    }
}

/// A Service that an Ingress leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// The namespace of both.
    pub namespace: String,
    /// The Ingress.
    pub ingress: String,
    /// The Service.
    pub service: String,
    /// Its port, by name or number.
    pub port: String,
}

/// A NetworkPolicy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWires {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which pods it is about.
    pub selector: LabelSelector,
}

/// A HorizontalPodAutoscaler, or what KEDA makes one from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Its own kind.
    #[serde(default = "of_kubernetes")]
    pub declared: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The kind of what it scales.
    pub kind: String,
    /// The name of what it scales.
    pub target: String,
    /// How many pods it leaves at least.
    pub least: u32,
}

fn of_kubernetes() -> String {
    "HorizontalPodAutoscaler".into()
}

impl fmt::Display for Autoscaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.declared, self.namespace, self.name)
    }
}

/// A Role or ClusterRole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// `Role` or `ClusterRole`.
    pub kind: String,
    /// Its namespace; empty for a ClusterRole.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its rules in which a `*` stands.
    pub wildcards: Vec<WildcardRule>,
}

impl Role {
    /// Whether it gives all rights of the API.
    #[must_use]
    pub fn is_all(&self) -> bool {
        let wild = |all: &[String]| all.iter().any(|x| x == "*");
        self.wildcards.iter().any(|r| wild(&r.groups) && wild(&r.resources) && wild(&r.verbs))
    }
}

/// A rule with a `*` among its verbs or resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WildcardRule {
    /// API groups; empty is the core.
    pub groups: Vec<String>,
    /// Resources.
    pub resources: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_again() {
        let service = ServiceWires { ports: vec![("http".into(), 80)], ..ServiceWires::default() };
        let services = BTreeMap::from([(("shop".to_owned(), "web".to_owned()), service)]);
        let bundles = BTreeSet::from([("Secret".to_owned(), "shop".to_owned(), "keys".to_owned())]);
        let wiring = Wiring { services, bundles, ..Wiring::default() };
        let saved = serde_json::to_string(&wiring).expect("JSON");
        assert_eq!(serde_json::from_str::<Wiring>(&saved).expect("read"), wiring);
    }
}
