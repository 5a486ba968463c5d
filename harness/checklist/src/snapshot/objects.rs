//! Objects of the API, reduced.

use super::{Amount, KeyKind, Selector, Taint};
use loopdrill_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Whether it is Kubernetes' own, or ours.
    pub system: bool,
    /// Whether its pods must meet a Pod Security Standard beyond `privileged`.
    #[serde(default)]
    pub enforced: bool,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// Whether it is ready.
    pub ready: bool,
    /// What it can give to pods.
    pub allocatable: Amount,
}

/// What the zone of a node is called.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";

impl Node {
    /// Its zone.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.labels.get(ZONE).or_else(|| self.labels.get(OLD_ZONE)).map(String::as_str)
    }

    /// Whether it runs the control plane.
    #[must_use]
    pub fn is_control_plane(&self) -> bool {
        self.labels.contains_key("node-role.kubernetes.io/control-plane")
            || self.labels.contains_key("node-role.kubernetes.io/master")
    }

    /// Whether ordinary pods may run on it now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ready && !self.cordoned && !self.taints.iter().any(|t| t.effect != "PreferNoSchedule")
    }

    /// The pool that it belongs to.
    #[must_use]
    pub fn pool(&self) -> &str {
        const POOLS: [&str; 6] = [
            "eks.amazonaws.com/nodegroup",
            "cloud.google.com/gke-nodepool",
            "kubernetes.azure.com/agentpool",
            "karpenter.sh/nodepool",
            "agentpool",
            "node.kubernetes.io/instance-type",
        ];
        if self.is_control_plane() {
            return "control-plane";
        }
        POOLS.iter().find_map(|key| self.labels.get(*key)).map_or("all", String::as_str)
    }
}

/// A Service that selects pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which pods.
    pub selector: BTreeMap<String, String>,
    /// Whether it asks to be scraped by annotation.
    #[serde(default)]
    pub scrape: bool,
}

/// An Ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingress {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it sets a timeout.
    pub timeout: bool,
    /// Whether it sets a buffer or a size of bodies.
    pub buffer: bool,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A PodDisruptionBudget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which pods.
    pub selector: Selector,
    /// What it allows.
    pub allows: Disruptions,
}

/// What a budget allows, as a number of pods or per cent of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the API's fields")]
pub enum Disruptions {
    MaxUnavailable(u32),
    MaxUnavailablePercent(u32),
    MinAvailable(u32),
    MinAvailablePercent(u32),
}

impl Disruptions {
    /// How many of `replicas` may go at once.
    #[must_use]
    pub fn of(self, replicas: u32) -> u32 {
        let percent =
            |p: u32| u32::try_from((u64::from(replicas) * u64::from(p)).div_ceil(100)).unwrap_or(replicas);
        match self {
            Self::MaxUnavailable(n) => n.min(replicas),
            Self::MaxUnavailablePercent(p) => percent(p).min(replicas),
            Self::MinAvailable(n) => replicas.saturating_sub(n),
            Self::MinAvailablePercent(p) => replicas.saturating_sub(percent(p)),
        }
    }
}

/// A PriorityClass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityClass {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: i64,
    /// Whether pods that name none get it.
    pub default: bool,
}

/// A StorageClass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// Who provisions.
    pub provisioner: String,
    /// Whether it waits for the first consumer.
    pub waits: bool,
    /// Whether claims that name none get it.
    pub default: bool,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A PersistentVolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: Option<String>,
    /// The zones from which it can be used; empty for all.
    pub zones: Vec<String>,
    /// The claim that it is bound to: namespace and name.
    pub claim: Option<(String, String)>,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its class; `None` is the default one.
    pub class: Option<String>,
    /// Whether several nodes may write.
    pub shared: bool,
}

/// A Secret or ConfigMap, without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Long-lived keys that were seen, by the name of their entry.
    #[serde(default)]
    pub keys: Vec<(String, KeyKind)>,
    /// The ServiceAccount whose long-lived token it holds.
    #[serde(default)]
    pub token_of: Option<String>,
    /// The credentials for registries that it holds.
    #[serde(default)]
    pub pull: Vec<PullCredential>,
    /// Whether something renews it: it has an owner or a manager that does.
    #[serde(default)]
    pub renewed: bool,
    /// When somebody noted that it expires.
    #[serde(default)]
    pub noted_expiry: Option<Timestamp>,
    /// When it was made.
    #[serde(default)]
    pub created: Option<Timestamp>,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A credential for a registry, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullCredential {
    /// The registry.
    pub registry: String,
    /// How long a credential of its kind lives, where that is known, in hours.
    pub lives_hours: Option<u32>,
    /// When it ends, where it says so itself.
    pub expires: Option<Timestamp>,
}

/// A ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it is mapped to an identity of a cloud.
    pub mapped: bool,
    /// Secrets with which images are pulled.
    pub pull_secrets: Vec<String>,
}

/// A ClusterRoleBinding to `cluster-admin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Whom it binds: `Group system:masters`, `ServiceAccount kube-system/x`.
    pub subjects: Vec<String>,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}
