//! What to do next.

use super::{Row, Scorecard};
use crate::say::count;
use loopdrill_model::{Capability, ExitStatus, Gate, Outcome, Verdict, is_proof};

/// The next step after a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice {
    /// In a sentence.
    pub(crate) text: String,
    /// The command for it, ready to be pasted.
    pub(crate) command: Option<String>,
}

/// The next step after a drill that did not pass, or `None` when there is nothing to do.
pub(crate) fn advice(row: &Row<'_>) -> Option<Advice> {
    let alone = format!("loopdrill run --fault {} --variant {}", row.id.fault, row.id.variant);
    let (text, command): (String, _) = match row.outcome {
        Outcome::Passed | Outcome::Resilient => return None,
        Outcome::Failed(Gate::Injected) | Outcome::NotInjected => {
            ("as long as the fault is not in force, the drill proves nothing; remove what hinders it".into(), alone)
        }
        Outcome::Failed(Gate::Manifested) => (
            "the fault was put in force and the victim did not show it: see whether something took it away, and \
             keep the cluster to look at it"
                .into(),
            format!("{alone} --keep"),
        ),
        Outcome::Failed(Gate::Detected | Gate::Attributed) if row.expected_loop.is_none() => (
            "nothing was injected here: find out what the detector saw before its other findings are trusted".into(),
            alone,
        ),
        Outcome::Failed(Gate::Detected) => {
            let blind = row.expected_loop.map_or("", |l| l.name());
            (format!("the detector stayed silent through its budget: give it an alert on the {blind} loop"), alone)
        }
        Outcome::Failed(Gate::Attributed) => (
            "the alarm rang and the wrong thing was blamed first: correct what maps this alert to its loop".into(),
            alone,
        ),
        Outcome::Failed(Gate::Recovered) => (
            "something did not return to what it was; an undo is safe to repeat and says what is left".into(),
            "loopdrill undo".into(),
        ),
        Outcome::CleanupFailed => {
            ("undo until nothing is left; no other run starts before".into(), "loopdrill undo".into())
        }
        Outcome::Errored => ("this is no verdict about the cluster: put the error right and repeat it".into(), alone),
        Outcome::Skipped(Capability::Admission) => (
            "nothing of it was done: take the remedy that is told with the refusal; the least rights are printed by this"
                .into(),
            format!("loopdrill rbac --drills --fault {}", row.id.fault),
        ),
        Outcome::Skipped(Capability::Fence) => {
            let text = "allow it in the target file, if it may be; else drill it on another cluster";
            return Some(Advice { text: text.into(), command: None });
        }
        Outcome::Skipped(_) => {
            let text = "drill a cluster that has it; a lab has everything that this machine's kernel allows";
            return Some(Advice { text: text.into(), command: None });
        }
        Outcome::Interrupted => ("repeat it".into(), alone),
    };
    Some(Advice { text, command: Some(command) })
}

/// Drills that ended badly, or were skipped, as a suite accepts it.
fn accepted(card: &Scorecard<'_>) -> usize {
    with(card, &[Verdict::Accepted])
}

/// Drills that did not end as a suite wants it.
fn otherwise(card: &Scorecard<'_>) -> usize {
    with(card, &[Verdict::Otherwise, Verdict::Expired])
}

fn with(card: &Scorecard<'_>, verdicts: &[Verdict]) -> usize {
    let verdict =
        |row: &&Row<'_>| row.drill.acceptance.as_ref().is_some_and(|a| verdicts.contains(&a.verdict));
    card.rows.iter().filter(verdict).count()
}

/// The exit status in words.
pub(crate) fn verdict(card: &Scorecard<'_>) -> String {
    let t = card.totals;
    if let Some(judged) = &card.report.gate {
        return judged.verdict();
    }
    match card.exit {
        ExitStatus::Ready | ExitStatus::NotReady if t.drills == 0 => {
            "nothing was proven: no drill was run".into()
        }
        ExitStatus::Ready | ExitStatus::NotReady if t.skipped == t.drills => {
            "nothing was proven: every drill was skipped".into()
        }
        ExitStatus::Ready if accepted(card) > 0 => {
            format!("ready, as the suite wants it: {} accepted", count(accepted(card), "exception"))
        }
        ExitStatus::Ready if t.skipped > 0 => format!(
            "ready, as far as it was drilled: {} skipped (--require makes that a failure)",
            count(t.skipped, "drill")
        ),
        ExitStatus::Ready => {
            "ready: every fault was noticed, blamed right and undone, or the cluster was resilient".into()
        }
        ExitStatus::NotReady if otherwise(card) > 0 => {
            format!("not ready: {} did not end as the suite wants", count(otherwise(card), "drill"))
        }
        ExitStatus::NotReady if t.failed > accepted(card) => {
            format!("not ready: {} failed a gate", count(t.failed, "drill"))
        }
        ExitStatus::NotReady if !is_proof(&card.report.drills) => {
            "nothing was proven: no fault was noticed and blamed rightly, and none was absorbed".into()
        }
        ExitStatus::NotReady if t.false_alarms > 0 => "not ready: the detector raised false alarms".into(),
        ExitStatus::NotReady if t.skipped > 0 => {
            "not ready: drills were skipped and --require was given".into()
        }
        ExitStatus::NotReady => "not ready: see the trouble above".into(),
        ExitStatus::Usage => "not run: usage or configuration".into(),
        ExitStatus::NoCluster => "no verdict: the cluster could not be provided, or was lost".into(),
        ExitStatus::NotAdmitted => {
            "no verdict on drills that the cluster does not admit: nothing of them was done".into()
        }
        ExitStatus::NotInjected => {
            format!("no verdict: {} could not be injected", count(t.not_injected, "fault"))
        }
        ExitStatus::CleanupFailed => "something could not be undone: run `loopdrill undo`".into(),
        ExitStatus::Interrupted => "interrupted, and everything is cleaned up".into(),
    }
}
