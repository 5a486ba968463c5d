//! The readiness checklist on the page: what fails, why, and what to do about it.

use super::{Beside, text};
use maud::{Markup, html as markup};
use serde::Deserialize;

/// Objects named of a check.
const OBJECTS: usize = 20;

/// A check's answer, as `readiness.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckLine {
    /// Its stable name.
    pub id: String,
    /// When it passes.
    pub title: String,
    /// What it is about.
    #[serde(rename = "loop")]
    pub area: String,
    /// How much its failure matters.
    pub severity: String,
    /// How it ended: pass, skip, warn or fail.
    pub status: String,
    /// Whether it was skipped for want of access.
    #[serde(default)]
    pub blind: bool,
    /// What it rests on.
    pub evidence: Vec<CheckEvidence>,
    /// What to do about it.
    pub remedy: String,
}

/// One piece of a check's evidence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckEvidence {
    /// The object; empty for what is about the whole.
    #[serde(default)]
    pub object: String,
    /// What was seen.
    pub value: String,
}

impl CheckLine {
    /// What was found, in a line.
    #[must_use]
    pub fn what(&self) -> String {
        let first = self.evidence.first().map_or_else(|| self.title.clone(), CheckEvidence::words);
        match self.evidence.len() {
            0 | 1 => first,
            n => format!("{first}, and {} more", n - 1),
        }
    }
}

impl CheckEvidence {
    fn words(&self) -> String {
        if self.object.is_empty() { self.value.clone() } else { format!("{}: {}", self.object, self.value) }
    }
}

/// What became of the checklist's prediction of a fault, as `predictions.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PredictionLine {
    /// The fault.
    pub fault: String,
    /// The checks that failed and predict it.
    pub predicted_by: Vec<String>,
    /// Variants in which it bit.
    pub bitten: Vec<String>,
    /// Variants to which the cluster was resilient.
    pub resilient: Vec<String>,
    /// How both fit together.
    pub agreement: String,
}

pub(super) fn section(beside: &Beside) -> Markup {
    let checks = &beside.checks;
    let failed = checks.iter().filter(|c| c.status == "fail").count();
    let told = || checks.iter().filter(|c| matches!(c.status.as_str(), "fail" | "warn") || c.blind);
    markup! {
        @if !checks.is_empty() {
            section aria-labelledby="checklist" {
                h2 #checklist { "Readiness checklist" }
                p { (failed) " of " (checks.len()) " checks fail." }
                @for check in told() { (one(check)) }
                @if !beside.predictions.is_empty() { (predictions(&beside.predictions)) }
            }
        }
    }
}

/// Were its warnings right?
fn predictions(all: &[PredictionLine]) -> Markup {
    let list = |words: &[String]| if words.is_empty() { "–".into() } else { text(&words.join(" ")) };
    markup! {
        div.wide role="region" aria-label="Predictions of the checklist" tabindex="0" {
            table {
                caption { "Its predictions, held against what the drills did" }
                thead { tr {
                    th scope="col" { "Fault" } th scope="col" { "Agreement" } th scope="col" { "Predicted by" }
                    th scope="col" { "Bitten as" } th scope="col" { "Resilient to" }
                } }
                tbody { @for p in all { tr {
                    th scope="row" { (text(&p.fault)) }
                    td { (agreement(&p.agreement)) }
                    td { (list(&p.predicted_by)) } td { (list(&p.bitten)) } td { (list(&p.resilient)) }
                } } }
            }
        }
    }
}

/// A gap in the checklist is bad, a warning that did not come true is worth a look.
fn agreement(name: &str) -> Markup {
    let (tone, sign) = match name {
        "bitten-not-predicted" => ("bad", "✗ "),
        "predicted-not-bitten" => ("warn", "! "),
        "predicted-and-bitten" | "ready-and-resilient" => ("good", "✓ "),
        _ => ("dim", ""),
    };
    markup! { span class=(tone) { (sign) (text(&name.replace('-', " "))) } }
}

fn one(check: &CheckLine) -> Markup {
    let (tone, sign) = if check.status == "fail" { ("bad", "✗") } else { ("warn", "!") };
    let more = check.evidence.len().saturating_sub(OBJECTS);
    markup! {
        details.drill {
            summary {
                h3 { (check.id) } " " span class=(tone) { (sign) " " (check.status) ", " (check.severity) } " " (text(&check.title))
            }
            ul {
                @for e in check.evidence.iter().take(OBJECTS) { li { (text(&e.words())) } }
                @if more > 0 { li { "and " (more) " more" } }
            }
            pre tabindex="0" { code { (check.remedy) } }
        }
    }
}
