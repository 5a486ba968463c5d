//! Detectors under test, all behind one plug and scored alike.
//!
//! | module | detector |
//! |---|---|
//! | [`Builtin`] | `builtin`: observes the cluster and attributes what it sees |
//! | [`Prometheus`] | `prometheus`: what a Prometheus or an Alertmanager fires |
//! | [`Exec`] | `exec:COMMAND`: whatever a command prints |
//! | [`Nothing`] | `none`: what a cluster without monitoring has |
//!
//! [`Player`] gives the built-in detector's documents again from a recording, and [`Scorer`] compares them with
//! what was really done.
//!
//! A further detector is one more module and one more line in [`make`].

mod builtin;
mod desk;
mod detector;
mod exec;
mod memory;
mod nothing;
mod prometheus;
mod replay;
mod score;
mod strays;

pub use builtin::{Builtin, Told};
pub use detector::{DetectError, Detector};
pub use exec::{Exec, ExecOptions};
pub use nothing::Nothing;
pub use prometheus::{Mapping, MappingError, Prometheus, PrometheusOptions};
pub use replay::{Moment, Player};
pub use score::{Scored, Scorer, Verdict};
pub use strays::{Key, Strays, is_role, key};

use std::{collections::BTreeSet, sync::Arc};

/// What stands in front of a command.
const EXEC: &str = "exec:";
/// What there is, as it is told to people.
const KNOWN: &str = "builtin, prometheus, exec:COMMAND, none";

/// What some detectors must be told.
#[derive(Debug, Clone, Default)]
pub struct DetectorOptions {
    /// Of `prometheus`.
    pub prometheus: PrometheusOptions,
    /// Of `exec`.
    pub exec: ExecOptions,
}

/// The detector of that name as it is by default.
///
/// # Errors
/// [`DetectError::Unknown`], which lists the names there are.
pub fn by_name(name: &str) -> Result<Arc<dyn Detector>, DetectError> {
    make(name, &DetectorOptions::default())
}

fn make(name: &str, options: &DetectorOptions) -> Result<Arc<dyn Detector>, DetectError> {
    match name {
        "builtin" => Ok(Arc::new(Builtin::default())),
        "prometheus" => Ok(Arc::new(Prometheus::new(options.prometheus.clone()))),
        "none" => Ok(Arc::new(Nothing)),
        _ => match name.strip_prefix(EXEC).map(str::trim).filter(|command| !command.is_empty()) {
            Some(command) => Ok(Arc::new(Exec::new(command, options.exec))),
            None => Err(DetectError::Unknown { name: name.into(), known: KNOWN.into() }),
        },
    }
}

/// The detectors that a user lists, in their order. Names may be separated by commas; a command goes to the end of
/// its text.
///
/// # Errors
/// [`DetectError::Unknown`], or [`DetectError::Twice`] for one that is listed twice.
pub fn by_names(listed: &[String], options: &DetectorOptions) -> Result<Vec<Arc<dyn Detector>>, DetectError> {
    let detectors: Vec<_> =
        listed.iter().flat_map(|text| split(text)).map(|n| make(n, options)).collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    match detectors.iter().find(|d| !names.insert(d.name().to_string())) {
        Some(twice) => Err(DetectError::Twice { name: twice.name().into() }),
        None => Ok(detectors),
    }
}

fn split(text: &str) -> Vec<&str> {
    let mut rest = Some(text.trim());
    let mut names = Vec::new();
    while let Some(text) = rest {
        let (name, later) = match text.split_once(',') {
            Some((name, later)) if !text.starts_with(EXEC) => (name, Some(later.trim())),
            _ => (text, None),
        };
        names.push(name.trim());
        rest = later;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listed: &[&str]) -> Result<Vec<String>, String> {
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        let detectors = by_names(&listed, &DetectorOptions::default()).map_err(|e| e.to_string())?;
        Ok(detectors.iter().map(|d| d.name().to_string()).collect())
    }

    #[test]
    fn detectors_go_by_their_own_names() {
        for name in ["builtin", "prometheus", "none"] {
            assert_eq!(by_name(name).expect("known").name(), name);
        }
    }

    #[test]
    fn several_are_listed_by_commas_or_one_by_one() {
        assert_eq!(names(&["builtin, none"]).expect("known"), ["builtin", "none"]);
        assert_eq!(names(&["none", "builtin"]).expect("known"), ["none", "builtin"]);
        let command = "none,exec:./adapter --only a,b";
        assert_eq!(names(&[command]).expect("known"), ["none", "exec:adapter"]);
    }

    #[test]
    fn what_is_no_detector_is_answered_with_those_there_are() {
        let known = "there are: builtin, prometheus, exec:COMMAND, none";
        for name in ["prometheuz", "exec:", "exec: ", "", "builtin,"] {
            let told = names(&[name]).expect_err("unknown");
            assert!(told.starts_with("there is no detector \"") && told.ends_with(known), "{name}: {told}");
        }
        let told = names(&["builtin,none", "builtin"]).expect_err("twice");
        assert_eq!(told, "the detector builtin is listed twice; one column of the scoreboard is enough");
    }
}
