//! Reports of results: each one a function of the results and the snapshot, and of nothing else.
//!
//! What machines read holds everything; what people read is folded. A report that cannot be made is an error, and never
//! an empty file.

mod explain;
mod github;
mod junit;
mod markdown;
mod objects;
mod page;
mod sarif;
mod scan;
mod table;

pub use explain::{explain, list};
pub use github::github;
pub use junit::junit;
pub use markdown::markdown;
pub use objects::by_object;
pub use page::Page;
pub use sarif::sarif;
pub use table::table;

use crate::{
    check::{CheckResult, Evidence, Remark, Results},
    ladder::{self, Ladder},
    snapshot::{Scan, Snapshot},
};
use serde::Serialize;

/// The schema of [`json`], as it is published.
pub const SCHEMA: &str = include_str!("../../schema/check.schema.json");

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// As JSON or SARIF.
    #[error("the report cannot be written as JSON; this is a defect of loopdrill: please report it")]
    Json(#[from] serde_json::Error),
    /// As JUnit.
    #[error("the report cannot be written as JUnit's XML; choose another --output")]
    Junit(#[from] quick_junit::SerializeError),
}

#[derive(Serialize)]
struct Document<'a> {
    checks: &'a [CheckResult],
    #[serde(skip_serializing_if = "<[Remark]>::is_empty")]
    exceptions: &'a [Remark],
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a Scan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maturity: Option<Ladder>,
}

/// The results as JSON; with the ladder's stage for a cluster, and with what was read for manifests.
///
/// # Errors
/// [`OutputError`] when they cannot be serialised.
pub fn json(results: &Results, snapshot: &Snapshot) -> Result<String, OutputError> {
    let maturity = ladder::has_place(results, snapshot).then(|| ladder::place(results));
    let document = Document {
        checks: &results.checks,
        exceptions: &results.exceptions,
        input: snapshot.scan.as_ref(),
        maturity,
    };
    Ok(serde_json::to_string_pretty(&document)?)
}

/// One piece of evidence in one line.
fn words(evidence: &Evidence) -> String {
    let place = place(evidence).map(|p| format!(" ({p})")).unwrap_or_default();
    match evidence.object.as_str() {
        "" => format!("{}{place}", evidence.value),
        object => format!("{object}: {}{place}", evidence.value),
    }
}

/// File and line of an object, where they are known.
fn place(evidence: &Evidence) -> Option<String> {
    let file = evidence.file.as_ref()?;
    Some(evidence.lines.map_or_else(|| file.clone(), |lines| format!("{file}:{}", lines.first)))
}

#[cfg(test)]
mod github_rules;
#[cfg(test)]
mod tests;
