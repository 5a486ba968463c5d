//! What each detector is worth: its answers in a matrix, lag and lead.

use super::text;
use crate::{
    ANSWERS, DetectorScore, Score, Spread, answer_name,
    say::{count, seconds},
};
use loopdrill_model::{Loop, RunReport};
use maud::{Markup, html as markup};

pub(super) fn section(report: &RunReport) -> Markup {
    let score = Score::from(report);
    markup! {
        @if !score.detectors.is_empty() {
            section aria-labelledby="detectors" {
                h2 #detectors { "Detectors" }
                div.side { @for one in &score.detectors { (detector(one)) } }
            }
        }
    }
}

fn detector(score: &DetectorScore) -> Markup {
    let quiet = score.asked - score.faults;
    let name = text(&score.detector);
    markup! {
        article {
            h3 { (name) }
            p {
                b { (score.attributed) } " of " (count(score.faults, "fault")) " named rightly, "
                (score.detected) " noticed; silent in " (score.silent) " of " (quiet) " where nothing was wrong; "
                (count(score.false_alarms, "false alarm"))
            }
            @if let Some(error) = &score.error { p.bad { "✗ it ended early: " (text(error)) } }
            div.wide role="region" aria-label=(format!("Answers of {name}")) tabindex="0" {
                table {
                    caption { "Rows: what was wrong. Columns: what was blamed. The diagonal (bold) is right." }
                    thead { tr {
                        td {}
                        @for said in ANSWERS { th.number scope="col" { (answer_name(said)) } }
                        th.number scope="col" { "lag" } th.number scope="col" { "worst" }
                    } }
                    tbody {
                        @for really in ANSWERS.into_iter().filter(|r| score.confusion.asked(*r) > 0) { (row(score, really)) }
                    }
                }
            }
            (spreads(score))
        }
    }
}

fn row(score: &DetectorScore, really: Option<Loop>) -> Markup {
    let lag = score.lag_by_loop.get(answer_name(really));
    markup! {
        tr {
            th scope="row" { (answer_name(really)) }
            @for said in ANSWERS { @let n = score.confusion.count(really, said);
                td.number {
                    @if n == 0 { span.dim { "0" } }
                    @else if said == really { b.good { (n) } }
                    @else { span.bad { (n) " ✗" } }
                }
            }
            td.number { (lag.map_or("–".into(), |l| seconds(l.median))) }
            td.number { (lag.map_or("–".into(), |l| seconds(l.worst))) }
        }
    }
}

fn spreads(score: &DetectorScore) -> Markup {
    let said = |spread: Option<Spread>, worst: &str| {
        spread.map_or("–".into(), |s| {
            format!("{} in the middle, {worst} {}", seconds(s.median), seconds(s.worst))
        })
    };
    markup! {
        dl {
            dt { "Lag, from the first evidence to the diagnosis" } dd { (said(score.lag, "at most")) }
            dt { "Lead, from the first evidence to the symptom" } dd { (said(score.lead, "at least")) }
            dt { "From the injection to the diagnosis" } dd { (said(score.since_injection, "at most")) }
        }
    }
}
