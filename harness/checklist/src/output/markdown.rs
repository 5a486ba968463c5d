//! Markdown, for pull requests.

use super::{Page, scan, table, words};
use crate::{
    check::{Results, Status},
    ladder,
    snapshot::Snapshot,
};
use std::fmt::Write as _;

/// Evidence that is shown for each check.
const SHOWN: usize = 20;

/// The results as Markdown: a table, then what failed with its remedy.
#[must_use]
pub fn markdown(results: &Results, snapshot: &Snapshot) -> String {
    let mut text = String::from("# Readiness\n\n");
    let _ = writeln!(text, "{}.", table::counts(results));
    if let Some(scan) = &snapshot.scan {
        text.push('\n');
        // One line each: what wraps here is the reader's window.
        scan::told(&mut text, Page { width: usize::MAX, colours: false }, scan);
    }
    if ladder::has_place(results, snapshot) {
        let ladder = ladder::place(results);
        let _ = write!(text, "\nMaturity: **{}**.", ladder.stage);
        if !ladder.next.is_empty() {
            let _ = write!(text, " Next: {}.", ladder.next.join(", "));
        }
        text.push('\n');
    }
    text.push_str(
        "\n| id | loop | severity | status | passes when | evidence |\n|---|---|---|---|---|---|\n",
    );
    for c in results.checks.iter().filter(|c| c.status != Status::Skip) {
        let first = c.evidence.first().map(words).unwrap_or_default();
        let cells = [&c.title, &first].map(|t| cell(t));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            c.id, c.area, c.severity, c.status, cells[0], cells[1]
        );
    }
    for (ids, why) in table::reasons(results) {
        let _ = writeln!(text, "\nSkipped: {}: {}", ids.join(", "), cell(why));
    }
    for remark in &results.exceptions {
        let _ = writeln!(text, "\nException: {}: {}", cell(&remark.at), cell(&remark.text));
    }
    for c in results.checks.iter().filter(|c| c.status == Status::Fail) {
        let _ = writeln!(text, "\n## {}: {}\n", c.id, c.title);
        for evidence in c.evidence.iter().take(SHOWN) {
            let _ = writeln!(text, "- {}", cell(&words(evidence)));
        }
        let more = c.evidence.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(text, "- and {more} more, {} in all", c.evidence.len());
        }
        let _ = writeln!(text, "\n```yaml\n{}\n```", c.remedy.trim_end());
    }
    text
}

/// Text in which nothing means anything to Markdown.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}
