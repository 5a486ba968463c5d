//! One drill: victim, injection, observation, undo, verification; each step answers a gate.

mod fence;
mod observe;
mod victim;

use crate::{Session, detectors::RunningDetector, namespace, scope::scope};
use futures::future::join_all;
use loopdrill_faults::{
    ChangeError, Fault, FaultContext, FaultError,
    journal::Pending,
    lifecycle::{self, InjectError},
};
use loopdrill_model::{
    Capability, DrillReport, EventKind, Evidence, FaultId, Gate, GateResult, Outcome, Timestamp,
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

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
    /// What is known so far.
    report: DrillReport,
    /// The victim was broken at some look of this drill.
    shown: bool,
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
    if let Some((lack, why)) = session.refused.get(&spec.id()) {
        return report_without_drill(&*fault, Outcome::Skipped(lack.clone()), Some(why.clone()));
    }
    let footprint = fault.footprint(facts);
    let _permit = tokio::select! {
        permit = session.arbiter.acquire(footprint.clone()) => permit,
        () = session.cancel.cancelled() => return report_without_drill(&*fault, Outcome::Interrupted, None),
    };
    let _lane = tokio::select! {
        lane = session.lane() => lane,
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
        report: DrillReport {
            started_at: Some(Timestamp::now()),
            ..DrillReport::new(&spec.id(), spec.expectation())
        },
        shown: false,
        resilient: false,
        fault,
    };
    let scope = scope(&namespace, &footprint);
    session.tell(
        &drill.id,
        EventKind::DrillStarted { expectation: Some(spec.expectation()), scope: Some(scope) },
    );
    drill.run().await
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
            (None, None) => (self.report.judged(self.resilient), None),
        };
        self.report.ended(outcome, error)
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
        self.session.tell(&self.id, EventKind::InjectionStarted);
        self.progress("injecting");
        let pending = self.inject().await?;
        self.fault.trigger(&self.ctx).await?;
        self.observe().await?;
        self.check_still_in_force(&pending).await;
        Ok(())
    }

    /// Lets findings that are not this drill's own fade. Those that stay prove nothing.
    async fn wait_for_quiet(&self) -> Result<(), Stop> {
        let running = self.session.detectors.live();
        tokio::select! {
            _ = timeout(QUIET, join_all(running.map(|detector| self.quiet(detector)))) => Ok(()),
            () = self.ctx.cancel.cancelled() => Err(FaultError::Interrupted.into()),
        }
    }

    /// Waits until a detector finds nothing in scope. That it has ended is told of when it is judged.
    async fn quiet(&self, detector: &RunningDetector) {
        let mut scorer = detector.scorer();
        let _ = scorer.wait_for(|scorer| scorer.alarms(&self.id).is_empty() || scorer.has_ended()).await;
    }

    async fn inject(&mut self) -> Result<Vec<Pending>, Stop> {
        let session = self.session;
        let plan = self.fault.plan(&self.ctx).await?;
        if plan.is_empty() {
            return Err(Stop { outcome: Outcome::NotInjected, error: "the fault planned no change".into() });
        }
        fence::check(&self.ctx, &plan)
            .await
            .map_err(|error| Stop { outcome: Outcome::Skipped(Capability::Fence), error })?;
        let (pending, mut evidence) =
            lifecycle::inject(&session.access, &session.journal, &self.id, plan).await?;
        evidence.extend(self.fault.in_force(&self.ctx).await.map_err(|e| match Stop::from(e) {
            Stop { outcome: Outcome::Errored, error } => Stop { outcome: Outcome::NotInjected, error },
            other => other,
        })?);
        self.answer(Gate::Injected, true, evidence, None);
        Ok(pending)
    }

    /// A fault that somebody took away while we looked proves nothing.
    async fn check_still_in_force(&mut self, pending: &[Pending]) {
        let gone = match lifecycle::read_back(&self.session.access, pending).await {
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
            let evidence = std::mem::take(&mut self.report.gates.manifested.evidence);
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
        self.session.tell(&self.id, EventKind::UndoStarted);
        let left = lifecycle::undo(&self.session.access, &self.session.journal, &mine).await;
        let error = (!left.is_empty()).then(|| {
            let lines: Vec<_> = left.iter().map(|l| format!("{}: {}", l.change, l.why)).collect();
            format!("{}; run `loopdrill undo`", lines.join("; "))
        });
        if error.is_none() {
            self.report.undone_at = Some(Timestamp::now());
        }
        self.session.tell(&self.id, EventKind::UndoFinished { error: error.clone() });
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

    /// Answers one of the drill's own gates now.
    fn answer(&mut self, gate: Gate, ok: bool, evidence: Vec<Evidence>, note: Option<String>) {
        self.answered(gate, GateResult { ok, at: Some(Timestamp::now()), evidence, note });
    }

    /// Notes the answer of a gate, and tells it.
    fn answered(&mut self, gate: Gate, result: GateResult) {
        if let Some(own) = self.report.gates.get_mut(gate) {
            own.clone_from(&result);
        }
        self.session.tell(&self.id, EventKind::GateAnswered { gate, result });
    }

    fn progress(&self, message: &str) {
        self.session.tell(&self.id, EventKind::Progress { message: message.into() });
    }
}

fn report_without_drill(fault: &dyn Fault, outcome: Outcome, error: Option<String>) -> DrillReport {
    let spec = fault.spec();
    DrillReport::new(&spec.id(), spec.expectation()).ended(outcome, error)
}
