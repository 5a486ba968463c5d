//! Units of the node's service manager.

use super::{
    error::{StepError, run},
    step::Before,
};

/// Only an active unit can be stopped and started again.
pub(super) fn snapshot(unit: &str) -> Result<Before, StepError> {
    match state(unit)?.as_str() {
        "active" => Ok(Before::Active),
        other => Err(StepError::foreign(format!("unit {unit}"), other)),
    }
}

pub(super) fn stop(unit: &str) -> Result<(), StepError> {
    run(&["systemctl", "stop", unit], None).map(drop)
}

pub(super) fn start(unit: &str) -> Result<(), StepError> {
    if state(unit)? == "active" {
        return Ok(());
    }
    run(&["systemctl", "start", unit], None).map(drop)
}

pub(super) fn read_stopped(unit: &str) -> Result<Option<String>, StepError> {
    let state = state(unit)?;
    Ok(matches!(state.as_str(), "inactive" | "failed").then(|| format!("{unit} {state}")))
}

pub(super) fn difference(unit: &str) -> Result<Option<String>, StepError> {
    let state = state(unit)?;
    Ok((state != "active").then(|| format!("{unit}: {state}, before: active")))
}

fn state(unit: &str) -> Result<String, StepError> {
    let shown = run(&["systemctl", "show", "--property=ActiveState", "--value", "--", unit], None)?;
    Ok(shown.trim().to_owned())
}
