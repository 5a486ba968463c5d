//! `junit.xml`: a suite a loop, a case a drill.
//!
//! It agrees with the exit code: there is a failure or an error in it exactly when the run did not end with 0.
//! A verdict about the cluster is a failure; what kept a drill from giving one is an error.

use crate::{Mark, Row, Scorecard, Screen, render_diagnosis, say::count, scorecard::verdict};
use jiff::Timestamp;
use loopdrill_model::{DrillReport, ExitStatus, Loop, Outcome, RunReport};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

pub(crate) fn render(report: &RunReport) -> Result<Vec<u8>, String> {
    let card = Scorecard::from(report);
    let mut junit = Report::new("loopdrill");
    junit.set_time(between(report.started_at, report.ended_at));
    // No loop comes first: that is the control drill.
    let loops = [None].into_iter().chain(Loop::DRILLED.map(Some)).chain([Some(Loop::Workload)]);
    for control_loop in loops {
        let rows: Vec<_> = card.rows.iter().filter(|r| r.expected_loop == control_loop).collect();
        if !rows.is_empty() {
            junit.add_test_suite(suite(control_loop.map_or("control", |l| l.name()), &rows, report));
        }
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
        let mut case = TestCase::new(row.id.to_string(), status(row, report.require));
        case.set_classname(format!("loopdrill.{name}"));
        case.set_time(time(row.drill));
        case.set_system_out(gates(row));
        suite.add_test_case(case);
    }
    suite
}

fn status(row: &Row<'_>, require: bool) -> TestCaseStatus {
    let (kind, of) = match row.outcome {
        Outcome::Passed | Outcome::Resilient => return TestCaseStatus::success(),
        Outcome::Skipped(what) if !require => {
            let mut skipped = TestCaseStatus::skipped();
            let why = row.drill.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            skipped.set_message(format!("needs {what}{why}"));
            return skipped;
        }
        Outcome::Skipped(_) => (NonSuccessKind::Failure, "skipped"),
        Outcome::Failed(gate) => (NonSuccessKind::Failure, gate.name()),
        Outcome::NotInjected => (NonSuccessKind::Error, "not-injected"),
        Outcome::CleanupFailed => (NonSuccessKind::Error, "cleanup-failed"),
        Outcome::Errored => (NonSuccessKind::Error, "errored"),
        Outcome::Interrupted => (NonSuccessKind::Error, "interrupted"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of).set_message(message(row)).set_description(row.details(Screen::plain()));
    status
}

/// The one line that CI systems show: why, in the drill's own words where it has any.
fn message(row: &Row<'_>) -> String {
    let missed = row.marks.iter().find(|(_, mark)| *mark == Mark::Missed);
    let note = missed.and_then(|(gate, _)| row.drill.gates.get(*gate).note.as_deref());
    match row.drill.error.as_deref().or(note) {
        Some(why) => format!("{}: {why}", row.outcome),
        None => row.outcome.to_string(),
    }
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

fn gates(row: &Row<'_>) -> String {
    let line = |(gate, mark): &(loopdrill_model::Gate, Mark)| {
        let note = row.drill.gates.get(*gate).note.as_ref().map(|n| format!("  {n}")).unwrap_or_default();
        format!("{} {gate}{note}\n", mark.sign())
    };
    let blamed = row.diagnosis.map(|d| format!("\n{}", render_diagnosis(d))).unwrap_or_default();
    format!("{}\n{}{blamed}", row.outcome, row.marks.iter().map(line).collect::<String>())
}

/// From the first to the last thing that is known of the drill.
fn time(drill: &DrillReport) -> Duration {
    let t = &drill.timings;
    let gates = loopdrill_model::Gate::ALL.map(|g| drill.gates.get(g).at);
    let known = [t.injected_at, t.first_evidence_at, t.detected_at, t.undone_at, t.recovered_at];
    let known = known.into_iter().chain(gates).flatten();
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
        assert!(!is_green(&xml(&report)) && !xml(&report).contains("<skipped"));
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
        report.stray_findings.push(sample::domino());
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
