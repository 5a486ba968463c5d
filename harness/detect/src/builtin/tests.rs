//! What the built-in detector publishes, and when.

use super::*;
use crate::replay::Player;
use loopdrill_model::{Cause, Source, signal::*};
use loopdrill_observe::record;

/// Ends a test that hangs, and judges nothing.
const HANGS: Duration = Duration::from_secs(300);

fn outlet(
    out: watch::Sender<Diagnoses>,
    ready: oneshot::Sender<()>,
    recording: Option<RecordingWriter>,
) -> Outlet {
    Outlet { out, ready: Some(ready), recording, telling: None, open: OpenQuestions::default() }
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
    let size = |cpu_millis| Resources { cpu_millis, memory_bytes: 1 << 30, ..Resources::default() };
    let now = Timestamp::now();
    let node = Node {
        name: "node".into(),
        uid: "node".into(),
        version: 1,
        created_at: now,
        labels: Default::default(),
        ready: "True".into(),
        ready_reason: String::new(),
        ready_message: String::new(),
        ready_since: Some(now),
        troubles: vec![],
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
        host_network: false,
        service_account: String::new(),
        owner: None,
        labels: Default::default(),
        requests: size(4000),
        node_selector: Default::default(),
        node_affinity: Default::default(),
        placed_by_peers: false,
        tolerations: Default::default(),
        claims: vec![],
        tokens: vec![],
        cloud: None,
        unscheduled: Some(why),
        ready: false,
        unready_since: None,
        given_up: None,
        constraints: Default::default(),
        ways: Default::default(),
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
    let found = tokio::time::timeout(HANGS, found).await.expect("in time");
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
    let recording = RecordingWriter::create(&dir.path().join("r.gz")).expect("a file");
    let (tell, stream) = mpsc::channel(16);
    let (out, mut findings) = watch::channel(Diagnoses::default());
    let (ready, _is_ready) = oneshot::channel();
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (stop, recording) = (stop.clone(), recording.clone());
        async move { follow(stream, outlet(out, ready, Some(recording)), None, &stop).await }
    });
    for observation in LISTED.map(works).into_iter().chain(too_large()) {
        tell.send(observation).await.expect("somebody listens");
    }
    let mut published = Vec::new();
    while published.last().is_none_or(|p: &Diagnoses| p.diagnoses.is_empty()) {
        let changed = tokio::time::timeout(HANGS, findings.changed());
        changed.await.expect("in time").expect("the detector lives");
        published.push(findings.borrow_and_update().clone());
    }
    stop.cancel();
    task.await.expect("no panic").expect("ends well");
    recording.finish().expect("room on the disk");

    let mut player = Player::default();
    let mut replayed = Vec::new();
    for entry in record::open(recording.path()).expect("a recording") {
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
    let recording = RecordingWriter::create(&dir.path().join("r.gz")).expect("a file");
    let (tell, stream) = mpsc::channel(16);
    let (out, _findings) = watch::channel(Diagnoses::default());
    let (ready, is_ready) = oneshot::channel();
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (stop, outlet) = (stop.clone(), outlet(out, ready, Some(recording.clone())));
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
    recording.finish().expect("room on the disk");
    let mut player = Player::default();
    let played =
        record::open(recording.path()).expect("a recording").filter_map(|e| player.play(&e.expect("whole")));
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

#[tokio::test(start_paused = true)]
async fn a_list_that_goes_on_is_waited_for() {
    let (tell, stream) = mpsc::channel(16);
    let (out, findings) = watch::channel(Diagnoses::default());
    let (ready, is_ready) = oneshot::channel();
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (stop, outlet) = (stop.clone(), outlet(out, ready, None));
        async move { follow(stream, outlet, Some(Duration::from_secs(4)), &stop).await }
    });
    for _ in 0..10 {
        let (source, signal) = (Source::api("pods"), Signal::Tick);
        tell.send(Observation { at: Timestamp::now(), source, signal }).await.expect("somebody listens");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(findings.borrow().as_of, None, "half of the pods are no ground for a judgement");
    let ticks = tokio::spawn(async move {
        while tell.send(works("nodes")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    is_ready.await.expect("ready in the end: no more of it comes");
    stop.cancel();
    task.await.expect("no panic").expect("ends well");
    ticks.await.expect("no panic");
}
