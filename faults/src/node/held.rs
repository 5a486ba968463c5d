//! What a node holds: planned steps, and for how long.

use super::{error::StepError, step::Planned};
use serde::{Deserialize, Serialize};

/// How long a held change may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds after which the node ends it whatever happens.
    pub deadline_s: u64,
    /// Seconds of silence of the harness after which the node ends it.
    pub heartbeat_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // A harness that dies is noticed at once by its closed pipe. Silence is for one that hangs, and a busy
        // machine must not pass for that.
        Self { deadline_s: 600, heartbeat_s: 30 }
    }
}

/// Steps that the node itself holds and ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Applied in this order, restored in the reverse one.
    pub(crate) steps: Vec<Planned>,
    /// How long they may last.
    pub(crate) limits: Limits,
}

impl Held {
    /// What shows each step to be in force, or `None` for one that is not.
    pub(super) fn read(&self) -> Result<Vec<Option<String>>, StepError> {
        self.steps.iter().map(|planned| planned.saved().read()).collect()
    }

    /// What differs from the snapshots, in words.
    pub(super) fn differences(&self) -> Result<Vec<String>, StepError> {
        self.steps.iter().filter_map(|planned| planned.saved().difference().transpose()).collect()
    }

    /// Restores all steps, newest first, and goes on past failures.
    pub(super) fn restore(&self) -> Result<(), StepError> {
        let mut first = Ok(());
        for planned in self.steps.iter().rev() {
            let result = planned.saved().restore();
            if first.is_ok() {
                first = result;
            }
        }
        first
    }
}
