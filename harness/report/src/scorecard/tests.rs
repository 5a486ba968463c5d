use super::*;
use crate::{EventLog, Fold, OutputDir, ReportFile, Screen, Style, read, read_events, sample};
use console::measure_text_width;
use proptest::prelude::*;
use std::{fs, sync::Arc};

fn screen(width: usize) -> Screen {
    Screen { width, style: Style::plain() }
}

#[test]
fn narrow() {
    insta::assert_snapshot!(Scorecard::from(&sample::run()).text(screen(80)));
}

#[test]
fn wide() {
    insta::assert_snapshot!(Scorecard::from(&sample::run()).text(screen(120)));
}

#[test]
fn all_passed() {
    let report = sample::with_outcomes(&[Outcome::Passed, Outcome::Passed, Outcome::Resilient], false);
    insta::assert_snapshot!(Scorecard::from(&report).text(screen(80)));
}

#[test]
fn nothing_drilled() {
    insta::assert_snapshot!(Scorecard::from(&sample::with_outcomes(&[], false)).text(screen(80)));
}

#[test]
fn lag_and_lead_count_from_the_first_evidence() {
    let report = sample::run();
    let row = Row::of(&report.drills[1]);
    assert_eq!(row.lag, Some(SignedDuration::from_millis(340)));
    // The symptom shows 1.5 s after the injection, the first evidence 0.4 s after it.
    assert_eq!(row.lead, Some(SignedDuration::from_millis(1_100)));
}

#[test]
fn the_floor_is_what_the_fault_took_itself() {
    let mut drill = sample::run().drills[1].clone();
    let after = |ms| Some(sample::at(ms));
    (drill.started_at, drill.undone_at) = (after(0), after(6_000));
    let held = |at| GateResult { ok: true, at, ..GateResult::default() };
    drill.gates.injected = held(after(1_000));
    drill.gates.manifested = held(after(3_500));
    drill.gates.recovered = held(after(7_500));
    // It bit in 2.5 s, and it took 1.5 s to clear.
    let row = Row::of(&drill);
    assert_eq!(row.floor.map(|(floor, _)| floor), Some(SignedDuration::from_secs(4)));
    assert_eq!(row.floor.map(|(_, times)| times), Some(7.5 / 4.0));
    let told = Scorecard::from(&RunReport { drills: vec![drill.clone()], ..sample::run() }).text(screen(80));
    assert!(told.contains("4.0 s ×1.9"), "{told}");
    drill.undone_at = None;
    assert_eq!(Row::of(&drill).floor, None, "of what was never undone nobody knows");
}

#[test]
fn what_never_came_is_missed_and_not_unreached() {
    let silent = GateResult { note: Some("the detector stayed silent".into()), ..GateResult::default() };
    assert_eq!(Mark::of(&silent), Mark::Missed);
    assert_eq!(Mark::of(&GateResult::default()), Mark::Unreached);
}

#[test]
fn a_verdict_is_never_rosier_than_the_run() {
    let said = |outcomes: &[Outcome], require| {
        let report = sample::with_outcomes(outcomes, require);
        verdict(&Scorecard::from(&report))
    };
    assert!(said(&[Outcome::Passed], false).starts_with("ready: every fault"));
    assert!(said(&[sample::skip()], false).starts_with("nothing was proven"));
    assert!(said(&[], false).starts_with("nothing was proven"));
    assert!(said(&[Outcome::Passed, sample::skip()], false).contains("1 drill skipped"));
    assert!(said(&[Outcome::Passed, sample::skip()], true).starts_with("not ready"));
    assert!(said(&[Outcome::Failed(Gate::Detected), Outcome::Passed], false).contains("1 drill failed"));
    assert!(said(&[Outcome::NotInjected, Outcome::Failed(Gate::Detected)], false).starts_with("no verdict"));
    assert!(said(&[Outcome::CleanupFailed], false).contains("loopdrill undo"));
}

#[test]
fn every_drill_that_did_not_pass_says_what_to_do_next() {
    let report = sample::run();
    for row in Scorecard::from(&report).rows {
        let fine = matches!(row.outcome, Outcome::Passed | Outcome::Resilient);
        assert_eq!(advice::advice(&row).is_none(), fine, "{}", row.id);
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let report = sample::run();
    let card = Scorecard::from(&report);
    for width in [60, 80, 120] {
        let coloured = card.text(Screen { width, style: Style::coloured() });
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(console::strip_ansi_codes(&coloured), card.text(screen(width)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_line_is_wider_than_the_screen_or_has_control_characters(report in sample::any_run(), width in 60usize..160) {
        let text = Scorecard::from(&report).text(screen(width));
        for line in text.lines() {
            prop_assert!(measure_text_width(line) <= width, "{} > {width}: {line}", measure_text_width(line));
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn every_drill_of_the_stream_is_in_every_report(report in sample::any_run()) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let out = Arc::new(OutputDir::claim(dir.path()).expect("claimed"));
        let mut folds: [Box<dyn Fold>; 3] =
            [Box::new(EventLog::new(&out)), Box::new(ReportFile::json(&out)), Box::new(ReportFile::junit(&out))];
        for fold in &mut folds {
            sample::events(&report).iter().for_each(|e| fold.event(e));
            prop_assert!(fold.finish().is_ok());
        }
        let stream = read_events(&dir.path().join(OutputDir::EVENTS)).expect("readable");
        let json = read(&dir.path().join(OutputDir::JSON)).expect("readable");
        let junit = fs::read_to_string(dir.path().join(OutputDir::JUNIT)).expect("readable");
        let card = Scorecard::from(&json).text(screen(120));
        for id in stream.iter().filter_map(|e| e.drill.as_ref()) {
            prop_assert!(json.drills.iter().any(|d| d.fault == id.fault && d.variant == id.variant));
            let case = format!("testcase name=\"{id} injected\"");
            prop_assert!(junit.contains(&case), "{}", junit);
            prop_assert!(card.contains(&id.to_string()), "{}", card);
        }
        prop_assert_eq!(junit.matches("<testcase name=\"fault-").count(), 5 * json.drills.len());
    }
}
