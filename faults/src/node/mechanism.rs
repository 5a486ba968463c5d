//! What a mechanism is: one reversible way to change a node. Its methods run on the node only.
//!
//! Each mechanism is a struct in a file of its own that says what to do, with its implementation of [`Mechanism`], and
//! one line in `step`. All keep the same rules:
//! - a snapshot refuses a foreign state;
//! - `restore` is idempotent and touches only what still shows our value;
//! - what vanished together with its carrier (a device, a control group) is restored already.

use super::error::StepError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

/// One reversible way to change a node.
pub(crate) trait Mechanism: fmt::Display {
    /// What it remembers of the state that it found, as far as its undo and the comparison need it.
    type Before: Serialize + DeserializeOwned;

    /// How that is called in journals and state files.
    const BEFORE: &'static str;

    /// Reads what the undo will need. Touches nothing.
    fn snapshot(&self) -> Result<Self::Before, StepError>;

    /// Puts the change in force.
    fn apply(&self, before: &Self::Before) -> Result<(), StepError>;

    /// Reads the change back: what shows it to be in force, or `None`.
    fn read(&self, before: &Self::Before) -> Result<Option<String>, StepError>;

    /// Puts things back as they were.
    fn restore(&self, before: &Self::Before) -> Result<(), StepError>;

    /// Compares the present state with the one before, byte for byte.
    fn difference(&self, before: &Self::Before) -> Result<Option<String>, StepError>;
}

/// A step with the snapshot that its undo needs. Only a snapshot of its own kind fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved<M: Mechanism> {
    /// What to do.
    pub(crate) step: M,
    /// What was found.
    pub(crate) before: M::Before,
}

/// A snapshot as it is written: its fields beside the name of its kind.
#[derive(Serialize, Deserialize)]
pub(crate) struct Named<T> {
    before: String,
    #[serde(flatten)]
    state: T,
}

impl<M: Mechanism> Saved<M> {
    /// Takes the snapshot of `step`.
    pub(crate) fn take(step: M) -> Result<Self, StepError> {
        let before = step.snapshot()?;
        Ok(Self { step, before })
    }

    /// The snapshot as it is written.
    pub(crate) fn written(&self) -> Named<&M::Before> {
        Named { before: M::BEFORE.into(), state: &self.before }
    }

    /// Reads a snapshot, which must be of the step's own kind.
    pub(crate) fn read_from(step: M, written: serde_json::Value) -> Result<Self, String> {
        let kind = written.get("before").and_then(serde_json::Value::as_str).unwrap_or_default();
        if kind != M::BEFORE {
            return Err(format!("the snapshot {kind:?} does not belong to the step \"{step}\""));
        }
        let Named { state, .. } = serde_json::from_value(written).map_err(|e| e.to_string())?;
        Ok(Self { step, before: state })
    }
}

/// A step with its snapshot, whatever the mechanism.
pub(crate) trait Reversible: fmt::Display {
    /// Puts it in force.
    fn apply(&self) -> Result<(), StepError>;
    /// What shows it to be in force, or `None`.
    fn read(&self) -> Result<Option<String>, StepError>;
    /// Puts things back as the snapshot shows them.
    fn restore(&self) -> Result<(), StepError>;
    /// What differs from the snapshot.
    fn difference(&self) -> Result<Option<String>, StepError>;
}

impl<M: Mechanism> fmt::Display for Saved<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step.fmt(f)
    }
}

impl<M: Mechanism> Reversible for Saved<M> {
    fn apply(&self) -> Result<(), StepError> {
        self.step.apply(&self.before)
    }

    fn read(&self) -> Result<Option<String>, StepError> {
        self.step.read(&self.before)
    }

    fn restore(&self) -> Result<(), StepError> {
        self.step.restore(&self.before)
    }

    fn difference(&self) -> Result<Option<String>, StepError> {
        self.step.difference(&self.before)
    }
}
