//! The built-in detector over recordings of real drills: no cluster, no clock, seconds.
//!
//! The right answers come from the marks of the recordings. What is said beyond them is kept in a snapshot, so that a
//! change of attribution shows what it changes: `INSTA_UPDATE=always cargo test -p loopdrill-detect --test
//! recordings` accepts it; read the diff.

mod library;
mod rename;
mod twist;

use library::{Answer, RECORDINGS, Recording, answers, play};
use loopdrill_detect::Verdict;
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
    let expected = RECORDINGS.iter().flat_map(|r| play(&r.entries).scored).map(|s| s.expected.control_loop());
    let loops: BTreeSet<_> = expected.collect();
    assert!(loops.len() >= 6, "{loops:?}");
}

#[test]
fn every_recorded_drill_gets_its_right_answer() {
    each(|recording| {
        let played = play(&recording.entries);
        assert!(!played.scored.is_empty(), "{} has no marks", recording.name);
        for scored in &played.scored {
            let why = scored.expected.judge(&scored.found);
            assert_eq!(scored.verdict, Verdict::Right, "{}: {why:?}", recording.name);
        }
        assert!(played.strays.is_empty(), "{}: {:#?}", recording.name, played.strays);
    });
}

#[test]
fn what_is_said_is_what_was_said() {
    let mut all = String::new();
    for recording in RECORDINGS.iter() {
        let played = play(&recording.entries);
        let again = play(&recording.entries);
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
                let _ = writeln!(
                    all,
                    "  {}",
                    answer.iter().map(Answer::to_string).collect::<Vec<_>>().join("; ")
                );
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
        for salt in [3, 0x5eed] {
            let names = rename::Names::of(&recording.entries, salt);
            assert!(names.len() > 20, "{}: hardly anything was renamed", recording.name);
            let renamed = answers(&names.rename(&recording.entries));
            let expected: Vec<_> = plain.iter().map(|m| names.rename_answers(m)).collect();
            library::assert_same(&recording.name, &expected, &renamed);
        }
    });
}

#[test]
fn unrelated_noise_does_not_matter() {
    each(|recording| {
        let noisy = twist::with_noise(&recording.entries, 11);
        assert!(noisy.len() > recording.entries.len() * 5 / 4);
        library::assert_same(&recording.name, &answers(&recording.entries), &answers(&noisy));
    });
}

#[test]
fn the_order_within_a_window_does_not_matter() {
    each(|recording| {
        for seed in [1, 99] {
            let crooked = twist::shuffled(&recording.entries, seed);
            assert_ne!(crooked, recording.entries, "{}", recording.name);
            library::assert_same(&recording.name, &answers(&recording.entries), &answers(&crooked));
        }
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
