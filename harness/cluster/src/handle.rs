//! How to find a cluster again, in another process.

use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// Where a cluster is. Written to the journal, so that an undo after a crash finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "kebab-case")]
pub enum ClusterHandle {
    /// A lab of ours.
    Lab {
        /// Its name.
        name: String,
    },
    /// A cluster made by the `kind` CLI.
    Kind {
        /// Its name.
        name: String,
    },
    /// A context of a kubeconfig.
    Context {
        /// The file, or the client's default search.
        kubeconfig: Option<PathBuf>,
        /// The context's name.
        name: String,
    },
}

impl ClusterHandle {
    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            ClusterHandle::Lab { name }
            | ClusterHandle::Kind { name }
            | ClusterHandle::Context { name, .. } => name,
        }
    }
}

impl fmt::Display for ClusterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterHandle::Lab { name } => write!(f, "lab {name}"),
            ClusterHandle::Kind { name } => write!(f, "kind cluster {name}"),
            ClusterHandle::Context { name, .. } => write!(f, "context {name}"),
        }
    }
}
