//! Runs over time: how each ended, and each drill run by run.

use super::{outcome_tone, text, tone, word};
use crate::{Score, say::seconds};
use loopdrill_model::{DrillReport, ExitStatus, FaultId, RunReport};
use maud::{Markup, html as markup};
use std::collections::BTreeSet;

/// Runs that are shown, the latest ones.
const RUNS: usize = 20;

/// Where there were other runs: all of them by time, this one, too.
pub(super) fn section(report: &RunReport, others: &[RunReport]) -> Markup {
    let mut runs: Vec<_> = others.iter().filter(|other| other.run != report.run).collect();
    if runs.is_empty() {
        return markup! {};
    }
    runs.push(report);
    runs.sort_by_key(|run| run.started_at);
    let runs = &runs[runs.len().saturating_sub(RUNS)..];
    markup! {
        section aria-labelledby="history" {
            h2 #history { "History" }
            (table(runs, report))
            (grid(runs, report))
        }
    }
}

fn day(run: &RunReport) -> String {
    run.started_at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn table(runs: &[&RunReport], this: &RunReport) -> Markup {
    markup! {
        div.wide role="region" aria-label="Runs over time" tabindex="0" {
            table {
                thead { tr {
                    th scope="col" { "Begun (UTC)" } th scope="col" { "Verdict" } th.number scope="col" { "Drills well" }
                    th.number scope="col" { "False alarms" } th.number scope="col" { "Lag" } th.number scope="col" { "Worst lag" }
                } }
                tbody { @for run in runs { (one(run, run.run == this.run)) } }
            }
        }
    }
}

fn one(run: &RunReport, is_this: bool) -> Markup {
    let well = run.drills.iter().filter(|d| is_well(d, run)).count();
    let lag = Score::from(run).detectors.first().and_then(|d| d.lag);
    markup! {
        tr aria-current=[is_this.then_some("true")] {
            th scope="row" { (day(run)) @if is_this { " (this one)" } }
            td { span class=(tone(run.exit)) {
                span aria-hidden="true" { @if run.exit == ExitStatus::Ready { "✓ " } @else { "✗ " } } (word(run.exit))
            } }
            td.number { (well) " of " (run.drills.len()) }
            td.number { (run.false_alarms.len()) }
            td.number { (lag.map_or("–".into(), |l| seconds(l.median))) }
            td.number { (lag.map_or("–".into(), |l| seconds(l.worst))) }
        }
    }
}

fn is_well(drill: &DrillReport, run: &RunReport) -> bool {
    drill.exit(run.require) == ExitStatus::Ready
}

/// Drills by runs: how each ended.
fn grid(runs: &[&RunReport], this: &RunReport) -> Markup {
    let drills: BTreeSet<FaultId> =
        runs.iter().flat_map(|run| run.drills.iter().map(DrillReport::id)).collect();
    markup! {
        div.wide role="region" aria-label="Drills over time" tabindex="0" {
            table {
                caption { "How each drill ended, run by run" }
                thead { tr {
                    th scope="col" { "Drill" }
                    @for run in runs { th.gate scope="col" { (day(run)) @if run.run == this.run { " (this one)" } } }
                } }
                tbody { @for drill in &drills { tr {
                    th scope="row" { (text(&drill.to_string())) }
                    @for run in runs { td.gate { (ended(run, drill)) } }
                } } }
            }
        }
    }
}

/// A sign for the eye, the outcome in words for everybody.
fn ended(run: &RunReport, drill: &FaultId) -> Markup {
    let Some(found) = run.drills.iter().find(|d| d.id() == *drill) else {
        return markup! { span.dim aria-hidden="true" { "·" } span.hidden { "not run" } };
    };
    let sign = match (is_well(found, run), outcome_tone(&found.outcome)) {
        (true, "good") => "✓",
        (true, _) => "–",
        (false, _) => "✗",
    };
    let outcome = found.outcome.to_string();
    markup! { span class=(outcome_tone(&found.outcome)) aria-hidden="true" title=(outcome) { (sign) } span.hidden { (outcome) } }
}
