//! One reversible change of a cluster: the unit of the journal.

use crate::{cloud::CloudChange, node::NodeChange, object::ObjectChange};
use loopdrill_aws::CloudError;
use loopdrill_model::Evidence;
use loopdrill_target::{NodeAccess, NodeError};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Why a change could not be applied, read or taken back.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The state that was found is not ours to touch, or not the one the snapshot shows.
    #[error("{what} is in a foreign state: {found}; put it right by hand, then run `loopdrill undo`")]
    Foreign {
        /// What was to be changed.
        what: String,
        /// What was found there.
        found: String,
    },
    /// The change needs the API server and there is no client.
    #[error("{what} needs the API server: {why}")]
    NoApi {
        /// What was to be changed.
        what: String,
        /// Why there is none.
        why: String,
    },
    /// The API server refused or did not answer.
    #[error("{what}: {source}")]
    Api {
        /// What was to be changed.
        what: String,
        /// The API's answer.
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("{what} did not answer within {seconds} s")]
    TimedOut {
        /// What was to be changed.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// The node refused or did not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The cloud refused or did not answer.
    #[error("{what}: {source}")]
    Cloud {
        /// What was to be changed.
        what: String,
        /// The cloud's answer.
        source: CloudError,
    },
    /// A node's agent said something that makes no sense.
    #[error("the agent on node {node} answered {answer:?}: {why}")]
    Agent {
        /// The node.
        node: String,
        /// What it said.
        answer: String,
        /// Why that makes no sense.
        why: String,
    },
}

/// What undo may use. Changes of nodes never need the API.
#[derive(Clone)]
pub struct Means {
    /// A client for the API, or why there is none.
    pub client: Result<kube::Client, String>,
    /// Access to the nodes, where there is any.
    pub nodes: Option<Arc<dyn NodeAccess>>,
}

/// One reversible change, with the snapshot that its undo needs. Its serialised form is all that an undo
/// after a crash has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "kebab-case")]
pub enum Change {
    /// An API object is created, deleted or altered.
    Object(ObjectChange),
    /// A node is altered; the change is held on the node and ends there by itself.
    Node(NodeChange),
    /// A role of a cloud account is altered. Needs neither the API nor a node.
    Cloud(Box<CloudChange>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Object(c) => c.fmt(f),
            Change::Node(c) => c.fmt(f),
            Change::Cloud(c) => c.fmt(f),
        }
    }
}

impl Change {
    /// Puts the change in force. `id` names it in the journal and on the node.
    ///
    /// # Errors
    /// When it cannot be applied; what was done before the error is taken back by [`Change::undo`].
    pub async fn apply(&self, means: &Means, id: &str) -> Result<(), ChangeError> {
        match self {
            Change::Object(c) => c.apply(&client(means, self)?).await,
            Change::Node(c) => c.apply(nodes(means)?, id).await,
            Change::Cloud(c) => c.apply().await,
        }
    }

    /// Reads the change back from the kernel or the API. `None` means that it is not in force.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn read_back(&self, means: &Means, id: &str) -> Result<Option<Evidence>, ChangeError> {
        match self {
            Change::Object(c) => c.read_back(&client(means, self)?).await,
            Change::Node(c) => c.read_back(nodes(means)?, id).await,
            Change::Cloud(c) => c.read_back().await,
        }
    }

    /// Takes the change back. Idempotent: a change that was never applied, or is already gone, is fine.
    ///
    /// # Errors
    /// When it may still be in force.
    pub async fn undo(&self, means: &Means, id: &str) -> Result<(), ChangeError> {
        match self {
            Change::Object(c) => c.undo(&client(means, self)?).await,
            Change::Node(c) => c.undo(nodes(means)?, id).await,
            Change::Cloud(c) => c.undo().await,
        }
    }

    /// Compares the present state with the snapshot and lists the differences.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn differences(&self, means: &Means) -> Result<Vec<String>, ChangeError> {
        match self {
            Change::Object(c) => c.differences(&client(means, self)?).await,
            Change::Node(c) => c.differences(nodes(means)?).await,
            Change::Cloud(c) => c.differences().await,
        }
    }
}

fn client(means: &Means, change: &Change) -> Result<kube::Client, ChangeError> {
    means.client.clone().map_err(|why| ChangeError::NoApi { what: change.to_string(), why })
}

fn nodes(means: &Means) -> Result<&Arc<dyn NodeAccess>, ChangeError> {
    means.nodes.as_ref().ok_or(ChangeError::Node(NodeError::NoAccess))
}
