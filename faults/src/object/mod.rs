//! Changes to API objects of any kind: create one, delete one, alter some fields of one.
//!
//! # Invariants
//! - what is not ours is never replaced and never deleted: [`ChangeError::Foreign`] instead;
//! - every step is idempotent, retries what a busy API server refuses, and gives up at a deadline;
//! - the serialised change is all that an undo needs; what is altered or created can be undone by the cluster alone, too:
//!   see [`find_left`];
//! - the content of Secrets is in the journal (an undo needs it) and in no text.

mod create;
mod delete;
mod left;
mod manifest;
mod ops;
mod original;
mod patch;
mod reference;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use create::{Create, UNTIL};
pub(crate) use create::{LASTS, ends_at};
pub use delete::Delete;
pub use left::{Left, REACH, find_left, is_within_reach};
pub use manifest::Manifest;
pub use ops::is_transient;
pub use patch::{Field, HOLDER, Patch};
pub use reference::ObjectRef;

use crate::ChangeError;
use loopdrill_model::Evidence;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One reversible change of an API object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum ObjectChange {
    /// An object that was not there is created.
    Create(Create),
    /// An object that was there is deleted.
    Delete(Delete),
    /// Some fields of an object are altered.
    Patch(Patch),
}

impl fmt::Display for ObjectChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectChange::Create(c) => c.fmt(f),
            ObjectChange::Delete(c) => c.fmt(f),
            ObjectChange::Patch(c) => c.fmt(f),
        }
    }
}

impl ObjectChange {
    /// Puts the change in force. A change of ours that is in force already is fine.
    ///
    /// # Errors
    /// When the object is not in the state of the snapshot, or the API server refuses or does not answer.
    pub async fn apply(&self, client: &kube::Client) -> Result<(), ChangeError> {
        match self {
            ObjectChange::Create(c) => c.apply(client).await,
            ObjectChange::Delete(c) => c.apply(client).await,
            ObjectChange::Patch(c) => c.apply(client).await,
        }
    }

    /// Reads the change back. `None` means that it is not in force.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn read_back(&self, client: &kube::Client) -> Result<Option<Evidence>, ChangeError> {
        match self {
            ObjectChange::Create(c) => c.read_back(client).await,
            ObjectChange::Delete(c) => c.read_back(client).await,
            ObjectChange::Patch(c) => c.read_back(client).await,
        }
    }

    /// Takes the change back. One that is not in force is fine.
    ///
    /// # Errors
    /// When it may still be in force, or somebody else changed the same thing since.
    pub async fn undo(&self, client: &kube::Client) -> Result<(), ChangeError> {
        match self {
            ObjectChange::Create(c) => c.undo(client).await,
            ObjectChange::Delete(c) => c.undo(client).await,
            ObjectChange::Patch(c) => c.undo(client).await,
        }
    }

    /// What differs between the present state and the snapshot.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn differences(&self, client: &kube::Client) -> Result<Vec<String>, ChangeError> {
        match self {
            ObjectChange::Create(c) => c.differences(client).await,
            ObjectChange::Delete(c) => c.differences(client).await,
            ObjectChange::Patch(c) => c.differences(client).await,
        }
    }
}
