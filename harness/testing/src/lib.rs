//! Drills as tests: an own detector, an own drill, or both, through the engine of `loopdrill run`, under `cargo test`.
//!
//! ```no_run
//! // tests/drills.rs, with `harness = false` in Cargo.toml
//! use loopdrill_testing::Drills;
//! # fn conditions() -> std::sync::Arc<dyn loopdrill_testing::Detector> { unreachable!() }
//! # fn lost_right() -> std::sync::Arc<dyn loopdrill_testing::Fault> { unreachable!() }
//!
//! fn main() -> std::process::ExitCode {
//!     let tmp = "/tmp/drills"; // a real one says env!("CARGO_TARGET_TMPDIR")
//!     Drills::new("operator", tmp).detector(conditions()).drill(lost_right()).run()
//! }
//! ```
//!
//! A detector is a [`Detector`], a drill is a [`Fault`]; `examples/own-detector` has one of each. The drills of this build
//! are in [`catalogue`]; where no detector is named, the built-in one is judged. What other crates may rely on is written down, as
//! code that must compile, in `tests/api.rs`.
//!
//! | variable | what it does |
//! |---|---|
//! | `LOOPDRILL_BIN` | the `loopdrill` that is put on the nodes; otherwise the one that the test names, or that of `PATH` |
//! | `LOOPDRILL_TEST_LAB` | a lab that stays, and is made where it is missing |
//! | `LOOPDRILL_REQUIRE` | a drill that is skipped has failed |
//!
//! Nothing is started before the first trial runs, so `--list` needs no Docker, and filters decide what is paid for.
//! The lab outlives this process: all targets of one `cargo test` share it (`lab`).

#![deny(missing_docs)]

mod lab;
mod stage;
mod trial;

pub use jiff::civil::Date;
pub use loopdrill_cluster::{ClusterFacts, Target};
pub use loopdrill_detect::{DetectError, Detector, by_name as detector};
pub use loopdrill_drill::Budgets;
pub use loopdrill_faults::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource, catalogue, object,
    victim::{Seen, create, until},
};
pub use loopdrill_model as model;
pub use loopdrill_model::Gate;
pub use loopdrill_suite::{Expected, Wanted};

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use trial::End;

/// Drills of one test target: which, on what, and how each must end.
#[must_use = "nothing is drilled before `run`"]
pub struct Drills {
    name: String,
    folder: PathBuf,
    binary: Option<PathBuf>,
    budgets: Budgets,
    detectors: Vec<Arc<dyn Detector>>,
    drills: Vec<(Arc<dyn Fault>, End)>,
}

impl Drills {
    /// No drill yet. Reports go to `report/NAME` in the folder, which cargo gives as `env!("CARGO_TARGET_TMPDIR")`.
    pub fn new(name: impl Into<String>, folder: impl AsRef<Path>) -> Self {
        Self {
            name: name.into(),
            folder: folder.as_ref().into(),
            binary: None,
            budgets: Budgets::default(),
            detectors: Vec::new(),
            drills: Vec::new(),
        }
    }

    /// Adds a detector under test. The first one decides how drills end; the others are scored beside it.
    pub fn detector(mut self, detector: Arc<dyn Detector>) -> Self {
        self.detectors.push(detector);
        self
    }

    /// Adds a drill that must be noticed and blamed rightly, or that the cluster must withstand.
    pub fn drill(self, fault: Arc<dyn Fault>) -> Self {
        self.ends(Expected::default(), fault)
    }

    /// Adds a drill that must end as a suite may want it. An accepted failure counts as ignored.
    pub fn ends(mut self, expected: Expected, fault: Arc<dyn Fault>) -> Self {
        self.drills.push((fault, End::Accepted(expected)));
        self
    }

    /// Adds a drill in which something is broken on purpose, so that this gate must not hold. Where it holds, the drill
    /// catches nothing, and its test has failed.
    pub fn fails(mut self, gate: Gate, fault: Arc<dyn Fault>) -> Self {
        self.drills.push((fault, End::Caught(gate)));
        self
    }

    /// How long each gate may take.
    pub fn budgets(mut self, budgets: impl Into<Budgets>) -> Self {
        self.budgets = budgets.into();
        self
    }

    /// The `loopdrill` that is put on the nodes, unless `LOOPDRILL_BIN` names another.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// The `main` of the test target: libtest's arguments, its output and its exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        lab::guard().unwrap_or_else(|| trial::run(self))
    }
}
