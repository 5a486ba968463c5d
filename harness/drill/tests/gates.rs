//! Every gate is seen to hold and to fail, and every outcome is reached, over a cluster in memory. The real
//! clusters are in the workspace's `tests` and `suites`.

#[expect(dead_code, reason = "the fakes also serve the tests of looks")]
mod support;

use loopdrill_drill::SessionError;
use loopdrill_faults::journal::{self, JournalError};
use loopdrill_model::{Capability, DrillReport, EventKind, ExitStatus, Gate, Outcome, RunReport};
use std::{sync::Arc, time::Duration};
use support::{
    api::Api,
    fakes::{DetectorSays, Expects, FAULT, FakeDetector, FakeFault, VictimIs, session},
};
use tokio_util::sync::CancellationToken;

struct Case {
    api: Api,
    victim: VictimIs,
    says: DetectorSays,
    needs_storage: bool,
    expects: Expects,
    blind: bool,
    /// Happens while the drill runs.
    meddle: Option<fn(Api, CancellationToken)>,
}

impl Case {
    fn new(victim: VictimIs, says: DetectorSays) -> Self {
        Case {
            api: Api::default(),
            victim,
            says,
            needs_storage: false,
            expects: Expects::One,
            blind: false,
            meddle: None,
        }
    }

    async fn run(self) -> (DrillReport, RunReport, Api) {
        let dir = tempfile::tempdir().expect("temp dir");
        let detector = FakeDetector { api: self.api.clone(), says: self.says, blind: self.blind };
        let cancel = CancellationToken::new();
        let (session, _events) =
            session(&self.api, detector, dir.path(), cancel.clone()).await.expect("a session");
        if let Some(meddle) = self.meddle {
            meddle(self.api.clone(), cancel);
        }
        let mut fault = FakeFault::new(&self.api, self.victim);
        (fault.needs_storage, fault.expects) = (self.needs_storage, self.expects);
        let drill = session.drill(Arc::new(fault)).await;
        let run = session.finish().await;
        let left = journal::list(dir.path()).expect("readable");
        let clean = !matches!(drill.outcome, Outcome::CleanupFailed);
        assert_eq!(left.is_empty(), clean, "a journal stays exactly when something is left");
        assert_eq!(self.api.has("drill-fake-one-r1"), !clean, "the namespace goes with the drill");
        (drill, run, self.api)
    }
}

#[tokio::test(start_paused = true)]
async fn all_gates_hold() {
    let (drill, run, api) = Case::new(VictimIs::Ill, DetectorSays::TheTruth).run().await;
    assert_eq!((&drill.outcome, run.exit), (&Outcome::Passed, ExitStatus::Ready), "{drill:#?}");
    assert!(Gate::ALL.iter().all(|g| drill.gate(*g).ok && drill.gate(*g).at.is_some()));
    assert!(drill.undone_at >= drill.injected_at() && drill.injected_at().is_some());
    assert!(!api.has(FAULT));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_not_there_afterwards_is_not_injected() {
    let case = Case::new(VictimIs::Ill, DetectorSays::TheTruth);
    case.api.store().forgets.insert(FAULT.into());
    let (drill, run, _) = case.run().await;
    assert_eq!((&drill.outcome, run.exit_code), (&Outcome::NotInjected, 4));
    assert!(drill.error.expect("a reason").contains("nothing in force"));
    assert!(!drill.gates.injected.ok);
}

#[tokio::test(start_paused = true)]
async fn a_fault_taken_away_behind_our_back_has_not_manifested() {
    let mut case = Case::new(VictimIs::Immune, DetectorSays::TheTruth);
    case.meddle = Some(|api, _| {
        tokio::spawn(async move {
            // It is asked for after its creation by the read-back, and again at the end of the observation.
            while !api.was_found(FAULT) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            api.remove(FAULT);
        });
    });
    let (drill, run, _) = case.run().await;
    assert_eq!((&drill.outcome, run.exit_code), (&Outcome::Failed(Gate::Manifested), 1), "{drill:#?}");
    assert!(drill.gates.manifested.note.expect("a note").contains("taken away"));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_whose_victim_stays_well_is_resilient() {
    let (drill, run, _) = Case::new(VictimIs::Immune, DetectorSays::Nothing).run().await;
    assert_eq!((drill.outcome, run.exit), (Outcome::Resilient, ExitStatus::Ready));
    assert_eq!(drill.gates.manifested.evidence.len(), 1, "what held is in the report");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_whose_victim_is_not_well_is_not_resilient() {
    let (drill, run, _) = Case::new(VictimIs::Limping, DetectorSays::Nothing).run().await;
    assert_eq!((&drill.outcome, run.exit_code), (&Outcome::Failed(Gate::Manifested), 1));
    let note = drill.gates.manifested.note.expect("a note");
    assert!(note.contains("not well: its pod is Pending"), "{note}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_detector_fails_the_drill() {
    let (drill, run, _) = Case::new(VictimIs::Ill, DetectorSays::Nothing).run().await;
    assert_eq!((&drill.outcome, run.exit_code), (&Outcome::Failed(Gate::Detected), 1));
    assert!(drill.gates.manifested.ok && !drill.gate(Gate::Detected).ok && !drill.gate(Gate::Attributed).ok);
    assert!(drill.gates.recovered.ok, "the undo is judged all the same");
}

#[tokio::test(start_paused = true)]
async fn the_wrong_loop_fails_attribution_even_above_the_right_one() {
    for says in [DetectorSays::AnotherLoop, DetectorSays::TheTruthBelow] {
        let (drill, run, _) = Case::new(VictimIs::Ill, says).run().await;
        assert_eq!((&drill.outcome, run.exit_code), (&Outcome::Failed(Gate::Attributed), 1));
        assert!(drill.gate(Gate::Detected).ok);
        let note = drill.gate(Gate::Attributed).note.clone().expect("a note");
        assert!(note.contains("expected identity") && note.contains("blamed network"), "{note}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_wrong_only_silence_of_one_who_looks_is_right() {
    let outcome = async |says, blind| {
        let mut case = Case::new(VictimIs::Ill, says);
        (case.expects, case.blind) = (Expects::Silence, blind);
        let (drill, ..) = case.run().await;
        assert!(drill.expected_loop().is_none() && drill.expectation.is_silence());
        drill.outcome
    };
    assert_eq!(outcome(DetectorSays::Nothing, false).await, Outcome::Passed);
    assert_eq!(outcome(DetectorSays::TheTruth, false).await, Outcome::Failed(Gate::Attributed));
    assert_eq!(outcome(DetectorSays::Nothing, true).await, Outcome::Failed(Gate::Detected));
}

#[tokio::test(start_paused = true)]
async fn of_two_roots_one_is_not_enough() {
    let drill = async |says| {
        let mut case = Case::new(VictimIs::Ill, says);
        case.expects = Expects::Two;
        case.run().await.0
    };
    let both = drill(DetectorSays::TheTruthBelow).await;
    assert_eq!(both.outcome, Outcome::Passed, "{both:#?}");
    assert!(both.diagnosis().is_some() && both.other_findings().len() == 1);
    let one = drill(DetectorSays::TheTruth).await;
    assert_eq!(one.outcome, Outcome::Failed(Gate::Attributed));
    let note = one.gate(Gate::Attributed).note.clone().expect("a note");
    assert!(note.contains("overlay-mtu) was not named"), "{note}");
}

#[tokio::test(start_paused = true)]
async fn a_victim_that_stays_ill_has_not_recovered() {
    let (drill, run, _) = Case::new(VictimIs::Scarred, DetectorSays::TheTruth).run().await;
    assert_eq!((&drill.outcome, run.exit_code), (&Outcome::Failed(Gate::Recovered), 1));
    assert!(drill.gates.recovered.note.expect("a note").contains("still shows"));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_back_in_a_moment_had_not_gone() {
    let (drill, run, _) = Case::new(VictimIs::Ill, DetectorSays::TheTruthTwice).run().await;
    assert_eq!((&drill.outcome, run.exit), (&Outcome::Passed, ExitStatus::Ready), "{drill:#?}");
    assert!(run.false_alarms.is_empty(), "{:#?}", run.false_alarms);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_is_the_worst_outcome() {
    let case = Case::new(VictimIs::Ill, DetectorSays::TheTruth);
    case.api.store().keeps.insert(FAULT.into());
    case.api.store().keeps.insert("drill-fake-one-r1".into());
    let (drill, run, _) = case.run().await;
    assert_eq!((&drill.outcome, run.exit_code), (&Outcome::CleanupFailed, 5));
    assert!(drill.error.expect("a reason").contains("loopdrill undo"));
}

#[tokio::test(start_paused = true)]
async fn a_victim_that_never_gets_well_is_an_error_and_nothing_was_injected() {
    let (drill, run, _) = Case::new(VictimIs::NeverReady, DetectorSays::TheTruth).run().await;
    assert_eq!((&drill.outcome, run.exit_code), (&Outcome::Errored, 3));
    assert!(drill.error.expect("a reason").contains("healthy victim"));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_drill_is_undone() {
    let mut case = Case::new(VictimIs::Immune, DetectorSays::Nothing);
    case.meddle = Some(|api, cancel| {
        tokio::spawn(async move {
            while !api.has(FAULT) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cancel.cancel();
        });
    });
    let (drill, run, api) = case.run().await;
    assert_eq!((drill.outcome, run.exit_code), (Outcome::Interrupted, 130));
    assert!(!api.has(FAULT));
}

#[tokio::test(start_paused = true)]
async fn a_skip_names_what_is_missing_and_is_not_green_alone() {
    let mut case = Case::new(VictimIs::Ill, DetectorSays::TheTruth);
    case.needs_storage = true;
    let (drill, run, _) = case.run().await;
    assert_eq!((drill.outcome, run.exit_code), (Outcome::Skipped(Capability::ZonalStorage), 1));
}

#[tokio::test(start_paused = true)]
async fn a_finding_that_no_drill_explains_is_a_false_alarm() {
    let (_, run, _) = Case::new(VictimIs::Immune, DetectorSays::AFalseAlarm).run().await;
    assert_eq!((run.false_alarms.len(), run.exit_code), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_control_drill_wants_a_detector_that_sees_and_says_nothing() {
    let control = async |says, blind| {
        let api = Api::default();
        api.add_node("n1");
        let dir = tempfile::tempdir().expect("temp dir");
        let detector = FakeDetector { api: api.clone(), says, blind };
        let cancel = CancellationToken::new();
        let (session, _events) = session(&api, detector, dir.path(), cancel).await.expect("a session");
        let report = session.control().await;
        session.finish().await;
        report.outcome
    };
    assert_eq!(control(DetectorSays::Nothing, false).await, Outcome::Passed);
    assert_eq!(control(DetectorSays::Nothing, true).await, Outcome::Failed(Gate::Detected));
}

#[tokio::test(start_paused = true)]
async fn a_dirty_journal_refuses_the_next_run_until_it_is_undone() {
    let api = Api::default();
    let dir = tempfile::tempdir().expect("temp dir");
    let detector = || FakeDetector { api: api.clone(), says: DetectorSays::TheTruth, blind: false };
    let (first, _events) =
        session(&api, detector(), dir.path(), CancellationToken::new()).await.expect("a session");
    api.store().keeps.insert("drill-fake-one-r1".into());
    first.drill(Arc::new(FakeFault::new(&api, VictimIs::Ill))).await;
    assert_eq!(first.finish().await.exit, ExitStatus::CleanupFailed);

    let refused =
        session(&api, detector(), dir.path(), CancellationToken::new()).await.err().expect("refused");
    assert!(matches!(&refused, SessionError::Journal(JournalError::Dirty { .. })), "{refused}");
    assert_eq!(refused.exit(), ExitStatus::Usage);

    api.store().keeps.clear();
    let path = journal::list(dir.path()).expect("readable").remove(0);
    let (journal, _) = journal::Journal::recover(&path).expect("readable").expect("not empty");
    let access = loopdrill_faults::UndoAccess { client: Ok(api.client()), nodes: None };
    let left = loopdrill_drill::undo_journal(&access, &journal).await.expect("closed");
    assert!(left.is_empty() && !api.has("drill-fake-one-r1"));
    drop(journal);
    session(&api, detector(), dir.path(), CancellationToken::new()).await.expect("clean again");
}

#[tokio::test(start_paused = true)]
async fn the_stream_begins_with_the_cluster_and_ends_with_the_report() {
    let api = Api::default();
    let dir = tempfile::tempdir().expect("temp dir");
    let detector = FakeDetector { api: api.clone(), says: DetectorSays::TheTruth, blind: false };
    let (session, mut stream) =
        session(&api, detector, dir.path(), CancellationToken::new()).await.expect("a session");
    session.drill(Arc::new(FakeFault::new(&api, VictimIs::Ill))).await;
    let sender = session.events().clone();
    let report = session.finish().await;
    let report = loopdrill_drill::conclude(&sender, report, Some("the lab is still there".into()));
    drop(sender);
    assert_eq!(
        (report.exit, report.exit_code),
        (ExitStatus::CleanupFailed, 5),
        "nothing overwrites a worse end"
    );
    let mut events = Vec::new();
    while let Some(event) = stream.recv().await {
        events.push(event);
    }
    assert!(matches!(events.first().map(|e| &e.kind), Some(EventKind::ClusterReady { .. })));
    let Some(EventKind::RunFinished { report: last, .. }) = events.pop().map(|e| e.kind) else {
        panic!("no end")
    };
    assert_eq!(*last, report);
    let gates = events.iter().filter(|e| matches!(e.kind, EventKind::GateAnswered { .. })).count();
    assert_eq!(gates, Gate::ALL.len());
}
