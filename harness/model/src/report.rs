//! What a run reports: of each drill, of each detector, and of the whole.
//!
//! Nothing is told twice. What a drill's gates `detected` and `attributed` say is what the deciding detector answered,
//! and what was expected is the drill's expectation. Format 1 had copies of these; [`format_1`] reads it.

mod format_1;

use crate::{
    Acceptance, Diagnosis, ExitStatus, Expectation, FaultId, Gate, GateResult, Judgement, Loop, Outcome,
    Timestamp,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many seconds, to the nanosecond: a number of at most nine decimals, which every reader of JSON takes to the same bit.
#[must_use]
pub fn seconds(of: SignedDuration) -> f64 {
    of.as_nanos() as f64 / 1e9
}

/// The answer of a gate that was never reached.
static UNREACHED: GateResult = GateResult { ok: false, at: None, evidence: Vec::new(), note: None };

/// The answers that are a drill's own; the detectors give theirs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are gates")]
pub struct Gates {
    pub injected: GateResult,
    pub manifested: GateResult,
    pub recovered: GateResult,
}

impl Gates {
    /// The answer of `gate`, to be filled in; `None` for the gates that detectors answer.
    pub fn get_mut(&mut self, gate: Gate) -> Option<&mut GateResult> {
        match gate {
            Gate::Injected => Some(&mut self.injected),
            Gate::Manifested => Some(&mut self.manifested),
            Gate::Recovered => Some(&mut self.recovered),
            Gate::Detected | Gate::Attributed => None,
        }
    }
}

/// When a detector begins to look at what it is asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookMode {
    /// It watches from before the fault.
    #[default]
    Live,
    /// It is called in when the symptom has shown, and looks once, without memory.
    Once,
}

impl LookMode {
    /// Whether it watches from before the fault.
    #[must_use]
    pub fn is_live(&self) -> bool {
        *self == LookMode::Live
    }
}

/// What one of the detectors under test made of one drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DetectorResult {
    /// The detector's name.
    pub name: String,
    /// Whether it watched all the time, or was called in afterwards.
    #[serde(default, skip_serializing_if = "LookMode::is_live")]
    pub look: LookMode,
    /// Whether it noticed within its budget, and when it had given its answer.
    pub detected: GateResult,
    /// Whether it named the right loop and cause, and no wrong one above it.
    pub attributed: GateResult,
    /// Its best diagnosis of this drill's fault.
    pub diagnosis: Option<Diagnosis>,
    /// Its further findings in this drill's scope, by falling confidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_findings: Vec<Diagnosis>,
    /// Seconds from the first evidence to the diagnosis.
    pub lag: Option<f64>,
    /// Seconds from the first evidence to the victim's symptom; negative when the symptom came first.
    pub lead: Option<f64>,
    /// Seconds from the injection to the diagnosis: comparable also where detectors disagree about first evidence.
    pub since_injection: Option<f64>,
    /// Seconds from the moment at which it was called in until its time was over; only of a look that was called in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<f64>,
}

impl DetectorResult {
    /// All that it found, by falling confidence.
    pub fn findings(&self) -> impl Iterator<Item = &Diagnosis> + Clone {
        self.diagnosis.iter().chain(&self.other_findings)
    }

    /// When the first evidence of its answer was true.
    #[must_use]
    pub fn first_evidence_at(&self) -> Option<Timestamp> {
        self.detected.at?.checked_sub(SignedDuration::try_from_secs_f64(self.lag?).ok()?).ok()
    }
}

/// Everything known about one drill at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "format_1::AnyFormat")]
pub struct DrillReport {
    /// The canonical fault.
    pub fault: String,
    /// Which variant of it.
    pub variant: String,
    /// The right answer.
    pub expectation: Expectation,
    /// How it ended.
    pub outcome: Outcome,
    /// The answers that do not depend on a detector.
    pub gates: Gates,
    /// When its victim's set-up began. Absent in reports of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the fault was out of force, and that was verified.
    pub undone_at: Option<Timestamp>,
    /// What each detector under test made of it, the deciding one first. Empty where no detector was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<DetectorResult>,
    /// What went wrong with the infrastructure, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The end that a suite wants, and whether it came. Absent where no suite was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
}

impl DrillReport {
    /// The name among faults of the drill that injects nothing.
    pub const CONTROL: &str = "control";

    /// The report of a drill of which nothing is known yet but what is expected. Until it [has
    /// ended](Self::ended), it proves nothing.
    #[must_use]
    pub fn new(id: &FaultId, expectation: Expectation) -> Self {
        Self {
            fault: id.fault.clone(),
            variant: id.variant.clone(),
            expectation,
            outcome: Outcome::Errored,
            gates: Gates::default(),
            started_at: None,
            undone_at: None,
            detectors: Vec::new(),
            error: None,
            acceptance: None,
        }
    }

    /// The same, ended.
    #[must_use]
    pub fn ended(self, outcome: Outcome, error: Option<String>) -> Self {
        Self { outcome, error, ..self }
    }

    /// Which drill it was.
    #[must_use]
    pub fn id(&self) -> FaultId {
        FaultId::new(&self.fault, &self.variant)
    }

    /// Whether it is the drill that injects nothing.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.fault == Self::CONTROL
    }

    /// The loop that must be blamed; `None` where nothing must be.
    #[must_use]
    pub fn expected_loop(&self) -> Option<Loop> {
        self.expectation.control_loop()
    }

    /// The answer of the detector that decides.
    #[must_use]
    pub fn deciding(&self) -> Option<&DetectorResult> {
        self.detectors.first()
    }

    /// The answer of a gate. `detected` and `attributed` are those of the deciding detector.
    #[must_use]
    pub fn gate(&self, gate: Gate) -> &GateResult {
        match gate {
            Gate::Injected => &self.gates.injected,
            Gate::Manifested => &self.gates.manifested,
            Gate::Detected => self.deciding().map_or(&UNREACHED, |d| &d.detected),
            Gate::Attributed => self.deciding().map_or(&UNREACHED, |d| &d.attributed),
            Gate::Recovered => &self.gates.recovered,
        }
    }

    /// When the fault was in force.
    #[must_use]
    pub fn injected_at(&self) -> Option<Timestamp> {
        self.gates.injected.at.filter(|_| self.gates.injected.ok)
    }

    /// When the victim showed the symptom.
    #[must_use]
    pub fn manifested_at(&self) -> Option<Timestamp> {
        self.gates.manifested.at.filter(|_| self.gates.manifested.ok)
    }

    /// How long it took, from its victim's set-up until the victim was well again.
    #[must_use]
    pub fn took(&self) -> Option<SignedDuration> {
        Some(self.recovered_at()?.duration_since(self.started_at?))
    }

    /// What of it the fault itself took, and no program makes shorter: from being in force to the symptom, and from its undo
    /// to a victim that is well.
    #[must_use]
    pub fn floor(&self) -> Option<SignedDuration> {
        let bites = self.manifested_at()?.duration_since(self.injected_at()?);
        let clears = self.recovered_at()?.duration_since(self.undone_at?);
        Some(bites.max(SignedDuration::ZERO) + clears.max(SignedDuration::ZERO))
    }

    fn recovered_at(&self) -> Option<Timestamp> {
        self.gates.recovered.at.filter(|_| self.gates.recovered.ok)
    }

    /// The deciding detector's best diagnosis of this drill's fault.
    #[must_use]
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        self.deciding()?.diagnosis.as_ref()
    }

    /// The deciding detector's further findings in this drill's scope.
    #[must_use]
    pub fn other_findings(&self) -> &[Diagnosis] {
        self.deciding().map_or(&[], |d| &d.other_findings)
    }

    /// How a drill ends whose undo left nothing behind and that nothing stopped. One whose victim was `resilient`, which
    /// is to be well though the fault was in force to the end, shows no symptom; it must be well after the undo, too.
    #[must_use]
    pub fn judged(&self, resilient: bool) -> Outcome {
        match Gate::ALL.into_iter().find(|gate| !self.gate(*gate).ok) {
            None => Outcome::Passed,
            Some(_) if resilient && self.gates.recovered.ok => Outcome::Resilient,
            Some(gate) => Outcome::Failed(gate),
        }
    }
}

/// What took part in the run, in which version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Versions {
    pub loopdrill: String,
    pub kubernetes: String,
    pub node_image: String,
    pub kernel: String,
}

/// What a detector that ran beside the deciding one did outside of all drills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// Its name.
    pub name: String,
    /// Its findings that belong to no drill's scope: each one is a false alarm of its own.
    #[serde(default, alias = "stray_findings", skip_serializing_if = "Vec::is_empty")]
    pub false_alarms: Vec<Diagnosis>,
    /// Why it ended before the run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The content of `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Version of this format.
    pub format: u32,
    /// The run's id, also the value of the label on everything it created.
    pub run: String,
    /// The cluster's name.
    pub cluster: String,
    /// The detector under test; of several, the one whose gates decide.
    pub detector: String,
    /// The detectors beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<Rival>,
    /// What took part.
    pub versions: Versions,
    /// What the cluster can do, and why not where it can't.
    pub capabilities: BTreeMap<String, Result<(), String>>,
    /// When the run started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether a skip counts as a failure (`--require`).
    #[serde(default)]
    pub require: bool,
    /// The suites that were run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<String>,
    /// One entry a drill.
    pub drills: Vec<DrillReport>,
    /// Findings that belong to no drill's scope: each one is a false alarm.
    #[serde(default, alias = "stray_findings", skip_serializing_if = "Vec::is_empty")]
    pub false_alarms: Vec<Diagnosis>,
    /// What could not be cleaned up, or broke on the way, outside any drill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
    /// What a pipeline's gate made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Judgement>,
    /// How the process ends.
    pub exit: ExitStatus,
    /// Its exit code.
    pub exit_code: u8,
}

impl RunReport {
    /// The format version this build writes. In format 2 nothing is told twice; format 1 is read for ever.
    pub const FORMAT: u32 = 2;

    /// That of a run in which nothing has happened yet, and nothing is amiss.
    pub fn new(run: impl Into<String>, detector: impl Into<String>, at: Timestamp) -> Self {
        Self {
            format: Self::FORMAT,
            run: run.into(),
            cluster: String::new(),
            detector: detector.into(),
            rivals: Vec::new(),
            versions: Versions::default(),
            capabilities: BTreeMap::new(),
            started_at: at,
            ended_at: at,
            require: false,
            suites: Vec::new(),
            drills: Vec::new(),
            false_alarms: Vec::new(),
            trouble: Vec::new(),
            gate: None,
            exit: ExitStatus::Ready,
            exit_code: ExitStatus::Ready.code(),
        }
    }

    /// The same of a run that ended so.
    #[must_use]
    pub fn ended(self, exit: ExitStatus) -> Self {
        Self { exit, exit_code: exit.code(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(held: &[Gate]) -> DrillReport {
        let mut report = DrillReport::new(&FaultId::new("f", "v"), Expectation::default());
        let answer = |gate| GateResult { ok: held.contains(&gate), ..GateResult::default() };
        report.gates = Gates {
            injected: answer(Gate::Injected),
            manifested: answer(Gate::Manifested),
            recovered: answer(Gate::Recovered),
        };
        let (detected, attributed) = (answer(Gate::Detected), answer(Gate::Attributed));
        report.detectors = vec![DetectorResult { detected, attributed, ..DetectorResult::default() }];
        report
    }

    #[test]
    fn the_first_gate_that_did_not_hold_decides() {
        assert_eq!(report(&Gate::ALL).judged(false), Outcome::Passed);
        for (n, gate) in Gate::ALL.into_iter().enumerate() {
            assert_eq!(report(&Gate::ALL[..n]).judged(false), Outcome::Failed(gate));
        }
    }

    #[test]
    fn resilient_is_only_what_is_well_again() {
        assert_eq!(report(&[Gate::Injected, Gate::Recovered]).judged(true), Outcome::Resilient);
        assert_eq!(report(&[Gate::Injected]).judged(true), Outcome::Failed(Gate::Manifested));
    }

    #[test]
    fn without_a_detector_nothing_was_detected() {
        let nobody = DrillReport { detectors: Vec::new(), ..report(&Gate::ALL) };
        assert_eq!(nobody.gate(Gate::Detected), &UNREACHED);
        assert_eq!(nobody.judged(false), Outcome::Failed(Gate::Detected));
    }

    #[test]
    fn the_first_evidence_is_the_lag_before_the_answer() {
        let at: Timestamp = "2026-11-24T12:00:05.5Z".parse().expect("a timestamp");
        let detected = GateResult { at: Some(at), ..GateResult::default() };
        let result = DetectorResult { detected, lag: Some(1.25), ..DetectorResult::default() };
        assert_eq!(result.first_evidence_at().expect("known").to_string(), "2026-11-24T12:00:04.25Z");
        assert_eq!(DetectorResult { lag: None, ..result }.first_evidence_at(), None);
    }
}
