//! What a journal holds, and what can be wrong with one.

use crate::Change;
use jiff::Timestamp;
use loopdrill_cluster::ClusterHandle;
use loopdrill_model::FaultId;
use serde::{Deserialize, Serialize};
use std::{io, path::PathBuf};

/// Version of the journal's format that this build writes and reads.
pub const FORMAT: u32 = 1;

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// First line: whose journal this is.
    Opened {
        /// [`FORMAT`].
        format: u32,
        /// The run's id.
        run: String,
        /// The cluster.
        cluster: ClusterHandle,
        /// The process.
        pid: u32,
        /// When.
        at: Timestamp,
    },
    /// A change is about to be made. From here on it must be undone.
    Intent {
        /// Names the change in the journal and on the node.
        id: String,
        /// The drill it belongs to.
        drill: FaultId,
        /// The change with its snapshot.
        change: Box<Change>,
    },
    /// The change was applied.
    Applied {
        /// Which.
        id: String,
    },
    /// Its undo began.
    UndoStarted {
        /// Which.
        id: String,
    },
    /// Its undo is done and verified.
    UndoFinished {
        /// Which.
        id: String,
    },
    /// Its undo failed and must be tried again.
    UndoFailed {
        /// Which.
        id: String,
        /// Why.
        error: String,
    },
}

/// A change that may be in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Names it in the journal and on the node.
    pub id: String,
    /// The drill it belongs to.
    pub drill: FaultId,
    /// The change with its snapshot.
    pub change: Change,
}

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("journal {}: {doing}: {source}", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The error.
        source: io::Error,
    },
    /// The file system took a line and lost it.
    #[error("journal {}: its disk lost what was written; nothing more is changed, make room or mend the disk and start again", path.display())]
    Lost {
        /// The journal.
        path: PathBuf,
    },
    /// Another process works on this cluster.
    #[error("another loopdrill works on {cluster} (it holds {}); wait for it, or stop it", path.display())]
    Busy {
        /// The cluster.
        cluster: String,
        /// The journal.
        path: PathBuf,
    },
    /// An earlier run left changes behind.
    #[error("an earlier run left {} change(s) in {cluster}; run `loopdrill undo` first:\n  {}", left.len(), left.join("\n  "))]
    Dirty {
        /// The cluster.
        cluster: String,
        /// What is left.
        left: Vec<String>,
    },
    /// A line cannot be read.
    #[error("journal {}:{line}: {why}; the lines before it are good: `loopdrill undo --ignore-damage` undoes all that can be read", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}
