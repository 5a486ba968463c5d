//! What an alert means: its own labels say it, or a file does.

use loopdrill_model::{Cause, Loop};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Names of alerts, and what each blames.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Mapping(BTreeMap<String, Meaning>);

/// What an alert blames.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meaning {
    #[serde(rename = "loop")]
    pub(super) control_loop: Loop,
    #[serde(default)]
    pub(super) cause: Option<Cause>,
}

/// Why a mapping cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}; a mapping has lines such as `KubePodCrashLooping: {{loop: workload}}`", path.display())]
pub struct MappingError {
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    why: String,
}

impl Mapping {
    /// Reads a mapping from a YAML file.
    ///
    /// # Errors
    /// [`MappingError`] with the place.
    pub fn read(path: &Path) -> Result<Self, MappingError> {
        let failed = |why: String| MappingError { path: path.into(), why };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let mapping: Self = serde_yaml::from_str(&text).map_err(|e| failed(e.to_string()))?;
        for (alert, meaning) in &mapping.0 {
            if let Some(cause) = meaning.cause.filter(|c| c.control_loop() != meaning.control_loop) {
                let (is, said) = (cause.control_loop(), meaning.control_loop);
                return Err(failed(format!("{alert}: cause {cause} lies in loop {is}, not in {said}")));
            }
        }
        Ok(mapping)
    }

    /// What an alert of this name with these labels blames. The file is the user's last word.
    pub(super) fn meaning(&self, name: &str, labels: &BTreeMap<String, String>) -> Option<Meaning> {
        if let Some(meaning) = self.0.get(name) {
            return Some(*meaning);
        }
        let cause = labels.get("cause").and_then(|c| Cause::ALL.iter().find(|k| k.name() == c)).copied();
        let named = labels.get("loop").and_then(|l| Loop::ALL.into_iter().find(|k| k.name() == l.as_str()));
        let control_loop = named.or_else(|| cause.map(Cause::control_loop))?;
        // Labels that contradict each other name the loop alone.
        Some(Meaning { control_loop, cause: cause.filter(|c| c.control_loop() == control_loop) })
    }
}
