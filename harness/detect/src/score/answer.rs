//! A detector's answer to one drill, from the drill's start to its end.
//!
//! - Findings count from the moment at which the injection begins until the detector's time is over. What was there
//!   before is no answer.
//! - An answer stays until there is another one. It is *right* only while what is found now is right: an alarm that
//!   came and went has noticed the fault, and has not named it.
//! - Where silence is the right answer each finding counts, however short it was.
//! - The answer was given when its cause was named first. Of several roots each is named by the first finding that names
//!   it, and the answer was given when the last one was named. *Lag* and *lead* count from the first evidence of that
//!   finding; what was true before the injection is no evidence of it.
//! - A detector that was called in when the symptom had shown has neither lag nor lead: it is told how long its look took.
//! - The control drill ([`Answer::is_control`]) watches a cluster to which nothing is done: there is nothing before.

use super::{Scored, Verdict};
use loopdrill_model::{
    Cause, DetectorResult, Diagnoses, Diagnosis, Evidence, Expectation, FaultId, GateResult, LookMode, Loop,
    Scope, Source, Timestamp,
};
use std::collections::BTreeMap;

/// When something was named first, and the first evidence that it was named with.
type Named = (Timestamp, Timestamp);

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) drill: FaultId,
    pub(super) scope: Scope,
    pub(super) concluded_at: Option<Timestamp>,
    /// The detector ended before its time was over.
    pub(super) has_ended: bool,
    /// What was found, by falling confidence.
    pub(super) found: Vec<Diagnosis>,
    /// Since when what is found is the right answer.
    pub(super) right_since: Option<Timestamp>,
    expected: Expectation,
    look: LookMode,
    /// What was found when the injection began.
    before: Option<Vec<Diagnosis>>,
    injected_at: Option<Timestamp>,
    manifested_at: Option<Timestamp>,
    named: BTreeMap<(Loop, Option<Cause>), Named>,
    /// The newest signal that was taken into account.
    as_of: Option<Timestamp>,
    /// What the detector says it cannot see.
    trouble: Option<String>,
}

impl Answer {
    pub(super) fn new(drill: FaultId, expected: Expectation, scope: Scope, look: LookMode) -> Self {
        Self {
            drill,
            scope,
            concluded_at: None,
            has_ended: false,
            found: Vec::new(),
            right_since: None,
            expected,
            look,
            before: None,
            injected_at: None,
            manifested_at: None,
            named: BTreeMap::new(),
            as_of: None,
            trouble: None,
        }
    }

    /// Whether nothing is done to the cluster at all.
    pub(super) fn is_control(&self) -> bool {
        self.scope.everything && self.expected.is_silence()
    }

    /// The findings that belong to this drill and were not there before its injection, by falling confidence.
    pub(super) fn mine(&self, present: &[Diagnosis]) -> Vec<Diagnosis> {
        let before = self.before.as_deref().unwrap_or_default();
        let mine = present.iter().filter(|d| self.scope.holds(d) && !d.is_among(before));
        let mut mine: Vec<_> = mine.cloned().collect();
        mine.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        mine
    }

    /// The injection begins: what is found now proves nothing.
    pub(super) fn begin(&mut self, present: &[Diagnosis]) {
        let before = if self.is_control() { Vec::new() } else { self.mine(present) };
        self.before.get_or_insert(before);
    }

    /// The fault is in force. The control drill, and recordings before version 3, do not tell when its injection began.
    pub(super) fn inject(&mut self, present: &Diagnoses, at: Timestamp) {
        self.begin(&present.diagnoses);
        self.injected_at = Some(at);
        self.take(present, at);
    }

    /// The victim shows the symptom.
    pub(super) fn manifest(&mut self, at: Timestamp) {
        self.manifested_at = Some(at);
    }

    pub(super) fn take(&mut self, document: &Diagnoses, at: Timestamp) {
        if self.injected_at.is_none() || self.concluded_at.is_some() {
            return;
        }
        self.as_of = document.as_of;
        self.trouble = document.trouble.first().cloned();
        let mine = self.mine(&document.diagnoses);
        for d in &mine {
            self.named.entry((d.control_loop, d.cause)).or_insert((at, d.first_evidence_at));
        }
        if self.expected.is_silence() {
            let new: Vec<_> = mine.into_iter().filter(|d| !d.is_among(&self.found)).collect();
            self.found.extend(new);
            return;
        }
        let is_right = self.expected.judge(&mine).is_ok();
        self.right_since = is_right.then(|| self.right_since.unwrap_or(at));
        if !mine.is_empty() {
            self.found = mine;
        }
    }

    pub(super) fn result(&self, name: String) -> DetectorResult {
        let given = self.given();
        let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| {
            Some(loopdrill_model::seconds(to?.duration_since(from?)))
        };
        let (at, evident_at) = (given.map(|(at, _)| at), given.map(|(_, first)| first).max(self.injected_at));
        let evident_at = given.and(evident_at);
        let silence = self.expected.is_silence();
        let live = self.look.is_live();
        DetectorResult {
            name,
            look: self.look,
            detected: if silence { self.looked() } else { self.detected(at) },
            attributed: if silence { self.silent() } else { self.attributed() },
            diagnosis: self.found.first().cloned(),
            other_findings: self.found.iter().skip(1).cloned().collect(),
            lag: seconds(evident_at, at).filter(|_| live),
            lead: seconds(evident_at, self.manifested_at).filter(|_| live),
            since_injection: seconds(self.injected_at, at),
            took: seconds(self.asked_at(), self.concluded_at).filter(|_| !live),
        }
    }

    pub(super) fn close(self, detector: &str, present: &[Diagnosis]) -> Scored {
        let result = self.result(detector.into());
        let is_complete = self.injected_at.is_some() && self.concluded_at.is_some();
        Scored {
            verdict: if is_complete { Verdict::of(&result) } else { Verdict::Unscored },
            alarms_left: self.mine(present),
            drill: self.drill,
            expected: self.expected,
            result,
            injected_at: self.injected_at,
            manifested_at: self.manifested_at,
        }
    }

    /// When the answer was given, and its first evidence. A wrong answer is that of the finding on top; silence is given
    /// at no time.
    fn given(&self) -> Option<Named> {
        let named = |d: &Diagnosis| self.named.get(&(d.control_loop, d.cause)).copied();
        let roots = self.expected.roots.as_slice();
        let by_root = roots
            .iter()
            .filter_map(|root| self.found.iter().filter(|d| root.is_named_by(d)).filter_map(named).min());
        match roots {
            [] => None,
            [_] => self.found.first().and_then(named),
            _ => by_root.max().or_else(|| self.found.first().and_then(named)),
        }
    }

    fn detected(&self, at: Option<Timestamp>) -> GateResult {
        let silent = || self.because("the detector reported nothing about what this drill touched");
        let note = self.found.is_empty().then(silent);
        GateResult { ok: !self.found.is_empty(), at, evidence: self.evidence(), note }
    }

    fn attributed(&self) -> GateResult {
        let at = self.right_since;
        let gone = || Some("the right answer was given, and did not stand".to_owned());
        let note = match (at, self.expected.judge(&self.found)) {
            (Some(_), _) => None,
            (None, _) if self.found.is_empty() => None,
            (None, Err(why)) => Some(why),
            (None, Ok(())) => gone(),
        };
        GateResult { ok: at.is_some(), at, evidence: at.map(|_| self.evidence()).unwrap_or_default(), note }
    }

    /// From when on looking counts. The control drill is told that its cluster is well only when the detector's time is
    /// over: there it counts from the drill's begin.
    fn asked_at(&self) -> Option<Timestamp> {
        let in_time = |at: &Timestamp| self.concluded_at.is_none_or(|end| *at <= end);
        self.manifested_at.filter(in_time).or(self.injected_at)
    }

    /// Nothing was to be found; but a detector that did not look found nothing, either.
    fn looked(&self) -> GateResult {
        match self.as_of.filter(|at| Some(*at) >= self.asked_at() && !self.has_ended) {
            Some(at) => {
                let evidence = vec![fact("newest signal", "taken into account", at)];
                GateResult { ok: true, at: Some(at), evidence, note: None }
            }
            None => {
                let blind = "the detector saw nothing since then: its silence proves nothing";
                GateResult { note: Some(self.because(blind)), ..GateResult::default() }
            }
        }
    }

    fn silent(&self) -> GateResult {
        let note = self.expected.judge(&self.found).err();
        let ok = note.is_none();
        let at = self.concluded_at.or(self.as_of);
        let evidence = at.filter(|_| ok).map(|at| fact("findings", "none", at)).into_iter().collect();
        GateResult { ok, at, evidence, note }
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.found.first().map(|d| d.evidence.clone()).unwrap_or_default()
    }

    fn because(&self, what: &str) -> String {
        let ended = self.has_ended.then_some("it has ended");
        ended.or(self.trouble.as_deref()).map_or(what.to_owned(), |why| format!("{what}: {why}"))
    }
}

fn fact(signal: &str, value: &str, at: Timestamp) -> Evidence {
    Evidence::new(signal, value, at, Source::other("detector"))
}
