//! Where signals come from: API watches, metrics, node counters, probes; and recordings of them.
//!
//! An [`Observer`] turns a cluster into one stream of [`loopdrill_model::Observation`]s. It works with a
//! kubeconfig alone and says which signals it lacks; access to the nodes and an image for probe pods add to
//! it. It never learns what was injected: this crate does not know the faults' crate.
//!
//! Invariants:
//! - No source holds up another: each has tasks, time limits and a back-off of its own.
//! - What does not work is told as a [`loopdrill_model::signal::SourceState`], once for each change.
//! - Secrets, tokens and log texts never leave the function that reads them, and the texts that do leave go
//!   through one gate, `redact`.
//! - Whatever is installed lies in one namespace of our own, carries the run's label, and is not observed.

pub mod agent;
mod agents;
mod backoff;
mod cloud;
mod clue;
mod crash;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod lines;
pub mod metrics;
mod nodes;
mod observer;
mod options;
mod reason;
pub mod record;
mod redact;
mod reduce;
mod rights;
mod sink;
mod tasks;
mod watch;

pub use agents::{AgentsError, beside, installed, sweep};
pub use crash::OpenQuestions;
pub use observer::Observer;
pub use options::{ObserveOptions, ObserveTarget};
pub use rights::{PATHS, rights};
