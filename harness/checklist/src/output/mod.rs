//! Reports of results: each one a function of the results and of nothing else.

mod explain;
mod junit;
mod markdown;
mod sarif;
mod table;

pub use explain::{explain, list};
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;
pub use table::table;

use crate::{
    check::{CheckResult, Results},
    ladder::{self, Ladder},
    snapshot::Snapshot,
};
use serde::Serialize;

/// The schema of [`json`], as it is published.
pub const SCHEMA: &str = include_str!("../../schema/check.schema.json");

#[derive(Serialize)]
struct Document<'a> {
    checks: &'a [CheckResult],
    #[serde(skip_serializing_if = "Option::is_none")]
    maturity: Option<Ladder>,
}

/// The results as JSON; with the ladder's stage for a cluster.
#[must_use]
pub fn json(results: &Results, snapshot: &Snapshot) -> String {
    let maturity = ladder::has_place(results, snapshot).then(|| ladder::place(results));
    serde_json::to_string_pretty(&Document { checks: &results.checks, maturity }).unwrap_or_default()
}

#[cfg(test)]
mod tests;
