//! The built-in detector over recordings of real drills: no cluster, no clock, seconds.
//!
//! The right answers come from the marks of the recordings. What is said beyond them is kept in a snapshot, so that a
//! change of attribution shows what it changes: `INSTA_UPDATE=always cargo test -p loopdrill-detect --test
//! recordings` accepts it; read the diff.

mod library;
mod own_report;
mod rename;
mod signals;
mod twist;

use library::{Answer, RECORDINGS, Recording, answers, play};
use loopdrill_detect::Verdict;
use loopdrill_model::{Cause, Loop, Source, Timestamp};
use loopdrill_observe::record::{Entry, ReplayError, read};
use std::{collections::BTreeSet, fmt::Write as _, io::Cursor};

/// Runs `check` on every recording, as many at a time as there are cores.
fn each(check: impl Fn(&Recording) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(recording) =
                    RECORDINGS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    check(recording);
                }
            });
        }
    });
}

#[test]
fn there_are_recordings_of_every_loop() {
    let expected = RECORDINGS.iter().flat_map(|r| r.play().scored).map(|s| s.expected.control_loop());
    let loops: BTreeSet<_> = expected.collect();
    assert!(loops.len() >= 6, "{loops:?}");
}

#[test]
fn every_recorded_drill_gets_its_right_answer() {
    each(|recording| {
        let played = recording.play();
        assert!(!played.scored.is_empty(), "{} has no marks", recording.name);
        for scored in &played.scored {
            assert_eq!(scored.verdict, Verdict::Right, "{}: {:#?}", recording.name, scored.result);
        }
        assert!(played.false_alarms.is_empty(), "{}: {:#?}", recording.name, played.false_alarms);
    });
}

fn said(answers: &[Answer]) -> String {
    let all: Vec<_> = answers.iter().map(Answer::to_string).collect();
    if all.is_empty() { "silence".into() } else { all.join("; ") }
}

#[test]
fn what_is_said_is_what_was_said() {
    let mut all = String::new();
    for recording in RECORDINGS.iter() {
        let played = recording.play();
        let again = recording.play();
        assert_eq!(played.documents, again.documents, "{}: two replays differ", recording.name);
        let _ = writeln!(
            all,
            "{}: {} judgements, {} other than the live ones",
            recording.name,
            played.moments.len(),
            played.differing
        );
        let mut before = BTreeSet::new();
        for answer in &played.moments {
            let now: BTreeSet<_> = answer.iter().map(Answer::cause).collect();
            if now != before {
                let _ = writeln!(all, "  {}", said(answer));
                before = now;
            }
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn names_do_not_matter() {
    each(|recording| {
        let plain = answers(&recording.entries);
        let names = rename::Names::of(&recording.entries, recording.seed());
        assert!(names.len() > 20, "{}: hardly anything was renamed", recording.name);
        let renamed = answers(&names.rename(&recording.entries));
        let expected: Vec<_> = plain.iter().map(|m| names.rename_answers(m)).collect();
        library::assert_same(recording, &expected, &renamed);
    });
}

#[test]
fn unrelated_noise_does_not_matter() {
    each(|recording| {
        let noisy = twist::with_noise(&recording.entries, recording.seed());
        assert!(noisy.len() > recording.entries.len() * 5 / 4);
        library::assert_same(recording, &answers(&recording.entries), &answers(&noisy));
    });
}

#[test]
fn the_order_within_a_window_does_not_matter() {
    each(|recording| {
        let crooked = twist::shuffled(&recording.entries, recording.seed());
        assert_ne!(crooked, recording.entries, "{}", recording.name);
        library::assert_same(recording, &answers(&recording.entries), &answers(&crooked));
    });
}

#[test]
fn marks_are_never_seen() {
    each(|recording| {
        let without: Vec<_> =
            recording.entries.iter().filter(|e| !matches!(e, Entry::Mark(_))).cloned().collect();
        assert!(without.len() < recording.entries.len());
        assert_eq!(play(&recording.entries).documents, play(&without).documents, "{}", recording.name);
    });
}

#[test]
fn a_recording_that_is_cut_off_says_so_after_what_is_there() {
    let Some(recording) = RECORDINGS.first() else { panic!("there are no recordings") };
    for part in [3, 2] {
        let bytes = recording.bytes[..recording.bytes.len() / part].to_vec();
        let entries: Vec<_> = read(Cursor::new(bytes)).expect("its beginning is there").collect();
        assert!(entries.len() > 10);
        assert!(matches!(entries.last(), Some(Err(ReplayError::CutOff { .. }))));
    }
}

/// Seconds between the API server's metrics as they were read before `at`: a slow API server is asked less often.
fn interval(recording: &Recording, at: Timestamp) -> f64 {
    let read = recording.entries.iter().filter_map(|e| match e {
        Entry::Seen(o) if o.source == Source::metrics("apiserver") && o.at <= at => Some(o.at),
        _ => None,
    });
    let read: Vec<_> = read.collect();
    let mut pauses = read.windows(2).map(|w| w[1].duration_since(w[0]).as_secs_f64());
    pauses.rfind(|pause| *pause > 0.5).unwrap_or(1.0).max(1.0)
}

fn is_of_a_cloud(entry: &Entry) -> bool {
    matches!(entry, Entry::Seen(o) if o.source == Source::cloud("sts"))
}

/// What is watched is judged within a second; what is measured within an interval and a second.
#[test]
fn the_diagnosis_follows_its_evidence() {
    let mut late = Vec::new();
    for recording in RECORDINGS.iter() {
        for s in recording.play().scored {
            let (Some(lag), Some(to)) = (s.result.lag, s.result.detected.at) else { continue };
            let most = match (s.expected.control_loop(), s.result.diagnosis.and_then(|d| d.cause)) {
                (Some(Loop::Network), _) => 2.0,
                (Some(Loop::ControlPlane), _) | (_, Some(Cause::TokenInvalid)) => {
                    interval(recording, to) + 1.0
                }
                // A cloud is asked every two seconds.
                _ if recording.entries.iter().any(is_of_a_cloud) => 3.0,
                _ => 1.0,
            };
            println!("{:<40} {lag:.2} s of {most:.2} s", s.drill.to_string());
            if lag > most {
                late.push(format!("{}: {lag:.2} s, {most:.2} s are allowed", s.drill));
            }
        }
    }
    assert!(late.is_empty(), "{late:#?}");
}
