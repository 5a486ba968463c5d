//! Signals: everything an attribution may look at, reduced to the fields it needs.
//!
//! Each signal is plain data with a time and a source, so a recording of them replays. Secrets, tokens
//! and log texts have no field here, so that they cannot end up in one. `objects` is what API watches
//! tell, `measured` is what is counted, probed or asked for.

mod exact;
mod measured;
mod objects;

pub use measured::*;
pub use objects::*;

use crate::Subject;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who saw it, for example `api:pods`, `metrics:etcd/NODE`, `node:NODE`, `probe:NODE`, `cloud:iam`,
/// `victim`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(String);

impl Source {
    /// A watch or list of an API resource.
    pub fn api(resource: &str) -> Self {
        Self(format!("api:{resource}"))
    }
    /// A metrics endpoint: `apiserver`, `etcd/NODE`, `kubelet/NODE`, …
    pub fn metrics(target: &str) -> Self {
        Self(format!("metrics:{target}"))
    }
    /// Counters or state read on a node.
    pub fn node(node: &str) -> Self {
        Self(format!("node:{node}"))
    }
    /// An active probe that starts on a node.
    pub fn probe(node: &str) -> Self {
        Self(format!("probe:{node}"))
    }
    /// An API of the cloud: `iam`, `sts`.
    pub fn cloud(api: &str) -> Self {
        Self(format!("cloud:{api}"))
    }
    /// The victim's own view of itself.
    #[must_use]
    pub fn victim() -> Self {
        Self("victim".into())
    }
    /// Any other place, named by the caller.
    pub fn other(name: impl Into<String>) -> Self {
        Self(name.into())
    }
    /// The name as it is printed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A signal, when it was seen, and by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The observer's clock, so that skew between nodes does not matter.
    pub at: Timestamp,
    /// Who saw it.
    pub source: Source,
    /// What was seen.
    pub signal: Signal,
}

/// Everything that can be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Signal {
    /// A pod as it is now.
    Pod(Box<Pod>),
    /// A node as it is now.
    Node(Node),
    /// A PersistentVolumeClaim as it is now.
    Claim(Claim),
    /// A PersistentVolume as it is now.
    Volume(Volume),
    /// A StorageClass as it is now.
    StorageClass(StorageClass),
    /// A VolumeAttachment as it is now.
    Attachment(Attachment),
    /// A controller (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job) as it is now.
    Controller(Controller),
    /// A Service as it is now.
    Service(Service),
    /// The endpoints of a Service, summed over its slices.
    Endpoints(Endpoints),
    /// A leader-election lease as it is now.
    Lease(Lease),
    /// A ResourceQuota as it is now.
    Quota(Quota),
    /// What a role binding gives to a ServiceAccount.
    Grant(Grant),
    /// A Kubernetes event.
    Event(KubeEvent),
    /// An object is gone.
    Gone(Gone),
    /// The API server's answer to "may this account do that?".
    AccessReview(AccessReview),
    /// A role of a cloud as it is now.
    CloudRole(CloudRole),
    /// A cloud's answer to a ServiceAccount's token.
    CloudAnswer(CloudAnswer),
    /// How much a container has written to its log.
    Log(Log),
    /// A counter or gauge of a metrics endpoint.
    Metric(Metric),
    /// A histogram of a metrics endpoint.
    Histogram(Histogram),
    /// What a node really uses.
    Usage(Usage),
    /// Counters of one network interface of a node.
    Interface(Interface),
    /// Counters of a node's IP and TCP layers.
    IpCounters(IpCounters),
    /// The answer to one active probe between nodes.
    Probe(Probe),
    /// A source of signals became available or was lost.
    SourceState(SourceState),
    /// Nothing happened, and time went on.
    Tick,
}

/// An object was deleted, or fell out of the watched set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gone {
    /// Which object; `kind` is the Kubernetes kind, such as `Pod` or `RoleBinding`.
    pub object: Subject,
    /// Its uid, so that a successor of the same name is not taken for it.
    pub uid: String,
}

/// A source of signals and whether it works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceState {
    /// Which source.
    pub name: Source,
    /// Why it does not work; `None` when it does.
    pub lost: Option<String>,
}
