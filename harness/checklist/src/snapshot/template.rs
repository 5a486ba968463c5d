//! Workloads and the pods that they want.

use super::Selector;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// CPU and memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Thousandths of a CPU.
    #[serde(rename = "c")]
    pub cpu_millis: u64,
    /// Bytes.
    #[serde(rename = "m")]
    pub memory_bytes: u64,
}

impl Amount {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `other` is within this.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.cpu_millis >= other.cpu_millis && self.memory_bytes >= other.memory_bytes
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.saturating_add(other.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }

    /// What is left after taking `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.saturating_sub(other.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
        }
    }

    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.max(other.cpu_millis),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} CPU, {} memory",
            crate::quantity::cpu(self.cpu_millis),
            crate::quantity::bytes(self.memory_bytes)
        )
    }
}

/// A kind of long-lived key that was seen in a value. The value itself is never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// An access key id of AWS that does not expire.
    AwsAccessKey,
    /// The JSON of a GCP service account, with its private key.
    GcpServiceAccount,
    /// A client secret of Azure.
    AzureClientSecret,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AwsAccessKey => "a long-lived AWS access key",
            Self::GcpServiceAccount => "a GCP service-account key",
            Self::AzureClientSecret => "an Azure client secret",
        })
    }
}

/// What a controller runs, or a pod that has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `CronJob`, `Job`, `Pod`, or a controller that we do not know.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many pods it wants.
    pub replicas: u32,
    /// The pods that it wants.
    pub template: Template,
    /// Classes of the claims that it makes for each pod, and whether one writer only may use them.
    #[serde(default)]
    pub claim_templates: Vec<Option<String>>,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A pod as it is wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its ServiceAccount; `default` where none is named.
    pub service_account: String,
    /// Its PriorityClass.
    pub priority_class: Option<String>,
    /// Its containers, without those that only initialise.
    pub containers: Vec<Container>,
    /// What it requests, as the scheduler counts.
    pub requests: Amount,
    /// `nodeSelector`, and hard node affinity as alternatives.
    pub node_selector: BTreeMap<String, String>,
    /// Alternatives of hard node affinity; empty for none.
    pub node_terms: Vec<Selector>,
    /// Hard affinity to other pods.
    pub affinity: Vec<Peer>,
    /// Hard anti-affinity to other pods.
    pub anti_affinity: Vec<Peer>,
    /// Constraints on the spreading over a topology.
    pub spread: Vec<Spread>,
    /// Tolerations.
    pub tolerations: Vec<Toleration>,
    /// Names of the claims that it mounts.
    pub claims: Vec<String>,
    /// Names of the Secrets with which its images are pulled.
    pub pull_secrets: Vec<String>,
    /// Tokens that it has projected for itself.
    pub tokens: Vec<ProjectedToken>,
    /// Names of clouds' variables in its environment.
    pub cloud: Vec<String>,
    /// Whether something gives it a workload identity by its environment or labels.
    pub identity: bool,
    /// Whether the pods ask to be scraped by annotation.
    pub scrape: bool,
    /// Whether it uses the network of its node.
    pub host_network: bool,
}

/// A container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// CPU that it requests.
    pub cpu_request: Option<u64>,
    /// Memory that it requests.
    pub memory_request: Option<u64>,
    /// Its CPU limit.
    pub cpu_limit: Option<u64>,
    /// Its memory limit.
    pub memory_limit: Option<u64>,
    /// Whether it has a readiness probe.
    pub readiness: bool,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Keys that are written into its environment.
    pub keys: Vec<(String, KeyKind)>,
}

/// A port of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its number.
    pub number: u16,
}

/// Pods that a pod must, or must not, share a topology with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The node label that makes the topology.
    pub topology: String,
    /// Which pods.
    pub selector: Selector,
}

/// A constraint on the spreading of pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The node label that makes the topology.
    pub topology: String,
    /// Whether pods stay pending rather than break it.
    pub hard: bool,
}

/// A toleration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// The taint's key; empty for all.
    #[serde(default)]
    pub key: String,
    /// The taint's value; `None` for all.
    #[serde(default)]
    pub value: Option<String>,
    /// The taint's effect; empty for all.
    #[serde(default)]
    pub effect: String,
}

/// A taint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    #[serde(default)]
    pub value: String,
    /// Its effect.
    pub effect: String,
}

impl Toleration {
    /// Whether it tolerates the taint.
    #[must_use]
    pub fn covers(&self, taint: &Taint) -> bool {
        (self.key.is_empty() || self.key == taint.key)
            && (self.effect.is_empty() || self.effect == taint.effect)
            && self.value.as_ref().is_none_or(|v| *v == taint.value)
    }
}

/// A token that a pod has projected for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectedToken {
    /// For whom; `None` is the API server.
    #[serde(default)]
    pub audience: Option<String>,
    /// How long it lives.
    pub seconds: u64,
}
