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
mod fit;
mod ingest;
pub mod ladder;
mod manifests;
pub mod output;
pub mod prediction;
mod quantity;
mod run;
pub mod snapshot;
#[cfg(test)]
mod testing;

pub use check::{Area, Check, CheckResult, Evidence, Results, Severity, Status};
pub use config::{Config, ConfigError, Exception};
pub use ingest::{Builder, IngestError};
pub use manifests::{ManifestError, Manifests};
pub use run::{Selection, run};
pub use snapshot::{Input, Origin, Snapshot};

/// The time zone in which days are counted.
pub const UTC: jiff::tz::TimeZone = jiff::tz::TimeZone::UTC;

/// CPU and memory in the API's notation; what is not understood is nothing.
#[must_use]
pub fn amount(cpu: &str, memory: &str) -> snapshot::Amount {
    snapshot::Amount {
        cpu_millis: loopdrill_model::quantity::millis(cpu).unwrap_or(0),
        memory_bytes: loopdrill_model::quantity::units(memory).unwrap_or(0),
    }
}
