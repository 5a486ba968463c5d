//! The gate of a pipeline: a committed policy, held against a run, its checklist and the run before.
//!
//! [`judge()`] is a pure function of these, so a run is judged without a cluster as often as one likes, and the verdict is
//! the same. Nothing that a policy accepts can hide something worse: what an exception covers, it names.

mod compare;
mod judge;
mod policy;

pub use judge::{CheckAnswer, Evidence, judge};
pub use policy::{Checks, Lag, MayFail, Policy};

/// The JSON Schema of a gate's policy, as `loopdrill schema --gate` prints it.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Policy).to_value()
}
