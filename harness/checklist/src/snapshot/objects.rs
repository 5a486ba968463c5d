//! The snapshot, and objects of the API, reduced.

use super::{
    ApiLatency, Availability, Bundle, Certificate, Etcd, Input, LogSample, NodeUsage, Origin, OverlayLink,
    PairProbe, Pod, Prometheus, Scan, Source, Surface, Unjudged, Wiring, Workload,
};
use loopdrill_kubernetes::{LabelSelector, NodeView, Resources, Taint, well_known};
use loopdrill_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of this format.
    pub format: u32,
    /// Where it is from.
    pub origin: Origin,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The API server's version.
    #[serde(default)]
    pub kubernetes: Option<String>,
    /// Only objects of these namespaces are judged; empty for all.
    #[serde(default)]
    pub only: Vec<String>,
    /// Where objects are declared, by their name in evidence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, Vec<Source>>,
    /// What objects say in the annotation that excepts them, by their name in evidence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ignored: BTreeMap<String, String>,
    /// What objects refer to.
    #[serde(default)]
    pub wiring: Wiring,
    /// What the files were from which this was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
    /// What was read, and why not what was not.
    pub inputs: BTreeMap<Input, Availability>,
    /// Namespaces by name.
    #[serde(default)]
    pub namespaces: BTreeMap<String, Namespace>,
    /// Nodes.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// Workloads: what controllers run, and pods that have none.
    #[serde(default)]
    pub workloads: Vec<Workload>,
    /// Pods that are not finished.
    #[serde(default)]
    pub pods: Vec<Pod>,
    /// Pods whose images are refused for want of credentials: workload index and image host.
    #[serde(default)]
    pub refused_pulls: Vec<(u32, String)>,
    /// Services.
    #[serde(default)]
    pub services: Vec<Service>,
    /// Ingresses.
    #[serde(default)]
    pub ingresses: Vec<Ingress>,
    /// Namespaces that have a policy which denies incoming traffic by default.
    #[serde(default)]
    pub default_deny: Vec<String>,
    /// PodDisruptionBudgets.
    #[serde(default)]
    pub budgets: Vec<PodDisruptionBudget>,
    /// PriorityClasses.
    #[serde(default)]
    pub priority_classes: Vec<PriorityClass>,
    /// StorageClasses.
    #[serde(default)]
    pub storage_classes: Vec<StorageClass>,
    /// Provisioners whose volumes belong to a zone, as nodes tell.
    #[serde(default)]
    pub zonal_provisioners: Vec<String>,
    /// PersistentVolumes.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// PersistentVolumeClaims.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Secrets and ConfigMaps in which a long-lived key was seen, or that are of interest by their type.
    #[serde(default)]
    pub bundles: Vec<Bundle>,
    /// ServiceAccounts.
    #[serde(default)]
    pub service_accounts: Vec<ServiceAccount>,
    /// Bindings to `cluster-admin`.
    #[serde(default)]
    pub admins: Vec<Binding>,
    /// What the API server measures of itself.
    #[serde(default)]
    pub api_latency: Option<ApiLatency>,
    /// What etcd measures of itself.
    #[serde(default)]
    pub etcd: Option<Etcd>,
    /// When certificates end.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// What nodes use, by index in [`Snapshot::nodes`].
    #[serde(default)]
    pub usage: BTreeMap<u32, NodeUsage>,
    /// Overlay devices.
    #[serde(default)]
    pub links: Vec<OverlayLink>,
    /// Probes between nodes.
    #[serde(default)]
    pub probes: Vec<PairProbe>,
    /// What scrapes metrics in the cluster; absent where nothing was found.
    #[serde(default)]
    pub prometheus: Option<Prometheus>,
    /// What workloads and nodes expose.
    #[serde(default)]
    pub surfaces: Vec<Surface>,
    /// Shapes of application logs.
    #[serde(default)]
    pub logs: Vec<LogSample>,
    /// What should have been judged and could not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Unjudged>,
}

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
    pub allocatable: Resources,
}

impl Node {
    /// Its zone.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        well_known::zone(&self.labels)
    }

    /// Whether it runs the control plane.
    #[must_use]
    pub fn is_control_plane(&self) -> bool {
        well_known::is_control_plane(&self.labels)
    }

    /// Whether ordinary pods may run on it now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ready && !self.cordoned && !self.taints.iter().any(Taint::is_hard)
    }

    /// What of it decides who may run on it.
    #[must_use]
    pub fn view(&self) -> NodeView<'_> {
        NodeView { name: &self.name, labels: &self.labels, taints: &self.taints, cordoned: self.cordoned }
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
            well_known::INSTANCE_TYPE,
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
    /// Whether it also leads to pods that are not ready.
    #[serde(default)]
    pub unready: bool,
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
pub struct PodDisruptionBudget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which pods; `None` for none.
    pub selector: Option<LabelSelector>,
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
    /// Whether its parameters ask for volumes that several zones hold.
    #[serde(default)]
    pub regional: bool,
    /// Whether it keeps its volumes to zones that it names.
    #[serde(default)]
    pub zoned: bool,
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
    /// Whether several nodes may use it at a time.
    pub shared: bool,
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
    /// The role that gives all rights, where it is not `cluster-admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whom it binds: `Group system:masters`, `ServiceAccount kube-system/x`.
    pub subjects: Vec<String>,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}
