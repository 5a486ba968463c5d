//! Journals on disks that are full or lose what they are given, each in a mount namespace of the test's own.

use super::{tests::*, *};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use std::process::Command;

/// Runs `test` with a folder in memory of `size`. Without the right to mount the test is skipped, and says so.
pub(crate) fn with_little_room(size: &str, test: impl FnOnce(&Path) + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNS) {
                assert!(std::env::var_os("LOOPDRILL_REQUIRE").is_none(), "needs CAP_SYS_ADMIN: {errno}");
                eprintln!("skipped: needs CAP_SYS_ADMIN for a mount namespace of its own ({errno})");
                return;
            }
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
            let dir = tempfile::tempdir().expect("temp dir");
            let options = format!("size={size}");
            mount(Some("tmpfs"), dir.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
                .expect("a folder in memory");
            test(dir.path());
            nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).expect("unmounted");
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Writes to a new file until the disk takes no more.
pub(crate) fn fill(path: &Path) {
    let mut filler = File::create(path).expect("a file");
    while filler.write_all(&[1; 512]).is_ok() {}
}

/// Announces changes until that fails; gives how many went well, and the error.
fn announce(journal: &Journal) -> (usize, JournalError) {
    let mut announced = 0;
    loop {
        match journal.intend(&drill(), vec![change()]) {
            Ok(_) => announced += 1,
            Err(error) => return (announced, error),
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_and_spoils_no_later_line() {
    with_little_room("64k", |dir| {
        let journal = Journal::open(dir, &lab(), "r1").expect("room");
        let filler = dir.join("filler");
        fill(&filler);
        let (announced, error) = announce(&journal);
        assert!(matches!(&error, JournalError::Io { doing: "write", .. }), "{error}");
        let text = fs::read_to_string(journal.path()).expect("text");
        assert!(text.ends_with('\n'), "half a line is left: {text}");
        fs::remove_file(filler).expect("room again");
        journal.intend(&drill(), vec![change()]).expect("it goes on");
        let path = journal.path().to_path_buf();
        drop(journal);
        let (journal, found) = Journal::recover(&path).expect("readable").expect("not empty");
        assert!(found.damage.is_empty(), "{:?}", found.damage);
        assert_eq!(journal.pending().len(), announced + 1);
    });
}

#[test]
fn what_a_disk_has_lost_is_never_announced_again() {
    if !Path::new("/dev/loop-control").exists() {
        eprintln!("skipped: this kernel has no loop devices");
        return;
    }
    with_little_room("8m", |dir| {
        let (image, disk) = (dir.join("image"), dir.join("disk"));
        fs::create_dir(&disk).expect("a folder");
        File::create(&image).and_then(|file| file.set_len(4 << 20)).expect("an image with holes");
        let run = |program: &str, args: &[&Path]| {
            let out = Command::new(program).args(args).output().expect("it starts");
            assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
        };
        let word = Path::new;
        run("mkfs.ext4", &[word("-q"), word("-O"), word("^has_journal"), &image]);
        run("mount", &[word("-o"), word("loop"), &image, &disk]);
        let journal = Journal::open(&disk, &lab(), "r1").expect("room");
        journal.intend(&drill(), vec![change()]).expect("the disk is well");
        let filler = dir.join("filler");
        fill(&filler);
        let (_, error) = announce(&journal);
        assert!(matches!(&error, JournalError::Io { doing: "sync", .. }), "{error}");
        fs::remove_file(filler).expect("room again");
        let error = journal.intend(&drill(), vec![change()]).expect_err("the disk cannot be trusted");
        assert!(matches!(error, JournalError::Lost { .. }), "{error}");
        let first = journal.pending().remove(0);
        journal.undo_ended(&first.id, Err("not yet".into())).expect("an undo is still noted");
        let path = journal.path().to_path_buf();
        drop(journal);
        let (journal, _) = Journal::recover(&path).expect("readable").expect("not empty");
        assert_eq!(journal.pending()[0], first);
        drop(journal);
        // A child that another test is just starting may have the journal open until it becomes another program.
        run("umount", &[word("-l"), &disk]);
    });
}
