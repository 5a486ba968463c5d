//! Watching a fault bite: the victim on one side, the detectors on the other, and afterwards both until quiet.

use super::{Drill, Stop};
use crate::{
    panel::Seat,
    verdict::{Facts, Verdict},
};
use futures::future::try_join_all;
use loopdrill_detect::{Key, key};
use loopdrill_faults::FaultError;
use loopdrill_model::{Diagnosis, EventKind, Evidence, Gate, Source, Timestamp};
use loopdrill_observe::record::Did;
use std::{collections::BTreeSet, time::Duration};
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

impl Drill<'_> {
    /// Waits for the symptom and for the diagnoses, each within its budget, and answers three gates.
    pub(super) async fn observe(&mut self) -> Result<(), Stop> {
        let (tell, told) = watch::channel(Victim::Well);
        let (symptom, verdicts) = {
            let this = &*self;
            let seats = this.session.panel.seats().zip(&this.before);
            let diagnoses = seats.map(|(seat, before)| this.wait_for_diagnosis(seat, before, told.clone()));
            tokio::join!(this.wait_for_symptom(tell), try_join_all(diagnoses))
        };
        let verdicts = verdicts?;
        self.session.mark(&self.id, || Did::Conclude);
        if verdicts[0].ended {
            return Err(Stop::errored("the detector has ended"));
        }
        match symptom? {
            Some((at, evidence)) => self.answer_at(Gate::Manifested, Some(at), true, evidence, None),
            None => self.withstood().await,
        }
        self.judge_detection(verdicts);
        Ok(())
    }

    /// Only a victim that is well has withstood the fault; one that never got its pod back has not.
    async fn withstood(&mut self) {
        if let Some(what) = self.fault.on_its_way() {
            let note = format!("the fault is in force; the victim shows no symptom, but is not well: {what}");
            return self.answer_at(Gate::Manifested, None, false, Vec::new(), Some(note));
        }
        let held = timeout(LOOK, self.fault.held_by(&self.ctx)).await;
        let evidence = match held {
            Ok(Ok(evidence)) => evidence,
            Ok(Err(e)) => {
                tracing::debug!(error = %e, "what held could not be looked at");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        self.resilient = true;
        let note = "the fault is in force and the victim stayed well for the whole budget";
        self.answer_at(Gate::Manifested, None, false, evidence, Some(note.into()));
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
                Ok(None) if Instant::now() >= deadline && self.is_over(deadline) => break Ok(None),
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

    /// A victim that is on its way at the deadline gets a moment to arrive.
    fn is_over(&self, deadline: Instant) -> bool {
        let moment = LOOK.min(self.session.options.budgets.manifest);
        self.fault.on_its_way().is_none() || Instant::now() >= deadline + moment
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

    async fn wait_for_diagnosis(
        &self,
        seat: &Seat,
        before: &BTreeSet<Key>,
        mut victim: watch::Receiver<Victim>,
    ) -> Result<Verdict, Stop> {
        let mut findings = seat.findings.clone();
        let mut verdict = Verdict::default();
        let mut right_since: Option<Instant> = None;
        loop {
            let now = findings.borrow_and_update().clone();
            let mine = self.in_scope(&now.diagnoses, before);
            (verdict.as_of, verdict.trouble) = (now.as_of, now.trouble.into_iter().next());
            let right = !self.expectation.is_silence() && self.expectation.judge(&mine).is_ok();
            if verdict.take(mine.clone()) {
                self.tell(seat, mine);
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
                    (verdict.ended, verdict.trouble) = (true, Some("it has ended".into()));
                    return Ok(verdict);
                },
                // The sender is gone only after it told its last word, which was read above.
                Ok(()) = victim.changed() => {}
                () = sleep_until(end.unwrap_or_else(far)) => {}
                () = self.ctx.cancel.cancelled() => return Err(FaultError::Interrupted.into()),
            }
        }
    }

    /// Puts what a detector finds into the event stream: as findings those of the one that decides.
    fn tell(&self, seat: &Seat, diagnoses: Vec<Diagnosis>) {
        if std::ptr::eq(seat, self.session.panel.first()) {
            self.session.events.drill(&self.id, EventKind::Findings { diagnoses });
        } else if let Some(top) = diagnoses.first() {
            self.progress(&format!("{} blames {}", seat.name, name(top)));
        }
    }

    /// The findings that this drill may have caused and that were not there before it.
    fn in_scope(&self, present: &[Diagnosis], before: &BTreeSet<Key>) -> Vec<Diagnosis> {
        let mut mine: Vec<Diagnosis> =
            present.iter().filter(|d| self.scope.holds(d) && !before.contains(&key(d))).cloned().collect();
        mine.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        mine
    }

    /// Judges all detectors alike. The results of the one that decides are the drill's own.
    fn judge_detection(&mut self, verdicts: Vec<Verdict>) {
        let manifested = &self.gates.manifested;
        let facts = Facts {
            expectation: &self.expectation,
            injected_at: self.timings.injected_at,
            manifested_at: manifested.at.filter(|_| manifested.ok),
        };
        let seats = self.session.panel.seats();
        let results: Vec<_> = seats.zip(&verdicts).map(|(s, v)| v.result(s.name.clone(), facts)).collect();
        (self.timings.detected_at, self.timings.first_evidence_at) = verdicts[0].times(facts);
        let first = results[0].clone();
        for (gate, answer) in [(Gate::Detected, first.detected), (Gate::Attributed, first.attributed)] {
            self.answer_at(gate, answer.at, answer.ok, answer.evidence, answer.note);
        }
        (self.diagnosis, self.others, self.detectors) = (first.diagnosis, first.other_findings, results);
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
            let present = self.session.panel.first().findings.borrow().diagnoses.clone();
            let alarms = self.in_scope(&present, &self.before[0]);
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
