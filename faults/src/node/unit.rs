//! Units of the node's service manager.

use super::{
    error::{StepError, run},
    mechanism::Mechanism,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A unit of the node's service manager is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopUnit {
    /// Its name, such as `kubelet.service`.
    pub unit: String,
}

/// The unit was active: only such a unit can be stopped and started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Active {}

impl fmt::Display for StopUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stop {}", self.unit)
    }
}

impl Mechanism for StopUnit {
    type Before = Active;
    const BEFORE: &'static str = "active";

    fn snapshot(&self) -> Result<Active, StepError> {
        match self.state()?.as_str() {
            "active" => Ok(Active {}),
            other => Err(StepError::foreign(format!("unit {}", self.unit), other)),
        }
    }

    fn apply(&self, _: &Active) -> Result<(), StepError> {
        run(&["systemctl", "stop", &self.unit], None).map(drop)
    }

    fn read(&self, _: &Active) -> Result<Option<String>, StepError> {
        let state = self.state()?;
        Ok(matches!(state.as_str(), "inactive" | "failed").then(|| format!("{} {state}", self.unit)))
    }

    fn restore(&self, _: &Active) -> Result<(), StepError> {
        if self.state()? == "active" {
            return Ok(());
        }
        run(&["systemctl", "start", &self.unit], None).map(drop)
    }

    fn difference(&self, _: &Active) -> Result<Option<String>, StepError> {
        let state = self.state()?;
        Ok((state != "active").then(|| format!("{}: {state}, before: active", self.unit)))
    }
}

impl StopUnit {
    fn state(&self) -> Result<String, StepError> {
        let shown = run(&["systemctl", "show", "--property=ActiveState", "--value", "--", &self.unit], None)?;
        Ok(shown.trim().to_owned())
    }
}
