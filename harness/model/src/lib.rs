//! The words that every part of loopdrill shares.
//!
//! Nothing in here does I/O or reads a clock: plain data with serialised forms that are contracts
//! (`events.jsonl`, `report.json`, recordings, the JSON of a detector).

mod acceptance;
mod blame;
mod diagnosis;
mod drill;
mod event;
mod exit;
mod expect;
mod gate;
mod mark;
pub mod metrics;
mod named;
mod report;
mod scope;
mod shared;
pub mod signal;
mod trace;

pub use acceptance::{Acceptance, Verdict, is_proof};
pub use blame::{Cause, Loop};
pub use diagnosis::{ChainLink, Diagnoses, Diagnosis, Evidence, Examined, Subject};
pub use drill::{Capability, FaultId, Gate, GateResult, Outcome};
pub use event::{Event, EventKind};
pub use exit::ExitStatus;
pub use expect::{Expectation, Group, Root};
pub use gate::{Finding, Judgement, Kind};
pub use jiff::Timestamp;
pub use mark::{DrillMark, Mark};
pub use report::{DetectorResult, DrillReport, Gates, LookMode, Rival, RunReport, Versions, seconds};
pub use scope::Scope;
pub use shared::Shared;
pub use signal::{Observation, Signal, Source};
pub use trace::{Course, Measure, Trace};
