//! Suites as files: which drills are run, on what, and how each of them must end.
//!
//! But for reading the file it is pure: the list of drills that exist is handed in, and so is the date. What is wrong is
//! said with file, line and column, and with the nearest word that would have been right.

mod ends;
mod error;
mod expected;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gate;
mod known;
mod locate;
mod read;
mod select;
mod spec;
mod twins;
mod verdict;

pub use ends::{Ends, Unlike};
pub use error::SuiteError;
pub use error::{SuiteError as FileError, unknown};
pub use expected::{Expected, Wanted};
pub use gate::{
    CheckAnswer, Checks, Evidence, Lag, MayFail, Policy, judge as judge_gate, schema as gate_schema,
};
pub use known::Known;
pub use locate::Step;
pub use read::{parse, wrong};
pub use select::Selected;
pub use spec::{Budgets, Entry, GroupName, Suite, Target};
pub use verdict::judge;

/// The JSON Schema of a suite, as `loopdrill schema` prints it.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Suite).to_value()
}
