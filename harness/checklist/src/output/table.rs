//! The table for people.

use crate::{
    check::{CheckResult, Evidence, Results, Status},
    ladder,
    snapshot::Snapshot,
};
use std::fmt::Write as _;

/// Evidence that is shown for each check; JSON has more.
const SHOWN: usize = 3;

/// The results as a table, worst last within each loop's lines; with the ladder's stage for a cluster.
#[must_use]
pub fn table(results: &Results, snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for check in &results.checks {
        line(&mut text, check);
    }
    let count = |status| results.count(status);
    let _ = writeln!(
        text,
        "\n{} pass, {} fail, {} warn, {} skipped",
        count(Status::Pass),
        count(Status::Fail),
        count(Status::Warn),
        count(Status::Skip)
    );
    if ladder::has_place(results, snapshot) {
        let ladder = ladder::place(results);
        let _ = writeln!(text, "maturity: {}", ladder.stage);
        for (at, id) in ladder.next.iter().enumerate() {
            let title = crate::checks::by_id(id).map_or("", |c| c.title);
            let _ = writeln!(text, "  {}. {id}  {title}", at + 1);
        }
    }
    if count(Status::Fail) > 0 {
        text.push_str("`loopdrill explain ID` says why a check matters and what to do about it\n");
    }
    text
}

fn line(text: &mut String, check: &CheckResult) {
    let mark = match check.status {
        Status::Pass => "ok  ",
        Status::Skip => "skip",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    let _ = writeln!(text, "{mark}  {}  {:<13} {:<8}  {}", check.id, check.area, check.severity, check.title);
    if check.status == Status::Pass {
        return;
    }
    for evidence in check.evidence.iter().take(SHOWN) {
        let _ = writeln!(text, "        {}", words(evidence));
    }
    let more = check.evidence.len().saturating_sub(SHOWN);
    if more > 0 {
        // The last piece counts what the list before it leaves out.
        let last = check.evidence.last().filter(|e| e.object.is_empty() && e.value.starts_with("and "));
        let _ = match last {
            Some(last) => writeln!(text, "        … {}", last.value),
            None => writeln!(text, "        and {more} more"),
        };
    }
}

/// One piece of evidence in one line.
pub(super) fn words(evidence: &Evidence) -> String {
    let file = evidence.file.as_ref().map(|f| format!(" ({f})")).unwrap_or_default();
    match evidence.object.as_str() {
        "" => format!("{}{file}", evidence.value),
        object => format!("{object}: {}{file}", evidence.value),
    }
}
