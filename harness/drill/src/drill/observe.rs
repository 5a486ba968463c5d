//! Watching a fault bite: the victim on one side, the detectors on the other, and afterwards both until quiet.

use super::{
    Drill, Stop,
    victim::{self, LOOK, LOOK_EVERY, Outlasted},
};
use crate::detectors::{ColdSeat, RunningDetector, Seat};
use futures::{FutureExt, future::try_join_all};
use loopdrill_faults::{FaultError, Look};
use loopdrill_model::{Diagnosis, EventKind, Evidence, Gate, GateResult, Source, Timestamp};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

/// How long the right diagnosis must stay on top before it counts.
const SETTLE: Duration = Duration::from_millis(1000);

/// For how long the victim must be well and its alarm gone: an alarm that is back in a moment had not gone.
const CALM: Duration = Duration::from_millis(1500);

/// What the detectors' side is told of the victim.
#[derive(Debug, Clone, Copy)]
enum Victim {
    /// It is looked at, and has not shown the symptom yet.
    Watched,
    /// It shows the symptom, since then.
    Shows(Instant),
    /// It has not shown the symptom within the budget.
    ShowsNothing,
}

impl Drill<'_> {
    /// Waits for the symptom and for the diagnoses, each within its budget, and answers three gates.
    pub(super) async fn observe(&mut self) -> Result<(), Stop> {
        let (tell, told) = watch::channel(Victim::Watched);
        let (outlasted, ended) = {
            let this = &*self;
            let seats = this.session.detectors.seats();
            let diagnoses = seats.iter().map(|seat| match seat {
                Seat::Live(detector) => this.wait_for_diagnosis(detector, told.clone()).boxed(),
                Seat::Cold(seat) => this.call_in(seat, told.clone()).boxed(),
            });
            tokio::join!(this.wait_for_symptom(tell), try_join_all(diagnoses))
        };
        if ended?.first() == Some(&true) {
            return Err(Stop::errored("the detector has ended"));
        }
        let (at, outlasted) = outlasted?;
        match outlasted {
            Outlasted::Broken(evidence) => {
                self.shown = true;
                // Told when it showed.
                self.report.gates.manifested = symptom_since(at, evidence);
            }
            Outlasted::Well => self.stayed_well().await,
            Outlasted::Settling(what) => {
                let note =
                    format!("the fault is in force; the victim shows no symptom, but is not well: {what}");
                self.shows_nothing(Vec::new(), note);
            }
        }
        self.judge_detection();
        Ok(())
    }

    /// The fault was in force and the victim is well: what held goes into the report.
    async fn stayed_well(&mut self) {
        let held = timeout(LOOK, self.fault.absorbed_by(&self.ctx)).await;
        let evidence = match held {
            Ok(Ok(evidence)) => evidence,
            Ok(Err(e)) => {
                tracing::debug!(error = %e, "what held could not be looked at");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        self.resilient = true;
        let note = "the fault is in force, and the victim was well at the end of its budget";
        self.shows_nothing(evidence, note.into());
    }

    fn shows_nothing(&mut self, evidence: Vec<Evidence>, note: String) {
        self.answered(Gate::Manifested, GateResult { ok: false, at: None, evidence, note: Some(note) });
    }

    /// Looks at the victim until it is broken or its budget has ended, and tells the detectors' side. That it is broken
    /// is told at once.
    async fn wait_for_symptom(
        &self,
        tell: watch::Sender<Victim>,
    ) -> Result<(Timestamp, Outlasted), FaultError> {
        self.progress("waiting for the symptom");
        let budget = self.session.options.budgets.manifest;
        let outlasted = victim::outlast(&*self.fault, &self.ctx, budget).await;
        let at = Timestamp::now();
        tell.send_replace(match &outlasted {
            Ok(Outlasted::Broken(evidence)) => {
                let result = symptom_since(at, evidence.clone());
                self.session.tell(&self.id, EventKind::GateAnswered { gate: Gate::Manifested, result });
                Victim::Shows(Instant::now())
            }
            Ok(Outlasted::Well | Outlasted::Settling(_)) | Err(_) => Victim::ShowsNothing,
        });
        outlasted.map(|outlasted| (at, outlasted))
    }

    /// Listens to a detector until its time is over. Returns whether it has ended by itself before.
    async fn wait_for_diagnosis(
        &self,
        detector: &RunningDetector,
        mut victim: watch::Receiver<Victim>,
    ) -> Result<bool, Stop> {
        let mut scorer = detector.scorer();
        let mut told = Vec::new();
        // The answer is right since a time of day, and settles by the clock that deadlines go by.
        let (mut right_since, mut settled) = (None, None);
        let has_ended = loop {
            let (found, right, has_ended) = {
                let scorer = scorer.borrow_and_update();
                (scorer.answer(&self.id).to_vec(), scorer.right_since(&self.id), scorer.has_ended())
            };
            if right != right_since {
                (right_since, settled) = (right, right.map(|_| Instant::now() + SETTLE));
            }
            self.tell_findings(&detector.name, &mut told, found);
            let victim_now = *victim.borrow_and_update();
            let end = self.end_of_time(victim_now, settled);
            if has_ended || end.is_some_and(|end| Instant::now() >= end) {
                break has_ended;
            }
            tokio::select! {
                // The scorer is there for as long as the detector is, and says when that ends.
                Ok(()) = scorer.changed() => {}
                // The sender is gone only after it told its last word, which was read above.
                Ok(()) = victim.changed() => {}
                () = sleep_until(end.unwrap_or_else(far)) => {}
                () = self.ctx.cancel.cancelled() => return Err(FaultError::Interrupted.into()),
            }
        };
        self.session.concluded(&self.id, &detector.name);
        Ok(has_ended)
    }

    /// Calls a detector in when the symptom has shown, and listens until it has said all, or its time is over.
    async fn call_in(&self, seat: &ColdSeat, mut victim: watch::Receiver<Victim>) -> Result<bool, Stop> {
        let decided = victim.wait_for(|victim| !matches!(victim, Victim::Watched));
        let decided = tokio::select! {
            // The sender is gone only after it told its last word.
            decided = decided => decided.map_or(Victim::ShowsNothing, |victim| *victim),
            () = self.ctx.cancel.cancelled() => return Err(FaultError::Interrupted.into()),
        };
        match decided {
            Victim::Shows(at) => {
                let mut told = Vec::new();
                let end = at + self.session.options.budgets.detect;
                let each = |found| self.tell_findings(seat.name(), &mut told, found);
                self.session.look(seat, &self.id, end, each).await.map_err(|()| FaultError::Interrupted)?;
            }
            Victim::Watched | Victim::ShowsNothing => self.session.concluded(&self.id, seat.name()),
        }
        Ok(false)
    }

    /// When a detector's time is over, as far as it is known.
    fn end_of_time(&self, victim: Victim, settled: Option<Instant>) -> Option<Instant> {
        let budgets = &self.session.options.budgets;
        match victim {
            Victim::Watched => None,
            // Silence has no moment at which it is complete: it is listened to for as long as on a healthy cluster.
            Victim::Shows(at) if self.report.expectation.is_silence() => Some(at + budgets.control),
            Victim::Shows(at) => {
                let budget = at + budgets.detect;
                Some(settled.map_or(budget, |settled| settled.min(budget)))
            }
            Victim::ShowsNothing => Some(Instant::now()),
        }
    }

    /// Puts another answer than the last one that was told into the event stream: as findings that of the detector that
    /// decides.
    fn tell_findings(&self, detector: &str, told: &mut Vec<Diagnosis>, found: Vec<Diagnosis>) {
        let same = told.len() == found.len() && told.iter().zip(&found).all(|(a, b)| a.is_same_finding(b));
        if same {
            return;
        }
        told.clone_from(&found);
        if self.session.detectors.decides(detector) {
            self.session.tell(&self.id, EventKind::Findings { diagnoses: found });
        } else if let Some(top) = found.first() {
            self.progress(&format!("{detector} blames {}", name(top)));
        }
    }

    /// Judges all detectors alike. The answers of the one that decides are the drill's own.
    fn judge_detection(&mut self) {
        self.report.detectors = self.session.detectors.results(&self.id);
        for gate in [Gate::Detected, Gate::Attributed] {
            self.answered(gate, self.report.gate(gate).clone());
        }
    }

    /// After the undo: the victim must be well again, and the alarm must go.
    pub(super) async fn recover(&mut self) {
        self.progress("waiting for recovery");
        if let Err(e) = self.fault.after_undo(&self.ctx).await {
            self.answer(Gate::Recovered, false, Vec::new(), Some(e.to_string()));
            return;
        }
        let deadline = Instant::now() + self.session.options.budgets.recover;
        let mut calm_since = None;
        let mut last;
        loop {
            let alarms = self.session.detectors.alarms(&self.id);
            let look = victim::look(&*self.fault, &self.ctx, self.shown).await;
            if matches!(look, Ok(Look::Well)) && alarms.is_empty() {
                if calm_since.get_or_insert_with(Instant::now).elapsed() >= CALM {
                    return self.recovered();
                }
            } else {
                calm_since = None;
            }
            last = match look {
                Ok(Look::Well) if alarms.is_empty() => "the alarm has only just gone".into(),
                Ok(Look::Well) => format!("the alarm {} is still there", name(&alarms[0])),
                Ok(Look::Settling(what)) => format!("the victim is not well yet: {what}"),
                Ok(Look::Broken(evidence)) => {
                    self.shown = true;
                    match evidence.first() {
                        Some(e) => format!("the victim still shows {}: {}", e.signal, e.value),
                        None => "the victim still shows the symptom".into(),
                    }
                }
                Err(e) => e.to_string(),
            };
            let is_over = Instant::now() >= deadline && calm_since.is_none();
            if is_over || self.ctx.cancel.is_cancelled() {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        self.answer(Gate::Recovered, false, Vec::new(), Some(last));
    }

    fn recovered(&mut self) {
        let at = Timestamp::now();
        let evidence = vec![
            Evidence::new("state compared with the snapshot", "no difference", at, Source::other("journal")),
            Evidence::new("victim", "well", at, Source::victim()),
            Evidence::new("findings", "none", at, Source::other("detector")),
        ];
        self.answer(Gate::Recovered, true, evidence, None);
    }
}

/// The victim shows the symptom.
fn symptom_since(at: Timestamp, evidence: Vec<Evidence>) -> GateResult {
    GateResult { ok: true, at: Some(at), evidence, note: None }
}

fn name(d: &Diagnosis) -> String {
    format!("{} ({})", d.control_loop, d.cause.map_or("no cause named", |c| c.name()))
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
