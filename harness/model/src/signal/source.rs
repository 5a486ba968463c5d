//! Who saw something.

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
