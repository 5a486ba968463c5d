//! Detectors that are called in when the symptom has shown.

use super::Args;
use loopdrill_report::OutputDir;
use std::path::PathBuf;

/// Whether this detector is among those that are called in.
pub(super) fn is_called_in(args: &Args, detector: &str) -> bool {
    let listed = || args.detector.iter().flat_map(|names| names.split(',')).map(str::trim);
    listed().any(|name| name.strip_prefix("once:").or_else(|| args.cold.then_some(name)) == Some(detector))
}

/// The file beside which each look is recorded.
pub(super) fn recordings(args: &Args) -> Option<PathBuf> {
    let by_default = || args.output_dir.join(OutputDir::RECORDING);
    (!args.no_record).then(|| args.record.clone().unwrap_or_else(by_default))
}
