//! Workloads and the pods that they want.

use super::Wires;
use loopdrill_kubernetes::{LabelSelector, NodeTerm, Resources, Toleration};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

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
    /// The key of a storage account of Azure, or of one of its buses.
    AzureAccountKey,
    /// What Google keeps for a user: it gives new tokens until it is revoked.
    GcpRefreshToken,
    /// An access key id of Alibaba Cloud.
    AlibabaAccessKey,
    /// A token of DigitalOcean's.
    DigitalOceanToken,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AwsAccessKey => "a long-lived AWS access key",
            Self::GcpServiceAccount => "a GCP service-account key",
            Self::AzureClientSecret => "an Azure client secret",
            Self::AzureAccountKey => "the key of an Azure storage account or bus",
            Self::GcpRefreshToken => "the refresh token of a Google user",
            Self::AlibabaAccessKey => "an Alibaba Cloud access key",
            Self::DigitalOceanToken => "a DigitalOcean token",
        })
    }
}

/// What a controller runs, or a pod that has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `ReplicaSet`, `CronJob`, `Job`, `Pod`, or whatever else makes pods.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many pods it wants.
    pub replicas: u32,
    /// The pods that it wants.
    pub template: Template,
    /// Classes of the claims that it makes for each pod, ephemeral volumes included.
    #[serde(default)]
    pub claim_templates: Vec<Option<String>>,
    /// Secrets and ConfigMaps that its containers can read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Reads>,
    /// Keys that are written into its annotations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotated_keys: Vec<(String, KeyKind)>,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What it refers to.
    #[serde(default)]
    pub wires: Wires,
}

/// A Secret or ConfigMap that containers can read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reads {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Its name, in the workload's namespace.
    pub name: String,
    /// The entry; `None` for all.
    pub entry: Option<String>,
    /// Whether it comes as environment, so that names of entries become those of variables.
    pub environment: bool,
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
    /// Its containers, those that run before the others included.
    pub containers: Vec<Container>,
    /// Containers that were put into it to look around; they can request nothing.
    pub debuggers: Vec<Container>,
    /// What it requests, as the scheduler counts.
    pub requests: Resources,
    /// `nodeSelector`, and hard node affinity as alternatives.
    pub node_selector: BTreeMap<String, String>,
    /// Alternatives of hard node affinity; empty for none.
    pub node_terms: Vec<NodeTerm>,
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
    /// Kinds of the disks that it mounts by themselves, to write on them.
    pub disks: Vec<String>,
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
    /// Whether it declares one that the API refuses.
    pub odd_probe: bool,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Keys that are written into its environment.
    pub keys: Vec<(String, KeyKind)>,
    /// Keys that are written into its command.
    pub command_keys: Vec<KeyKind>,
    /// Whether it runs before the others and ends.
    pub initial: bool,
    /// Amounts that are no quantities: which, and what is written there.
    pub malformed: Vec<(String, String)>,
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
    /// Which pods; `None` for none.
    pub selector: Option<LabelSelector>,
}

/// A constraint on the spreading of pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The node label that makes the topology.
    pub topology: String,
    /// Whether pods stay pending rather than break it.
    pub hard: bool,
    /// By how many pods a domain may be ahead of another; 0 where that is not known.
    #[serde(default)]
    pub max_skew: u32,
    /// Which pods are counted; none without it.
    #[serde(default = "all_pods")]
    pub selector: Option<LabelSelector>,
}

/// Snapshots that were taken before selectors were kept do not tell them.
#[expect(clippy::unnecessary_wraps, reason = "it is a default of the field above")]
fn all_pods() -> Option<LabelSelector> {
    Some(LabelSelector::default())
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
