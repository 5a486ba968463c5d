//! A gate opens for what its policy says, and for nothing else. Without a cluster: each row is a run and a policy.

use jiff::civil::{Date, date};
use loopdrill_model::{
    Capability, DetectorResult, DrillReport, ExitStatus, Expectation, FaultId, Gate, GateResult, Group,
    Judgement, Kind, Loop, Outcome, Root, RunReport, Timestamp,
};
use loopdrill_suite::{CheckAnswer, Ends, Evidence, Known, Policy, Suite, judge_gate};

const TODAY: Date = date(2026, 11, 28);
const CHECKS: &[&str] = &["CO-01", "CO-04", "NE-02"];

fn known() -> Vec<Known> {
    let drill =
        |fault, variant, group, control_loop| Known { id: FaultId::new(fault, variant), group, control_loop };
    vec![
        drill("control", "none", Group::Canonical, None),
        drill("overlay-mtu", "df", Group::Canonical, Some(Loop::Network)),
        drill("etcd-disk", "write-iops", Group::Canonical, Some(Loop::ControlPlane)),
        drill("crash-loop", "bad-flag", Group::Decoy, Some(Loop::Workload)),
    ]
}

/// A drill that ended so; with a lag where it was detected.
fn drill(fault: &str, variant: &str, outcome: Outcome, lag: f64) -> DrillReport {
    let control_loop = known().into_iter().find(|k| k.id.fault == fault).and_then(|k| k.control_loop);
    let root = |control_loop| Root { control_loop, causes: vec![] };
    let expectation =
        Expectation { roots: control_loop.map(root).into_iter().collect(), ..Expectation::default() };
    let mut report = DrillReport::new(&FaultId::new(fault, variant), expectation);
    let detected = GateResult { ok: outcome == Outcome::Passed, ..GateResult::default() };
    report.gates.recovered.ok = true;
    report.detectors = vec![DetectorResult { detected, lag: Some(lag), ..DetectorResult::default() }];
    report.ended(outcome, None)
}

fn run(drills: Vec<DrillReport>) -> RunReport {
    RunReport { drills, require: true, ..RunReport::new("r", "builtin", Timestamp::UNIX_EPOCH) }
}

/// A run of both faults and the control drill, with this end of the first fault.
fn with(outcome: Outcome, lag: f64) -> RunReport {
    run(vec![
        drill("control", "none", Outcome::Passed, 0.0),
        drill("overlay-mtu", "df", outcome, lag),
        drill("etcd-disk", "write-iops", Outcome::Passed, 0.5),
    ])
}

fn green() -> RunReport {
    with(Outcome::Passed, 1.0)
}

const SUITE: &str = "version: 1\nname: s\ndrills:\n  - group: canonical\n";
const POLICY: &str = "version: 1\nname: g\nsuites: [s.yaml]\n";

struct Case<'a> {
    suite: &'a str,
    policy: &'a str,
    checks: Option<&'a [CheckAnswer]>,
    baseline: Option<&'a RunReport>,
}

const PLAIN: Case<'_> = Case { suite: SUITE, policy: POLICY, checks: None, baseline: None };

fn judge(report: &RunReport, case: &Case<'_>) -> Judgement {
    let suite = Suite::parse("s.yaml", case.suite, &known()).expect("a suite");
    let policy = Policy::parse("g.yaml", case.policy, &known(), CHECKS).expect("a policy");
    let ends = Ends::of(&[suite], &known(), TODAY).expect("one suite");
    let must_pass: Vec<FaultId> = policy.must_pass(&known()).cloned().collect();
    let evidence =
        Evidence { report, ends: &ends, must_pass: &must_pass, checks: case.checks, baseline: case.baseline };
    judge_gate(&policy, evidence)
}

/// Exit code, kind and subject of what comes first.
fn first(judged: &Judgement) -> (u8, Kind, &str) {
    let top = judged.findings.first().expect("something to say");
    (judged.exit.code(), top.kind, &top.about)
}

#[test]
fn all_as_wanted_is_green_and_says_nothing() {
    let judged = judge(&green(), &PLAIN);
    assert_eq!((judged.exit.code(), judged.findings.as_slice()), (0, &[][..]));
}

#[test]
fn a_muted_detector_is_red_for_every_drill() {
    let mute = |d: &str, v: &str| drill(d, v, Outcome::Failed(Gate::Detected), 0.0);
    let report =
        run(vec![mute("control", "none"), mute("overlay-mtu", "df"), mute("etcd-disk", "write-iops")]);
    let judged = judge(&report, &PLAIN);
    assert_eq!(first(&judged), (1, Kind::NothingProven, "run"));
    assert_eq!(judged.findings.iter().filter(|f| f.kind == Kind::Drill).count(), 3);
}

#[test]
fn what_was_better_in_the_baseline_is_a_regression_by_name() {
    let before = green();
    let case = Case { baseline: Some(&before), ..PLAIN };
    let lost = judge(&with(Outcome::Failed(Gate::Attributed), 1.0), &case);
    assert_eq!(first(&lost), (1, Kind::Regression, "overlay-mtu/df"));
    assert_eq!(lost.findings[0].what, "passed in the baseline, now failed(attributed)");
    let slower = judge(&with(Outcome::Passed, 4.5), &case);
    assert_eq!(first(&slower), (1, Kind::Regression, "overlay-mtu/df"));
    let a_little = judge(&with(Outcome::Passed, 3.5), &case);
    assert_eq!(a_little.exit.code(), 0, "within the margin");
    let fewer = run(vec![
        drill("control", "none", Outcome::Passed, 0.0),
        drill("overlay-mtu", "df", Outcome::Passed, 1.0),
    ]);
    assert!(
        judge(&fewer, &case)
            .findings
            .iter()
            .any(|f| f.kind == Kind::Regression && f.about == "etcd-disk/write-iops")
    );
}

#[test]
fn what_is_better_than_the_baseline_is_named_and_green() {
    let before = with(Outcome::Failed(Gate::Detected), 1.0);
    let judged = judge(&green(), &Case { baseline: Some(&before), ..PLAIN });
    assert_eq!(first(&judged), (0, Kind::Improvement, "overlay-mtu/df"));
    let slow = with(Outcome::Passed, 9.0);
    assert_eq!(judge(&green(), &Case { baseline: Some(&slow), ..PLAIN }).findings[0].kind, Kind::Improvement);
    let absorbed = with(Outcome::Resilient, 0.0);
    assert_eq!(
        judge(&absorbed, &Case { baseline: Some(&green()), ..PLAIN }).exit.code(),
        0,
        "both are ready"
    );
}

fn known_gap(until: &str) -> String {
    format!(
        "{SUITE}  - fault: overlay-mtu\n    expect: {{fails: detected, reason: no probes yet, until: {until}}}\n"
    )
}

#[test]
fn a_known_gap_is_accepted_until_its_day_and_told_when_it_has_closed() {
    let gap = with(Outcome::Failed(Gate::Detected), 0.0);
    let open = known_gap("2026-11-28");
    let case = Case { suite: &open, ..PLAIN };
    assert_eq!(first(&judge(&gap, &case)), (0, Kind::Accepted, "overlay-mtu/df"));
    assert_eq!(first(&judge(&green(), &case)), (0, Kind::Closed, "overlay-mtu/df"));
    assert_eq!(
        judge(&gap, &Case { baseline: Some(&green()), ..case }).exit.code(),
        0,
        "accepted is accepted"
    );
    let over = known_gap("2026-11-27");
    assert_eq!(first(&judge(&gap, &Case { suite: &over, ..PLAIN })), (1, Kind::Expired, "overlay-mtu/df"));
}

#[test]
fn the_policy_can_forbid_what_a_suite_accepts() {
    let open = known_gap("2027-01-31");
    let policy = format!("{POLICY}must-pass: [overlay-mtu]\n");
    let gap = with(Outcome::Failed(Gate::Detected), 0.0);
    let judged = judge(&gap, &Case { suite: &open, policy: &policy, ..PLAIN });
    assert_eq!(first(&judged), (1, Kind::Drill, "overlay-mtu/df"));
    let all = format!("{POLICY}must-pass: [all]\n");
    let judged = judge(&green(), &Case { policy: &all, ..PLAIN });
    assert_eq!(first(&judged), (1, Kind::NotRun, "crash-loop/bad-flag"));
}

#[test]
fn what_is_left_behind_is_worse_than_everything() {
    let mut report = with(Outcome::Failed(Gate::Detected), 0.0);
    report.trouble.push("the qdisc on node-1 is still there".into());
    assert_eq!(first(&judge(&report, &PLAIN)), (5, Kind::Leftover, "run"));
    let stuck = with(Outcome::CleanupFailed, 0.0);
    assert_eq!(judge(&stuck, &PLAIN).exit.code(), 5);
    let open = known_gap("2027-01-31");
    assert_eq!(judge(&stuck, &Case { suite: &open, ..PLAIN }).exit.code(), 5, "no exception covers it");
}

#[test]
fn a_run_that_broke_keeps_its_exit_code() {
    for (exit, code) in [(ExitStatus::NoCluster, 3), (ExitStatus::Interrupted, 130)] {
        let broken = green().ended(exit);
        assert_eq!(judge(&broken, &PLAIN).exit.code(), code);
    }
    assert_eq!(judge(&with(Outcome::NotInjected, 0.0), &PLAIN).exit.code(), 4);
}

#[test]
fn nothing_proven_is_red_also_where_all_of_it_is_accepted() {
    let suite = "version: 1\nname: s\nrequire: false\ndrills:\n  - group: canonical\n    expect: {skipped: two-zones}\n";
    let skip = |f: &str, v: &str| drill(f, v, Outcome::Skipped(Capability::TwoZones), 0.0);
    let report =
        run(vec![skip("control", "none"), skip("overlay-mtu", "df"), skip("etcd-disk", "write-iops")]);
    let judged = judge(&report, &Case { suite, ..PLAIN });
    assert_eq!(first(&judged), (1, Kind::NothingProven, "run"));
    assert_eq!(first(&judge(&run(vec![]), &Case { suite, ..PLAIN })).0, 1);
}

#[test]
fn a_drill_that_a_suite_names_and_nobody_ran_is_red() {
    let report = run(vec![
        drill("overlay-mtu", "df", Outcome::Passed, 1.0),
        drill("control", "none", Outcome::Passed, 0.0),
    ]);
    assert_eq!(first(&judge(&report, &PLAIN)), (1, Kind::NotRun, "etcd-disk/write-iops"));
}

#[test]
fn lag_has_its_budgets() {
    let policy = format!("{POLICY}lag: {{worst: 2, by-loop: {{control-plane: 0.4}}}}\n");
    let judged = judge(&green(), &Case { policy: &policy, ..PLAIN });
    assert_eq!(first(&judged), (1, Kind::Slow, "etcd-disk/write-iops"));
    assert_eq!(judged.findings.len(), 1, "1.0 s is within 2 s: {judged:?}");
}

#[test]
fn false_alarms_are_not_allowed_unless_the_policy_says_how_many() {
    let mut report = green();
    report.false_alarms = vec![
        serde_json::from_str(
            r#"{"loop":"network","subjects":[],"confidence":0.5,"evidence":[],
            "first_evidence_at":"2026-11-28T00:00:00Z","diagnosed_at":"2026-11-28T00:00:01Z"}"#,
        )
        .expect("a finding"),
    ];
    report.exit = ExitStatus::NotReady;
    assert_eq!(first(&judge(&report, &PLAIN)), (1, Kind::FalseAlarms, "run"));
    let policy = format!("{POLICY}false-alarms: 1\n");
    assert_eq!(judge(&report, &Case { policy: &policy, ..PLAIN }).exit.code(), 0);
}

#[test]
fn checks_may_fail_until_a_date_and_silence_of_the_checklist_is_no_pass() {
    let answer =
        |id: &str, failed, blind| CheckAnswer { id: id.into(), what: "2 objects".into(), failed, blind };
    let answers = [answer("CO-01", true, false), answer("CO-04", false, false), answer("NE-02", false, true)];
    let of = |may_fail: &str, checks| {
        let policy = format!("{POLICY}checks: {{may-fail: [{may_fail}]}}\n");
        judge(&green(), &Case { policy: &policy, checks, ..PLAIN })
    };
    assert_eq!(first(&of("", None)), (1, Kind::Check, "checklist"));
    let red: Vec<_> = of("", Some(&answers)).findings.iter().map(|f| f.about.clone()).collect();
    assert_eq!(red, ["CO-01", "NE-02"], "blind is no pass");
    let both = "{check: CO-01, reason: r, until: 2026-11-28}, {check: NE-02, reason: r, until: 2026-12-31}";
    assert_eq!(of(both, Some(&answers)).exit.code(), 0);
    let late = "{check: CO-01, reason: r, until: 2026-11-27}, {check: NE-02, reason: r, until: 2026-12-31}";
    assert_eq!(first(&of(late, Some(&answers))), (1, Kind::Expired, "CO-01"));
    let closed = format!("{both}, {{check: CO-04, reason: r, until: 2026-12-31}}");
    assert!(
        of(&closed, Some(&answers)).findings.iter().any(|f| f.kind == Kind::Closed && f.about == "CO-04")
    );
}

/// Each text.
const MALFORMED: &[&str] = &[
    "",
    "version: 1\n",
    "version: 2\nname: g\nsuites: [s.yaml]\n",
    "version: one\nname: g\nsuites: [s.yaml]\n",
    "version: 1\nname: ''\nsuites: [s.yaml]\n",
    "version: 1\nname: g\nsuites: []\n",
    "version: 1\nname: g\nsuites: s.yaml\n",
    "version: 1\nname: g\nsuits: [s.yaml]\n",
    "version: 1\nname: g\nname: h\nsuites: [s.yaml]\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nmust-pass: canonical\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nmust-pass: [canonic]\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nmust-pass: [overlay-mtu, etcd-disc]\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nmust-pass: [overlay-mtu/fd]\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nlag: 3\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nlag: {worst: fast}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nlag: {worst: -1}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nlag: {wosrt: 1}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nlag: {by-loop: {netwerk: 1}}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nlag: {by-loop: {network: .nan}}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nlag: {margin: 99999}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nfalse-alarms: none\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nfalse-alarms: -1\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nfalse-alarm: 0\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nchecks: {may-fail: [CO-04]}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nchecks: {may-fail: [{check: CO-04}]}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nchecks: {may-fail: [{check: CO-4, reason: r, until: 2027-01-31}]}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nchecks: {may-fail: [{check: CO-04, reason: '', until: 2027-01-31}]}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nchecks: {may-fail: [{check: CO-04, reason: r, until: January}]}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nchecks:\n  may-fail:\n    - {check: CO-04, reason: r, until: 2027-01-31}\n    - {check: CO-04, reason: s, until: 2027-01-31}\n",
    "version: 1\nname: g\nsuites: [s.yaml]\nbaseline: {file: last.json}\n",
    "version: 1\nname: g\n suites: [s.yaml]\n",
];

#[test]
fn each_malformed_gate_says_where_and_what_would_be_right() {
    let said: Vec<String> = MALFORMED
        .iter()
        .map(|text| {
            let error = Policy::parse("gate.yaml", text, &known(), CHECKS).expect_err(text);
            format!("{text}→ {error}\n")
        })
        .collect();
    assert!(said.len() >= 25);
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn suites_of_one_run_agree() {
    let suite = |text: &str| Suite::parse("s.yaml", text, &known()).expect("a suite");
    let of = |a: &str, b: &str| Ends::of(&[suite(a), suite(b)], &known(), TODAY);
    let decoys = "version: 1\nname: d\ndrills:\n  - group: decoys\n";
    assert_eq!(of(SUITE, decoys).expect("they agree").drills().count(), 4);
    let why =
        of(SUITE, "version: 1\nname: d\nbudgets: {detect: 5}\ndrills: [{}]\n").expect_err("they differ");
    assert_eq!(
        why.to_string(),
        "s and d cannot be run at once: their `budgets` differ; run them one after the other"
    );
    let why = of(SUITE, "version: 1\nname: d\ndrills: [{fault: etcd-disk, expect: resilient}]\n")
        .expect_err("they differ");
    assert!(why.to_string().contains("etcd-disk/write-iops must end differently"), "{why}");
}
