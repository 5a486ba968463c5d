//! The table for people: one entry a check, and one line for each reason why checks were skipped.

use super::{Page, scan, words};
use crate::{
    check::{CheckResult, Evidence, Remark, Results, Status},
    ladder,
    snapshot::Snapshot,
};
use std::fmt::Write as _;

/// Evidence that is shown for each check; `--by object` and the formats for machines have all.
const SHOWN: usize = 3;
/// Where a check's title begins.
const TITLE: usize = 37;
/// Where evidence begins.
const EVIDENCE: usize = 8;

/// The results as a table; with the ladder's stage for a cluster, and with what was read for manifests.
#[must_use]
pub fn table(results: &Results, snapshot: &Snapshot, page: Page) -> String {
    let mut text = String::new();
    for check in results.checks.iter().filter(|c| !is_folded(c)) {
        entry(&mut text, page, check);
    }
    skipped(&mut text, page, results);
    text.push('\n');
    summary(&mut text, page, results, snapshot);
    text
}

/// What ends every report for people.
pub(super) fn summary(text: &mut String, page: Page, results: &Results, snapshot: &Snapshot) {
    let _ = writeln!(text, "{}", counts(results));
    if let Some(scan) = &snapshot.scan {
        scan::told(text, page, scan);
    }
    for Remark { at, text: what } in &results.exceptions {
        page.write(text, "exception: ", 11, &format!("{at}: {what}"));
    }
    if ladder::has_place(results, snapshot) {
        let ladder = ladder::place(results);
        let _ = writeln!(text, "maturity: {}", ladder.stage);
        for (at, id) in ladder.next.iter().enumerate() {
            let title = crate::checks::by_id(id).map_or("", |c| c.title);
            page.write(text, &format!("  {}. {id}  ", at + 1), 12, title);
        }
    }
    if results.count(Status::Fail) > 0 {
        let hint = "`loopdrill explain ID` says why a check matters and what to do about it";
        page.write(text, "", 0, hint);
    }
}

/// How many checks ended how.
pub(super) fn counts(results: &Results) -> String {
    let count = |status| results.count(status);
    format!(
        "{} pass, {} fail, {} warn, {} skipped",
        count(Status::Pass),
        count(Status::Fail),
        count(Status::Warn),
        count(Status::Skip)
    )
}

fn entry(text: &mut String, page: Page, check: &CheckResult) {
    let mark = page.mark(check.status);
    let begin = format!("{mark}  {}  {:<13} {:<8}  ", check.id, check.area, check.severity);
    page.write(text, &begin, TITLE, &check.title);
    if check.status == Status::Pass {
        return;
    }
    let indent = " ".repeat(EVIDENCE);
    for evidence in check.evidence.iter().take(SHOWN) {
        page.write(text, &indent, EVIDENCE + 2, &words(evidence));
    }
    let more = check.evidence.len().saturating_sub(SHOWN);
    if more > 0 {
        page.write(text, &indent, EVIDENCE + 2, &format!("and {more} more, {} in all", check.evidence.len()));
    }
}

/// A check that was not judged has a reason and nothing else; one whose findings are all excepted has more to say.
fn is_folded(check: &CheckResult) -> bool {
    check.status == Status::Skip && check.evidence.iter().all(|e| e.object.is_empty())
}

/// One line for each reason, in the order in which they came up.
pub(super) fn skipped(text: &mut String, page: Page, results: &Results) {
    for (ids, why) in reasons(results) {
        page.write(text, &format!("{}  ", page.mark(Status::Skip)), 6, &format!("{}: {why}", ids.join(", ")));
    }
}

/// Why checks were not judged, each reason with its checks.
pub(super) fn reasons(results: &Results) -> Vec<(Vec<&str>, &str)> {
    let mut all: Vec<(Vec<&str>, &str)> = Vec::new();
    for check in results.checks.iter().filter(|c| is_folded(c)) {
        let why = check.evidence.first().map_or("", |e: &Evidence| e.value.as_str());
        match all.iter_mut().find(|(_, known)| *known == why) {
            Some((ids, _)) => ids.push(&check.id),
            None => all.push((vec![&check.id], why)),
        }
    }
    all
}
