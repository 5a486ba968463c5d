//! The cluster under drill, as faults, observers and detectors see it.
//!
//! This crate is the border between who provides a cluster (`loopdrill-lab`) and who uses one. Faults
//! and observers both build on it and not on each other: an observer cannot ask what was injected.

pub mod aws;
mod causes;
mod facts;
mod handle;
mod lease;
mod namespace;
mod nodes;
pub mod objects;
mod rights;

pub use causes::with_causes;
pub use facts::{CloudFacts, ClusterFacts, Fence, NodeFacts, RegistryFacts, StorageFacts};
pub use handle::ClusterHandle;
pub use lease::{Holder, LEASE_NAMESPACE, LeaseError, RunLease};
pub use namespace::{NamespaceLeft, remove_namespace};
pub use nodes::{ExecOutput, NodeAccess, NodeError, NodePipe};
pub use rights::Right;

use std::{path::PathBuf, sync::Arc};

/// The label on everything that a run creates; its value is the run's id. A sweep finds by it what no
/// journal knows.
pub const RUN_LABEL: &str = "loopdrill.dev/run";

/// A cluster that may be drilled.
#[derive(Clone)]
pub struct Target {
    /// The cluster's name: of the lab, of the kind cluster, or of the kubeconfig's context.
    pub name: String,
    /// A client for its API.
    pub client: kube::Client,
    /// Access to the nodes themselves, where there is any.
    pub nodes: Option<Arc<dyn NodeAccess>>,
    /// The image that holds this binary (`FROM scratch`, entrypoint `/loopdrill`), present on every node.
    pub image: String,
    /// The run's id, the value of [`RUN_LABEL`].
    pub run: String,
    /// What the cluster consists of and can do.
    pub facts: Arc<ClusterFacts>,
    /// A kubeconfig for it, for other programs.
    pub kubeconfig: Option<PathBuf>,
}

impl Target {
    /// The nodes themselves, or an error that says what is missing.
    ///
    /// # Errors
    /// [`NodeError::NoAccess`] when the target is known by its API alone.
    pub fn node_access(&self) -> Result<&Arc<dyn NodeAccess>, NodeError> {
        self.nodes.as_ref().ok_or(NodeError::NoAccess)
    }
}
