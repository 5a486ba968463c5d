//! Watching a fault bite: the victim on one side, the detector on the other, and afterwards both until quiet.

use super::{Drill, Stop};
use crate::findings::key;
use loopdrill_faults::FaultError;
use loopdrill_model::{Cause, Diagnosis, EventKind, Evidence, Expectation, Gate, Loop, Source, Timestamp};
use loopdrill_observe::record::Did;
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

/// How often the victim is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long one look may take; a victim that cannot be looked at shows nothing.
const LOOK: Duration = Duration::from_secs(20);
/// How long the right diagnosis must stay on top before it counts.
const SETTLE: Duration = Duration::from_millis(1000);

/// What the victim's side has come to.
#[derive(Debug, Clone, Copy)]
enum Victim {
    /// It is well, so far.
    Well,
    /// It shows the symptom, since then.
    Shows(Instant),
    /// It stayed well for the whole budget.
    StaysWell,
}

/// What the detector's side has come to.
#[derive(Debug, Default)]
struct Verdict {
    /// When each cause was named first, and the first evidence that it was named with.
    seen: BTreeMap<(Loop, Option<Cause>), (Timestamp, Timestamp)>,
    attributed_at: Option<Timestamp>,
    top: Option<Diagnosis>,
    others: Vec<Diagnosis>,
}

impl Verdict {
    /// Takes in what is found now. Returns whether it differs from what was found before.
    fn take(&mut self, mut mine: Vec<Diagnosis>) -> bool {
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
}

impl Drill<'_> {
    /// Waits for the symptom and for the diagnosis, each within its budget, and answers three gates.
    pub(super) async fn observe(&mut self) -> Result<(), Stop> {
        let (tell, told) = watch::channel(Victim::Well);
        let (symptom, verdict) = {
            let this = &*self;
            tokio::join!(this.wait_for_symptom(tell), this.wait_for_diagnosis(told))
        };
        let verdict = verdict?;
        self.session.mark(&self.id, || Did::Conclude);
        let (detected, evident) = verdict.answered(&self.expectation).unzip();
        self.timings.detected_at = detected;
        // What was true before the injection is no evidence of it.
        self.timings.first_evidence_at = evident.max(evident.and(self.timings.injected_at));
        match symptom? {
            Some((at, evidence)) => self.answer_at(Gate::Manifested, Some(at), true, evidence, None),
            None => {
                self.resilient = true;
                let note = "the fault is in force and the victim stayed well for the whole budget";
                self.answer_at(Gate::Manifested, None, false, Vec::new(), Some(note.into()));
            }
        }
        self.judge_detection(verdict);
        Ok(())
    }

    async fn wait_for_symptom(
        &self,
        tell: watch::Sender<Victim>,
    ) -> Result<Option<(Timestamp, Vec<Evidence>)>, FaultError> {
        let deadline = Instant::now() + self.session.options.budgets.manifest;
        self.progress("waiting for the symptom");
        let found = loop {
            match self.look().await {
                Ok(Some(evidence)) => break Ok(Some((Timestamp::now(), evidence))),
                Ok(None) if Instant::now() >= deadline => break Ok(None),
                Err(e) if Instant::now() >= deadline || self.ctx.cancel.is_cancelled() => break Err(e),
                Ok(None) | Err(_) => {}
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = self.ctx.cancel.cancelled() => break Err(FaultError::Interrupted),
            }
        };
        tell.send_replace(match &found {
            Ok(Some(_)) => {
                self.session.mark(&self.id, || Did::Manifest);
                Victim::Shows(Instant::now())
            }
            Ok(None) | Err(_) => Victim::StaysWell,
        });
        found
    }

    async fn look(&self) -> Result<Option<Vec<Evidence>>, FaultError> {
        timeout(LOOK, self.fault.symptom(&self.ctx)).await.unwrap_or_else(|_| {
            Err(FaultError::TimedOut {
                what: "a look at the victim".into(),
                seconds: LOOK.as_secs(),
                last: "no answer".into(),
            })
        })
    }

    async fn wait_for_diagnosis(&self, mut victim: watch::Receiver<Victim>) -> Result<Verdict, Stop> {
        let mut findings = self.session.findings.clone();
        let mut verdict = Verdict::default();
        let mut right_since: Option<Instant> = None;
        loop {
            let mine = self.in_scope(&findings.borrow_and_update().diagnoses);
            let right = !self.expectation.is_silence() && self.expectation.judge(&mine).is_ok();
            if verdict.take(mine.clone()) {
                self.session.events.drill(&self.id, EventKind::Findings { diagnoses: mine });
            }
            if right {
                verdict.attributed_at.get_or_insert_with(Timestamp::now);
                right_since.get_or_insert_with(Instant::now);
            } else {
                (verdict.attributed_at, right_since) = (None, None);
            }
            let settled = right_since.map(|since| since + SETTLE);
            let victim_now = *victim.borrow_and_update();
            let end = match victim_now {
                Victim::Well => None,
                // Silence has no moment at which it is complete: it is listened to for as long as on a healthy cluster.
                Victim::Shows(at) if self.expectation.is_silence() => {
                    Some(at + self.session.options.budgets.control)
                }
                Victim::Shows(at) => {
                    let budget = at + self.session.options.budgets.detect;
                    Some(settled.map_or(budget, |s| s.min(budget)))
                }
                Victim::StaysWell => Some(Instant::now()),
            };
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(verdict);
            }
            tokio::select! {
                changed = findings.changed() => if changed.is_err() {
                    return Err(Stop::errored("the detector has ended"));
                },
                // The sender is gone only after it told its last word, which was read above.
                Ok(()) = victim.changed() => {}
                () = sleep_until(end.unwrap_or_else(far)) => {}
                () = self.ctx.cancel.cancelled() => return Err(FaultError::Interrupted.into()),
            }
        }
    }

    /// The findings that this drill may have caused and that were not there before it.
    fn in_scope(&self, present: &[Diagnosis]) -> Vec<Diagnosis> {
        let mut mine: Vec<Diagnosis> = present
            .iter()
            .filter(|d| self.scope.holds(d) && !self.before.contains(&key(d)))
            .cloned()
            .collect();
        mine.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        mine
    }

    fn judge_detection(&mut self, verdict: Verdict) {
        if self.expectation.is_silence() {
            return self.judge_silence(verdict);
        }
        let evidence = verdict.top.as_ref().map(|d| d.evidence.clone()).unwrap_or_default();
        let silent = || Some("the detector reported nothing about what this drill touched".to_string());
        let note = if verdict.top.is_none() { silent() } else { None };
        self.answer_at(
            Gate::Detected,
            self.timings.detected_at,
            verdict.top.is_some(),
            evidence.clone(),
            note,
        );
        let note = verdict.top.as_ref().and_then(|_| self.expectation.judge(&verdict.all()).err());
        let ok = verdict.attributed_at.is_some();
        self.answer_at(
            Gate::Attributed,
            verdict.attributed_at,
            ok,
            if ok { evidence } else { Vec::new() },
            note,
        );
        (self.diagnosis, self.others) = (verdict.top, verdict.others);
    }

    /// Nothing was to be found; but a detector that did not look found nothing, either.
    fn judge_silence(&mut self, verdict: Verdict) {
        let newest = self.session.findings.borrow().as_of;
        let looked = newest.filter(|at| Some(*at) >= self.gates.manifested.at);
        let fact = |signal: &str, value: &str| Evidence {
            signal: signal.into(),
            value: value.into(),
            at: looked.unwrap_or_else(Timestamp::now),
            source: Source::other("detector"),
        };
        let (evidence, note) = match looked {
            Some(_) => (vec![fact("newest signal", "taken into account")], None),
            None => {
                (Vec::new(), Some("the detector saw nothing since then: its silence proves nothing".into()))
            }
        };
        self.answer_at(Gate::Detected, looked, looked.is_some(), evidence, note);
        let wrong = self.expectation.judge(&verdict.all()).err();
        let evidence = if wrong.is_none() { vec![fact("findings", "none")] } else { Vec::new() };
        self.answer(Gate::Attributed, wrong.is_none(), evidence, wrong);
        (self.diagnosis, self.others) = (verdict.top, verdict.others);
    }

    /// After the undo: the victim must be well again, and the alarm must go.
    pub(super) async fn recover(&mut self) {
        self.progress("waiting for recovery");
        if let Err(e) = self.fault.relieve(&self.ctx).await {
            self.answer(Gate::Recovered, false, Vec::new(), Some(e.to_string()));
            return;
        }
        let deadline = Instant::now() + self.session.options.budgets.recover;
        let mut last;
        loop {
            let present = self.session.findings.borrow().diagnoses.clone();
            let alarms = self.in_scope(&present);
            last = match self.look().await {
                Ok(None) if alarms.is_empty() => return self.recovered(),
                Ok(None) => format!("the alarm {} is still there", name(&alarms[0])),
                Ok(Some(evidence)) => match evidence.first() {
                    Some(e) => format!("the victim still shows {}: {}", e.signal, e.value),
                    None => "the victim still shows the symptom".into(),
                },
                Err(e) => e.to_string(),
            };
            if Instant::now() >= deadline || self.ctx.cancel.is_cancelled() {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        self.answer(Gate::Recovered, false, Vec::new(), Some(last));
    }

    fn recovered(&mut self) {
        let at = Timestamp::now();
        self.timings.recovered_at = Some(at);
        let fact = |signal: &str, value: &str, source| Evidence {
            signal: signal.into(),
            value: value.into(),
            at,
            source,
        };
        let evidence = vec![
            fact("state compared with the snapshot", "no difference", Source::other("journal")),
            fact("victim", "well", Source::victim()),
            fact("findings", "none", Source::other("detector")),
        ];
        self.answer(Gate::Recovered, true, evidence, None);
    }
}

fn name(d: &Diagnosis) -> String {
    format!("{} ({})", d.control_loop, d.cause.map_or("no cause named", |c| c.name()))
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
