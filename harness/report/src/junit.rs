//! `junit.xml`: a suite a loop, a case a gate of a drill.
//!
//! It agrees with the exit code: there is a failure or an error in it exactly when the run did not end with 0.
//! A verdict about the cluster is a failure; what kept a drill from giving one is an error. What was not asked, and what
//! a suite accepts, is skipped, with the reason.

use crate::{
    Mark, Row, Scorecard, Screen, gate, render_diagnosis,
    say::{clean, count, seconds},
    scorecard::verdict,
};
use jiff::Timestamp;
use loopdrill_model::{Capability, DetectorResult, DrillReport, ExitStatus, Gate, Loop, Outcome, RunReport};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

pub(crate) fn render(report: &RunReport) -> Result<Vec<u8>, String> {
    let card = Scorecard::from(report);
    let mut junit = Report::new("loopdrill");
    junit.set_time(between(report.started_at, report.ended_at));
    // No loop comes first: that is the control drill.
    let loops = [None].into_iter().chain(Loop::ALL.map(Some));
    for control_loop in loops {
        let rows: Vec<_> = card.rows.iter().filter(|r| r.expected_loop == control_loop).collect();
        if !rows.is_empty() {
            junit.add_test_suite(suite(control_loop.map_or("control", |l| l.name()), &rows, report));
        }
    }
    if let Some(suite) = policy(report) {
        junit.add_test_suite(suite);
    }
    if let Some(case) = whole_run(&card, &junit) {
        let mut suite = TestSuite::new("run");
        suite.add_test_case(case);
        junit.add_test_suite(suite);
    }
    junit.to_string().map(String::into_bytes).map_err(|e| e.to_string())
}

fn suite(name: &str, rows: &[&Row<'_>], report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new(name);
    let v = &report.versions;
    suite.add_properties([
        Property::new("run", report.run.as_str()),
        Property::new("cluster", report.cluster.as_str()),
        Property::new("detector", report.detector.as_str()),
        Property::new("loopdrill", v.loopdrill.as_str()),
        Property::new("kubernetes", v.kubernetes.as_str()),
    ]);
    let times = rows.iter().map(|r| time(r.drill));
    suite.set_time(times.sum());
    for row in rows {
        for (gate, mark) in row.marks {
            suite.add_test_case(case(name, row, gate, mark, report.require));
        }
    }
    suite
}

fn case(of_loop: &str, row: &Row<'_>, gate: Gate, mark: Mark, require: bool) -> TestCase {
    let mut case = TestCase::new(format!("{} {gate}", row.id), status(row, gate, mark, require));
    case.set_classname(of_loop);
    case.set_time(since_the_gate_before(row.drill, gate));
    case.set_system_out(evidence(row, gate, mark));
    case
}

/// The gate that a red drill is red for: the first that did not hold. Where all held and the drill is red none the less,
/// something is left, or the victim was to stay well.
fn culprit(row: &Row<'_>) -> Gate {
    let missed = row.marks.iter().find(|(_, mark)| *mark != Mark::Held).map(|(gate, _)| *gate);
    match row.outcome {
        Outcome::CleanupFailed => Gate::Recovered,
        Outcome::Failed(gate) => *gate,
        _ => missed.unwrap_or(Gate::Manifested),
    }
}

fn status(row: &Row<'_>, gate: Gate, mark: Mark, require: bool) -> TestCaseStatus {
    let is_red = row.is_red(require);
    match mark {
        _ if is_red && gate == culprit(row) => red(row),
        Mark::Held => TestCaseStatus::success(),
        _ => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(unasked(row, gate, mark, is_red));
            skipped
        }
    }
}

fn red(row: &Row<'_>) -> TestCaseStatus {
    let (kind, of) = match row.outcome {
        Outcome::Failed(gate) => (NonSuccessKind::Failure, gate.name()),
        Outcome::Skipped(Capability::Admission) => (NonSuccessKind::Error, "not-admitted"),
        Outcome::Skipped(_) => (NonSuccessKind::Failure, "skipped"),
        Outcome::NotInjected => (NonSuccessKind::Error, "not-injected"),
        Outcome::CleanupFailed => (NonSuccessKind::Error, "cleanup-failed"),
        Outcome::Errored => (NonSuccessKind::Error, "errored"),
        Outcome::Interrupted => (NonSuccessKind::Error, "interrupted"),
        // Well, and not as a suite wants it.
        Outcome::Passed | Outcome::Resilient => (NonSuccessKind::Failure, "unexpected"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of).set_message(message(row)).set_description(row.details(Screen::plain()));
    status
}

/// Why a gate gave no answer that counts.
fn unasked(row: &Row<'_>, gate: Gate, mark: Mark, is_red: bool) -> String {
    let why = row.drill.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    match (row.accepted(), row.outcome) {
        (Some(told), _) if !is_red => told,
        (_, Outcome::Resilient) => "the fault was in force, and the victim stayed well".into(),
        (_, Outcome::Skipped(what)) => format!("needs {what}{why}"),
        _ if mark == Mark::Missed => {
            let note = row.drill.gate(gate).note.as_deref().unwrap_or("it did not hold either");
            format!("after {}: {note}", culprit(row))
        }
        _ => format!("not reached: {}", row.outcome),
    }
}

/// The one line that CI systems show: why, in the drill's own words where it has any.
fn message(row: &Row<'_>) -> String {
    let missed = row.marks.iter().find(|(_, mark)| *mark == Mark::Missed);
    let note = missed.and_then(|(gate, _)| row.drill.gate(*gate).note.as_deref());
    let told = row.accepted().unwrap_or_else(|| row.outcome.to_string());
    match row.drill.error.as_deref().or(note) {
        Some(why) => format!("{told}: {why}"),
        None => told,
    }
}

/// What a pipeline's gate has to say, a case a finding.
fn policy(report: &RunReport) -> Option<TestSuite> {
    let judged = report.gate.as_ref()?;
    let mut suite = TestSuite::new("gate");
    for finding in &judged.findings {
        let mut status = match finding.is_red() {
            true => TestCaseStatus::non_success(NonSuccessKind::Failure),
            false => TestCaseStatus::skipped(),
        };
        status.set_type(finding.kind.name()).set_message(finding.what.as_str());
        let mut case = TestCase::new(gate::head(finding), status);
        case.set_classname("gate");
        suite.add_test_case(case);
    }
    let mut whole = TestCase::new("verdict", TestCaseStatus::success());
    whole.set_classname("gate").set_system_out(judged.verdict());
    suite.add_test_case(whole);
    Some(suite)
}

/// A case of its own for what no drill accounts for, so that the file is never green when the run is not.
fn whole_run(card: &Scorecard<'_>, junit: &Report) -> Option<TestCase> {
    let (name, kind) = match card.exit {
        ExitStatus::Ready => return None,
        _ if !card.stray.is_empty() => ("false-alarms", NonSuccessKind::Failure),
        _ if junit.failures + junit.errors > 0 => return None,
        ExitStatus::NotReady => ("verdict", NonSuccessKind::Failure),
        _ => ("verdict", NonSuccessKind::Error),
    };
    let mut status = TestCaseStatus::non_success(kind);
    if card.stray.is_empty() {
        status.set_message(verdict(card)).set_description(card.report.trouble.join("\n"));
    } else {
        status.set_message(count(card.stray.len(), "false alarm"));
        status.set_description(card.stray.iter().map(render_diagnosis).collect::<Vec<_>>().join("\n"));
    }
    let mut case = TestCase::new(name, status);
    case.set_classname("loopdrill.run");
    Some(case)
}

/// What a gate's answer rests on.
fn evidence(row: &Row<'_>, gate: Gate, mark: Mark) -> String {
    let result = row.drill.gate(gate);
    let mut out = format!("{} {gate}\n", mark.sign());
    out += &result.note.as_ref().map(|note| format!("{}\n", clean(note))).unwrap_or_default();
    for e in &result.evidence {
        out += &format!("{}: {} ({}, {})\n", clean(&e.signal), clean(&e.value), e.source, e.at);
    }
    if gate == Gate::Attributed {
        out += &looks(row.drill);
        out += &row.diagnosis.map(render_diagnosis).unwrap_or_default();
    }
    out
}

/// From the answer of the gate before to this one's.
fn since_the_gate_before(drill: &DrillReport, gate: Gate) -> Duration {
    let before = Gate::ALL.into_iter().take_while(|g| *g != gate).filter_map(|g| drill.gate(g).at).max();
    match (before, drill.gate(gate).at) {
        (Some(before), Some(at)) => between(before, at),
        _ => Duration::ZERO,
    }
}

/// Where somebody was called in afterwards, a line for each detector.
fn looks(drill: &DrillReport) -> String {
    let one = |r: &DetectorResult| {
        let right = if r.detected.ok && r.attributed.ok { "right" } else { "wrong or silent" };
        let took = r.took.map(|took| format!(", looked {}", seconds(took))).unwrap_or_default();
        format!("{}: {right}{took}\n", r.name)
    };
    let any = drill.detectors.iter().any(|r| !r.look.is_live());
    if any { drill.detectors.iter().map(one).collect() } else { String::new() }
}

/// From the first to the last thing that is known of the drill.
fn time(drill: &DrillReport) -> Duration {
    let gates = Gate::ALL.map(|gate| drill.gate(gate).at);
    let evident_at = drill.deciding().and_then(DetectorResult::first_evidence_at);
    let known = gates.into_iter().chain([drill.undone_at, evident_at]).flatten();
    match (known.clone().min(), known.max()) {
        (Some(first), Some(last)) => between(first, last),
        _ => Duration::ZERO,
    }
}

fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use loopdrill_model::{Acceptance, Finding, Judgement, Kind, Verdict};

    fn xml(report: &RunReport) -> String {
        String::from_utf8(render(report).expect("rendered")).expect("text")
    }

    fn is_green(xml: &str) -> bool {
        xml.contains(r#"failures="0" errors="0""#) && !xml.contains("<failure") && !xml.contains("<error")
    }

    #[test]
    fn every_outcome_has_its_place() {
        insta::assert_snapshot!(xml(&sample::run()));
    }

    #[test]
    fn a_skip_is_a_failure_where_it_is_required() {
        let mut report = sample::with_outcomes(&[Outcome::Passed, sample::skip()], false);
        assert!(is_green(&xml(&report)) && xml(&report).contains("<skipped"));
        report = sample::with_outcomes(&[Outcome::Passed, sample::skip()], true);
        assert!(!is_green(&xml(&report)) && xml(&report).contains(r#"type="skipped""#));
    }

    #[test]
    fn an_accepted_gap_is_skipped_with_its_reason_and_an_expired_one_is_red() {
        let mut report = sample::with_outcomes(&[Outcome::Passed, Outcome::Failed(Gate::Detected)], true);
        let mut accepted = Acceptance {
            wanted: "failed(detected)".into(),
            reason: Some("no probes yet".into()),
            until: None,
            verdict: Verdict::Accepted,
        };
        report.drills[1].acceptance = Some(accepted.clone());
        (report.exit, report.exit_code) = (ExitStatus::Ready, 0);
        assert!(is_green(&xml(&report)) && xml(&report).contains("accepted: no probes yet"));
        accepted.verdict = Verdict::Expired;
        report.drills[1].acceptance = Some(accepted);
        (report.exit, report.exit_code) = (ExitStatus::NotReady, 1);
        assert!(!is_green(&xml(&report)) && xml(&report).contains("its exception is over"));
    }

    #[test]
    fn a_gate_that_is_closed_is_red_for_its_own_reasons() {
        let mut report = sample::with_outcomes(&[Outcome::Passed], true);
        let regression = Finding {
            kind: Kind::Regression,
            about: "overlay-mtu/df".into(),
            what: "passed in the baseline, and not run any more".into(),
            exit: ExitStatus::NotReady,
        };
        report.gate = Some(Judgement::new("nightly", vec![regression]));
        (report.exit, report.exit_code) = (ExitStatus::NotReady, 1);
        let xml = xml(&report);
        assert!(!is_green(&xml) && xml.contains("regression overlay-mtu/df"), "{xml}");
    }

    #[test]
    fn a_run_without_drills_is_not_green() {
        let mut report = sample::with_outcomes(&[], false);
        (report.exit, report.exit_code) = (ExitStatus::NoCluster, 3);
        assert!(!is_green(&xml(&report)), "{}", xml(&report));
    }

    #[test]
    fn a_false_alarm_is_not_green() {
        let mut report = sample::with_outcomes(&[Outcome::Passed], false);
        report.false_alarms.push(sample::domino());
        (report.exit, report.exit_code) = (ExitStatus::NotReady, 1);
        assert!(!is_green(&xml(&report)) && xml(&report).contains("false-alarms"));
    }

    proptest::proptest! {
        #[test]
        fn it_is_green_exactly_when_the_exit_code_is_0(report in sample::any_run()) {
            proptest::prop_assert_eq!(is_green(&xml(&report)), report.exit_code == 0, "{}", xml(&report));
        }
    }
}
