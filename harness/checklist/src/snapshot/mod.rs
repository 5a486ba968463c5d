//! What checks look at: the few fields of a cluster, or of manifests, that they need, taken at one time.
//!
//! Invariants:
//! - A Secret's values are never in it: at ingest they become the kinds of key that were seen.
//! - Whatever could not be read is known as missing with its reason, so no check takes silence for health.
//! - It is plain data with a serialised form, so it can be saved and checked elsewhere.

mod measured;
mod objects;
mod selector;
mod template;

pub use measured::{
    ApiLatency, Certificate, Etcd, EtcdMember, LogSample, NodeUsage, OverlayLink, PairProbe, Prometheus,
    Rule, Surface,
};
pub use objects::{
    Binding, Budget, Bundle, Claim, Disruptions, Ingress, Namespace, Node, PriorityClass, PullCredential,
    Service, ServiceAccount, StorageClass, Volume,
};
pub use selector::{Requirement, Selector};
pub use template::{
    Amount, Container, KeyKind, Peer, Port, ProjectedToken, Spread, Taint, Template, Toleration, Workload,
};

use loopdrill_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

macro_rules! inputs {
    ($($(#[$doc:meta])* $variant:ident => $name:literal;)+) => {
        /// One thing that a snapshot may hold, and that a check may need.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Input {
            $($(#[$doc])* $variant,)+
        }

        impl Input {
            /// Every input.
            pub const ALL: &'static [Input] = &[$(Input::$variant,)+];

            /// What people call it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Input::$variant => $name,)+ }
            }
        }
    };
}

inputs! {
    /// `namespaces`.
    Namespaces => "namespaces";
    /// `nodes`.
    Nodes => "nodes";
    /// `pods`.
    Pods => "pods";
    /// `deployments.apps`.
    Deployments => "deployments.apps";
    /// `statefulsets.apps`.
    StatefulSets => "statefulsets.apps";
    /// `daemonsets.apps`.
    DaemonSets => "daemonsets.apps";
    /// `cronjobs.batch`.
    CronJobs => "cronjobs.batch";
    /// `services`.
    Services => "services";
    /// `ingresses.networking.k8s.io`.
    Ingresses => "ingresses.networking.k8s.io";
    /// `networkpolicies.networking.k8s.io`.
    NetworkPolicies => "networkpolicies.networking.k8s.io";
    /// `poddisruptionbudgets.policy`.
    Budgets => "poddisruptionbudgets.policy";
    /// `priorityclasses.scheduling.k8s.io`.
    PriorityClasses => "priorityclasses.scheduling.k8s.io";
    /// `storageclasses.storage.k8s.io`.
    StorageClasses => "storageclasses.storage.k8s.io";
    /// `persistentvolumes`.
    Volumes => "persistentvolumes";
    /// `persistentvolumeclaims`.
    Claims => "persistentvolumeclaims";
    /// `csinodes.storage.k8s.io`.
    CsiNodes => "csinodes.storage.k8s.io";
    /// `secrets`.
    Secrets => "secrets";
    /// `configmaps`.
    ConfigMaps => "configmaps";
    /// `serviceaccounts`.
    ServiceAccounts => "serviceaccounts";
    /// `clusterrolebindings.rbac.authorization.k8s.io`.
    Bindings => "clusterrolebindings.rbac.authorization.k8s.io";
    /// Latency and rejections that the API server measures.
    ApiLatency => "the API server's metrics";
    /// etcd's own metrics and health.
    Etcd => "etcd's metrics";
    /// When the control plane's certificates end.
    Certificates => "the control plane's certificates";
    /// What nodes really use.
    Usage => "the nodes' usage";
    /// Overlay and underlay devices on the nodes.
    Links => "the nodes' network devices";
    /// Payloads sent between nodes.
    Probes => "active probes between nodes";
    /// What a Prometheus in the cluster scrapes, and its rules.
    Prometheus => "Prometheus' targets and rules";
    /// What applications and nodes expose to be scraped.
    Surfaces => "metrics that pods and nodes expose";
    /// Samples of application logs, reduced to their shape.
    Logs => "samples of application logs";
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a snapshot is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A cluster, by name.
    Cluster(String),
    /// Manifests that are not applied yet.
    Manifests,
}

/// What is known about an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// It was read, but for so many objects that were not understood.
    Read {
        /// Objects that were read.
        objects: u64,
        /// Objects that were not understood.
        unreadable: u64,
    },
    /// It was not read; why, and what would help.
    Missing(String),
}

/// A running or waiting pod, reduced to what it takes and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Index of its workload in [`Snapshot::workloads`].
    #[serde(rename = "w")]
    pub workload: u32,
    /// Index of its node in [`Snapshot::nodes`].
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// What it requests.
    #[serde(rename = "r", default, skip_serializing_if = "Amount::is_zero")]
    pub requests: Amount,
}

/// The snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pub budgets: Vec<Budget>,
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
}

impl Snapshot {
    /// The format version that this build writes.
    pub const FORMAT: u32 = 1;

    /// A snapshot in which nothing was read yet.
    #[must_use]
    pub fn empty(origin: Origin, taken_at: Timestamp) -> Self {
        Self {
            format: Self::FORMAT,
            origin,
            taken_at,
            kubernetes: None,
            only: Vec::new(),
            inputs: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            nodes: Vec::new(),
            workloads: Vec::new(),
            pods: Vec::new(),
            refused_pulls: Vec::new(),
            services: Vec::new(),
            ingresses: Vec::new(),
            default_deny: Vec::new(),
            budgets: Vec::new(),
            priority_classes: Vec::new(),
            storage_classes: Vec::new(),
            zonal_provisioners: Vec::new(),
            volumes: Vec::new(),
            claims: Vec::new(),
            bundles: Vec::new(),
            service_accounts: Vec::new(),
            admins: Vec::new(),
            api_latency: None,
            etcd: None,
            certificates: Vec::new(),
            usage: BTreeMap::new(),
            links: Vec::new(),
            probes: Vec::new(),
            prometheus: None,
            surfaces: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// Whether this is about manifests and not about a cluster.
    #[must_use]
    pub fn is_manifests(&self) -> bool {
        self.origin == Origin::Manifests
    }

    /// Why `input` is missing; `None` when it was read.
    #[must_use]
    pub fn missing(&self, input: Input) -> Option<String> {
        match self.inputs.get(&input) {
            Some(Availability::Read { .. }) => None,
            Some(Availability::Missing(why)) => Some(why.clone()),
            None if self.is_manifests() => {
                Some(format!("manifests cannot tell {input}; check the cluster itself"))
            }
            None => Some(format!("{input} were not read")),
        }
    }

    /// How many objects of `input` were not understood.
    #[must_use]
    pub fn unreadable(&self, input: Input) -> u64 {
        match self.inputs.get(&input) {
            Some(Availability::Read { unreadable, .. }) => *unreadable,
            _ => 0,
        }
    }

    /// How many objects of `input` were read.
    #[must_use]
    pub fn read(&self, input: Input) -> u64 {
        match self.inputs.get(&input) {
            Some(Availability::Read { objects, .. }) => *objects,
            _ => 0,
        }
    }

    /// Whether objects of this namespace are for the user to make ready: neither Kubernetes' own namespaces, nor
    /// ours, nor such as were not asked for.
    #[must_use]
    pub fn judges(&self, namespace: &str) -> bool {
        let system = self.namespaces.get(namespace).map_or_else(|| is_reserved(namespace), |n| n.system);
        !system && self.asked_for(namespace)
    }

    /// Whether this namespace was asked for, be it an application's or not.
    #[must_use]
    pub fn asked_for(&self, namespace: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|n| n == namespace)
    }

    /// The workloads to be judged, with their indexes.
    pub fn judged(&self) -> impl Iterator<Item = (u32, &Workload)> {
        (0..).zip(&self.workloads).filter(|(_, w)| self.judges(&w.namespace))
    }

    /// The workload behind an index.
    #[must_use]
    pub fn workload(&self, index: u32) -> Option<&Workload> {
        self.workloads.get(index as usize)
    }

    /// The class that claims without one get.
    #[must_use]
    pub fn default_class(&self) -> Option<&StorageClass> {
        self.storage_classes.iter().find(|c| c.default)
    }

    /// The class of this name, or the default one for `None`.
    #[must_use]
    pub fn class(&self, name: Option<&str>) -> Option<&StorageClass> {
        match name {
            Some(name) => self.storage_classes.iter().find(|c| c.name == name),
            None => self.default_class(),
        }
    }
}

/// Kubernetes reserves `kube-` for its own namespaces; `loopdrill-` is what we bring along.
pub(crate) fn is_reserved(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace.starts_with("loopdrill-") || namespace == "loopdrill"
}
