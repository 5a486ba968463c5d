//! The drills: a matrix of all, and each with what happened.

use super::{Beside, mark, outcome_tone, plot, text};
use crate::{
    Row, Scorecard, answer_name, render_diagnosis,
    say::duration,
    scorecard::{after, blame},
};
use loopdrill_model::{DrillReport, Gate, Outcome};
use maud::{Markup, html as markup};

/// Pieces of evidence shown of a gate.
const EVIDENCE: usize = 8;

/// Drills by gates.
pub(super) fn matrix(card: &Scorecard<'_>) -> Markup {
    markup! {
        section aria-labelledby="drills" {
            h2 #drills { "Drills" }
            @if card.rows.is_empty() { p { "No drill was run." } } @else {
                div.wide role="region" aria-label="Drills by gates" tabindex="0" {
                    table {
                        thead { tr {
                            th scope="col" { "Drill" } th scope="col" { "Loop" }
                            @for gate in Gate::ALL { th.gate scope="col" { (gate.name()) } }
                            th scope="col" { "Outcome" } th.number scope="col" { "Lag" } th.number scope="col" { "Lead" }
                            th.blamed scope="col" { "Blamed" }
                        } }
                        tbody { @for row in &card.rows { (line(row)) } }
                    }
                }
            }
        }
    }
}

fn line(row: &Row<'_>) -> Markup {
    markup! {
        tr {
            th scope="row" { a href=(format!("#{}", anchor(row.drill))) { (text(&row.id.fault)) "/" wbr; (text(&row.id.variant)) } }
            td { (answer_name(row.expected_loop)) }
            @for (_, answer) in row.marks { td.gate { (mark(answer)) } }
            td { (outcome(row)) }
            td.number { (row.lag.map_or("–".into(), duration)) }
            td.number { (row.lead.map_or("–".into(), duration)) }
            td { @if let Some(found) = row.diagnosis {
                @if !row.blamed_right() { span.bad { "✗ " } }
                (blame(found))
            } @else { "–" } }
        }
    }
}

fn outcome(row: &Row<'_>) -> Markup {
    markup! {
        span class=(outcome_tone(row.outcome)) { (text(&row.outcome.to_string())) }
        @if let Some(told) = row.accepted() { br; small { (text(&told)) } }
    }
}

fn anchor(drill: &DrillReport) -> String {
    format!("drill-{}-{}", drill.fault, drill.variant)
}

/// Each drill with what happened, open where it did not pass.
pub(super) fn details(card: &Scorecard<'_>, beside: &Beside) -> Markup {
    markup! {
        @if !card.rows.is_empty() {
            section aria-labelledby="details" {
                h2 #details { "What happened" }
                @for row in &card.rows { (detail(row, beside)) }
            }
        }
    }
}

fn detail(row: &Row<'_>, beside: &Beside) -> Markup {
    let fine = matches!(row.outcome, Outcome::Passed | Outcome::Skipped(_));
    markup! {
        details.drill #(anchor(row.drill)) open[!fine] {
            summary { h3 { (text(&row.id.to_string())) } " " (outcome(row)) }
            (plot::timeline(row.drill, beside.traces_of(&row.id)))
            @if let Some(error) = &row.drill.error { p.bad { "✗ " (text(error)) } }
            @if let Some(next) = crate::scorecard::advice(row) {
                p { b { "Next: " } (next.text) }
                @if let Some(command) = next.command { pre tabindex="0" { code { (command) } } }
            }
            (gates(row))
            @for detector in &row.drill.detectors {
                @for found in detector.findings() {
                    details { summary { (text(&detector.name)) " found " (blame(found)) } pre tabindex="0" { (render_diagnosis(found)) } }
                }
            }
        }
    }
}

fn gates(row: &Row<'_>) -> Markup {
    let zero = row.drill.injected_at();
    markup! {
        ul.gates {
            @for (gate, answer) in row.marks {
                @let result = row.drill.gate(gate);
                li {
                    (mark(answer)) " " b { (gate.name()) }
                    @if let (Some(at), Some(zero)) = (result.at, zero) { " " small { (after(at, zero)) } }
                    @if let Some(note) = &result.note { ": " (text(note)) }
                    @if !result.evidence.is_empty() {
                        ul { @for e in result.evidence.iter().take(EVIDENCE) {
                            li { (text(&e.signal)) ": " (text(&e.value)) " " small { (text(&e.source.to_string())) } }
                        } }
                    }
                }
            }
        }
    }
}
