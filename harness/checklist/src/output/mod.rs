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

use crate::check::Results;

/// The schema of [`json`], as it is published.
pub const SCHEMA: &str = include_str!("../../schema/check.schema.json");

/// The results as JSON.
#[must_use]
pub fn json(results: &Results) -> String {
    serde_json::to_string_pretty(results).unwrap_or_default()
}

#[cfg(test)]
mod tests;
