//! Detectors that are called in when the symptom has shown: fresh for each drill, for one answer, beside those that watch.

#[expect(dead_code, reason = "the fakes also serve the tests of the gates")]
mod support;

use async_trait::async_trait;
use loopdrill_cluster::Target;
use loopdrill_detect::{DetectError, Detector, Once};
use loopdrill_drill::{Budgets, Detectors, EventStream};
use loopdrill_model::{
    Diagnoses, DrillReport, Event, EventKind, Gate, LookMode, Outcome, RunReport, Timestamp,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::{
    api::Api,
    fakes::{
        BUDGET, BUDGETS, DetectorSays, Expects, FakeDetector, FakeFault, VictimIs, session_with,
        session_within,
    },
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Looks once: says what it says, and ends. Counts how often it was called.
struct Looker {
    says: FakeDetector,
    called: Arc<AtomicUsize>,
    /// It goes on for ever without a word.
    hangs: bool,
}

#[async_trait]
impl Detector for Looker {
    fn name(&self) -> &str {
        "looker"
    }

    async fn run(
        self: Arc<Self>,
        _: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        _ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        self.called.fetch_add(1, Ordering::Relaxed);
        if self.hangs {
            stop.cancelled().await;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let as_of = (!self.says.blind).then(Timestamp::now);
        out.send_replace(Diagnoses { diagnoses: self.says.findings(), as_of, trouble: Vec::new() });
        drop(out);
        // It cleans up for as long as it may.
        stop.cancelled().await;
        Ok(())
    }
}

struct Ran {
    drill: DrillReport,
    report: RunReport,
    called: usize,
    events: Vec<Event>,
}

fn all(mut stream: EventStream) -> Vec<Event> {
    std::iter::from_fn(|| stream.try_recv().ok()).collect()
}

/// More than anything takes here, and waited for by nobody by the time of day.
const AMPLE: Duration = Duration::from_secs(30);

/// One drill with a detector that is called in, and beside it one that watches and is right.
async fn run(says: DetectorSays, victim: VictimIs, expects: Expects, hangs: bool) -> Ran {
    let api = Api::default();
    let called = Arc::new(AtomicUsize::new(0));
    let fake = |says| FakeDetector { api: api.clone(), says, blind: false };
    let looker = Looker { says: fake(says), called: Arc::clone(&called), hangs };
    let live: Arc<dyn Detector> = Arc::new(fake(DetectorSays::TheTruth));
    let dir = tempfile::tempdir().expect("temp dir");
    let detectors = Detectors::new(Arc::new(Once::new(Arc::new(looker))), vec![live]);
    let detect = if hangs { BUDGET } else { AMPLE };
    let budgets = Budgets { set_up: AMPLE, manifest: AMPLE, detect, recover: AMPLE, ..BUDGETS };
    let (session, stream) = session_within(&api, detectors, dir.path(), CancellationToken::new(), budgets)
        .await
        .expect("a session");
    let mut fault = FakeFault::new(&api, victim);
    fault.expects = expects;
    let drill = session.drill(Arc::new(fault)).await;
    let report = session.finish().await;
    Ran { drill, report, called: called.load(Ordering::Relaxed), events: all(stream) }
}

// How long a look took is told by the time of day, which nobody stops.
#[tokio::test]
async fn it_is_called_once_when_the_symptom_has_shown_and_judged_beside_who_watched() {
    let Ran { drill, report, called, events } =
        run(DetectorSays::TheTruth, VictimIs::Ill, Expects::One, false).await;
    assert_eq!((&drill.outcome, called), (&Outcome::Passed, 1), "{drill:#?}");
    let [cold, live] = &drill.detectors[..] else { panic!("{:#?}", drill.detectors) };
    assert_eq!((cold.name.as_str(), cold.look), ("once:looker", LookMode::Once));
    assert_eq!((live.name.as_str(), live.look), ("fake", LookMode::Live));
    assert!(cold.attributed.ok && live.attributed.ok);
    assert_eq!((cold.lag, cold.lead), (None, None), "it did not watch");
    let ample = AMPLE.as_secs_f64();
    assert!(cold.took.is_some_and(|took| took < ample), "cleaning up is not part of the look: {cold:#?}");
    assert!(live.took.is_none() && live.lag.is_some());
    assert_eq!((report.detector.as_str(), report.rivals[0].name.as_str()), ("once:looker", "fake"));
    let place = |wanted: &dyn Fn(&EventKind) -> bool| events.iter().position(|e| wanted(&e.kind));
    let shown =
        place(&|k| matches!(k, EventKind::GateAnswered { gate: Gate::Manifested, result } if result.ok));
    let found = place(&|k| matches!(k, EventKind::Findings { diagnoses } if !diagnoses.is_empty()));
    assert!(shown.is_some() && shown < found, "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_or_silent_fails_the_drill() {
    for (says, gate) in
        [(DetectorSays::Nothing, Gate::Detected), (DetectorSays::AnotherLoop, Gate::Attributed)]
    {
        let ran = run(says, VictimIs::Ill, Expects::One, false).await;
        assert_eq!(ran.drill.outcome, Outcome::Failed(gate), "{:#?}", ran.drill);
        assert!(ran.drill.detectors[1].attributed.ok, "who watched is right all the same");
    }
}

// How long a look took is told by the time of day, which nobody stops.
#[tokio::test]
async fn one_that_says_nothing_in_its_time_is_stopped_and_has_not_detected() {
    let ran = run(DetectorSays::TheTruth, VictimIs::Ill, Expects::One, true).await;
    assert_eq!(ran.drill.outcome, Outcome::Failed(Gate::Detected));
    assert!(ran.drill.detectors[0].took.is_some_and(|took| took >= 1.5), "all its time: {:#?}", ran.drill);
    assert!(ran.report.trouble.is_empty(), "{:?}", ran.report.trouble);
}

#[tokio::test(start_paused = true)]
async fn without_a_symptom_nobody_is_called() {
    let ran = run(DetectorSays::TheTruth, VictimIs::Immune, Expects::One, false).await;
    assert_eq!((&ran.drill.outcome, ran.called), (&Outcome::Resilient, 0));
    assert_eq!(ran.drill.detectors[0].look, LookMode::Once);
}

#[tokio::test(start_paused = true)]
async fn silence_is_right_only_of_one_that_looked() {
    let silent = run(DetectorSays::Nothing, VictimIs::Ill, Expects::Silence, false).await;
    assert!(silent.drill.detectors[0].attributed.ok && silent.drill.detectors[0].detected.ok);
    let hung = run(DetectorSays::Nothing, VictimIs::Ill, Expects::Silence, true).await;
    assert!(!hung.drill.detectors[0].detected.ok, "{:#?}", hung.drill.detectors[0]);
}

#[tokio::test(start_paused = true)]
async fn a_finding_about_nothing_that_was_drilled_is_a_false_alarm_of_the_look() {
    let ran = run(DetectorSays::AFalseAlarm, VictimIs::Ill, Expects::One, false).await;
    assert_eq!(ran.report.false_alarms.len(), 1);
    assert!(ran.report.rivals[0].false_alarms.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_healthy_cluster_is_looked_at_once_too() {
    let api = Api::default();
    api.add_node("node");
    let called = Arc::new(AtomicUsize::new(0));
    let says = FakeDetector { api: api.clone(), says: DetectorSays::Nothing, blind: false };
    let looker = Looker { says, called: Arc::clone(&called), hangs: false };
    let dir = tempfile::tempdir().expect("temp dir");
    let detectors = Detectors::new(Arc::new(Once::new(Arc::new(looker))), Vec::new());
    let (session, _events) =
        session_with(&api, detectors, dir.path(), CancellationToken::new()).await.expect("a session");
    let control = session.control().await;
    session.finish().await;
    assert_eq!((control.outcome, called.load(Ordering::Relaxed)), (Outcome::Passed, 1));
}
