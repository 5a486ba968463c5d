//! Detectors under test, all behind one plug and scored alike.
//!
//! | module | detector |
//! |---|---|
//! | [`Builtin`] | `builtin`: observes the cluster and attributes what it sees |
//! | [`Nothing`] | `none`: what a cluster without monitoring has |
//!
//! [`Player`] gives the built-in detector's documents again from a recording, and [`Scorer`] compares them with
//! what was really done.
//!
//! A further detector (Prometheus, an external command) is one more module and one more line in the table
//! that [`by_name`] reads.

mod builtin;
mod desk;
mod detector;
mod memory;
mod nothing;
mod replay;
mod score;

pub use builtin::{Builtin, Told};
pub use detector::{DetectError, Detector};
pub use nothing::Nothing;
pub use replay::{Moment, Player};
pub use score::{Scored, Scorer, Verdict};

use std::sync::Arc;

type Make = fn() -> Arc<dyn Detector>;

/// Every detector by its name.
const DETECTORS: &[(&str, Make)] =
    &[("builtin", || Arc::new(Builtin::default())), ("none", || Arc::new(Nothing))];

/// The detector of that name.
///
/// # Errors
/// [`DetectError::Unknown`], which lists the names there are.
pub fn by_name(name: &str) -> Result<Arc<dyn Detector>, DetectError> {
    let known = || DETECTORS.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
    let make = DETECTORS.iter().find(|(n, _)| *n == name).map(|(_, make)| make);
    make.map(|make| make()).ok_or_else(|| DetectError::Unknown { name: name.into(), known: known() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detectors_go_by_their_own_names() {
        for (name, make) in DETECTORS {
            assert_eq!(make().name(), *name);
            assert_eq!(by_name(name).expect("in the table").name(), *name);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let Err(error) = by_name("prometheuz") else { panic!("there is no such detector") };
        assert_eq!(error.to_string(), "there is no detector \"prometheuz\"; there are: builtin, none");
    }
}
