//! What a scorecard says: a pure fold over the report of a run. The console shows it as text
//! ([`Scorecard::text`]); other reports show the same rows their own way.

mod advice;
mod text;

use jiff::SignedDuration;
use loopdrill_model::{
    Diagnosis, DrillReport, ExitStatus, FaultId, Gate, GateResult, Loop, Outcome, RunReport,
};
use serde::Serialize;

pub(crate) use advice::{advice, verdict};
pub use text::labelled;
pub(crate) use text::{after, blame};

/// The answer of one gate at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// It held.
    Held,
    /// It did not.
    Missed,
    /// It was never reached.
    Unreached,
}

impl Mark {
    /// The mark of `result`.
    #[must_use]
    pub fn of(result: &GateResult) -> Self {
        // Something that never came has no time, but a word about it.
        let answered = result.at.is_some() || result.note.is_some();
        match (result.ok, answered) {
            (true, _) => Mark::Held,
            (false, true) => Mark::Missed,
            (false, false) => Mark::Unreached,
        }
    }

    /// `✓`, `✗` or `–`.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Mark::Held => "✓",
            Mark::Missed => "✗",
            Mark::Unreached => "–",
        }
    }
}

/// One drill of the scorecard.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<'r> {
    /// Fault and variant.
    pub id: FaultId,
    /// The loop that must be blamed; `None` where nothing must be.
    pub expected_loop: Option<Loop>,
    /// The five gates in order.
    pub marks: [(Gate, Mark); 5],
    /// From the first evidence to the diagnosis.
    pub lag: Option<SignedDuration>,
    /// From the first evidence to the victim's symptom. Negative when the symptom came first.
    pub lead: Option<SignedDuration>,
    /// What of the drill the fault itself took, to bite and to clear, and how many times that the whole drill took.
    pub floor: Option<(SignedDuration, f64)>,
    /// The detector's best diagnosis.
    pub diagnosis: Option<&'r Diagnosis>,
    /// How it ended.
    pub outcome: &'r Outcome,
    /// All of it.
    pub drill: &'r DrillReport,
}

impl<'r> Row<'r> {
    /// What the scorecard says of `drill`.
    #[must_use]
    pub fn of(drill: &'r DrillReport) -> Self {
        let duration = |seconds: f64| SignedDuration::try_from_secs_f64(seconds).ok();
        let deciding = drill.deciding();
        Row {
            id: drill.id(),
            expected_loop: drill.expected_loop(),
            marks: Gate::ALL.map(|gate| (gate, Mark::of(drill.gate(gate)))),
            lag: deciding.and_then(|d| d.lag).and_then(duration),
            lead: deciding.and_then(|d| d.lead).and_then(duration),
            floor: floor(drill),
            diagnosis: drill.diagnosis(),
            outcome: &drill.outcome,
            drill,
        }
    }

    /// What is to be said of the end that a suite wants; nothing where the drill ended well and as it was wanted.
    #[must_use]
    pub fn accepted(&self) -> Option<String> {
        self.drill.acceptance.as_ref()?.told(self.outcome)
    }

    /// Whether the run is red for this drill.
    #[must_use]
    pub fn is_red(&self, require: bool) -> bool {
        self.drill.exit(require) != ExitStatus::Ready
    }

    /// Whether the loop that was blamed is the one that had to be.
    #[must_use]
    pub fn blamed_right(&self) -> bool {
        let blamed = self.diagnosis.map(|d| d.control_loop);
        let one_of_several = |l| self.drill.expectation.roots.iter().any(|r| r.control_loop == l);
        blamed == self.expected_loop || blamed.is_some_and(one_of_several)
    }
}

fn floor(drill: &DrillReport) -> Option<(SignedDuration, f64)> {
    let (floor, took) = (drill.floor()?, drill.took()?);
    Some((floor, took.as_secs_f64() / floor.as_secs_f64())).filter(|(_, times)| times.is_finite())
}

/// How many drills ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are outcomes")]
pub struct Totals {
    pub drills: usize,
    pub passed: usize,
    pub resilient: usize,
    pub failed: usize,
    pub not_injected: usize,
    pub cleanup_failed: usize,
    pub errored: usize,
    pub skipped: usize,
    pub interrupted: usize,
    /// Findings that belong to no drill.
    pub false_alarms: usize,
}

impl Totals {
    fn of(report: &RunReport) -> Self {
        let mut totals =
            Self { drills: report.drills.len(), false_alarms: report.false_alarms.len(), ..Self::default() };
        for drill in &report.drills {
            *match drill.outcome {
                Outcome::Passed => &mut totals.passed,
                Outcome::Failed(_) => &mut totals.failed,
                Outcome::Resilient => &mut totals.resilient,
                Outcome::NotInjected => &mut totals.not_injected,
                Outcome::CleanupFailed => &mut totals.cleanup_failed,
                Outcome::Errored => &mut totals.errored,
                Outcome::Skipped(_) => &mut totals.skipped,
                Outcome::Interrupted => &mut totals.interrupted,
            } += 1;
        }
        totals
    }

    /// Number and name of each outcome, in the order in which they are said.
    #[must_use]
    pub const fn by_name(&self) -> [(&'static str, usize); 8] {
        [
            ("passed", self.passed),
            ("resilient", self.resilient),
            ("failed", self.failed),
            ("not injected", self.not_injected),
            ("cleanup failed", self.cleanup_failed),
            ("errored", self.errored),
            ("skipped", self.skipped),
            ("interrupted", self.interrupted),
        ]
    }
}

/// A run at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct Scorecard<'r> {
    /// One row a drill, in the run's order.
    pub rows: Vec<Row<'r>>,
    /// Findings that belong to no drill.
    pub stray: &'r [Diagnosis],
    /// How many drills ended how.
    pub totals: Totals,
    /// How the process ends.
    pub exit: ExitStatus,
    /// All of it.
    pub report: &'r RunReport,
}

impl<'r> From<&'r RunReport> for Scorecard<'r> {
    fn from(report: &'r RunReport) -> Self {
        Self {
            rows: report.drills.iter().map(Row::of).collect(),
            stray: &report.false_alarms,
            totals: Totals::of(report),
            exit: report.exit,
            report,
        }
    }
}

#[cfg(test)]
mod tests;
