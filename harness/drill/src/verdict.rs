//! What one detector's side of a drill comes to. Pure: every detector under test is judged by these few lines.

use loopdrill_detect::key;
use loopdrill_model::{
    Cause, DetectorResult, Diagnoses, Diagnosis, Evidence, Expectation, GateResult, Loop, Source, Timestamp,
};
use std::collections::BTreeMap;

/// A detector's answers so far.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// When each cause was named first, and the first evidence that it was named with.
    seen: BTreeMap<(Loop, Option<Cause>), (Timestamp, Timestamp)>,
    pub(crate) attributed_at: Option<Timestamp>,
    pub(crate) top: Option<Diagnosis>,
    pub(crate) others: Vec<Diagnosis>,
    /// The newest signal that was taken into account.
    pub(crate) as_of: Option<Timestamp>,
    /// Why the detector may have missed something: what it says it could not see, or its end.
    pub(crate) trouble: Option<String>,
    /// It ended while it was listened to.
    pub(crate) ended: bool,
}

/// What a verdict is measured by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) expectation: &'a Expectation,
    pub(crate) injected_at: Option<Timestamp>,
    pub(crate) manifested_at: Option<Timestamp>,
}

impl Verdict {
    /// Takes in what is found now. Returns whether it differs from what was found before.
    pub(crate) fn take(&mut self, mut mine: Vec<Diagnosis>) -> bool {
        if mine.is_empty() {
            return false;
        }
        for d in &mine {
            self.seen.entry((d.control_loop, d.cause)).or_insert((Timestamp::now(), d.first_evidence_at));
        }
        let before: Vec<_> = self.top.iter().chain(&self.others).map(key).collect();
        let changed = before != mine.iter().map(key).collect::<Vec<_>>();
        self.top = Some(mine.remove(0));
        self.others = mine;
        changed
    }

    /// What a detector found at any time while nothing was to be found.
    pub(crate) fn of_silence(mut all: Vec<Diagnosis>, now: &Diagnoses) -> Self {
        let top = (!all.is_empty()).then(|| all.remove(0));
        let trouble = now.trouble.first().cloned();
        Verdict { top, others: all, as_of: now.as_of, trouble, ..Verdict::default() }
    }

    /// What the detector made of the drill.
    pub(crate) fn result(&self, name: String, facts: Facts<'_>) -> DetectorResult {
        let (detected_at, evident_at) = self.times(facts);
        let seconds =
            |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.duration_since(from?).as_secs_f64());
        let silence = facts.expectation.is_silence();
        DetectorResult {
            name,
            detected: if silence { self.looked(facts) } else { self.detected(detected_at) },
            attributed: if silence { self.silent(facts) } else { self.attributed(facts) },
            diagnosis: self.top.clone(),
            other_findings: self.others.clone(),
            lag: seconds(evident_at, detected_at),
            lead: seconds(evident_at, facts.manifested_at),
            since_injection: seconds(facts.injected_at, detected_at),
        }
    }

    /// When the answer was given, and its first evidence. What was true before the injection is no evidence of it.
    pub(crate) fn times(&self, facts: Facts<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
        let (detected, evident) = self.answered(facts.expectation).unzip();
        (detected, evident.max(evident.and(facts.injected_at)))
    }

    /// When the answer was first given, and the first evidence it was given with: lag and lead count from it.
    /// Of several roots the one that was named last decides.
    fn answered(&self, expectation: &Expectation) -> Option<(Timestamp, Timestamp)> {
        let others = if expectation.roots.len() > 1 { self.others.as_slice() } else { &[] };
        let answers = self.top.iter().chain(others);
        answers.filter_map(|d| self.seen.get(&(d.control_loop, d.cause))).max().copied()
    }

    fn all(&self) -> Vec<Diagnosis> {
        self.top.iter().chain(&self.others).cloned().collect()
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.top.as_ref().map(|d| d.evidence.clone()).unwrap_or_default()
    }

    fn detected(&self, at: Option<Timestamp>) -> GateResult {
        let silent = || self.because("the detector reported nothing about what this drill touched");
        let note = self.top.is_none().then(silent);
        GateResult { ok: self.top.is_some(), at, evidence: self.evidence(), note }
    }

    fn attributed(&self, facts: Facts<'_>) -> GateResult {
        let note = self.top.as_ref().and_then(|_| facts.expectation.judge(&self.all()).err());
        let at = self.attributed_at;
        GateResult { ok: at.is_some(), at, evidence: at.map(|_| self.evidence()).unwrap_or_default(), note }
    }

    /// Nothing was to be found; but a detector that did not look found nothing, either.
    fn looked(&self, facts: Facts<'_>) -> GateResult {
        match self.as_of.filter(|at| Some(*at) >= facts.manifested_at) {
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

    fn silent(&self, facts: Facts<'_>) -> GateResult {
        let now = Timestamp::now();
        let wrong = facts.expectation.judge(&self.all()).err();
        let evidence = if wrong.is_none() { vec![fact("findings", "none", now)] } else { Vec::new() };
        GateResult { ok: wrong.is_none(), at: Some(now), evidence, note: wrong }
    }

    fn because(&self, what: &str) -> String {
        self.trouble.as_ref().map_or(what.to_string(), |why| format!("{what}: {why}"))
    }
}

fn fact(signal: &str, value: &str, at: Timestamp) -> Evidence {
    Evidence { signal: signal.into(), value: value.into(), at, source: Source::other("detector") }
}
