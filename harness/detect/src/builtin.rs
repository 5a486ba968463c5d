//! The built-in detector: observer → world → diagnosis, again whenever something was observed.

use crate::{
    DetectError, Detector,
    desk::{Desk, digest},
};
use async_trait::async_trait;
use loopdrill_model::{Diagnoses, Observation, Timestamp};
use loopdrill_observe::{
    ObserveOptions, ObserveTarget, Observer,
    record::{Entry, Judged, Tape},
};
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
    tape: Option<Tape>,
}

impl Builtin {
    /// A detector that observes in another way than by default.
    #[must_use]
    pub fn new(options: ObserveOptions) -> Self {
        Self { options, tape: None }
    }

    /// Records all that the detector takes in, and when it judges.
    #[must_use]
    pub fn recorded(mut self, tape: Tape) -> Self {
        self.tape = Some(tape);
        self
    }

    /// Watches a cluster of which `target` is known, until `stop`: [`Detector::run`] without a drill.
    ///
    /// # Errors
    /// When the observer ends, or leaves something behind.
    pub async fn watch(
        &self,
        target: ObserveTarget,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: &CancellationToken,
    ) -> Result<(), DetectError> {
        let (observer, stream) = Observer::start(target, self.options.clone());
        let followed = follow(stream, Outlet::new(out, ready, self.tape.clone()), stop).await;
        let removed = observer.stop().await.map_err(|e| DetectError::Failed(e.to_string()));
        followed.and(removed)
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
        self.watch(ObserveTarget::from(&*target), out, ready, &stop).await
    }
}

/// Judges what streams in, until `stop`.
async fn follow(
    mut stream: mpsc::Receiver<Observation>,
    mut outlet: Outlet,
    stop: &CancellationToken,
) -> Result<(), DetectError> {
    let mut desk = Desk::default();
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
                for observation in batch.drain(..) {
                    desk.take(&observation);
                    outlet.record(|| Entry::Seen(observation));
                }
                let soon = judged + DEBOUNCE;
                due = Some(due.map_or(soon, |d| d.min(soon)));
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let now = Timestamp::now();
                let looked = desk.judge(now);
                outlet.publish(looked.document, now);
                judged = Instant::now();
                due = looked.unsettled.then(|| judged + RECONSIDER);
            }
        }
    }
}

/// Where the detector publishes, and records.
struct Outlet {
    out: watch::Sender<Diagnoses>,
    ready: Option<oneshot::Sender<()>>,
    tape: Option<Tape>,
}

impl Outlet {
    fn new(out: watch::Sender<Diagnoses>, ready: oneshot::Sender<()>, tape: Option<Tape>) -> Self {
        Self { out, ready: Some(ready), tape }
    }

    fn record(&self, entry: impl FnOnce() -> Entry) {
        if let Some(tape) = &self.tape {
            tape.say(entry());
        }
    }

    fn publish(&mut self, document: Option<Diagnoses>, now: Timestamp) {
        self.record(|| Entry::Judged(Judged { at: now, document: document.as_ref().map(digest) }));
        let Some(document) = document else { return };
        for d in &document.diagnoses {
            tracing::trace!(control_loop = %d.control_loop, confidence = d.confidence, "finding");
        }
        self.out.send_replace(document);
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Player;
    use loopdrill_model::{Cause, Signal, Source, signal::*};
    use loopdrill_observe::record;

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
            async move { follow(stream, Outlet::new(out, ready, None), &stop).await }
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
            async move { follow(stream, Outlet::new(out, ready, None), &stop).await }
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
    async fn a_recording_replays_to_the_same_documents_byte_for_byte() {
        let dir = tempfile::tempdir().expect("a directory");
        let tape = Tape::create(&dir.path().join("r.gz")).expect("a file");
        let (tell, stream) = mpsc::channel(16);
        let (out, mut findings) = watch::channel(Diagnoses::default());
        let (ready, _is_ready) = oneshot::channel();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (stop, tape) = (stop.clone(), tape.clone());
            async move { follow(stream, Outlet::new(out, ready, Some(tape)), &stop).await }
        });
        for observation in LISTED.map(works).into_iter().chain(too_large()) {
            tell.send(observation).await.expect("somebody listens");
        }
        let mut published = Vec::new();
        while published.last().is_none_or(|p: &Diagnoses| p.diagnoses.is_empty()) {
            let changed = tokio::time::timeout(Duration::from_secs(20), findings.changed());
            changed.await.expect("in time").expect("the detector lives");
            published.push(findings.borrow_and_update().clone());
        }
        stop.cancel();
        task.await.expect("no panic").expect("ends well");
        tape.finish().expect("room on the disk");

        let mut player = Player::default();
        let mut replayed = Vec::new();
        for entry in record::open(tape.path()).expect("a recording") {
            if let Some(moment) = player.play(&entry.expect("whole")) {
                assert!(moment.is_as_recorded);
                replayed.extend(moment.document);
            }
        }
        for document in published {
            assert!(replayed.contains(&document), "{document:?}");
        }
    }

    #[tokio::test]
    async fn an_observer_that_ends_is_an_error() {
        let (_, stream) = mpsc::channel(1);
        let (out, _findings) = watch::channel(Diagnoses::default());
        let (ready, _is_ready) = oneshot::channel();
        let error = follow(stream, Outlet::new(out, ready, None), &CancellationToken::new())
            .await
            .expect_err("it ended");
        assert_eq!(error.to_string(), "the observer has ended");
    }
}
