//! Several detectors side by side: the first one decides, and each is judged for itself.

#[expect(dead_code, reason = "the fakes also serve the tests of the gates")]
mod support;

use async_trait::async_trait;
use loopdrill_cluster::Target;
use loopdrill_detect::{DetectError, Detector, Nothing};
use loopdrill_drill::{Detectors, SessionError};
use loopdrill_model::{Diagnoses, DrillReport, ExitStatus, Gate, Outcome, RunReport};
use std::sync::Arc;
use support::{
    api::Api,
    fakes::{DetectorSays, FakeDetector, FakeFault, VictimIs, session_with},
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Sees the cluster, and dies when it is asked to: at once, or when it has just begun.
struct Dying {
    at_once: bool,
}

#[async_trait]
impl Detector for Dying {
    fn name(&self) -> &str {
        "dying"
    }

    async fn run(
        self: Arc<Self>,
        _: Arc<Target>,
        _out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        _: CancellationToken,
    ) -> Result<(), DetectError> {
        if !self.at_once {
            let _ = ready.send(());
        }
        Err(DetectError::Failed("it cannot go on".into()))
    }
}

fn says(api: &Api, says: DetectorSays) -> Arc<dyn Detector> {
    Arc::new(FakeDetector { api: api.clone(), says, blind: false })
}

async fn run(api: &Api, first: Arc<dyn Detector>, rival: Arc<dyn Detector>) -> (DrillReport, RunReport) {
    let dir = tempfile::tempdir().expect("temp dir");
    let detectors = Detectors::new(first, vec![rival]);
    let (session, _events) =
        session_with(api, detectors, dir.path(), CancellationToken::new()).await.expect("a session");
    let drill = session.drill(Arc::new(FakeFault::new(api, VictimIs::Ill))).await;
    (drill, session.finish().await)
}

fn marks(drill: &DrillReport) -> Vec<(bool, bool)> {
    drill.detectors.iter().map(|d| (d.detected.ok, d.attributed.ok)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rival_that_is_blind_wrong_or_alarmed_is_scored_and_decides_nothing() {
    for (rival, wanted) in [
        (DetectorSays::TheTruth, (true, true)),
        (DetectorSays::Nothing, (false, false)),
        (DetectorSays::AnotherLoop, (true, false)),
        (DetectorSays::AFalseAlarm, (false, false)),
    ] {
        let api = Api::default();
        let alarmed = rival == DetectorSays::AFalseAlarm;
        let (drill, report) = run(&api, says(&api, DetectorSays::TheTruth), says(&api, rival)).await;
        assert_eq!((&drill.outcome, report.exit), (&Outcome::Passed, ExitStatus::Ready), "{drill:#?}");
        assert_eq!(marks(&drill), [(true, true), wanted]);
        assert!(report.false_alarms.is_empty());
        assert_eq!(report.rivals[0].false_alarms.len(), usize::from(alarmed));
        let found = wanted.0;
        let times = &drill.detectors[1];
        assert_eq!(
            (times.lag.is_some(), times.lead.is_some(), times.since_injection.is_some()),
            (found, found, found)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_rival_that_is_right_saves_nobody() {
    let api = Api::default();
    let (drill, report) = run(&api, Arc::new(Nothing), says(&api, DetectorSays::TheTruth)).await;
    assert_eq!((&drill.outcome, report.exit_code), (&Outcome::Failed(Gate::Detected), 1));
    assert_eq!(marks(&drill), [(false, false), (true, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_rival_that_dies_on_the_way_is_told_of_and_stops_nobody() {
    let api = Api::default();
    let rival = Arc::new(Dying { at_once: false });
    let (drill, report) = run(&api, says(&api, DetectorSays::TheTruth), rival).await;
    assert_eq!((&drill.outcome, report.exit), (&Outcome::Passed, ExitStatus::Ready), "{drill:#?}");
    assert!(drill.detectors[1].detected.note.as_ref().expect("a note").ends_with("it has ended"));
    assert_eq!(report.rivals[0].error.as_deref(), Some("it cannot go on"));
}

#[tokio::test(start_paused = true)]
async fn no_run_begins_without_one_of_its_detectors() {
    let api = Api::default();
    let dir = tempfile::tempdir().expect("temp dir");
    let detectors =
        Detectors::new(says(&api, DetectorSays::TheTruth), vec![Arc::new(Dying { at_once: true })]);
    let refused = session_with(&api, detectors, dir.path(), CancellationToken::new()).await.err();
    let refused = refused.expect("refused");
    assert!(matches!(&refused, SessionError::Detector { name, .. } if name == "dying"), "{refused}");
    assert_eq!(refused.to_string(), "the detector dying did not start: it cannot go on");
}

#[tokio::test(start_paused = true)]
async fn on_a_healthy_cluster_each_is_judged_for_itself() {
    let api = Api::default();
    api.add_node("node");
    let dir = tempfile::tempdir().expect("temp dir");
    let blind = Arc::new(FakeDetector { api: api.clone(), says: DetectorSays::Nothing, blind: true });
    let detectors = Detectors::new(says(&api, DetectorSays::Nothing), vec![blind]);
    let (session, _events) =
        session_with(&api, detectors, dir.path(), CancellationToken::new()).await.expect("a session");
    let control = session.control().await;
    session.finish().await;
    assert_eq!(control.outcome, Outcome::Passed);
    assert_eq!(marks(&control), [(true, true), (false, true)]);
}
