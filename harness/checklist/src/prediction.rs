//! Warnings held against what happened: did the faults that the checklist predicts really bite?
//!
//! A check that fails *predicts* its faults. A fault has *bitten* when its victim showed the symptom, whatever the
//! detector made of it; the cluster was *resilient* when it was in force and the victim stayed well. Observability predicts that a
//! fault goes unnoticed and not that it bites, so its checks take no part.

use crate::check::{Area, Results, Status, fault};
use loopdrill_model::{DrillReport, Outcome};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a prediction and what happened fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// A check failed, and the fault bit.
    PredictedAndBitten,
    /// A check failed, and the cluster was resilient.
    PredictedNotBitten,
    /// All checks passed, and the fault bit: a gap in the checklist.
    BittenNotPredicted,
    /// All checks passed, and the cluster was resilient.
    #[serde(alias = "ready-and-held")]
    ReadyAndResilient,
    /// No drill put the fault in force, so nothing is known.
    NotDrilled,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PredictedAndBitten => "predicted and bitten",
            Self::PredictedNotBitten => "predicted, not bitten",
            Self::BittenNotPredicted => "bitten, not predicted",
            Self::ReadyAndResilient => "ready and resilient",
            Self::NotDrilled => "not drilled",
        })
    }
}

/// One canonical fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// Its name.
    pub fault: String,
    /// The checks that failed and predict it.
    pub predicted_by: Vec<String>,
    /// The checks about it that passed, or warned.
    pub passed: Vec<String>,
    /// The checks about it that were skipped: what they would have said is not known.
    pub skipped: Vec<String>,
    /// Variants in which it bit.
    pub bitten: Vec<String>,
    /// Variants to which the cluster was resilient.
    #[serde(alias = "held")]
    pub resilient: Vec<String>,
    /// How the two fit together.
    pub agreement: Agreement,
}

/// Whether one drill's fault bit; `None` when the drill does not tell.
fn bit(drill: &DrillReport) -> Option<bool> {
    match drill.outcome {
        Outcome::Resilient => Some(false),
        Outcome::Passed => Some(true),
        Outcome::Failed(_) | Outcome::CleanupFailed
            if drill.gates.injected.ok && drill.gates.manifested.ok =>
        {
            Some(true)
        }
        // Also a victim that showed no symptom and was not well: it proves neither.
        _ => None,
    }
}

/// Holds the checks, as they were before the drills, against the drills. One entry a canonical fault.
#[must_use]
pub fn hold(before: &Results, drills: &[DrillReport]) -> Vec<Prediction> {
    fault::ALL.iter().map(|fault| one(fault, before, drills)).collect()
}

fn one(fault: &str, before: &Results, drills: &[DrillReport]) -> Prediction {
    let about = || {
        before
            .checks
            .iter()
            .filter(|c| c.area != Area::Observability && c.predicts.iter().any(|p| p == fault))
    };
    let ids = |wanted: &[Status]| -> Vec<String> {
        about().filter(|c| wanted.contains(&c.status)).map(|c| c.id.clone()).collect()
    };
    let variants = |wanted: bool| -> Vec<String> {
        let of = drills.iter().filter(|d| d.fault == fault && bit(d) == Some(wanted));
        of.map(|d| d.variant.clone()).collect()
    };
    let (predicted_by, bitten, resilient) = (ids(&[Status::Fail]), variants(true), variants(false));
    let agreement = match (predicted_by.is_empty(), bitten.is_empty(), resilient.is_empty()) {
        (_, true, true) => Agreement::NotDrilled,
        (false, false, _) => Agreement::PredictedAndBitten,
        (false, true, false) => Agreement::PredictedNotBitten,
        (true, false, _) => Agreement::BittenNotPredicted,
        (true, true, false) => Agreement::ReadyAndResilient,
    };
    Prediction {
        fault: fault.into(),
        predicted_by,
        passed: ids(&[Status::Pass, Status::Warn]),
        skipped: ids(&[Status::Skip]),
        bitten,
        resilient,
        agreement,
    }
}

/// What the run says about the checklist itself: a fault that bit although all is well by its checks.
#[must_use]
pub fn findings(predictions: &[Prediction]) -> Vec<String> {
    let gaps = predictions.iter().filter(|p| p.agreement == Agreement::BittenNotPredicted);
    gaps.map(finding).collect()
}

fn finding(p: &Prediction) -> String {
    let asked = match (p.passed.as_slice(), p.skipped.as_slice()) {
        ([], []) => "no check is about it".to_string(),
        (passed, []) => format!("{} hold", passed.join(" ")),
        ([], skipped) => format!("{} could not be judged", skipped.join(" ")),
        (passed, skipped) => format!("{} hold, {} could not be judged", passed.join(" "), skipped.join(" ")),
    };
    let resilient = match p.resilient.as_slice() {
        [] => String::new(),
        variants => format!(" The cluster was resilient to {}.", variants.join(" and ")),
    };
    format!(
        "{} bit as {} although {asked}: what they ask for does not stop that.{resilient}",
        p.fault,
        p.bitten.join(" and ")
    )
}

/// The table as a run prints it, and what it says about the checklist.
#[must_use]
pub fn table(predictions: &[Prediction]) -> String {
    let list = |names: &[String]| if names.is_empty() { "–".to_string() } else { names.join(" ") };
    let by = |p: &Prediction| list(&p.predicted_by);
    let width =
        predictions.iter().map(|p| by(p).chars().count()).max().unwrap_or(0).max("predicted by".len());
    let mut text =
        format!("{:<22} {:<23} {:<width$} bitten in / resilient to\n", "fault", "agreement", "predicted by");
    for p in predictions {
        let drills = format!("{} / {}", list(&p.bitten), list(&p.resilient));
        let agreement = p.agreement.to_string();
        text.push_str(&format!("{:<22} {agreement:<23} {:<width$} {drills}\n", p.fault, by(p)));
    }
    let findings = findings(predictions);
    if !findings.is_empty() {
        text.push_str("\nWhat that says about the checklist:\n");
    }
    for finding in findings {
        text.push_str(&format!("- {finding}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::results;
    use loopdrill_model::{Expectation, FaultId, Gate, GateResult};

    fn drill(fault: &str, outcome: Outcome, injected: bool, manifested: bool) -> DrillReport {
        let gate = |ok| GateResult { ok, ..GateResult::default() };
        let id = FaultId::new(fault, "v");
        let mut report = DrillReport::new(&id, Expectation::default()).ended(outcome, None);
        (report.gates.injected, report.gates.manifested) = (gate(injected), gate(manifested));
        report
    }

    fn agreement(check: Status, drills: &[DrillReport]) -> Agreement {
        let held = hold(&results(&[("ST-01", check), ("ST-02", Status::Pass)]), drills);
        held.into_iter().find(|p| p.fault == fault::PVC).expect("every fault is there").agreement
    }

    #[test]
    fn the_four_answers_and_not_knowing() {
        let bitten = [drill(fault::PVC, Outcome::Passed, true, true)];
        let unnoticed = [drill(fault::PVC, Outcome::Failed(Gate::Detected), true, true)];
        let held = [drill(fault::PVC, Outcome::Resilient, true, false)];
        assert_eq!(agreement(Status::Fail, &bitten), Agreement::PredictedAndBitten);
        assert_eq!(agreement(Status::Fail, &unnoticed), Agreement::PredictedAndBitten);
        assert_eq!(agreement(Status::Fail, &held), Agreement::PredictedNotBitten);
        assert_eq!(agreement(Status::Pass, &bitten), Agreement::BittenNotPredicted);
        assert_eq!(agreement(Status::Pass, &held), Agreement::ReadyAndResilient);
        assert_eq!(agreement(Status::Fail, &[]), Agreement::NotDrilled);
        let elsewhere = [drill(fault::ETCD, Outcome::Passed, true, true)];
        assert_eq!(agreement(Status::Fail, &elsewhere), Agreement::NotDrilled);
        let undecided = [drill(fault::PVC, Outcome::Failed(Gate::Manifested), true, false)];
        assert_eq!(agreement(Status::Pass, &undecided), Agreement::NotDrilled, "it was not well, either");
        for outcome in [Outcome::NotInjected, Outcome::Errored, Outcome::Interrupted] {
            assert_eq!(
                agreement(Status::Fail, &[drill(fault::PVC, outcome, false, false)]),
                Agreement::NotDrilled
            );
        }
    }

    #[test]
    fn a_gap_is_told_with_what_held_beside_it() {
        let checks = results(&[("ST-01", Status::Pass), ("ST-05", Status::Skip)]);
        let mut drills = [
            drill(fault::PVC, Outcome::Passed, true, true),
            drill(fault::PVC, Outcome::Resilient, true, false),
        ];
        drills[1].variant = "other".into();
        assert_eq!(
            findings(&hold(&checks, &drills)),
            [
                "cross-az-pvc bit as v although ST-01 hold, ST-05 could not be judged: what they ask for does not stop \
                 that. The cluster was resilient to other."
            ]
        );
        assert!(
            findings(&hold(&results(&[("ST-01", Status::Fail)]), &drills)).is_empty(),
            "it was predicted"
        );
    }

    #[test]
    fn observability_predicts_no_bite() {
        let held =
            hold(&results(&[("OB-01", Status::Fail)]), &[drill(fault::PVC, Outcome::Passed, true, true)]);
        let of_pvc = held.iter().find(|p| p.fault == fault::PVC).expect("there");
        assert_eq!(of_pvc.agreement, Agreement::BittenNotPredicted);
        assert!(table(&held).contains("bitten, not predicted"));
    }
}
