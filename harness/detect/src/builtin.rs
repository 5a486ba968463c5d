//! The built-in detector: observer → world → diagnosis, again whenever something was observed.

use crate::{
    DetectError, Detector,
    desk::{Desk, Looked, digest},
};
use async_trait::async_trait;
use loopdrill_model::{Diagnoses, Observation, Signal, Timestamp, signal::SourceState};
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
/// How long resources that may not be listed are waited for.
const REFUSED: Duration = Duration::from_secs(2);
/// Observations that are taken in at once.
const BATCH: usize = 1024;

/// `--detector builtin`.
#[derive(Debug, Default)]
pub struct Builtin {
    options: ObserveOptions,
    tape: Option<Tape>,
    telling: Option<mpsc::UnboundedSender<Told>>,
    make_do: Option<Duration>,
}

/// What a listener of the built-in detector hears, in the order of things.
#[derive(Debug, Clone)]
pub enum Told {
    /// A source of signals works, or why it does not.
    Source(SourceState),
    /// It judged.
    Judged {
        /// What it published.
        document: Diagnoses,
        /// Whether something is still too young to be called wrong.
        unsettled: bool,
    },
}

impl Builtin {
    /// A detector that observes in another way than by default.
    #[must_use]
    pub fn new(options: ObserveOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Records all that the detector takes in, and when it judges.
    #[must_use]
    pub fn recorded(mut self, tape: Tape) -> Self {
        self.tape = Some(tape);
        self
    }

    /// Tells `listener` each document and each change of a source; none is skipped.
    #[must_use]
    pub fn telling(mut self, listener: mpsc::UnboundedSender<Told>) -> Self {
        self.telling = Some(listener);
        self
    }

    /// Judges by what there is when the cluster cannot be listed within `limit`: an account may not be allowed
    /// to, and what it sees may still prove something.
    #[must_use]
    pub fn make_do_after(mut self, limit: Duration) -> Self {
        self.make_do = Some(limit);
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
        let outlet =
            Outlet { out, ready: Some(ready), tape: self.tape.clone(), telling: self.telling.clone() };
        let followed = follow(stream, outlet, self.make_do, stop).await;
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
    make_do: Option<Duration>,
    stop: &CancellationToken,
) -> Result<(), DetectError> {
    let mut desk = Desk::default();
    let began = Instant::now();
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
                    outlet.saw(observation);
                }
                let soon = judged + DEBOUNCE;
                due = Some(due.map_or(soon, |d| d.min(soon)));
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let now = Timestamp::now();
                // What was refused a moment ago is hardly allowed a moment later.
                let patience = |limit| if desk.is_told() { REFUSED.min(limit) } else { limit };
                let late = make_do.is_some_and(|limit| began.elapsed() >= patience(limit));
                let partial = late && !desk.is_oriented();
                let looked = desk.judge(now, partial);
                judged = Instant::now();
                due = looked.unsettled.then(|| judged + RECONSIDER);
                outlet.publish(looked, now, partial);
            }
        }
    }
}

/// Where the detector publishes, and records.
struct Outlet {
    out: watch::Sender<Diagnoses>,
    ready: Option<oneshot::Sender<()>>,
    tape: Option<Tape>,
    telling: Option<mpsc::UnboundedSender<Told>>,
}

impl Outlet {
    fn saw(&self, observation: Observation) {
        if let (Signal::SourceState(state), Some(telling)) = (&observation.signal, &self.telling) {
            // Who does not listen any more misses nothing that counts.
            let _ = telling.send(Told::Source(state.clone()));
        }
        if let Some(tape) = &self.tape {
            tape.say(Entry::Seen(observation));
        }
    }

    fn publish(&mut self, looked: Looked, now: Timestamp, partial: bool) {
        if let Some(tape) = &self.tape {
            let document = looked.document.as_ref().map(digest);
            tape.say(Entry::Judged(Judged { at: now, document, partial }));
        }
        let Some(document) = looked.document else { return };
        for d in &document.diagnoses {
            tracing::trace!(control_loop = %d.control_loop, confidence = d.confidence, "finding");
        }
        if let Some(telling) = &self.telling {
            let _ = telling.send(Told::Judged { document: document.clone(), unsettled: looked.unsettled });
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
    use loopdrill_model::{Cause, Source, signal::*};
    use loopdrill_observe::record;

    fn outlet(out: watch::Sender<Diagnoses>, ready: oneshot::Sender<()>, tape: Option<Tape>) -> Outlet {
        Outlet { out, ready: Some(ready), tape, telling: None }
    }

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
            async move { follow(stream, outlet(out, ready, None), None, &stop).await }
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
            cloud: None,
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
            async move { follow(stream, outlet(out, ready, None), None, &stop).await }
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
            async move { follow(stream, outlet(out, ready, Some(tape)), None, &stop).await }
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

    #[tokio::test(start_paused = true)]
    async fn who_may_not_list_everything_gets_what_there_is_and_it_replays() {
        let dir = tempfile::tempdir().expect("a directory");
        let tape = Tape::create(&dir.path().join("r.gz")).expect("a file");
        let (tell, stream) = mpsc::channel(16);
        let (out, _findings) = watch::channel(Diagnoses::default());
        let (ready, is_ready) = oneshot::channel();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (stop, outlet) = (stop.clone(), outlet(out, ready, Some(tape.clone())));
            async move { follow(stream, outlet, Some(Duration::from_secs(4)), &stop).await }
        });
        let ticks = tokio::spawn(async move {
            while tell.send(works("pods")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        let waited = Instant::now();
        is_ready.await.expect("ready in the end");
        assert!(waited.elapsed() >= Duration::from_secs(4), "it waited for what may still come");
        stop.cancel();
        task.await.expect("no panic").expect("ends well");
        ticks.await.expect("no panic");
        tape.finish().expect("room on the disk");
        let mut player = Player::default();
        let played =
            record::open(tape.path()).expect("a recording").filter_map(|e| player.play(&e.expect("whole")));
        let moments: Vec<_> = played.collect();
        assert!(moments.iter().all(|m| m.is_as_recorded));
        assert!(moments.first().is_some_and(|m| m.document.is_none()));
        assert!(moments.last().is_some_and(|m| m.document.is_some()));
    }

    #[tokio::test]
    async fn an_observer_that_ends_is_an_error() {
        let (_, stream) = mpsc::channel(1);
        let (out, _findings) = watch::channel(Diagnoses::default());
        let (ready, _is_ready) = oneshot::channel();
        let error = follow(stream, outlet(out, ready, None), None, &CancellationToken::new())
            .await
            .expect_err("it ended");
        assert_eq!(error.to_string(), "the observer has ended");
    }
}
