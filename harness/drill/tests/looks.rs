//! What a drill makes of a victim's looks: the fault says what it sees, the engine remembers.

#[expect(dead_code, reason = "the fakes also serve the tests of the gates")]
mod support;

use futures::future::join_all;
use loopdrill_model::{DrillReport, Gate, Outcome};
use std::sync::Arc;
use support::{
    api::Api,
    fakes::{
        DetectorSays, Expects, FakeDetector, FakeFault,
        Shows::{self, Broken, Settling, Well},
        VictimIs, session,
    },
};
use tokio_util::sync::CancellationToken;

/// A drill of a victim that shows `looks`, and what the engine said at each of them.
async fn drill(looks: &'static [Shows], says: DetectorSays, expects: Expects) -> (DrillReport, Vec<bool>) {
    let (api, dir) = (Api::default(), tempfile::tempdir().expect("temp dir"));
    let detector = FakeDetector { api: api.clone(), says, blind: false };
    let (session, _events) =
        session(&api, detector, dir.path(), CancellationToken::new()).await.expect("a session");
    let mut fault = FakeFault::new(&api, VictimIs::Changing(looks));
    fault.expects = expects;
    let told = fault.told();
    let report = session.drill(Arc::new(fault)).await;
    session.finish().await;
    let told = told.lock().expect("no look panics").clone();
    (report, told)
}

#[tokio::test(start_paused = true)]
async fn who_is_not_well_at_the_deadline_is_not_resilient_whatever_is_found() {
    let looks: [&[Shows]; 3] = [&[Settling], &[Well, Settling], &[Settling, Well, Well, Settling]];
    let found = [
        DetectorSays::Nothing,
        DetectorSays::TheTruth,
        DetectorSays::AnotherLoop,
        DetectorSays::TheTruthBelow,
    ];
    let expected = [Expects::One, Expects::Two, Expects::Silence];
    let cases = looks.iter().flat_map(|l| found.iter().flat_map(|f| expected.iter().map(|e| (*l, *f, *e))));
    let drills = join_all(cases.map(|(looks, says, expects)| drill(looks, says, expects))).await;
    assert_eq!(drills.len(), 3 * 4 * 3);
    for (report, told) in drills {
        assert_eq!(report.outcome, Outcome::Failed(Gate::Manifested), "{report:#?}");
        let note = report.gates.manifested.note.expect("a note");
        assert!(note.contains("not well: its pod is Pending"), "{note}");
        assert!(!report.gates.recovered.ok, "nor has it recovered");
        assert!(told.iter().all(|shown| !shown), "the symptom never showed");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_well_at_the_deadline_is_resilient() {
    let looks: [&[Shows]; 2] = [&[Well], &[Settling, Settling, Well]];
    for (report, _) in join_all(looks.map(|l| drill(l, DetectorSays::Nothing, Expects::One))).await {
        assert_eq!(report.outcome, Outcome::Resilient, "{report:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_engine_tells_a_fault_whether_its_symptom_has_shown() {
    let (report, told) =
        drill(&[Well, Settling, Broken, Settling, Broken, Well], DetectorSays::TheTruth, Expects::One).await;
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    assert_eq!(told[..6], [false, false, false, true, true, true]);
    assert!(told[6..].iter().all(|shown| *shown), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn after_the_symptom_only_a_well_victim_has_recovered() {
    let looks: [&[Shows]; 3] = [&[Broken, Settling], &[Settling, Broken, Settling], &[Broken, Broken]];
    for (report, _) in join_all(looks.map(|l| drill(l, DetectorSays::TheTruth, Expects::One))).await {
        assert!(report.gates.manifested.ok, "{report:#?}");
        assert_eq!(report.outcome, Outcome::Failed(Gate::Recovered), "{report:#?}");
        let note = report.gates.recovered.note.expect("a note");
        assert!(note.contains("not well yet: its pod is Pending") || note.contains("still shows"), "{note}");
    }
}
