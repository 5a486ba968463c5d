//! The one judge of detectors. The engine feeds it while a run lasts, `replay` feeds it from a recording, and both feed
//! it the same: what was done (the marks that follow from the run's events) and what a detector published. It reads no
//! clock, so the same input gives the same results.
//!
//! What it judges by, each in one place:
//!
//! - *this finding belongs to this drill*: [`Scope::holds`];
//! - *the same finding*: [`Diagnosis::is_same_finding`];
//! - *the right answer*: [`Expectation::judge`];
//! - *the answer to a drill*, its lag, also with several roots, and what silence is worth: `answer`;
//! - *a false alarm*: `false_alarms`.
//!
//! [`Scope::holds`]: loopdrill_model::Scope::holds

mod answer;
#[cfg(test)]
mod tests;

use crate::{Once, builtin::BUILTIN, false_alarms::FalseAlarms};
use answer::Answer;
use loopdrill_model::{
    DetectorResult, Diagnoses, Diagnosis, DrillMark, Expectation, FaultId, LookMode, Mark, Scope, Timestamp,
};
use loopdrill_observe::record::Header;

/// Right, or how it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The right answer.
    Right,
    /// Another answer, or an incomplete one.
    Wrong,
    /// No answer where there should be one, or the silence of one that saw nothing.
    Missed,
    /// The drill ended before the fault was in force, or the recording before its time was over.
    Unscored,
}

impl Verdict {
    fn of(result: &DetectorResult) -> Self {
        match (result.detected.ok, result.attributed.ok) {
            (true, true) => Verdict::Right,
            (true, false) => Verdict::Wrong,
            (false, _) => Verdict::Missed,
        }
    }
}

/// A drill that is over, scored.
#[derive(Debug, Clone)]
pub struct Scored {
    /// Which.
    pub drill: FaultId,
    /// The right answer.
    pub expected: Expectation,
    /// What the detector made of it.
    pub result: DetectorResult,
    /// Whether that is right.
    pub verdict: Verdict,
    /// When the fault was in force.
    pub injected_at: Option<Timestamp>,
    /// When the victim showed the symptom.
    pub manifested_at: Option<Timestamp>,
    /// What the detector still found when the drill was over.
    pub alarms_left: Vec<Diagnosis>,
}

/// Scores what one detector makes of the drills of a run.
#[derive(Debug)]
pub struct Scorer {
    detector: String,
    open: Vec<Answer>,
    done: Vec<Scored>,
    false_alarms: FalseAlarms,
    /// The newest document.
    present: Diagnoses,
    has_ended: bool,
    marked: bool,
    /// The only drill that it was asked about, where it was called in for one.
    look: Option<FaultId>,
    /// Where the effects of drills beside that one may show.
    beside: Vec<(FaultId, Scope)>,
}

impl Scorer {
    /// A scorer for the detector of that name.
    #[must_use]
    pub fn new(detector: impl Into<String>) -> Self {
        Self {
            detector: detector.into(),
            open: Vec::new(),
            done: Vec::new(),
            false_alarms: FalseAlarms::default(),
            present: Diagnoses::default(),
            has_ended: false,
            marked: false,
            look: None,
            beside: Vec::new(),
        }
    }

    /// A scorer for one look at `drill`, when its symptom had shown. Of other drills it is not asked.
    #[must_use]
    pub fn of_look(detector: impl Into<String>, drill: FaultId) -> Self {
        Self { look: Some(drill), ..Self::new(detector) }
    }

    /// The scorer for what a recording is of.
    #[must_use]
    pub fn of_recording(header: &Header) -> Self {
        match &header.look {
            Some(drill) => Self::of_look(Once::name_of(BUILTIN), drill.clone()),
            None => Self::new(BUILTIN),
        }
    }

    /// What another drill does only explains what is found.
    fn mark_beside(&mut self, mark: &Mark) {
        match &mark.what {
            DrillMark::Start { scope, .. } => self.beside.push((mark.drill.clone(), scope.clone())),
            DrillMark::End { .. } => self.beside.retain(|(drill, _)| *drill != mark.drill),
            _ => {}
        }
    }

    /// Takes in what was done.
    pub fn mark(&mut self, mark: &Mark) {
        self.marked = true;
        if self.look.as_ref().is_some_and(|drill| *drill != mark.drill) {
            return self.mark_beside(mark);
        }
        if let DrillMark::Start { expected, scope } = &mark.what {
            let look = self.look_mode();
            let mut answer = Answer::new(mark.drill.clone(), expected.clone(), scope.clone(), look);
            answer.has_ended = self.has_ended;
            self.open.push(answer);
            return;
        }
        let Some(at) = self.open.iter().position(|open| open.drill == mark.drill) else { return };
        let open = &mut self.open[at];
        match &mark.what {
            DrillMark::Ready => open.begin(&self.present.diagnoses),
            DrillMark::Inject => {
                if open.is_control() {
                    self.false_alarms.tolerate(&self.present.diagnoses);
                }
                open.inject(&self.present, mark.at);
            }
            DrillMark::Manifest => open.manifest(mark.at),
            DrillMark::Conclude { detector } => {
                if detector.as_ref().is_none_or(|name| *name == self.detector) {
                    open.concluded_at.get_or_insert(mark.at);
                }
            }
            DrillMark::End { .. } => {
                let scored = self.open.remove(at).close(&self.detector, &self.present.diagnoses);
                self.done.push(scored);
            }
            DrillMark::Start { .. } | DrillMark::Undo => {}
        }
    }

    /// Takes in what the detector published, and when that was at hand.
    pub fn document(&mut self, document: &Diagnoses, at: Timestamp) {
        self.open.iter_mut().for_each(|open| open.take(document, at));
        let scopes = || self.open.iter().map(|o| &o.scope).chain(self.beside.iter().map(|(_, scope)| scope));
        self.false_alarms.judge(&document.diagnoses, |d| scopes().any(|scope| scope.explains(d)));
        self.present.clone_from(document);
    }

    /// Takes in that the detector has ended: nothing that it published holds any more, and its silence is worth nothing.
    pub fn detector_ended(&mut self) {
        self.has_ended = true;
        self.open
            .iter_mut()
            .filter(|open| open.concluded_at.is_none())
            .for_each(|open| open.has_ended = true);
    }

    /// Whether the detector has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// All findings of now.
    #[must_use]
    pub fn present(&self) -> &[Diagnosis] {
        &self.present.diagnoses
    }

    /// The findings of now that belong to a running drill; once its injection has begun, without those from before.
    #[must_use]
    pub fn alarms(&self, drill: &FaultId) -> Vec<Diagnosis> {
        self.of(drill).map(|open| open.mine(&self.present.diagnoses)).unwrap_or_default()
    }

    /// The answer to a running drill as it stands, by falling confidence.
    #[must_use]
    pub fn answer(&self, drill: &FaultId) -> &[Diagnosis] {
        self.of(drill).map_or(&[], |open| &open.found)
    }

    /// Since when the answer to a running drill is right without a break. Silence is right only when its time is over.
    #[must_use]
    pub fn right_since(&self, drill: &FaultId) -> Option<Timestamp> {
        self.of(drill)?.right_since
    }

    /// What the detector made of a running drill, so far.
    #[must_use]
    pub fn result(&self, drill: &FaultId) -> DetectorResult {
        let name = self.detector.clone();
        match self.of(drill) {
            Some(open) => open.result(name),
            None => DetectorResult { name, look: self.look_mode(), ..DetectorResult::default() },
        }
    }

    /// The false alarms so far.
    #[must_use]
    pub fn false_alarms(&self) -> &[Diagnosis] {
        self.false_alarms.found()
    }

    /// The drills in the order of their ends, with those that the recording does not see to their end, and the
    /// false alarms. A recording without marks has neither: nobody knows what was right.
    #[must_use]
    pub fn finish(self) -> (Vec<Scored>, Vec<Diagnosis>) {
        let Self { detector, open, mut done, false_alarms, present, marked, .. } = self;
        done.extend(open.into_iter().map(|open| open.close(&detector, &present.diagnoses)));
        (done, if marked { false_alarms.found().to_vec() } else { Vec::new() })
    }

    fn look_mode(&self) -> LookMode {
        if self.look.is_some() { LookMode::Once } else { LookMode::Live }
    }

    fn of(&self, drill: &FaultId) -> Option<&Answer> {
        self.open.iter().find(|open| open.drill == *drill)
    }
}
