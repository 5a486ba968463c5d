//! What the end-to-end tests share: the binary, a lab, what a run left behind.
//!
//! These tests MUST use the built binary as a user would, and MUST leave nothing behind. They need a Docker
//! engine; without one they fail and say so (`ci/test` starts one), for a skipped proof is none.
#![expect(dead_code, reason = "every test target uses another part of it")]

pub(crate) mod lab;

use loopdrill_faults::{
    UndoAccess,
    journal::{self, Journal, Pending},
};
use loopdrill_model::RunReport;
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The binary under test: the release build where `ci/test` made one, else the one that cargo built.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("LOOPDRILL_BIN").map_or_else(|| env!("CARGO_BIN_EXE_loopdrill").into(), PathBuf::from)
}

/// A process of the binary with a state and an output folder of its own.
pub(crate) struct Run {
    dir: tempfile::TempDir,
    state: PathBuf,
}

impl Run {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Run { state: dir.path().join("state"), dir }
    }

    /// A run that shares its state folder with others.
    pub(crate) fn with_state(state: PathBuf) -> Self {
        Run { state, ..Run::new() }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.state.clone()
    }

    pub(crate) fn report_dir(&self) -> PathBuf {
        self.dir.path().join("report")
    }

    /// A command with the folders set; `run` also gets its output folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).env("LOOPDRILL_STATE", self.state()).stdin(Stdio::null());
        // As wide as where nobody says how wide.
        command.env_remove("COLUMNS");
        if args.first() == Some(&"run") {
            command.arg("--output-dir").arg(self.report_dir());
        }
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary runs")
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    pub(crate) fn report(&self) -> RunReport {
        let path = self.report_dir().join("report.json");
        loopdrill_report::read(&path).unwrap_or_else(|e| panic!("no report: {e}"))
    }

    /// Waits until the event stream holds a line that `wanted` accepts.
    pub(crate) fn wait_for_event(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let path = self.report_dir().join("events.jsonl");
        wait(what, Duration::from_secs(300), || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            text.lines().filter_map(|l| serde_json::from_str(l).ok()).any(|e| wanted(&e)).then_some(())
        });
    }

    /// What the journal of this state folder lists as possibly in force.
    pub(crate) fn pending(&self) -> Vec<Pending> {
        let paths = journal::list(&self.state()).expect("a readable state folder");
        paths
            .iter()
            .flat_map(|path| {
                let found = Journal::recover(path).expect("a readable journal");
                found.map(|(journal, _)| journal.pending()).unwrap_or_default()
            })
            .collect()
    }
}

/// A process of the binary that goes on beside the test, and ends with it: a test that fails leaves none behind.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it; what it prints is lost.
    pub(crate) fn start(mut command: Command) -> Self {
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs"))
    }
}

impl std::ops::Deref for Running {
    type Target = Child;
    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that was waited for is not asked again.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Does one part of a long test, and tells how long it took.
pub(crate) fn part(what: &str, part: impl FnOnce()) {
    let since = Instant::now();
    part();
    eprintln!("pass: {what} ({:.0} s)", since.elapsed().as_secs_f64());
}

/// Tests that look at all that the engine holds run one at a time.
pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Polls until `look` finds something.
pub(crate) fn wait<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {limit:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// All differences between the present state and the snapshots, and what could not be compared.
pub(crate) async fn differences(access: &UndoAccess, pending: &[Pending]) -> Vec<String> {
    let mut all = Vec::new();
    for p in pending {
        match p.change.differences(access).await {
            Ok(found) => all.extend(found),
            Err(e) => all.push(e.to_string()),
        }
    }
    all
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
