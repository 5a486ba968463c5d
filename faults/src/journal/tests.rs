use super::*;
use crate::object::{Create, ObjectChange};
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use proptest::prelude::*;
use std::{
    io::Seek as _,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

pub(super) fn lab() -> ClusterHandle {
    ClusterHandle::Lab { name: "t".into() }
}

pub(super) fn drill() -> FaultId {
    FaultId::new("overlay-mtu", "df")
}

pub(super) fn change() -> Change {
    let namespace = Namespace {
        metadata: ObjectMeta { name: Some("x".into()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    Change::Object(ObjectChange::Create(Create::new(&namespace, "r1").expect("has a name")))
}

fn write(dir: &Path, intents: usize, undone: usize) -> PathBuf {
    let journal = Journal::open(dir, &lab(), "r1").expect("a clean start");
    let announced = journal.intend(&drill(), vec![change(); intents]).expect("intents");
    for p in announced.iter().take(undone) {
        journal.undo_ended(&p.id, Ok(())).expect("undo noted");
    }
    journal.path().to_path_buf()
}

#[test]
fn a_clean_run_leaves_no_file_and_a_dirty_one_refuses_the_next() {
    let dir = tempfile::tempdir().expect("temp dir");
    let journal = Journal::open(dir.path(), &lab(), "r1").expect("a clean start");
    let path = journal.path().to_path_buf();
    journal.close().expect("nothing is pending");
    assert!(!path.exists());

    write(dir.path(), 2, 1);
    let error = Journal::open(dir.path(), &lab(), "r2").expect_err("one change is pending");
    assert!(matches!(&error, JournalError::Dirty { left, .. } if left.len() == 1), "{error}");
    assert!(error.to_string().contains("loopdrill undo"), "{error}");

    let (journal, found) = Journal::recover(&path).expect("readable").expect("not empty");
    assert_eq!((found.run.as_str(), found.cluster, found.damage.len()), ("r1", lab(), 0));
    let pending = journal.pending();
    assert_eq!(pending.len(), 1);
    journal.undo_ended(&pending[0].id, Err("the node is down".into())).expect("noted");
    assert_eq!(journal.pending().len(), 1, "a failed undo stays pending");
    journal.undo_ended(&pending[0].id, Ok(())).expect("noted");
    journal.close().expect("done");
    Journal::open(dir.path(), &lab(), "r3").expect("clean again");
}

#[test]
fn two_runs_at_once_are_refused() {
    let dir = tempfile::tempdir().expect("temp dir");
    let first = Journal::open(dir.path(), &lab(), "r1").expect("a clean start");
    let error = Journal::open(dir.path(), &lab(), "r2").expect_err("held by the first");
    assert!(matches!(error, JournalError::Busy { .. }), "{error}");
    let error = Journal::recover(first.path()).expect_err("its run goes on");
    assert!(matches!(error, JournalError::Busy { .. }), "{error}");
}

/// Several at once open, write, undo and close, over and over; the file goes and comes back meanwhile.
#[test]
fn of_many_writers_one_at_a_time_has_the_journal() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (writing, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let work = |run: &str| {
        // Each gets its turns, however long the others keep theirs.
        for _ in 0..20 {
            let journal = loop {
                match Journal::open(dir.path(), &lab(), run) {
                    Ok(journal) => break journal,
                    Err(JournalError::Busy { .. }) => std::thread::yield_now(),
                    Err(other) => panic!("{other}"),
                }
            };
            assert!(!writing.swap(true, Ordering::SeqCst), "two at once");
            let announced = journal.intend(&drill(), vec![change(); 2]).expect("intents");
            let text = fs::read_to_string(journal.path()).expect("text");
            assert_eq!(
                text.matches(run).count(),
                text.matches("\"entry\"").count(),
                "another's line: {text}"
            );
            announced.iter().for_each(|p| journal.undo_ended(&p.id, Ok(())).expect("noted"));
            writing.store(false, Ordering::SeqCst);
            journal.close().expect("nothing is pending");
            done.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| {
        for run in ["run-a", "run-b", "run-c", "run-d"] {
            scope.spawn(move || work(run));
        }
    });
    assert_eq!(done.into_inner(), 80);
    assert!(list(dir.path()).expect("readable").is_empty(), "the last one leaves no file");
}

#[test]
fn a_flipped_byte_is_found_and_the_good_lines_are_kept() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = write(dir.path(), 3, 0);
    let text = fs::read_to_string(&path).expect("text");
    let broken = text.replacen("-2\"", "-9\"", 1);
    assert_ne!(text, broken);
    fs::write(&path, broken).expect("written");
    let error = Journal::open(dir.path(), &lab(), "r2").expect_err("damaged");
    assert!(matches!(&error, JournalError::Damaged { line: 3, .. }), "{error}");
    let (journal, found) = Journal::recover(&path).expect("readable in part").expect("not empty");
    assert_eq!((journal.pending().len(), found.damage.len()), (2, 1));
}

#[test]
fn bytes_that_are_no_text_cost_their_line_alone() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = write(dir.path(), 3, 0);
    let mut bytes = fs::read(&path).expect("bytes");
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    bytes[ends[1] - 5] = 0xff;
    bytes.extend(b"{\"seq\":5,\"cr");
    fs::write(&path, &bytes).expect("written");
    let (journal, found) = Journal::recover(&path).expect("readable in part").expect("not empty");
    assert_eq!((journal.pending().len(), found.damage.len()), (2, 1));
    assert_eq!(fs::read(&path).expect("bytes").len(), ends[3] + 1, "only what had no end is cut off");
}

#[test]
fn two_lines_that_ran_together_cost_no_later_one() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = write(dir.path(), 4, 0);
    let text = fs::read_to_string(&path).expect("text");
    let end = text.match_indices('\n').nth(1).expect("an end").0;
    fs::write(&path, format!("{}{}", &text[..end], &text[end + 1..])).expect("written");
    let (journal, found) = Journal::recover(&path).expect("readable in part").expect("not empty");
    assert_eq!((journal.pending().len(), found.damage.len()), (2, 1));
    let left = journal.pending();
    journal.undo_ended(&left[0].id, Ok(())).expect("noted");
    drop(journal);
    let (journal, _) = Journal::recover(&path).expect("readable in part").expect("not empty");
    assert_eq!(journal.pending(), left[1..]);
}

#[test]
fn a_line_that_is_gone_is_damage() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = write(dir.path(), 3, 0);
    let text = fs::read_to_string(&path).expect("text");
    let kept: String =
        text.split_inclusive('\n').enumerate().filter(|(i, _)| *i != 2).map(|(_, l)| l).collect();
    fs::write(&path, kept).expect("written");
    let (journal, found) = Journal::recover(&path).expect("readable in part").expect("not empty");
    assert_eq!((journal.pending().len(), found.damage.len()), (2, 1));
    assert!(found.damage[0].to_string().contains("line 3 was expected and line 4 found"));
}

/// A journal of the last version, with every kind of step that a node holds.
#[test]
fn the_last_versions_journal_is_read_and_written_the_same() {
    let sample = include_str!("sample.jsonl");
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("kind-t.jsonl");
    fs::write(&path, sample).expect("written");
    let (journal, found) = Journal::recover(&path).expect("readable").expect("not empty");
    assert_eq!((found.run.as_str(), found.damage.len()), ("r1", 0));
    let pending = journal.pending();
    let told: Vec<String> = pending.iter().map(|p| p.change.to_string()).collect();
    assert!(told[0].starts_with("node w1: set the MTU of vx to 1300; mark"), "{told:?}");
    assert!(told[0].ends_with("stop kubelet.service; edit /etc/htpasswd"), "{told:?}");
    assert_eq!(told[1], "node w1: switch its machine off");
    let again = |p: Pending| Entry::Intent { id: p.id, drill: p.drill, change: Box::new(p.change) };
    let lines = (2..).zip(pending).map(|(seq, p)| Line::encode(seq, &again(p)).expect("plain data"));
    let written: String = sample.lines().take(1).map(|first| format!("{first}\n")).chain(lines).collect();
    assert_eq!(written, sample);
}

proptest! {
    /// Wherever a crash cuts the file, every intent whose line is whole is recovered, and nothing else.
    #[test]
    fn a_cut_anywhere_loses_only_what_was_not_announced(intents in 1usize..5, cut in 0usize..4000) {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = write(dir.path(), intents, 0);
        let text = fs::read_to_string(&path).expect("text");
        let cut = cut.min(text.len());
        let whole = text[..cut].matches('\n').count();
        let mut file = OpenOptions::new().write(true).open(&path).expect("open");
        file.set_len(cut as u64).expect("cut");
        file.rewind().expect("rewind");
        match Journal::recover(&path).expect("a cut is no damage") {
            None => prop_assert_eq!(whole, 0),
            Some((journal, found)) => {
                prop_assert_eq!(found.damage.len(), 0);
                let pending = journal.pending();
                prop_assert_eq!(pending.len(), whole - 1);
                for p in pending {
                    journal.undo_ended(&p.id, Ok(())).expect("noted");
                }
                drop(journal);
                Journal::open(dir.path(), &lab(), "r2").expect("clean after the undo");
            }
        }
    }

    /// Whichever bit of the file flips, every other line is read as it was written, and what is lost is told. The end of
    /// the last line is the exception: without it the line was never announced.
    #[test]
    fn a_bit_that_flips_costs_its_own_lines_alone(intents in 1usize..5, at in 0usize..4000, bit in 0u8..8) {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = write(dir.path(), intents, 0);
        let mut bytes = fs::read(&path).expect("bytes");
        let at = at % bytes.len();
        // Lines that this byte is of: an end belongs to two of them.
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        let hit = if bytes[at] == b'\n' { line..=line + 1 } else { line..=line };
        let is_end = at + 1 == bytes.len();
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).expect("written");
        let whole = |n: usize| !hit.contains(&n);
        let kept: Vec<String> = (1..=intents).filter(|n| whole(*n)).map(|n| format!("r1-{n}")).collect();
        match Journal::recover(&path) {
            Err(damage) => prop_assert!(hit.contains(&0), "{damage}"),
            Ok(found) => {
                let (journal, found) = found.expect("its first line is whole");
                let read: Vec<String> = journal.pending().into_iter().map(|p| p.id).collect();
                prop_assert_eq!(read, kept);
                prop_assert_eq!(found.damage.is_empty(), is_end);
            }
        }
    }
}
