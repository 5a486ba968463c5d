//! The drill that injects nothing: a detector that cries wolf on a healthy cluster fails it, and so does one
//! that sees nothing at all.

use crate::{
    Session,
    findings::Scope,
    marks,
    panel::Seat,
    verdict::{Facts, Verdict},
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};
use loopdrill_detect::key;
use loopdrill_faults::{Footprint, Resource};
use loopdrill_model::{
    DetectorResult, Diagnosis, DrillReport, EventKind, Evidence, Expectation, FaultId, Gate, GateResult,
    Gates, Outcome, Source, Timestamp, Timings,
};
use loopdrill_observe::record::Did;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// The control drill's name among the faults.
pub const CONTROL: &str = "control";

/// How long findings from before our time may take to fade.
const QUIET: Duration = Duration::from_secs(15);

/// Watches the cluster for a while and expects no finding.
pub(crate) async fn run(session: &Session) -> DrillReport {
    let id = FaultId::new(CONTROL, "none");
    let footprint = Footprint::default().breaks(Resource::Cluster);
    let _permit = session.arbiter.acquire(footprint.clone()).await;
    session.events.drill(&id, EventKind::DrillStarted { expectation: Some(Expectation::default()) });
    let scope = Scope::of("", &footprint);
    session.mark(&id, || marks::start(Expectation::default(), &scope));
    session.panel.enter(&id, &scope);
    let mut control = Control { session, id: id.clone(), gates: Gates::default(), detectors: Vec::new() };
    let outcome = control.watch().await;
    session.panel.leave(&id);
    let first = control.detectors.first().cloned().unwrap_or_default();
    DrillReport {
        fault: id.fault,
        variant: id.variant,
        expected_loop: None,
        expectation: Some(Expectation::default()),
        gates: control.gates,
        outcome,
        diagnosis: first.diagnosis,
        other_findings: first.other_findings,
        timings: Timings::default(),
        detectors: control.detectors,
        error: None,
    }
}

struct Control<'a> {
    session: &'a Session,
    id: FaultId,
    gates: Gates,
    detectors: Vec<DetectorResult>,
}

impl Control<'_> {
    async fn watch(&mut self) -> Outcome {
        let fact = fact("changes made", "none".into(), Source::other("journal"));
        self.answer(Gate::Injected, true, vec![fact], None);
        join_all(self.session.panel.seats().map(|seat| self.wait_for_quiet(seat))).await;
        let began = Timestamp::now();
        self.session.mark(&self.id, || Did::Inject);
        let until = Instant::now() + self.session.options.budgets.control;
        let found = join_all(self.session.panel.seats().map(|seat| self.collect(seat, until))).await;
        self.session.mark(&self.id, || Did::Conclude);
        if self.session.cancel.is_cancelled() {
            return Outcome::Interrupted;
        }
        match ready_nodes(self.session).await {
            Ok(evidence) => self.answer(Gate::Manifested, true, vec![evidence], None),
            Err(why) => self.answer(Gate::Manifested, false, Vec::new(), Some(why)),
        }
        self.judge(began, found);
        self.gates.first_failure().map_or(Outcome::Passed, Outcome::Failed)
    }

    fn judge(&mut self, began: Timestamp, found: Vec<Vec<Diagnosis>>) {
        let expectation = Expectation::default();
        let facts = Facts { expectation: &expectation, injected_at: None, manifested_at: Some(began) };
        let seats = self.session.panel.seats().zip(found);
        let results = seats.map(|(seat, all)| {
            Verdict::of_silence(all, &seat.findings.borrow()).result(seat.name.clone(), facts)
        });
        self.detectors = results.collect();
        let DetectorResult { detected, attributed, .. } = self.detectors[0].clone();
        let recovered = attributed.clone();
        for (gate, answer) in
            [(Gate::Detected, detected), (Gate::Attributed, attributed), (Gate::Recovered, recovered)]
        {
            self.answer(gate, answer.ok, answer.evidence, answer.note);
        }
    }

    /// Findings that are there before anything was touched are the cluster's own trouble. They are
    /// remembered, so that no drill is blamed for them, and the control drill tells of them.
    async fn wait_for_quiet(&self, seat: &Seat) {
        let mut findings = seat.findings.clone();
        let deadline = Instant::now() + QUIET;
        while !findings.borrow_and_update().diagnoses.is_empty() && Instant::now() < deadline {
            tokio::select! {
                changed = findings.changed() => if changed.is_err() { break },
                () = sleep_until(deadline) => {}
                () = self.session.cancel.cancelled() => return,
            }
        }
        seat.scopes.tolerate(&findings.borrow().diagnoses);
    }

    /// Everything that a detector finds until then.
    async fn collect(&self, seat: &Seat, until: Instant) -> Vec<Diagnosis> {
        let mut findings = seat.findings.clone();
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        while Instant::now() < until && !self.session.cancel.is_cancelled() {
            let present = findings.borrow_and_update().diagnoses.clone();
            found.extend(present.into_iter().filter(|d| seen.insert(key(d))));
            let changed = async {
                if findings.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(until) => {}
                () = self.session.cancel.cancelled() => {}
            }
        }
        found
    }

    fn answer(&mut self, gate: Gate, ok: bool, evidence: Vec<Evidence>, note: Option<String>) {
        let result = GateResult { ok, at: Some(Timestamp::now()), evidence, note };
        *self.gates.get_mut(gate) = result.clone();
        self.session.events.drill(&self.id, EventKind::GateAnswered { gate, result });
    }
}

/// The cluster's own word that it is well.
async fn ready_nodes(session: &Session) -> Result<Evidence, String> {
    let api = Api::<Node>::all(session.target.client.clone());
    let params = ListParams::default();
    let nodes = timeout(Duration::from_secs(10), api.list(&params))
        .await
        .map_err(|_| "the API server did not list its nodes within 10 s".to_string())?
        .map_err(|e| format!("the API server does not list its nodes: {e}"))?;
    let unready: Vec<_> = nodes
        .iter()
        .filter(|n| {
            let conditions = n.status.iter().flat_map(|s| s.conditions.iter().flatten());
            !conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True")
        })
        .filter_map(|n| n.metadata.name.clone())
        .collect();
    if unready.is_empty() && !nodes.items.is_empty() {
        Ok(fact("nodes ready", nodes.items.len().to_string(), Source::api("nodes")))
    } else {
        Err(format!("nodes are not ready: {}", unready.join(", ")))
    }
}

fn fact(signal: &str, value: String, source: Source) -> Evidence {
    Evidence { signal: signal.into(), value, at: Timestamp::now(), source }
}
