use super::*;
use crate::{Screen, Style, sample};
use loopdrill_model::{Cause, LookMode};
use proptest::prelude::*;
use serde_json::json;

fn screen(width: usize) -> Screen {
    Screen { width, style: Style::plain() }
}

#[test]
fn rivals_side_by_side() {
    let report = sample::with_rival();
    insta::assert_snapshot!(Score::from(&report).text(screen(80)));
}

#[test]
fn on_a_narrow_screen() {
    insta::assert_snapshot!(Score::from(&sample::with_rival()).text(screen(60)));
}

#[test]
fn as_json() {
    insta::assert_json_snapshot!(Score::from(&sample::with_rival()));
}

#[test]
fn who_is_called_in_stands_beside_who_watched_with_the_time_of_the_look() {
    let mut report = sample::with_rival();
    report.detector = "once:builtin".into();
    for drill in &mut report.drills {
        let [cold, _] = &mut drill.detectors[..] else { panic!("two detectors") };
        cold.name.clone_from(&report.detector);
        (cold.look, cold.lag, cold.lead, cold.took) = (LookMode::Once, None, None, Some(7.25));
    }
    let text = Score::from(&report).text(screen(90));
    assert!(text.contains("✓ identity, looked 7.3 s"), "{text}");
    assert!(text.contains("a look 7.3 s (worst 7.3 s)"), "{text}");
    let json = serde_json::to_value(&report).expect("plain data");
    let results = &json["drills"][0]["detectors"];
    assert_eq!((&results[0]["look"], &results[0]["took"]), (&json!("once"), &json!(7.25)));
    assert!(results[1].get("look").is_none() && results[1].get("took").is_none(), "as before: {results}");
    assert_eq!(serde_json::from_value::<RunReport>(json).expect("a report"), report);
}

#[test]
fn nobody_was_asked_anything() {
    let score = Score::from(&sample::with_outcomes(&[], false));
    assert_eq!((score.text(screen(80)), score.detectors.len()), (String::new(), 0));
}

#[test]
fn only_what_showed_its_symptom_is_a_question() {
    let mut report = sample::with_rival();
    let asked = Score::from(&report).detectors[0].asked;
    for drill in &mut report.drills {
        drill.outcome = Outcome::Errored;
    }
    assert!(asked > 0 && Score::from(&report).detectors.is_empty());
}

#[test]
fn the_right_loop_with_a_wrong_cause_is_on_the_diagonal_and_not_right() {
    let mut report = sample::with_rival();
    let drill = report.drills.iter_mut().find(|d| d.expected_loop() == Some(Loop::Identity)).expect("one");
    let result = &mut drill.detectors[0];
    result.diagnosis.as_mut().expect("found").cause = Some(Cause::TokenInvalid);
    result.attributed.ok = false;
    let case = Case::of(drill.id(), &drill.expectation, &drill.detectors[0]);
    assert_eq!((case.blamed, case.right), (Some(Loop::Identity), false));
}

fn any_case() -> impl Strategy<Value = Case> {
    let answer = || prop::sample::select(ANSWERS.to_vec());
    (answer(), answer(), any::<bool>(), prop::option::of(-90.0..90.0f64), "[ab]").prop_map(
        |(expected, blamed, right, time, detector)| Case {
            detector,
            id: FaultId::new("f", "v"),
            expected,
            blamed,
            right: right && blamed == expected,
            lag: time,
            lead: time,
            since_injection: time,
            took: None,
        },
    )
}

proptest! {
    #[test]
    fn each_case_is_in_exactly_one_cell(cases in prop::collection::vec(any_case(), 0..40)) {
        let score = Score::of(cases.clone(), 0);
        let cells = |d: &DetectorScore| ANSWERS.iter().map(|e| d.confusion.asked(*e)).sum::<usize>();
        prop_assert_eq!(score.detectors.iter().map(cells).sum::<usize>(), cases.len());
        for d in &score.detectors {
            prop_assert!(d.attributed <= d.detected && d.detected <= d.faults && d.faults <= d.asked);
            prop_assert!(d.lag.is_none_or(|l| l.median <= l.worst) && d.lead.is_none_or(|l| l.median >= l.worst));
        }
        for line in score.text(screen(60)).lines() {
            prop_assert!(console::measure_text_width(line) <= 60, "{}", line);
        }
    }
}
