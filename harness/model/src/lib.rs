//! The words that every part of loopdrill shares.
//!
//! Nothing in here does I/O or reads a clock: plain data with serialised forms that are contracts
//! (`events.jsonl`, `report.json`, recordings, the JSON of a detector).

mod blame;
mod diagnosis;
mod drill;
mod event;
mod exit;
mod expect;
pub mod quantity;
pub mod signal;

pub use blame::{Cause, Loop};
pub use diagnosis::{ChainLink, Diagnoses, Diagnosis, Evidence, Subject};
pub use drill::{
    Capability, DetectorResult, DrillReport, FaultId, Gate, GateResult, Gates, Outcome, Rival, RunReport,
    Timings, Versions,
};
pub use event::{Event, EventKind};
pub use exit::ExitStatus;
pub use expect::{Expectation, Group, Root};
pub use jiff::Timestamp;
pub use signal::{Observation, Signal, Source};
