//! One drill: victim, injection, observation, undo, verification; each step answers a gate.

mod observe;

use crate::{Session, findings::Scope, marks, namespace, panel::Seat};
use futures::future::join_all;
use loopdrill_detect::{Key, key};
use loopdrill_faults::{
    ChangeError, Fault, FaultContext, FaultError,
    journal::Pending,
    life::{self, InjectError},
};
use loopdrill_model::{
    DetectorResult, Diagnosis, DrillReport, EventKind, Evidence, Expectation, FaultId, Gate, GateResult,
    Gates, Outcome, Timestamp, Timings,
};
use loopdrill_observe::record::Did;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// How long the scope may still be noisy, from an earlier drill or from start-up, before the injection.
const QUIET: Duration = Duration::from_secs(20);

/// Why a drill stopped early, and with which outcome.
struct Stop {
    outcome: Outcome,
    error: String,
}

impl Stop {
    fn errored(error: impl Into<String>) -> Self {
        Stop { outcome: Outcome::Errored, error: error.into() }
    }
}

impl From<FaultError> for Stop {
    fn from(e: FaultError) -> Self {
        let outcome = match e {
            FaultError::Interrupted => Outcome::Interrupted,
            // What is there is not ours to change, or not what the fault needs.
            FaultError::Unfit(_) | FaultError::Change(ChangeError::Foreign { .. }) => Outcome::NotInjected,
            _ => Outcome::Errored,
        };
        Stop { outcome, error: e.to_string() }
    }
}

impl From<InjectError> for Stop {
    fn from(e: InjectError) -> Self {
        Stop { outcome: Outcome::NotInjected, error: e.to_string() }
    }
}

/// A drill in progress.
struct Drill<'a> {
    session: &'a Session,
    fault: Arc<dyn Fault>,
    ctx: FaultContext,
    id: FaultId,
    scope: Scope,
    /// Each detector's findings in scope from before the injection: they prove nothing.
    before: Vec<BTreeSet<Key>>,
    gates: Gates,
    timings: Timings,
    diagnosis: Option<Diagnosis>,
    others: Vec<Diagnosis>,
    detectors: Vec<DetectorResult>,
    expectation: Expectation,
    resilient: bool,
}

/// Runs one drill. Whatever happens, its changes are undone and its namespace removed.
#[tracing::instrument(name = "drill", skip_all, fields(drill = %fault.spec().id()))]
pub(crate) async fn run(session: &Session, fault: Arc<dyn Fault>) -> DrillReport {
    let spec = fault.spec();
    let facts = &session.target.facts;
    if let Some(missing) = spec.needs.iter().find(|c| !facts.has(c)) {
        let why = facts.capabilities.get(missing).and_then(|r| r.clone().err());
        return report_without_drill(&*fault, Outcome::Skipped(missing.clone()), why);
    }
    let footprint = fault.footprint(facts);
    let _permit = tokio::select! {
        permit = session.arbiter.acquire(footprint.clone()) => permit,
        () = session.cancel.cancelled() => return report_without_drill(&*fault, Outcome::Interrupted, None),
    };
    let namespace = namespace::name(&spec.id(), &session.target.run);
    let drill = Drill {
        session,
        ctx: FaultContext {
            target: Arc::clone(&session.target),
            id: spec.id(),
            namespace: namespace.clone(),
            cancel: session.cancel.clone(),
        },
        id: spec.id(),
        scope: Scope::of(&namespace, &footprint),
        before: Vec::new(),
        gates: Gates::default(),
        timings: Timings::default(),
        diagnosis: None,
        others: Vec::new(),
        detectors: Vec::new(),
        expectation: spec.expectation(),
        resilient: false,
        fault,
    };
    session.events.drill(&drill.id, EventKind::DrillStarted { expectation: Some(spec.expectation()) });
    session.mark(&drill.id, || marks::start(spec.expectation(), &drill.scope));
    session.panel.enter(&drill.id, &drill.scope);
    let report = drill.run().await;
    session.panel.leave(&spec.id());
    report
}

impl Drill<'_> {
    async fn run(mut self) -> DrillReport {
        let stopped = self.until_diagnosed().await.err();
        let left = self.undo().await;
        if left.is_none() && stopped.is_none() {
            self.recover().await;
        }
        self.remove_namespace();
        let (outcome, error) = match (left, stopped) {
            (Some(left), _) => (Outcome::CleanupFailed, Some(left)),
            (None, Some(stop)) => (stop.outcome, Some(stop.error)),
            (None, None) if self.session.cancel.is_cancelled() => (Outcome::Interrupted, None),
            (None, None) => (self.judged(), None),
        };
        let spec = self.fault.spec();
        DrillReport {
            fault: spec.fault.into(),
            variant: spec.variant.into(),
            expected_loop: spec.expectation().control_loop(),
            expectation: Some(spec.expectation()),
            gates: self.gates,
            outcome,
            diagnosis: self.diagnosis,
            other_findings: self.others,
            timings: self.timings,
            detectors: self.detectors,
            error,
        }
    }

    fn judged(&self) -> Outcome {
        match self.gates.first_failure() {
            None => Outcome::Passed,
            Some(_) if self.resilient && self.gates.recovered.ok => Outcome::Resilient,
            Some(gate) => Outcome::Failed(gate),
        }
    }

    async fn until_diagnosed(&mut self) -> Result<(), Stop> {
        namespace::create(self.session, &self.id, &self.ctx.namespace).await.map_err(Stop::errored)?;
        self.progress("setting up the victim");
        let set_up = self.fault.set_up(&self.ctx);
        let budget = self.session.options.budgets.set_up;
        timeout(budget, set_up).await.unwrap_or_else(|_| {
            Err(FaultError::TimedOut {
                what: "a healthy victim".into(),
                seconds: budget.as_secs(),
                last: "its set-up did not end; see the pods' events in the drill's namespace".into(),
            })
        })?;
        self.wait_for_quiet().await?;
        self.session.mark(&self.id, || Did::Ready);
        self.progress("injecting");
        let pending = self.inject().await?;
        self.fault.provoke(&self.ctx).await?;
        self.observe().await?;
        self.check_still_in_force(&pending).await;
        Ok(())
    }

    /// Lets findings that are not this drill's own fade, and remembers those that stay.
    async fn wait_for_quiet(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + QUIET;
        let seats = self.session.panel.seats();
        self.before = tokio::select! {
            before = join_all(seats.map(|seat| self.quiet(seat, deadline))) => before,
            () = self.ctx.cancel.cancelled() => return Err(FaultError::Interrupted.into()),
        };
        Ok(())
    }

    /// What one detector still finds in scope when it is quiet, or at the deadline.
    async fn quiet(&self, seat: &Seat, deadline: Instant) -> BTreeSet<Key> {
        let mut findings = seat.findings.clone();
        loop {
            let present = findings.borrow_and_update().diagnoses.clone();
            let before: BTreeSet<Key> = present.iter().filter(|d| self.scope.holds(d)).map(key).collect();
            if before.is_empty() || Instant::now() >= deadline {
                return before;
            }
            tokio::select! {
                // What ended is told of when it is judged.
                changed = findings.changed() => if changed.is_err() { return before },
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    async fn inject(&mut self) -> Result<Vec<Pending>, Stop> {
        let session = self.session;
        let plan = self.fault.plan(&self.ctx).await?;
        if plan.is_empty() {
            return Err(Stop { outcome: Outcome::NotInjected, error: "the fault planned no change".into() });
        }
        let (pending, mut evidence) = life::inject(&session.means, &session.journal, &self.id, plan).await?;
        evidence.extend(self.fault.in_force(&self.ctx).await.map_err(|e| match Stop::from(e) {
            Stop { outcome: Outcome::Errored, error } => Stop { outcome: Outcome::NotInjected, error },
            other => other,
        })?);
        self.timings.injected_at = Some(Timestamp::now());
        self.session.mark(&self.id, || Did::Inject);
        self.answer(Gate::Injected, true, evidence, None);
        Ok(pending)
    }

    /// A fault that somebody took away while we looked proves nothing.
    async fn check_still_in_force(&mut self, pending: &[Pending]) {
        let gone = match life::read_back(&self.session.means, pending).await {
            Ok(_) => None,
            Err(e @ InjectError::NotInForce { .. }) => Some(e.to_string()),
            // What cannot be read now was read at the injection; a slow control plane is no proof of absence.
            Err(e) => {
                tracing::debug!(error = %e, "the fault could not be read back once more");
                None
            }
        };
        if let Some(gone) = gone {
            self.resilient = false;
            let evidence = std::mem::take(&mut self.gates.manifested.evidence);
            let note = format!("the fault was taken away while it was observed: {gone}");
            self.answer(Gate::Manifested, false, evidence, Some(note));
        }
    }

    /// Undoes all changes of this drill. `Some` says what is left.
    async fn undo(&mut self) -> Option<String> {
        let mine: Vec<Pending> = self
            .session
            .journal
            .pending()
            .into_iter()
            .filter(|p| p.drill == self.id && !namespace::is_namespace(&p.change))
            .collect();
        if mine.is_empty() {
            return None;
        }
        self.session.events.drill(&self.id, EventKind::UndoStarted);
        let left = life::undo(&self.session.means, &self.session.journal, &mine).await;
        let error = (!left.is_empty()).then(|| {
            let lines: Vec<_> = left.iter().map(|l| format!("{}: {}", l.change, l.why)).collect();
            format!("{}; run `loopdrill undo`", lines.join("; "))
        });
        if error.is_none() {
            self.timings.undone_at = Some(Timestamp::now());
            self.session.mark(&self.id, || Did::Undo);
        }
        self.session.events.drill(&self.id, EventKind::UndoFinished { error: error.clone() });
        error
    }

    fn remove_namespace(&self) {
        let pending = self
            .session
            .journal
            .pending()
            .into_iter()
            .find(|p| p.drill == self.id && namespace::is_namespace(&p.change));
        if let Some(pending) = pending {
            self.session.remove_namespace_later(pending);
        }
    }

    fn answer(&mut self, gate: Gate, ok: bool, evidence: Vec<Evidence>, note: Option<String>) {
        self.answer_at(gate, Some(Timestamp::now()), ok, evidence, note);
    }

    /// Answers a gate with the time at which the answer became true, where that was earlier.
    fn answer_at(
        &mut self,
        gate: Gate,
        at: Option<Timestamp>,
        ok: bool,
        evidence: Vec<Evidence>,
        note: Option<String>,
    ) {
        let result = GateResult { ok, at, evidence, note };
        *self.gates.get_mut(gate) = result.clone();
        self.session.events.drill(&self.id, EventKind::GateAnswered { gate, result });
    }

    fn progress(&self, message: &str) {
        self.session.events.drill(&self.id, EventKind::Progress { message: message.into() });
    }
}

fn report_without_drill(fault: &dyn Fault, outcome: Outcome, error: Option<String>) -> DrillReport {
    let spec = fault.spec();
    DrillReport {
        fault: spec.fault.into(),
        variant: spec.variant.into(),
        expected_loop: spec.expectation().control_loop(),
        expectation: Some(spec.expectation()),
        gates: Gates::default(),
        outcome,
        diagnosis: None,
        other_findings: Vec::new(),
        timings: Timings::default(),
        detectors: Vec::new(),
        error,
    }
}
