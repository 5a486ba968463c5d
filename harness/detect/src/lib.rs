//! Detectors under test, all behind one plug and scored alike.
//!
//! | module | detector |
//! |---|---|
//! | [`Builtin`] | `builtin`: observes the cluster and attributes what it sees |
//! | [`Prometheus`] | `prometheus`: what a Prometheus or an Alertmanager fires |
//! | [`Exec`] | `exec:COMMAND`: whatever a command prints |
//! | [`Nothing`] | `none`: what a cluster without monitoring has |
//! | [`Once`] | `once:DETECTOR`: one of these, called in when the symptom has shown |
//!
//! [`Player`] gives the built-in detector's documents again from a recording. [`Scorer`] judges what any detector
//! publishes by what was really done, live and in a replay alike. [`traces`] follows the signals that decided a drill through
//! a recording.
//!
//! A further detector is one more module and one more line in [`make`].

mod builtin;
mod core;
mod detector;
mod exec;
mod false_alarms;
mod memory;
mod nothing;
mod once;
mod prometheus;
mod replay;
mod score;
mod trace;

pub use builtin::{Builtin, Told};
pub use detector::{DetectError, Detector};
#[cfg(any(test, fuzzing))]
pub use exec::fuzz;
pub use exec::{Exec, ExecOptions};
pub use loopdrill_observe::{ObserveOptions, record::RecordingWriter};
pub use nothing::Nothing;
pub use once::{Once, OneLook};
pub use prometheus::{Mapping, MappingError, Prometheus, PrometheusOptions};
pub use replay::{Moment, Player};
pub use score::{Scored, Scorer, Verdict};
pub use trace::traces;

use builtin::BUILTIN;
use std::{collections::BTreeSet, sync::Arc};

/// What stands in front of a command.
const EXEC: &str = "exec:";
/// What there is, as it is told to people.
const KNOWN: &str = "builtin, prometheus, exec:COMMAND, none, and once: in front of each";

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
    let unknown = || DetectError::Unknown { name: name.into(), known: KNOWN.into() };
    let (plain, once) = match name.strip_prefix(Once::PREFIX) {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let detector: Arc<dyn Detector> = match plain {
        BUILTIN if once => Arc::new(Builtin::of_a_look(OneLook::options()).once()),
        BUILTIN => Arc::new(Builtin::default()),
        "prometheus" => Arc::new(Prometheus::new(options.prometheus.clone())),
        "none" => Arc::new(Nothing),
        _ => {
            let command = plain.strip_prefix(EXEC).map(str::trim).filter(|command| !command.is_empty());
            Arc::new(Exec::new(command.ok_or_else(unknown)?, ExecOptions { once, ..options.exec }))
        }
    };
    Ok(if once { Arc::new(Once::new(detector)) } else { detector })
}

/// The detectors that a user lists, in their order. Names may be separated by commas; a command goes to the end of
/// its text.
///
/// # Errors
/// [`DetectError::Unknown`], or [`DetectError::Twice`] for one that is listed twice.
pub fn by_names(listed: &[String], options: &DetectorOptions) -> Result<Vec<Arc<dyn Detector>>, DetectError> {
    distinct(listed.iter().flat_map(|text| split(text)).map(|n| make(n, options)).collect::<Result<_, _>>()?)
}

/// The same detectors, each called in afterwards, and beside it as it watches all the time; a command, which mostly looks
/// once and ends, is only called in. The first one that is called in decides.
///
/// # Errors
/// As [`by_names`].
pub fn by_names_cold(
    listed: &[String],
    options: &DetectorOptions,
) -> Result<Vec<Arc<dyn Detector>>, DetectError> {
    let names = listed.iter().flat_map(|text| split(text));
    let both = names.flat_map(|name| {
        let plain = name.strip_prefix(Once::PREFIX).unwrap_or(name);
        let live = (plain == name && !plain.starts_with(EXEC)).then(|| plain.to_owned());
        std::iter::once(Once::name_of(plain)).chain(live)
    });
    distinct(both.map(|name| make(&name, options)).collect::<Result<_, _>>()?)
}

fn distinct(detectors: Vec<Arc<dyn Detector>>) -> Result<Vec<Arc<dyn Detector>>, DetectError> {
    let mut names = BTreeSet::new();
    match detectors.iter().find(|d| !names.insert(d.name().to_string())) {
        Some(twice) => Err(DetectError::Twice { name: twice.name().into() }),
        None => Ok(detectors),
    }
}

fn is_command(text: &str) -> bool {
    text.strip_prefix(Once::PREFIX).unwrap_or(text).starts_with(EXEC)
}

fn split(text: &str) -> Vec<&str> {
    let mut rest = Some(text.trim());
    let mut names = Vec::new();
    while let Some(text) = rest {
        let (name, later) = match text.split_once(',') {
            Some((name, later)) if !is_command(text) => (name, Some(later.trim())),
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
    use loopdrill_model::LookMode;

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
    fn each_can_be_called_in_afterwards() {
        let command = "none,once:exec:./adapter --only a,b";
        assert_eq!(names(&[command]).expect("known"), ["none", "once:exec:adapter"]);
        let looks = |name| by_name(name).expect("known").look();
        assert_eq!((looks("builtin"), looks("once:builtin")), (LookMode::Live, LookMode::Once));
    }

    #[test]
    fn cold_all_are_called_in_and_what_watches_watches_beside() {
        let cold = |listed: &str| {
            let detectors = by_names_cold(&[listed.to_owned()], &DetectorOptions::default());
            detectors.map(|d| d.iter().map(|d| d.name().to_string()).collect::<Vec<_>>())
        };
        let both = ["once:builtin", "builtin", "once:exec:adapter"];
        assert_eq!(cold("builtin,exec:./adapter").expect("known"), both);
        assert_eq!(cold("once:builtin").expect("known"), ["once:builtin"]);
        assert!(cold("builtin,once:builtin").is_err(), "it is there already");
    }

    #[test]
    fn what_is_no_detector_is_answered_with_those_there_are() {
        let known = "there are: builtin, prometheus, exec:COMMAND, none, and once: in front of each";
        for name in ["prometheuz", "exec:", "exec: ", "", "builtin,", "once:", "once:once:none", "once:exec:"]
        {
            let told = names(&[name]).expect_err("unknown");
            assert!(told.starts_with("there is no detector \"") && told.ends_with(known), "{name}: {told}");
        }
        let told = names(&["builtin,none", "builtin"]).expect_err("twice");
        assert_eq!(told, "the detector builtin is listed twice; one column of the scoreboard is enough");
    }
}
