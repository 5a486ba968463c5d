//! The engine: runs drills against one cluster and asks the five gates of each.
//!
//! A [`Session`] owns what all drills of a process share: the cluster, the detectors under test, the journal,
//! the arbiter of footprints and the event stream. [`run()`] puts a selection of faults through a session;
//! the `cargo test` suites put single ones through it.

mod arbiter;
mod control;
mod detectors;
mod drill;
mod events;
mod looks;
mod marks;
mod namespace;
mod options;
mod preflight;
mod run;
mod scope;
mod session;
mod suites;

pub use arbiter::{Arbiter, Permit};
pub use control::CONTROL;
pub use detectors::Detectors;
pub use events::{EventSender, EventStream, event_stream};
pub use namespace::name as namespace_of;
pub use options::{Budgets, Options, Selection, SelectionError};
pub use preflight::{LEASE_RIGHT, Refused, ask_for_rights, preflight_id, try_namespace};
pub use run::{add_trouble, announce, conclude, run, undo_journal};
pub use session::{Session, SessionError};
pub use suites::{known, known_here};
