//! Made-up runs for the tests of this crate.

use jiff::SignedDuration;
use loopdrill_model::{
    Capability, Cause, ChainLink, DetectorResult, Diagnosis, DrillReport, Event, EventKind, Evidence,
    ExitStatus, Expectation, FaultId, Gate, GateResult, Gates, Loop, Outcome, Rival, Root, RunReport, Scope,
    Source, Subject, Timestamp, Versions,
};
use proptest::prelude::*;

/// So many milliseconds into the run.
pub(crate) fn at(ms: i64) -> Timestamp {
    "2026-11-24T12:00:00Z".parse::<Timestamp>().expect("a timestamp") + SignedDuration::from_millis(ms)
}

pub(crate) fn skip() -> Outcome {
    Outcome::Skipped(Capability::ZonalStorage)
}

fn evidence(signal: &str, value: &str, source: Source, ms: i64) -> Evidence {
    Evidence::new(signal, value, at(ms), source)
}

fn finding(cause: Cause, confidence: f64, e: Evidence, diagnosed: i64) -> Diagnosis {
    Diagnosis {
        control_loop: cause.control_loop(),
        cause: Some(cause),
        subjects: vec![Subject::new("Pod", "drill-x", "victim-0")],
        confidence,
        first_evidence_at: e.at,
        evidence: vec![e],
        chain: vec![],
        diagnosed_at: at(diagnosed),
    }
}

pub(crate) fn domino() -> Diagnosis {
    let fsync = "etcd_disk_wal_fsync_duration_seconds p99";
    let mut d = finding(
        Cause::EtcdDiskBound,
        0.97,
        evidence(fsync, "4.1 s", Source::metrics("etcd/cp-1"), 1_000),
        1_400,
    );
    d.subjects = (1..=6).map(|n| Subject::new("Node", "", format!("cp-{n}"))).collect();
    d.evidence.push(evidence(
        "lease",
        "kube-scheduler lost it\n\u{1b}[2Jand restarted, with a message that is longer than a line of a terminal can be",
        Source::api("leases"),
        9_250,
    ));
    d.chain = vec![
        ChainLink {
            control_loop: Loop::ControlPlane,
            what: "etcd waits for its disk".into(),
            subjects: vec![Subject::new("Pod", "kube-system", "etcd-cp-1")],
        },
        ChainLink { control_loop: Loop::ControlPlane, what: "controllers restart".into(), subjects: vec![] },
    ];
    d
}

/// The answers of the gates in order: the first ones hold; the next one is missed when `missed`.
fn answers(held: usize, missed: bool, start: i64) -> [GateResult; 5] {
    let mut answers = [const { GateResult { ok: false, at: None, evidence: Vec::new(), note: None } }; 5];
    for (n, gate) in Gate::ALL.into_iter().enumerate().take(held + usize::from(missed)) {
        let ok = n < held;
        let when = start + 1_500 * i64::try_from(n).expect("five gates");
        answers[n] = GateResult {
            ok,
            at: Some(at(when)),
            evidence: vec![evidence(
                &format!("{gate} signal"),
                if ok { "seen" } else { "not seen" },
                Source::victim(),
                when,
            )],
            note: (!ok).then(|| format!("nothing showed that the drill was {gate} within 60 s")),
        };
    }
    answers
}

/// What the deciding detector says, from the gate `detected` on; the last number is when it was evident.
fn deciding(detected: GateResult, attributed: GateResult) -> Option<DetectorResult> {
    let asked = detected.at.is_some();
    let told = detected.ok;
    let result = DetectorResult { name: "builtin".into(), detected, attributed, ..DetectorResult::default() };
    asked.then(|| DetectorResult {
        lag: told.then_some(0.34),
        lead: told.then_some(1.1),
        since_injection: told.then_some(0.74),
        ..result
    })
}

fn drill(fault: &str, variant: &str, expected: Option<Loop>, outcome: Outcome, start: i64) -> DrillReport {
    let (held, missed) = match &outcome {
        Outcome::Passed => (5, false),
        Outcome::Failed(gate) => (Gate::ALL.iter().position(|g| g == gate).expect("a gate"), true),
        Outcome::Resilient => (1, true),
        Outcome::NotInjected | Outcome::Errored => (0, true),
        Outcome::CleanupFailed => (4, true),
        Outcome::Skipped(_) => (0, false),
        Outcome::Interrupted => (2, false),
    };
    let root = |control_loop| Root { control_loop, causes: vec![] };
    let expectation =
        Expectation { roots: expected.map(root).into_iter().collect(), ..Expectation::default() };
    let [injected, manifested, detected, attributed, recovered] = answers(held, missed, start);
    let mut report = DrillReport::new(&FaultId::new(fault, variant), expectation).ended(outcome, None);
    report.gates = Gates { injected, manifested, recovered };
    report.started_at = Some(at(start - 2_000));
    report.undone_at = (held >= 4).then(|| at(start + 5_000));
    report.detectors = deciding(detected, attributed).into_iter().collect();
    report
}

/// Lets the deciding detector find something.
fn find(drill: &mut DrillReport, found: Diagnosis) {
    if drill.detectors.is_empty() {
        drill.detectors.push(DetectorResult { name: "builtin".into(), ..DetectorResult::default() });
    }
    drill.detectors[0].diagnosis = Some(found);
}

/// A run in which everything happens that can.
pub(crate) fn run() -> RunReport {
    let restarts = |ms| evidence("restarts with exit 1", "3", Source::api("pods"), ms);
    let mut drills = vec![
        drill("control", "quiet", None, Outcome::Passed, 0),
        drill("revoked-iam", "rbac", Some(Loop::Identity), Outcome::Passed, 10_000),
        drill("revoked-iam", "pull", Some(Loop::Identity), Outcome::NotInjected, 20_000),
        drill("request-fragmentation", "fillers", Some(Loop::Compute), Outcome::Resilient, 30_000),
        drill("overlay-mtu", "df", Some(Loop::Network), Outcome::Failed(Gate::Attributed), 40_000),
        drill("overlay-mtu", "filtered-icmp", Some(Loop::Network), Outcome::Failed(Gate::Detected), 50_000),
        drill("cross-az-pvc", "cordon", Some(Loop::Storage), skip(), 0),
        drill("cross-az-pvc", "node-down", Some(Loop::Storage), Outcome::Errored, 60_000),
        drill("etcd-disk", "write-iops", Some(Loop::ControlPlane), Outcome::CleanupFailed, 70_000),
        drill("etcd-disk", "again", Some(Loop::ControlPlane), Outcome::Interrupted, 80_000),
    ];
    find(&mut drills[1], finding(Cause::RbacDenied, 0.94, restarts(10_400), 10_740));
    drills[2].error = Some("the registry's htpasswd file on node lab-1 is empty".into());
    drills[3].gates.manifested.note = Some("the pod fitted: a node was added by the autoscaler".into());
    let slow = evidence("504 responses", "12/s", Source::victim(), 40_400);
    find(&mut drills[4], finding(Cause::BackendSlow, 0.61, slow, 40_740));
    drills[4].detectors[0].other_findings = vec![finding(
        Cause::OverlayMtu,
        0.4,
        evidence("tx_dropped of flannel.1", "+214", Source::node("lab-1"), 41_000),
        41_100,
    )];
    drills[6].error = Some("no CSI driver reports topology".into());
    drills[7].error =
        Some("node lab-2 did not come back within 120 s: the container engine said no such container".into());
    find(&mut drills[8], domino());
    RunReport {
        cluster: "lab-k3x9".into(),
        versions: Versions {
            loopdrill: "0.1.0".into(),
            kubernetes: "v1.37.2".into(),
            node_image: "loopdrill/node:v1.37.2".into(),
            kernel: "6.12.1".into(),
        },
        capabilities: [
            ("node-access".to_owned(), Ok(())),
            ("zonal-storage".to_owned(), Err("no CSI driver reports topology".to_owned())),
        ]
        .into(),
        ended_at: at(161_000),
        drills,
        false_alarms: vec![finding(
            Cause::DnsFailure,
            0.55,
            evidence("DNS probes lost", "2 of 20", Source::probe("lab-2"), 90_000),
            90_900,
        )],
        trouble: vec!["container lab-old-1 of a dead run could not be removed: it is restarting".into()],
        ..RunReport::new("k3x9", "builtin", at(-60_000)).ended(ExitStatus::CleanupFailed)
    }
}

/// What a detector named `name` made of `drill`.
fn result(
    name: &str,
    drill: &DrillReport,
    diagnosis: Option<Diagnosis>,
    right: bool,
    ms: i64,
) -> DetectorResult {
    let found = diagnosis.is_some();
    let answer = |ok| GateResult { ok, at: ok.then(|| at(ms)), ..GateResult::default() };
    let silence = drill.expected_loop().is_none();
    let seconds = |ms: i64| found.then_some(ms as f64 / 1000.0);
    DetectorResult {
        name: name.into(),
        detected: answer(found || silence),
        attributed: answer(right),
        diagnosis,
        lag: seconds(ms),
        lead: seconds(1_100),
        since_injection: seconds(ms + 400),
        ..DetectorResult::default()
    }
}

/// A run with a second detector beside the deciding one.
pub(crate) fn with_rival() -> RunReport {
    let mut report = run();
    report.drills.retain(|d| d.gates.manifested.ok);
    for (n, drill) in report.drills.iter_mut().enumerate() {
        let right = drill.expected_loop().is_none() || matches!(n, 1 | 4);
        let own = drill.diagnosis().cloned();
        let theirs = own.clone().filter(|_| n == 1);
        drill.detectors = vec![
            result("builtin", drill, own, right, 340),
            result(
                "exec:a-tool-with-a-long-name",
                drill,
                theirs,
                drill.expected_loop().is_none() || n == 1,
                2_150,
            ),
        ];
    }
    report.rivals = vec![Rival {
        name: "exec:a-tool-with-a-long-name".into(),
        false_alarms: vec![domino(), domino()],
        error: Some("it was killed".into()),
    }];
    report
}

/// A run of one drill an outcome, whose exit status follows from them.
pub(crate) fn with_outcomes(outcomes: &[Outcome], require: bool) -> RunReport {
    let mut report = run();
    report.require = require;
    report.false_alarms.clear();
    report.trouble.clear();
    report.drills = outcomes
        .iter()
        .enumerate()
        .map(|(n, o)| drill(&format!("fault-{n}"), "plain", Some(Loop::DRILLED[n % 5]), o.clone(), 0))
        .collect();
    report.exit = outcomes.iter().fold(ExitStatus::Ready, |worst, o| worst.worst(o.exit(require)));
    if outcomes.iter().all(|o| matches!(o, Outcome::Skipped(_))) {
        report.exit = report.exit.worst(ExitStatus::NotReady);
    }
    report.exit_code = report.exit.code();
    report
}

/// The stream that an engine would have written of `report`.
pub(crate) fn events(report: &RunReport) -> Vec<Event> {
    let ids: Vec<_> = report.drills.iter().map(DrillReport::id).collect();
    let whole = |ms, kind| Event { at: at(ms), drill: None, kind };
    let mut events = vec![
        whole(
            -60_000,
            EventKind::RunStarted {
                format: EventKind::FORMAT,
                run: report.run.clone(),
                drills: ids.clone(),
                detector: report.detector.clone(),
            },
        ),
        whole(-59_000, EventKind::Progress { message: "starting 3 nodes".into() }),
        whole(
            -2_000,
            EventKind::ClusterReady {
                cluster: report.cluster.clone(),
                versions: report.versions.clone(),
                capabilities: report.capabilities.clone(),
            },
        ),
    ];
    for (id, drill) in ids.iter().zip(&report.drills) {
        events.extend(drill_events(id, drill));
    }
    events.push(whole(161_000, EventKind::RunFinished { report: Box::new(report.clone()) }));
    events
}

fn drill_events(id: &FaultId, drill: &DrillReport) -> Vec<Event> {
    let mut last = at(0);
    let mut events = Vec::new();
    let mut push = |when: Option<Timestamp>, kind| {
        last = when.unwrap_or(last).max(last);
        events.push(Event { at: last, drill: Some(id.clone()), kind });
    };
    if !matches!(drill.outcome, Outcome::Skipped(_)) {
        let scope =
            Scope { namespace: format!("drill-{}-{}", drill.fault, drill.variant), ..Scope::default() };
        let expectation = Some(drill.expectation.clone());
        push(None, EventKind::DrillStarted { expectation, scope: Some(scope) });
    }
    for gate in Gate::ALL {
        let result = drill.gate(gate).clone();
        if gate == Gate::Recovered && result.at.is_some() {
            push(drill.undone_at, EventKind::UndoStarted);
            let error =
                (drill.outcome == Outcome::CleanupFailed).then(|| "the limit is still there".to_owned());
            push(drill.undone_at, EventKind::UndoFinished { error });
        }
        if result.at.is_some() {
            push(result.at, EventKind::GateAnswered { gate, result });
        }
        if gate == Gate::Manifested
            && let Some(d) = drill.diagnosis()
        {
            push(Some(d.diagnosed_at), EventKind::Findings { diagnoses: vec![d.clone()] });
        }
    }
    push(drill.gates.recovered.at, EventKind::DrillFinished { report: Box::new(drill.clone()) });
    events
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Passed),
        prop::sample::select(Gate::ALL.to_vec()).prop_map(Outcome::Failed),
        Just(Outcome::Resilient),
        Just(Outcome::NotInjected),
        Just(Outcome::CleanupFailed),
        Just(Outcome::Errored),
        Just(skip()),
        Just(Outcome::Skipped(Capability::Admission)),
        Just(Outcome::Interrupted),
    ]
}

/// Any run whose exit status follows from its drills and false alarms, with texts as clusters may send them.
pub(crate) fn any_run() -> impl Strategy<Value = RunReport> {
    let outcomes = prop::collection::vec(any_outcome(), 0..8);
    (outcomes, any::<bool>(), any::<bool>(), ".{0,80}").prop_map(|(outcomes, require, stray, text)| {
        let mut report = with_outcomes(&outcomes, require);
        for drill in &mut report.drills {
            drill.gates.injected.note = Some(text.clone());
            find(drill, domino());
            drill.error = Some(text.clone());
        }
        if stray {
            report.false_alarms.push(domino());
            report.exit = report.exit.worst(ExitStatus::NotReady);
            report.exit_code = report.exit.code();
        }
        report
    })
}
