//! The built-in detector: observer → world → diagnosis, again whenever something was observed.

use crate::{DetectError, Detector, memory::Memory};
use async_trait::async_trait;
use loopdrill_attribution::{World, judge};
use loopdrill_model::{Diagnoses, Observation, Signal, Source, Timestamp};
use loopdrill_observe::{ObserveOptions, ObserveTarget, Observer};
use loopdrill_target::Target;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Between two judgements while observations pour in.
const DEBOUNCE: Duration = Duration::from_millis(60);
/// Until the next judgement when something looks wrong and is too young to be called so.
const RECONSIDER: Duration = Duration::from_millis(150);
/// Observations that are taken in at once.
const BATCH: usize = 1024;

/// `--detector builtin`.
#[derive(Debug, Default)]
pub struct Builtin {
    options: ObserveOptions,
}

impl Builtin {
    /// A detector that observes in another way than by default.
    #[must_use]
    pub fn new(options: ObserveOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl Detector for Builtin {
    fn name(&self) -> &str {
        "builtin"
    }

    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let (observer, stream) = Observer::start(ObserveTarget::from(&*target), self.options.clone());
        let followed = follow(stream, out, ready, &stop).await;
        let removed = observer.stop().await.map_err(|e| DetectError::Failed(e.to_string()));
        followed.and(removed)
    }
}

/// Judges what streams in, until `stop`.
async fn follow(
    mut stream: mpsc::Receiver<Observation>,
    out: watch::Sender<Diagnoses>,
    ready: oneshot::Sender<()>,
    stop: &CancellationToken,
) -> Result<(), DetectError> {
    let mut desk = Desk { world: World::new(), memory: Memory::default(), out, ready: Some(ready) };
    let mut batch = Vec::with_capacity(BATCH);
    let mut due: Option<Instant> = None;
    let mut judged = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            taken = stream.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return Err(DetectError::Failed("the observer has ended".into()));
                }
                batch.drain(..).for_each(|o| desk.world.apply(&o));
                let soon = judged + DEBOUNCE;
                due = Some(due.map_or(soon, |d| d.min(soon)));
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let unsettled = desk.judge();
                judged = Instant::now();
                due = unsettled.then(|| judged + RECONSIDER);
            }
        }
    }
}

/// What the detector knows, and where it publishes.
struct Desk {
    world: World,
    memory: Memory,
    out: watch::Sender<Diagnoses>,
    ready: Option<oneshot::Sender<()>>,
}

impl Desk {
    /// Judges and publishes. Returns whether to look again soon, even if nothing else is observed.
    fn judge(&mut self) -> bool {
        let now = Timestamp::now();
        self.world.apply(&Observation { at: now, source: Source::other("clock"), signal: Signal::Tick });
        if !self.world.is_oriented() {
            return false;
        }
        let judgement = judge(&self.world);
        let diagnoses = self.memory.stamp(judgement.diagnoses, now);
        for d in &diagnoses {
            tracing::trace!(control_loop = %d.control_loop, confidence = d.confidence, "finding");
        }
        self.out.send_replace(Diagnoses { diagnoses, as_of: Some(now) });
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
        judgement.unsettled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Cause, signal::*};

    fn works(resource: &str) -> Observation {
        let source = Source::api(resource);
        let state = SourceState { name: source.clone(), lost: None };
        Observation { at: Timestamp::now(), source, signal: Signal::SourceState(state) }
    }

    const LISTED: [&str; 5] = ["pods", "nodes", "events", "persistentvolumeclaims", "persistentvolumes"];

    #[tokio::test(start_paused = true)]
    async fn is_ready_when_the_cluster_has_been_listed_and_not_before() {
        let (tell, stream) = mpsc::channel(16);
        let (out, findings) = watch::channel(Diagnoses::default());
        let (ready, mut is_ready) = oneshot::channel();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { follow(stream, out, ready, &stop).await }
        });
        for resource in &LISTED[1..] {
            tell.send(works(resource)).await.expect("somebody listens");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(is_ready.try_recv().is_err());
        assert_eq!(findings.borrow().as_of, None);
        tell.send(works(LISTED[0])).await.expect("somebody listens");
        (&mut is_ready).await.expect("ready");
        assert!(findings.borrow().as_of.is_some());
        stop.cancel();
        task.await.expect("no panic").expect("ends well");
    }

    /// A pod that wants more than the only node has, and the scheduler's word for it.
    fn too_large() -> [Observation; 2] {
        let size = |cpu_millis| Resources { cpu_millis, memory_bytes: 1 << 30 };
        let now = Timestamp::now();
        let node = Node {
            name: "node".into(),
            uid: "node".into(),
            version: 1,
            created_at: now,
            labels: Default::default(),
            ready: "True".into(),
            ready_reason: String::new(),
            ready_since: Some(now),
            pressures: vec![],
            unschedulable: false,
            taints: vec![],
            allocatable: size(1000),
        };
        let why = Unscheduled { reason: "Unschedulable".into(), message: String::new(), since: None };
        let pod = Pod {
            namespace: "n".into(),
            name: "p".into(),
            uid: "p".into(),
            version: 1,
            created_at: now,
            deleting: false,
            phase: "Pending".into(),
            node: None,
            ip: None,
            host_network: false,
            service_account: String::new(),
            owner: None,
            labels: Default::default(),
            requests: size(4000),
            node_selector: Default::default(),
            node_affinity: vec![],
            placed_by_peers: false,
            tolerations: vec![],
            claims: vec![],
            tokens: vec![],
            unscheduled: Some(why),
            ready: false,
            containers: vec![],
        };
        [Signal::Node(node), Signal::Pod(Box::new(pod))].map(|signal| Observation {
            at: now,
            source: Source::api("test"),
            signal,
        })
    }

    #[tokio::test]
    async fn what_was_too_young_is_judged_again_although_nothing_else_is_observed() {
        let (tell, stream) = mpsc::channel(16);
        let (out, mut findings) = watch::channel(Diagnoses::default());
        let (ready, _is_ready) = oneshot::channel();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { follow(stream, out, ready, &stop).await }
        });
        for observation in LISTED.map(works).into_iter().chain(too_large()) {
            tell.send(observation).await.expect("somebody listens");
        }
        let found = findings.wait_for(|f| !f.diagnoses.is_empty());
        let found = tokio::time::timeout(Duration::from_secs(20), found).await.expect("in time");
        let first = found.expect("the detector lives").diagnoses[0].clone();
        assert_eq!(first.cause, Some(Cause::Exhaustion));
        let found = findings.wait_for(|f| f.as_of > Some(first.diagnosed_at));
        tell.send(works("pods")).await.expect("somebody listens");
        let later = found.await.expect("the detector lives").diagnoses[0].clone();
        assert_eq!(later.diagnosed_at, first.diagnosed_at, "it keeps its time while it lasts");
        stop.cancel();
        task.await.expect("no panic").expect("ends well");
    }

    #[tokio::test]
    async fn an_observer_that_ends_is_an_error() {
        let (_, stream) = mpsc::channel(1);
        let (out, _findings) = watch::channel(Diagnoses::default());
        let (ready, _is_ready) = oneshot::channel();
        let error = follow(stream, out, ready, &CancellationToken::new()).await.expect_err("it ended");
        assert_eq!(error.to_string(), "the observer has ended");
    }
}
