//! Markdown, for pull requests.

use super::table::words;
use crate::{
    check::{Results, Status},
    ladder,
    snapshot::Snapshot,
};
use std::fmt::Write as _;

/// The results as Markdown: a table, then what failed with its remedy.
#[must_use]
pub fn markdown(results: &Results, snapshot: &Snapshot) -> String {
    let mut text = String::from("# Readiness\n\n");
    let count = |status| results.count(status);
    let _ = writeln!(
        text,
        "{} pass, {} fail, {} warn, {} skipped.",
        count(Status::Pass),
        count(Status::Fail),
        count(Status::Warn),
        count(Status::Skip)
    );
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
    for c in &results.checks {
        let first = c.evidence.first().map(words).unwrap_or_default();
        let cells = [&c.title, &first].map(|t| cell(t));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            c.id, c.area, c.severity, c.status, cells[0], cells[1]
        );
    }
    for c in results.checks.iter().filter(|c| c.status == Status::Fail) {
        let _ = writeln!(text, "\n## {}: {}\n", c.id, c.title);
        for evidence in &c.evidence {
            let _ = writeln!(text, "- {}", cell(&words(evidence)));
        }
        let _ = writeln!(text, "\n```yaml\n{}\n```", c.remedy.trim_end());
    }
    text
}

/// Text in which nothing means anything to Markdown.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}
