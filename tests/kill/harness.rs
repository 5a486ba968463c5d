//! The harness that is killed: journal, injection and undo as the engine does them, in a process of its own, which is this
//! test's program again. It is watched from outside, by what it has written to its journal.

use super::{
    moments::{Case, Moment},
    support::{Run, binary, lab::access},
};
use loopdrill_cluster::ClusterHandle;
use loopdrill_faults::{
    Change,
    journal::{self, Journal},
    lifecycle,
};
use loopdrill_model::FaultId;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    os::unix::process::parent_id,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The file with the order of a process that is to be a harness.
const ORDER: &str = "LOOPDRILL_KILL_ORDER";
/// The test that plays the harness where it finds an order.
pub(crate) const PLAYER: &str = "what_is_killed_at_any_moment_is_undone";
/// Written by the harness when all was read back.
const IN_FORCE: &str = "in-force";
/// Written for the harness when it shall undo.
const GO_ON: &str = "go-on";
/// How often its journal is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// It ends what hangs.
const LONG: Duration = Duration::from_secs(300);

/// What a harness does: put this plan in force, and undo it when it is told to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) lab: String,
    pub(crate) run: String,
    pub(crate) drill: FaultId,
    pub(crate) state: PathBuf,
    pub(crate) plan: Vec<Change>,
}

/// The order that this process was started with.
pub(crate) fn order() -> Option<Order> {
    let text = fs::read(std::env::var_os(ORDER)?).expect("the order is there");
    Some(serde_json::from_slice(&text).expect("an order"))
}

/// Does what the engine does between its injection and its undo.
pub(crate) fn play(order: Order) {
    let parent = parent_id();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let access = access(&order.lab).await;
        let cluster = ClusterHandle::Lab { name: order.lab };
        let journal = Journal::open(&order.state, &cluster, &order.run).expect("a clean journal");
        match lifecycle::inject(&access, &journal, &order.drill, order.plan).await {
            Ok(_) => {
                fs::write(order.state.join(IN_FORCE), "").expect("written");
                // One that nobody will tell any more undoes as well.
                while !order.state.join(GO_ON).exists() && parent_id() == parent {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            Err(why) => eprintln!("not in force: {why}"),
        }
        for left in lifecycle::undo(&access, &journal, &journal.pending()).await {
            eprintln!("left: {}: {}", left.change, left.why);
        }
        journal.close().expect("closed");
    });
}

/// A process that works on a journal, and that journal.
pub(crate) struct Worker<'a> {
    run: &'a Run,
    child: Child,
    log: PathBuf,
}

impl<'a> Worker<'a> {
    /// Starts a harness.
    pub(crate) fn harness(run: &'a Run, order: &Order) -> Self {
        fs::create_dir_all(run.state()).expect("a state folder");
        let file = run.state().join("order.json");
        fs::write(&file, serde_json::to_vec(order).expect("plain data")).expect("written");
        let mut command = Command::new(std::env::current_exe().expect("this program's file"));
        command.args([PLAYER, "--exact", "--nocapture"]).env(ORDER, file).env("LOOPDRILL_BIN", binary());
        Self::start(run, command, "harness.log")
    }

    /// Starts the program itself with these arguments.
    pub(crate) fn program(run: &'a Run, args: &[&str]) -> Self {
        Self::start(run, run.command(args), &format!("{}.log", args[0]))
    }

    fn start(run: &'a Run, mut command: Command, log: &str) -> Self {
        fs::create_dir_all(run.state()).expect("a state folder");
        let log = run.state().join(log);
        let file = fs::File::create(&log).expect("a log");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().expect("it runs");
        Self { run, child, log }
    }

    /// Lets a harness undo.
    pub(crate) fn go_on(&self) {
        fs::write(self.run.state().join(GO_ON), "").expect("written");
    }

    /// Waits until `wanted`, which gets the journal's entries; `false` when the process has ended before, or takes too long.
    pub(crate) fn comes_to(&mut self, limit: Duration, wanted: impl Fn(&Entries) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            // Its last line may be of the moment before its end.
            let is_last = self.has_ended() || Instant::now() > deadline;
            if wanted(&Entries::of(&self.run.state())) {
                return true;
            }
            if is_last {
                return false;
            }
            sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_some()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL is always delivered");
        self.child.wait().expect("the child is ours");
    }

    /// Waits for its end. The error is what it said, or that it hung.
    pub(crate) fn end(mut self) -> Result<(), String> {
        let deadline = Instant::now() + LONG;
        while !self.has_ended() {
            if Instant::now() > deadline {
                self.kill();
                return Err(format!("it did not end within {} s: {}", LONG.as_secs(), self.said()));
            }
            sleep(LOOK_EVERY);
        }
        let status = self.child.wait().expect("the child is ours");
        if status.success() { Ok(()) } else { Err(format!("{status}: {}", self.said())) }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default().trim().replace('\n', " | ")
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many entries of each kind a journal has, which may just be written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Entries {
    intents: usize,
    applied: usize,
    started: usize,
    finished: usize,
    last: Option<Moment>,
    in_force: bool,
    is_there: bool,
}

impl Entries {
    /// Of the only journal in a state folder.
    pub(crate) fn of(state: &Path) -> Self {
        let path = journal::list(state).expect("a readable folder").pop();
        // It goes when all is undone.
        let text = path.and_then(|path| fs::read_to_string(path).ok());
        let entries = Entries { is_there: text.is_some(), ..Self::read(&text.unwrap_or_default()) };
        Entries { in_force: state.join(IN_FORCE).exists(), ..entries }
    }

    fn read(text: &str) -> Self {
        let mut all = Entries::default();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let kind = line.split_once(r#""data":{"entry":""#).and_then(|(_, rest)| rest.split_once('"'));
            let (count, moment) = match kind.map(|(kind, _)| kind) {
                Some("intent") => (&mut all.intents, Moment::Intent),
                Some("applied") => (&mut all.applied, Moment::Applied),
                Some("undo-started") => (&mut all.started, Moment::Undo),
                Some("undo-finished") => (&mut all.finished, Moment::Undone),
                _ => continue,
            };
            *count += 1;
            all.last = Some(moment);
        }
        all
    }

    /// Whether a harness has come to where it is to be killed.
    pub(crate) fn are_at(&self, case: &Case) -> bool {
        match case.moment {
            Moment::Intent => self.intents >= case.nth,
            Moment::Applied => self.applied >= case.nth,
            Moment::InForce => self.in_force,
            Moment::Undo => self.started >= case.nth,
            Moment::Undone => self.finished >= case.nth,
        }
    }

    /// How far it has come really.
    pub(crate) fn moment(&self) -> Moment {
        match self.last {
            Some(Moment::Applied) if self.in_force => Moment::InForce,
            Some(moment) => moment,
            None if self.in_force => Moment::Undone,
            None => Moment::Intent,
        }
    }

    /// How many undos have begun; one of an earlier process counts, too.
    pub(crate) fn undos(&self) -> usize {
        self.started
    }

    /// How many lines of interest there are.
    pub(crate) fn lines(&self) -> usize {
        self.intents + self.applied + self.started + self.finished
    }

    /// Whether something is left to undo.
    pub(crate) fn are_pending(&self) -> bool {
        self.intents > self.finished
    }

    /// Whether all is undone, and verified.
    pub(crate) fn are_closed(&self) -> bool {
        !self.is_there
    }
}

#[test]
fn a_journal_tells_how_far_its_harness_has_come() {
    let line =
        |kind: &str| format!("{{\"seq\":1,\"crc\":2,\"data\":{{\"entry\":\"{kind}\",\"id\":\"x\"}}}}\n");
    let text = ["opened", "intent", "intent", "applied", "applied", "undo-started"].map(line).concat();
    let case = |moment, nth| Case {
        moment,
        nth,
        delay: Duration::ZERO,
        killed: super::moments::Killed::Harness,
        weather: super::moments::Weather::Calm,
    };
    let read = Entries::read(&text);
    assert_eq!((read.intents, read.applied, read.started, read.finished), (2, 2, 1, 0));
    assert_eq!(read.moment(), Moment::Undo);
    assert!(read.are_at(&case(Moment::Applied, 2)) && !read.are_at(&case(Moment::Undo, 2)));
    let cut = Entries::read(&text[..text.len() - 1]);
    assert_eq!((cut.started, cut.moment()), (0, Moment::Applied), "a line without its end is none");
    assert_eq!(Entries { in_force: true, ..cut }.moment(), Moment::InForce);
}
