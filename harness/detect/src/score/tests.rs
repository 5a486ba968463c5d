use super::*;
use loopdrill_model::{Cause, DrillReport, Root, Scope, Subject};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("in range")
}

fn drill() -> FaultId {
    FaultId::new("f", "v")
}

/// A finding about pods of the drill's namespace, with its first evidence in the third second.
fn finding(cause: Cause, names: &[&str]) -> Diagnosis {
    Diagnosis {
        control_loop: cause.control_loop(),
        cause: Some(cause),
        subjects: names.iter().map(|name| Subject::new("Pod", "n", *name)).collect(),
        confidence: 0.9,
        evidence: Vec::new(),
        chain: Vec::new(),
        first_evidence_at: at(3),
        diagnosed_at: at(4),
    }
}

fn mtu() -> Diagnosis {
    finding(Cause::OverlayMtu, &["p"])
}

fn dns() -> Diagnosis {
    finding(Cause::DnsFailure, &["p"])
}

fn expect(causes: &[Cause]) -> Expectation {
    let root = |c: &Cause| Root { control_loop: c.control_loop(), causes: vec![*c] };
    Expectation { roots: causes.iter().map(root).collect(), ..Expectation::default() }
}

/// A run, told second by second.
struct Run(Scorer);

impl Run {
    fn new(causes: &[Cause]) -> Self {
        let scope = Scope { namespace: "n".into(), ..Scope::default() };
        Self::of(expect(causes), scope)
    }

    fn of(expected: Expectation, scope: Scope) -> Self {
        Self(Scorer::new("d")).did(0, DrillMark::Start { expected, scope })
    }

    fn did(mut self, second: i64, what: DrillMark) -> Self {
        self.0.mark(&Mark { at: at(second), drill: drill(), what });
        self
    }

    fn found(mut self, second: i64, found: &[Diagnosis]) -> Self {
        let document = Diagnoses { diagnoses: found.to_vec(), as_of: Some(at(second)), trouble: Vec::new() };
        self.0.document(&document, at(second));
        self
    }

    fn injected(self) -> Self {
        self.did(1, DrillMark::Ready).did(2, DrillMark::Inject).did(4, DrillMark::Manifest)
    }

    fn end(self, second: i64) -> (Scored, Vec<Diagnosis>) {
        let report = Box::new(DrillReport::new(&drill(), Expectation::default()));
        let run = self.did(second, DrillMark::Conclude { detector: None });
        let (mut scored, false_alarms) = run.did(second, DrillMark::End { report }).0.finish();
        (scored.remove(0), false_alarms)
    }

    fn verdict(self, second: i64) -> Verdict {
        self.end(second).0.verdict
    }
}

#[test]
fn what_is_found_during_the_injection_is_an_answer_to_it() {
    let run = Run::new(&[Cause::OverlayMtu]).did(2, DrillMark::Ready).found(4, &[mtu()]);
    let (scored, _) = run.did(5, DrillMark::Inject).end(7);
    assert_eq!((scored.verdict, scored.result.detected.at), (Verdict::Right, Some(at(5))));
    assert_eq!(scored.result.lag, Some(0.0), "before that it was not in force");
}

#[test]
fn what_was_found_before_it_is_none_even_when_it_grows() {
    let more = finding(Cause::OverlayMtu, &["p", "q"]);
    let run = Run::new(&[Cause::OverlayMtu]).found(0, &[mtu()]).injected();
    assert_eq!(run.found(6, &[more]).verdict(7), Verdict::Missed);
}

#[test]
fn a_recording_that_does_not_say_when_the_injection_began_counts_from_its_end() {
    let run = Run::new(&[Cause::OverlayMtu]).found(4, &[mtu()]).did(5, DrillMark::Inject);
    assert_eq!(run.found(6, &[mtu()]).verdict(7), Verdict::Missed);
}

#[test]
fn lag_lead_and_since_count_from_first_evidence_symptom_and_injection() {
    let (scored, _) = Run::new(&[Cause::OverlayMtu]).injected().found(6, &[mtu()]).end(8);
    let DetectorResult { lag, lead, since_injection, .. } = scored.result;
    assert_eq!((lag, lead, since_injection), (Some(3.0), Some(1.0), Some(4.0)));
}

#[test]
fn without_a_symptom_there_is_no_lead() {
    let run = Run::new(&[Cause::OverlayMtu]).did(1, DrillMark::Ready).did(2, DrillMark::Inject);
    let (scored, _) = run.found(6, &[mtu()]).end(8);
    assert_eq!((scored.result.lag, scored.result.lead), (Some(3.0), None));
}

#[test]
fn of_several_roots_the_last_one_named_completes_the_answer() {
    let late = Diagnosis { first_evidence_at: at(7), ..dns() };
    let run = Run::new(&[Cause::OverlayMtu, Cause::DnsFailure]).injected().found(5, &[mtu()]);
    let (scored, _) = run.found(9, &[mtu(), late]).end(10);
    assert_eq!((scored.verdict, scored.result.detected.at), (Verdict::Right, Some(at(9))));
    assert_eq!(scored.result.lag, Some(2.0));
}

#[test]
fn a_finding_that_is_none_of_several_roots_does_not_move_the_answer() {
    let third = finding(Cause::NodeDown, &["p"]);
    let run = Run::new(&[Cause::OverlayMtu, Cause::DnsFailure]).injected().found(5, &[mtu(), dns()]);
    let (scored, _) = run.found(9, &[mtu(), dns(), third]).end(10);
    assert_eq!((scored.verdict, scored.result.detected.at), (Verdict::Wrong, Some(at(5))));
}

#[test]
fn the_surest_finding_is_on_top_wherever_it_stands() {
    let surer = Diagnosis { confidence: 1.0, ..dns() };
    let run = Run::new(&[Cause::OverlayMtu]).injected().found(5, &[mtu(), surer]);
    assert_eq!(run.verdict(8), Verdict::Wrong);
}

#[test]
fn an_alarm_that_went_was_noticed_and_is_no_right_answer() {
    let run = Run::new(&[Cause::OverlayMtu]).injected().found(5, &[mtu()]);
    let (scored, _) = run.found(6, &[]).end(8);
    assert_eq!(scored.verdict, Verdict::Wrong);
    let note = scored.result.attributed.note.expect("a reason");
    assert!(scored.result.detected.ok && note.ends_with("did not stand"), "{note}");
}

#[test]
fn the_answer_is_right_since_it_was_right_without_a_break() {
    let run = Run::new(&[Cause::OverlayMtu]).injected().found(5, &[mtu()]).found(6, &[dns()]);
    let (scored, _) = run.found(7, &[mtu()]).found(8, &[mtu()]).end(9);
    assert_eq!(scored.result.attributed.at, Some(at(7)));
    assert_eq!(scored.result.detected.at, Some(at(5)), "it was named first then");
}

#[test]
fn what_comes_after_the_detectors_time_changes_nothing() {
    let run = Run::new(&[Cause::OverlayMtu]).injected().found(5, &[mtu()]);
    let run = run.did(6, DrillMark::Conclude { detector: Some("d".into()) });
    assert_eq!(run.found(7, &[dns()]).verdict(8), Verdict::Right);
}

#[test]
fn the_end_of_anothers_time_is_not_the_end_of_ours() {
    let run = Run::new(&[Cause::OverlayMtu]).injected();
    let run = run.did(5, DrillMark::Conclude { detector: Some("other".into()) });
    assert_eq!(run.found(6, &[mtu()]).verdict(8), Verdict::Right);
}

#[test]
fn a_drill_without_its_injection_is_not_scored() {
    assert_eq!(Run::new(&[Cause::OverlayMtu]).found(1, &[mtu()]).verdict(3), Verdict::Unscored);
}

#[test]
fn silence_is_broken_by_what_came_and_went() {
    let run = Run::new(&[]).injected().found(5, &[mtu()]).found(6, &[dns()]).found(7, &[]);
    let (scored, _) = run.end(8);
    assert_eq!(scored.verdict, Verdict::Wrong);
    assert_eq!((scored.result.findings().count(), scored.result.lag), (2, None));
}

#[test]
fn silence_of_one_that_does_not_look_is_worth_nothing() {
    let silent = || Run::new(&[]).injected();
    assert_eq!(silent().found(5, &[]).verdict(8), Verdict::Right);
    assert_eq!(silent().found(3, &[]).verdict(8), Verdict::Missed, "it saw nothing since the symptom");
    let mut dead = silent().found(5, &[]);
    dead.0.detector_ended();
    let (scored, _) = dead.end(8);
    assert_eq!(scored.verdict, Verdict::Missed);
    assert!(scored.result.detected.note.expect("a reason").ends_with("it has ended"));
}

#[test]
fn on_an_untouched_cluster_what_was_there_before_counts_and_is_no_false_alarm() {
    let control = || {
        let scope = Scope { everything: true, ..Scope::default() };
        Run::of(Expectation::default(), scope).found(1, &[mtu()]).did(2, DrillMark::Inject)
    };
    let (scored, false_alarms) = control().found(3, &[mtu()]).end(4);
    assert_eq!((scored.verdict, false_alarms.len()), (Verdict::Wrong, 0));
    let mut later = control().found(3, &[]);
    later.0.mark(&Mark {
        at: at(4),
        drill: drill(),
        what: DrillMark::End { report: Box::new(DrillReport::new(&drill(), Expectation::default())) },
    });
    assert!(later.found(5, &[mtu()]).0.false_alarms().is_empty(), "it is the cluster's own trouble");
}

#[test]
fn what_no_drill_explains_is_a_false_alarm_once() {
    let stray = Diagnosis { subjects: vec![Subject::new("Pod", "elsewhere", "p")], ..mtu() };
    let run = Run::new(&[Cause::OverlayMtu]).injected().found(5, &[mtu(), stray.clone()]);
    let (scored, false_alarms) = run.found(6, &[mtu(), stray.clone()]).end(8);
    assert_eq!((scored.verdict, false_alarms), (Verdict::Right, vec![stray]));
}

#[test]
fn what_is_still_found_at_the_end_is_told() {
    let run = Run::new(&[Cause::OverlayMtu]).injected().found(5, &[mtu()]);
    assert_eq!(run.end(8).0.alarms_left, [mtu()]);
}

#[test]
fn a_run_without_marks_has_no_false_alarms() {
    let run = Run(Scorer::new("d")).found(1, &[mtu()]);
    assert!(run.0.finish().1.is_empty());
}
