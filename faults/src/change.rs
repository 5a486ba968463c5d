//! One reversible change of a cluster: the unit of the journal.

mod error;

pub use error::ChangeError;

use crate::{cloud::CloudChange, node::NodeChange, object::ObjectChange};
use loopdrill_cluster::{NodeAccess, NodeError};
use loopdrill_model::Evidence;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// What undo may use. Changes of nodes never need the API.
#[derive(Clone)]
pub struct UndoAccess {
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
    pub async fn apply(&self, access: &UndoAccess, id: &str) -> Result<(), ChangeError> {
        match self {
            Change::Object(c) => c.apply(&client(access, self)?).await,
            Change::Node(c) => c.apply(nodes(access)?, id).await,
            Change::Cloud(c) => c.apply().await,
        }
    }

    /// Reads the change back from the kernel or the API. `None` means that it is not in force.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn read_back(&self, access: &UndoAccess, id: &str) -> Result<Option<Evidence>, ChangeError> {
        match self {
            Change::Object(c) => c.read_back(&client(access, self)?).await,
            Change::Node(c) => c.read_back(nodes(access)?, id).await,
            Change::Cloud(c) => c.read_back().await,
        }
    }

    /// Takes the change back. Idempotent: a change that was never applied, or is already gone, is fine.
    ///
    /// # Errors
    /// When it may still be in force.
    pub async fn undo(&self, access: &UndoAccess, id: &str) -> Result<(), ChangeError> {
        match self {
            Change::Object(c) => c.undo(&client(access, self)?).await,
            Change::Node(c) => c.undo(nodes(access)?, id).await,
            Change::Cloud(c) => c.undo().await,
        }
    }

    /// Compares the present state with the snapshot and lists the differences.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn differences(&self, access: &UndoAccess) -> Result<Vec<String>, ChangeError> {
        match self {
            Change::Object(c) => c.differences(&client(access, self)?).await,
            Change::Node(c) => c.differences(nodes(access)?).await,
            Change::Cloud(c) => c.differences().await,
        }
    }
}

fn client(access: &UndoAccess, change: &Change) -> Result<kube::Client, ChangeError> {
    access.client.clone().map_err(|why| ChangeError::NoApi { what: change.to_string(), why })
}

fn nodes(access: &UndoAccess) -> Result<&Arc<dyn NodeAccess>, ChangeError> {
    access.nodes.as_ref().ok_or(ChangeError::Node(NodeError::NoAccess))
}
