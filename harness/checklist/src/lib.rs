//! The readiness checklist: is this cluster ready for day 2?
//!
//! [`Snapshot`] is what a cluster, or a set of manifests, looks like; [`checks`] are pure functions over it, one file a
//! loop; [`run()`] gives the [`Results`] of which every report is made, and [`prediction`] holds them against what the
//! drills really did.
//!
//! Nothing in here does I/O or reads a clock. A check that lacks what it needs is skipped with the reason; only what
//! was looked at can pass.

pub mod check;
pub mod checks;
mod config;
mod exceptions;
mod fit;
pub mod fix;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod ingest;
pub mod ladder;
mod manifests;
pub mod output;
pub mod prediction;
mod run;
pub mod snapshot;
#[cfg(test)]
mod testing;

pub use check::{Area, Check, CheckResult, Evidence, Remark, Results, Severity, Stage, Status};
pub use config::{Config, ConfigError, Exception};
pub use exceptions::ANNOTATION;
pub use ingest::{Builder, IngestError};
pub use manifests::{ManifestError, Manifests, Reading, SkipReason, Skipped};
pub use run::{Selection, run};
pub use snapshot::{Input, Origin, Snapshot};

/// The time zone in which days are counted.
pub const UTC: jiff::tz::TimeZone = jiff::tz::TimeZone::UTC;
