//! The drill that injects nothing: a detector that cries wolf on a healthy cluster fails it, and so does one
//! that sees nothing at all.

use crate::{
    Session,
    detectors::{ColdSeat, RunningDetector},
    scope::scope,
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};
use loopdrill_cluster::objects::node_is_ready;
use loopdrill_faults::{Footprint, Resource};
use loopdrill_model::{
    DrillReport, EventKind, Evidence, Expectation, FaultId, Gate, GateResult, Outcome, Source, Timestamp,
};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// The control drill's name among the faults.
pub const CONTROL: &str = DrillReport::CONTROL;

/// How long findings from before our time may take to fade.
const QUIET: Duration = Duration::from_secs(15);

/// Watches the cluster for a while and expects no finding.
pub(crate) async fn run(session: &Session) -> DrillReport {
    let id = FaultId::new(CONTROL, "none");
    let footprint = Footprint::default().breaks(Resource::Cluster);
    let _permit = session.arbiter.acquire(footprint.clone()).await;
    let (expectation, scope) = (Expectation::default(), scope("", &footprint));
    let report = DrillReport::new(&id, expectation.clone());
    session.tell(&id, EventKind::DrillStarted { expectation: Some(expectation), scope: Some(scope) });
    let mut control = Control { session, id, report };
    let outcome = control.watch().await;
    control.report.ended(outcome, None)
}

struct Control<'a> {
    session: &'a Session,
    id: FaultId,
    report: DrillReport,
}

impl Control<'_> {
    async fn watch(&mut self) -> Outcome {
        join_all(self.session.detectors.live().map(|detector| self.wait_for_quiet(detector))).await;
        let fact = fact("changes made", "none".into(), Source::other("journal"));
        self.report.gates.injected = self.answer(Gate::Injected, held(vec![fact]));
        let called_in = self.session.detectors.cold().map(|seat| self.call_in(seat));
        let watched = async { tokio::join!(self.listen(), join_all(called_in)) };
        tokio::select! {
            _ = watched => {}
            () = self.session.cancel.cancelled() => return Outcome::Interrupted,
        }
        let word = match ready_nodes(self.session).await {
            Ok(evidence) => held(vec![evidence]),
            Err(why) => GateResult { at: Some(Timestamp::now()), note: Some(why), ..GateResult::default() },
        };
        self.report.gates.manifested = self.answer(Gate::Manifested, word);
        self.judge();
        self.report.judged(false)
    }

    /// Listens to those that watch all the time.
    async fn listen(&self) {
        sleep_until(Instant::now() + self.session.options.budgets.control).await;
        self.session.detectors.live().for_each(|d| self.session.concluded(&self.id, &d.name));
    }

    /// One that is called in to a healthy cluster has as long as in any drill.
    async fn call_in(&self, seat: &ColdSeat) {
        let end = Instant::now() + self.session.options.budgets.detect;
        // An interruption is noticed where this is waited for.
        let _ = self.session.look(seat, &self.id, end, |_| {}).await;
    }

    fn judge(&mut self) {
        self.report.detectors = self.session.detectors.results(&self.id);
        for gate in [Gate::Detected, Gate::Attributed] {
            self.answer(gate, self.report.gate(gate).clone());
        }
        // Nothing was done, so nothing was to be undone: as it was is without a finding.
        let recovered = self.report.gate(Gate::Attributed).clone();
        self.report.gates.recovered = self.answer(Gate::Recovered, recovered);
    }

    /// Lets findings from before our time fade. Those that stay are the cluster's own trouble: no drill is blamed for
    /// them, and the control drill tells of them.
    async fn wait_for_quiet(&self, detector: &RunningDetector) {
        let mut scorer = detector.scorer();
        let quiet = async {
            let _ = scorer.wait_for(|s| s.alarms(&self.id).is_empty() || s.has_ended()).await;
        };
        tokio::select! {
            () = quiet => {}
            () = tokio::time::sleep(QUIET) => {}
            () = self.session.cancel.cancelled() => {}
        }
    }

    /// Tells the answer of a gate, and gives it back.
    fn answer(&self, gate: Gate, result: GateResult) -> GateResult {
        self.session.tell(&self.id, EventKind::GateAnswered { gate, result: result.clone() });
        result
    }
}

fn held(evidence: Vec<Evidence>) -> GateResult {
    GateResult { ok: true, at: Some(Timestamp::now()), evidence, note: None }
}

/// The cluster's own word that it is well.
async fn ready_nodes(session: &Session) -> Result<Evidence, String> {
    let api = Api::<Node>::all(session.target.client.clone());
    let params = ListParams::default();
    let nodes = timeout(Duration::from_secs(10), api.list(&params))
        .await
        .map_err(|_| "the API server did not list its nodes within 10 s".to_string())?
        .map_err(|e| format!("the API server does not list its nodes: {e}"))?;
    let unready: Vec<_> =
        nodes.iter().filter(|n| !node_is_ready(n)).filter_map(|n| n.metadata.name.clone()).collect();
    if unready.is_empty() && !nodes.items.is_empty() {
        Ok(fact("nodes ready", nodes.items.len().to_string(), Source::api("nodes")))
    } else {
        Err(format!("nodes are not ready: {}", unready.join(", ")))
    }
}

fn fact(signal: &str, value: String, source: Source) -> Evidence {
    Evidence::new(signal, value, Timestamp::now(), source)
}
