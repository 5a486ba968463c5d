//! What checks look at: the few fields of a cluster, or of manifests, that they need, taken at one time.
//!
//! Invariants:
//! - A Secret's values are never in it: at ingest they become the kinds of key that were seen.
//! - Whatever could not be read is known as missing with its reason, so no check takes silence for health.
//! - It is plain data with a serialised form, so it can be saved and checked elsewhere.

mod bundle;
mod input;
mod measured;
mod objects;
mod source;
mod template;
mod unjudged;
mod wiring;

pub use bundle::{Bundle, PullCredential};
pub(crate) use input::Kinds;
pub use input::{Availability, Input};
pub use measured::{
    ApiLatency, Certificate, Etcd, EtcdMember, LogSample, NodeUsage, OverlayLink, PairProbe, Prometheus,
    Rule, Surface,
};
pub use objects::*;
pub use source::{Lines, Scan, Source, Told};
pub use template::{Container, KeyKind, Peer, Port, ProjectedToken, Reads, Spread, Template, Workload};
pub use unjudged::Unjudged;
pub use wiring::{
    Autoscaler, Backend, Deadlines, LostProbe, PolicyWires, Role, ServiceWires, Want, WildcardRule, Wires,
    Wiring,
};

use loopdrill_kubernetes::Resources;
use loopdrill_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a snapshot is from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A cluster, by name.
    Cluster(String),
    /// Manifests that are not applied yet.
    #[default]
    Manifests,
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
    #[serde(rename = "r", default, skip_serializing_if = "Resources::is_zero")]
    pub requests: Resources,
}

impl Snapshot {
    /// The format version that this build writes; it reads all before it. The second knows every resource, where the
    /// first knew CPU and memory.
    pub const FORMAT: u32 = 2;

    /// A snapshot in which nothing was read yet.
    #[must_use]
    pub fn empty(origin: Origin, taken_at: Timestamp) -> Self {
        Self { format: Self::FORMAT, origin, taken_at, ..Self::default() }
    }

    /// Whether this is about manifests and not about a cluster.
    #[must_use]
    pub fn is_manifests(&self) -> bool {
        self.origin == Origin::Manifests
    }

    /// Where an object is declared: in the file that is known already, or in the first that declares it.
    #[must_use]
    pub fn source(&self, object: &str, file: Option<&str>) -> Option<&Source> {
        let all = self.sources.get(object)?;
        match file {
            Some(file) => all.iter().find(|s| s.file == file),
            None => all.first(),
        }
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

    /// The class of this name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&StorageClass> {
        self.storage_classes.iter().find(|c| c.name == name)
    }
}

/// Kubernetes reserves `kube-` for its own namespaces; `loopdrill-` is what we bring along.
pub(crate) fn is_reserved(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace.starts_with("loopdrill-") || namespace == "loopdrill"
}
