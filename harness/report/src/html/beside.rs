//! What lies beside a run and is shown on its page, too.

use super::{CheckLine, PredictionLine};
use crate::{OutputDir, ReportError, file};
use loopdrill_model::{FaultId, RunReport, Trace};
use serde::{Deserialize, de::DeserializeOwned};
use std::{fs, path::Path};

/// What a page shows besides the run; nothing by default.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The readiness checklist.
    pub checks: Vec<CheckLine>,
    /// What became of its predictions.
    pub predictions: Vec<PredictionLine>,
    /// Other runs, in any order.
    pub history: Vec<RunReport>,
    /// How the signals that decided each drill went, from the run's recording.
    pub traces: Vec<(FaultId, Vec<Trace>)>,
}

#[derive(Deserialize)]
struct Checks {
    checks: Vec<CheckLine>,
}

#[derive(Deserialize)]
struct Predictions {
    predictions: Vec<PredictionLine>,
}

impl Beside {
    /// What is in a run's folder: checklist and predictions, where it was run with them.
    ///
    /// # Errors
    /// When a file is there and cannot be read, or is something else.
    pub fn read(dir: &Path) -> Result<Self, ReportError> {
        let checks = read::<Checks>(&dir.join(OutputDir::CHECKS), "checklist's result")?;
        let predictions = read::<Predictions>(&dir.join(OutputDir::PREDICTIONS), "list of predictions")?;
        Ok(Self {
            checks: checks.map_or_else(Vec::new, |c| c.checks),
            predictions: predictions.map_or_else(Vec::new, |p| p.predictions),
            ..Self::default()
        })
    }

    /// How the signals of that drill went.
    pub(super) fn traces_of(&self, drill: &FaultId) -> &[Trace] {
        self.traces.iter().find(|(id, _)| id == drill).map_or(&[], |(_, traces)| traces)
    }

    /// Adds the runs of a folder that has a folder for each of them.
    ///
    /// # Errors
    /// When it cannot be read, or one of its reports is none.
    pub fn with_history(mut self, dir: &Path) -> Result<Self, ReportError> {
        let failed = |source| ReportError::Read { path: dir.into(), source };
        for folder in fs::read_dir(dir).map_err(failed)? {
            let report = folder.map_err(failed)?.path().join(OutputDir::JSON);
            if report.exists() {
                self.history.push(file::read(&report)?);
            }
        }
        Ok(self)
    }
}

fn read<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<Option<T>, ReportError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read(path).map_err(|source| ReportError::Read { path: path.into(), source })?;
    let garbled = |e: serde_json::Error| ReportError::Garbled { path: path.into(), what, why: e.to_string() };
    serde_json::from_slice(&text).map(Some).map_err(garbled)
}
