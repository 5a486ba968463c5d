//! The engine: runs drills against one cluster and asks the five gates of each.
//!
//! A [`Session`] owns what all drills of a process share: the cluster, the detectors under test, the journal,
//! the arbiter of footprints and the event stream. [`run`] puts a selection of faults through a session;
//! the `cargo test` suites put single ones through it.

mod arbiter;
mod control;
mod drill;
mod events;
mod findings;
mod marks;
mod namespace;
mod options;
mod panel;
mod run;
mod session;
mod verdict;

pub use arbiter::{Arbiter, Permit};
pub use control::CONTROL;
pub use events::{EventSender, EventStream, event_stream};
pub use options::{Budgets, Options, Selection, SelectionError};
pub use panel::Detectors;
pub use run::{announce, conclude, run, undo_journal};
pub use session::{Session, SessionError};
