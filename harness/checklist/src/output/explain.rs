//! What is to be said about the checks themselves.

use crate::{check::Check, checks};
use std::fmt::Write as _;

/// All that is known about a check.
#[must_use]
pub fn explain(check: &Check) -> String {
    let mut text = format!("{}  {}\n\n{}\n\n", check.id, check.title, check.why);
    let _ = writeln!(text, "loop:      {}", check.area);
    let _ = writeln!(text, "severity:  {}", check.severity);
    let _ = writeln!(text, "predicts:  {}", check.predicts.join(", "));
    let _ = writeln!(text, "stage:     {}", check.stage);
    let needs = check.needs.iter().map(|n| n.name()).collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "needs:     {needs}");
    let manifests = if check.manifests { "can answer it, too" } else { "cannot answer it" };
    let _ = writeln!(text, "manifests: {manifests}");
    let _ = writeln!(text, "\nremedy:\n{}", indented(check.remedy));
    text
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|l| format!("  {l}\n")).collect()
}

/// All checks, one a line.
#[must_use]
pub fn list() -> String {
    let line =
        |c: &Check| format!("{}  {:<13} {:<8}  {:<13}  {}\n", c.id, c.area, c.severity, c.stage, c.title);
    checks::all().map(line).collect()
}
