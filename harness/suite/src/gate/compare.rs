//! A run beside the one before: what got worse, and what got better.

use super::judge::{find, red, told};
use crate::Ends;
use loopdrill_model::{DrillReport, Finding, Gate, Kind, Outcome, RunReport, Verdict};

/// Regressions and improvements, drill by drill. What an exception of a suite covers is no regression.
pub(super) fn compare(before: &RunReport, now: &RunReport, ends: &Ends, margin: f64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for old in &before.drills {
        match find(now, &old.id()) {
            Some(new) if ends.hold(new).verdict == Verdict::Accepted => {}
            Some(new) => findings.extend(drill(old, new, margin)),
            None if matches!(old.outcome, Outcome::Skipped(_)) => {}
            None => findings.push(red(
                Kind::Regression,
                old.id(),
                format!("{} in the baseline, and not run any more", old.outcome),
            )),
        }
    }
    let is_new = |drill: &&DrillReport| find(before, &drill.id()).is_none() && drill.outcome.is_good();
    let new = now.drills.iter().filter(is_new);
    findings.extend(
        new.map(|d| told(Kind::Improvement, d.id(), format!("{}, and not in the baseline", d.outcome))),
    );
    findings
}

fn drill(old: &DrillReport, new: &DrillReport, margin: f64) -> Option<Finding> {
    let both = || format!("{} in the baseline, now {}", old.outcome, new.outcome);
    match rank(&new.outcome).cmp(&rank(&old.outcome)) {
        std::cmp::Ordering::Less => Some(red(Kind::Regression, old.id(), both())),
        std::cmp::Ordering::Greater => Some(told(Kind::Improvement, old.id(), both())),
        std::cmp::Ordering::Equal => lag(old, new, margin),
    }
}

fn lag(old: &DrillReport, new: &DrillReport, margin: f64) -> Option<Finding> {
    let of = |drill: &DrillReport| drill.deciding().filter(|d| d.detected.ok).and_then(|d| d.lag);
    let (before, after) = (of(old)?, of(new)?);
    let what = format!("diagnosed after {before:.1} s in the baseline, now after {after:.1} s");
    match after - before {
        slower if slower > margin => Some(red(Kind::Regression, old.id(), what)),
        faster if -faster > margin => Some(told(Kind::Improvement, old.id(), what)),
        _ => None,
    }
}

/// How far a drill came; more is better. A cluster that absorbs a fault and one in which it is noticed are both ready.
fn rank(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::CleanupFailed => 0,
        Outcome::Interrupted | Outcome::Errored | Outcome::NotInjected | Outcome::Skipped(_) => 1,
        Outcome::Failed(gate) => 2 + Gate::ALL.iter().position(|g| g == gate).unwrap_or_default(),
        Outcome::Passed | Outcome::Resilient => 2 + Gate::ALL.len(),
    }
}
