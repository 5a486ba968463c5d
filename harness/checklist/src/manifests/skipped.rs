//! What is no manifest, and what to do to have it judged.

use serde_json::Value;
use std::{fmt, path::Path};

/// A file, or a part of one, that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// The line on which the part starts.
    pub line: usize,
    /// Why.
    pub reason: SkipReason,
}

/// Why something was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// It is to be rendered first.
    Template,
    /// It belongs to a Helm chart.
    Chart,
    /// It belongs to a kustomize base or overlay.
    Kustomization,
    /// It is YAML or JSON, and no object of Kubernetes.
    NoObject,
    /// It is not YAML, and does not look like a manifest either.
    NoYaml,
}

impl SkipReason {
    /// Whether objects may come of it: then nothing is known about them.
    #[must_use]
    pub const fn hides_objects(self) -> bool {
        matches!(self, Self::Template | Self::Chart | Self::Kustomization)
    }

    /// What a document that is no object of Kubernetes is.
    pub(super) fn of(file: &str, value: &Value) -> Self {
        let name = Path::new(file).file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let has = |field: &str| !value[field].is_null();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        if stem == "Chart" || (has("apiVersion") && has("name") && has("version")) {
            return Self::Chart;
        }
        let builds = ["resources", "bases", "patches", "patchesStrategicMerge", "helmCharts", "components"];
        if stem.eq_ignore_ascii_case("kustomization") && builds.iter().any(|f| has(f)) {
            return Self::Kustomization;
        }
        Self::NoObject
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Template => {
                "this is a template: render it first, for example `helm template CHART | loopdrill check -`"
            }
            Self::Chart => {
                "this is a Helm chart: `helm template CHART | loopdrill check -` checks what it makes"
            }
            Self::Kustomization => {
                "this is kustomize's: `kustomize build DIR | loopdrill check -` checks what it makes"
            }
            Self::NoObject => "it has no apiVersion and kind, so it is no object of Kubernetes",
            Self::NoYaml => "it is not YAML, and does not look like a manifest",
        })
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}
