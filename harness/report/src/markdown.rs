//! `summary.md`: what a pipeline shows beside its log.

use crate::{
    Row, Score, Scorecard, gate,
    say::{clean, count, duration},
    scorecard::{blame, verdict},
};
use loopdrill_model::{ExitStatus, Gate, RunReport};

/// Drills in a table; a pipeline's page is no place for more.
const ROWS: usize = 200;

/// The content of `summary.md`.
#[must_use]
pub fn markdown(report: &RunReport) -> String {
    let card = Scorecard::from(report);
    let sign = if card.exit == ExitStatus::Ready { "✅" } else { "❌" };
    let mut out = format!("## {sign} loopdrill: {}\n\n", text(&verdict(&card)));
    out += &format!("{}\n\n", text(&about(&card)));
    out += &gate_part(report);
    out += &table(&card);
    out += &scores(report);
    for trouble in &report.trouble {
        out += &format!("- ✗ {}\n", text(trouble));
    }
    out
}

fn about(card: &Scorecard<'_>) -> String {
    let report = card.report;
    let took = duration(report.ended_at.duration_since(report.started_at));
    let ended = card.totals.by_name().into_iter().filter(|(_, n)| *n > 0);
    let ended: Vec<_> = ended.map(|(name, n)| format!("{n} {name}")).collect();
    let drills = count(card.totals.drills, "drill");
    let alarms = count(card.totals.false_alarms, "false alarm");
    format!(
        "{drills}: {}; {alarms}; cluster {}, detector {}, {took}",
        ended.join(", "),
        report.cluster,
        report.detector
    )
}

fn gate_part(report: &RunReport) -> String {
    let Some(judged) = &report.gate else { return String::new() };
    let mut out = format!("### {}\n\n", text(&judged.verdict()));
    for finding in &judged.findings {
        out += &format!(
            "- {} **{}**: {}\n",
            gate::sign(finding),
            text(&gate::head(finding)),
            text(&finding.what)
        );
    }
    out.push('\n');
    out
}

fn table(card: &Scorecard<'_>) -> String {
    if card.rows.is_empty() {
        return String::new();
    }
    let gates = Gate::ALL.map(Gate::name).join(" | ");
    let mut out =
        format!("| drill | {gates} | outcome | lag | blamed |\n|---|{}---|--:|---|\n", ":-:|".repeat(5));
    for row in card.rows.iter().take(ROWS) {
        out += &line(row);
    }
    if card.rows.len() > ROWS {
        out += &format!("\n… and {} more; see the other reports.\n", card.rows.len() - ROWS);
    }
    out.push('\n');
    out
}

fn line(row: &Row<'_>) -> String {
    let marks = row.marks.map(|(_, mark)| mark.sign()).join(" | ");
    let lag = row.lag.map_or("–".into(), duration);
    let blamed = row.diagnosis.map_or("–".into(), blame);
    let outcome = match row.accepted() {
        Some(told) => format!("{} ({told})", row.outcome),
        None => row.outcome.to_string(),
    };
    format!("| {} | {marks} | {} | {lag} | {} |\n", text(&row.id.to_string()), text(&outcome), text(&blamed))
}

fn scores(report: &RunReport) -> String {
    let scores = Score::from(report).detectors;
    let line = |s: &crate::DetectorScore| {
        let lag =
            s.lag.map(|l| format!(", lag {:.1} s (worst {:.1} s)", l.median, l.worst)).unwrap_or_default();
        format!(
            "- **{}**: {} of {} named rightly{lag}, {}\n",
            text(&s.detector),
            s.attributed,
            count(s.faults, "fault"),
            count(s.false_alarms, "false alarm")
        )
    };
    scores.iter().map(line).collect()
}

/// Text that came from elsewhere, in a cell or a line: it cannot end either, and is no markup.
fn text(from: &str) -> String {
    let mut out = String::new();
    for c in clean(from).chars() {
        match c {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_run_as_a_summary() {
        insta::assert_snapshot!(markdown(&sample::run()));
    }

    #[test]
    fn text_of_a_cluster_is_no_markup() {
        assert_eq!(text("a|b\n<i>*c*"), "a\\|b &lt;i&gt;\\*c\\*");
    }

    proptest::proptest! {
        #[test]
        fn every_row_has_its_cells(report in sample::any_run()) {
            for line in markdown(&report).lines().filter(|l| l.starts_with('|')) {
                let bars = line.replace("\\|", "").matches('|').count();
                proptest::prop_assert_eq!(bars, 10, "{}", line);
            }
        }
    }
}
