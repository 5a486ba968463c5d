//! Commands that behave, and commands that do not.

use super::*;
use loopdrill_cluster::Target;
use loopdrill_model::Cause;
use std::{fs, path::Path};
use tokio::task::JoinHandle;

const FOUND: &str = r#"{"diagnoses":[{"loop":"identity","cause":"rbac-denied"}]}"#;
const NOTHING: &str = r#"{"diagnoses":[]}"#;
/// Ends a test that hangs, and judges nothing: a busy machine takes as long as it likes.
const HANGS: Duration = Duration::from_secs(300);

struct Running {
    findings: watch::Receiver<Diagnoses>,
    ready: oneshot::Receiver<()>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), DetectError>>,
}

fn run(command: &str) -> Running {
    run_within(command, HANGS)
}

/// Runs a command that must print its first document in time.
fn run_within(command: &str, first_document: Duration) -> Running {
    let options = ExecOptions { pause: Duration::from_millis(20), first_document, once: false };
    let service = tower::service_fn(|_| async { Err::<http::Response<kube::client::Body>, _>("no cluster") });
    let target = Target {
        name: "none".into(),
        client: kube::Client::new(service, "default"),
        nodes: None,
        image: "none".into(),
        run: "r1".into(),
        facts: Arc::default(),
        kubeconfig: Some("/somewhere/kubeconfig".into()),
    };
    let (out, findings) = watch::channel(Diagnoses::default());
    let (tell, ready) = oneshot::channel();
    let stop = CancellationToken::new();
    let detector = Arc::new(Exec::new(command, options));
    let task = tokio::spawn(detector.run(Arc::new(target), out, tell, stop.clone()));
    Running { findings, ready, stop, task }
}

impl Running {
    async fn wait_for(&mut self, what: impl FnMut(&Diagnoses) -> bool) -> Diagnoses {
        let found = timeout(HANGS, self.findings.wait_for(what)).await;
        found.expect("in time").expect("the detector lives").clone()
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(HANGS, self.task).await.expect("in time").expect("no panic").expect("well");
    }
}

/// The error with which a command is refused that never was any good.
async fn refused(running: Running) -> String {
    let ended = timeout(HANGS, running.task).await.expect("in time");
    ended.expect("no panic").expect_err("refused").to_string()
}

#[tokio::test]
async fn one_document_a_run_and_a_stream_of_them_are_both_read() {
    for command in [
        format!("echo '{FOUND}'"),
        // The exit code of `loopdrill diagnose` with findings.
        format!("echo '{FOUND}'; exit 1"),
        format!("echo '{NOTHING}'; echo '{FOUND}'; sleep 60"),
    ] {
        let mut running = run(&command);
        let found = running.wait_for(|f| !f.diagnoses.is_empty()).await;
        assert_eq!(found.diagnoses[0].cause, Some(Cause::RbacDenied), "{command}");
        assert!(found.as_of.is_some() && found.trouble.is_empty());
        (&mut running.ready).await.expect("ready");
        running.end().await;
    }
}

#[tokio::test]
async fn a_finding_keeps_its_first_time_over_runs_and_goes_with_the_command_that_told_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let flag = dir.path().join("broken");
    let command = format!("if [ -e {} ]; then echo garbage; else echo '{FOUND}'; fi", flag.display());
    let mut running = run(&command);
    let first = running.wait_for(|f| !f.diagnoses.is_empty()).await;
    let later = running.wait_for(|f| f.as_of > first.as_of).await;
    assert_eq!(later.diagnoses, first.diagnoses, "the times of the first run stay");
    fs::write(&flag, "").expect("written");
    let lost = running.wait_for(|f| !f.trouble.is_empty()).await;
    assert!(lost.diagnoses.is_empty() && lost.as_of.is_none());
    assert!(lost.trouble[0].contains("no document of diagnoses"), "{:?}", lost.trouble);
    fs::remove_file(&flag).expect("removed");
    running.wait_for(|f| f.trouble.is_empty() && !f.diagnoses.is_empty()).await;
    running.end().await;
}

#[tokio::test]
async fn whatever_a_command_does_wrong_is_said_and_is_no_finding() {
    for (command, wanted) in [
        ("yes x", "no document of diagnoses"),
        ("printf '{\"diagnoses\":['; while :; do printf '%65536s' ''; done", "more than 4 MiB"),
        ("printf '{\"diagnoses\":[{\"loop\":'", "in the middle of a document"),
        ("echo oops >&2; exit 3", "exit code 3 (it said: oops)"),
        ("exit 1", "exit code 1"),
        ("true", "without a document"),
        ("kill -9 $$", "killed"),
        ("/no/such/program", "exit code 127"),
        ("echo '{\"diagnoses\":[]}'; exit 4", "exit code 4"),
    ] {
        if command.contains("exit 4") {
            let mut running = run(command);
            let lost = running.wait_for(|f| !f.trouble.is_empty()).await;
            assert!(lost.trouble[0].contains(wanted), "{:?}", lost.trouble);
            running.end().await;
            continue;
        }
        let told = refused(run(command)).await;
        assert!(told.contains(wanted), "{command}: {told}");
        assert!(told.contains("run it by hand"), "{told}");
    }
}

#[tokio::test]
async fn a_command_that_says_nothing_is_not_waited_for() {
    let told = refused(run_within("sleep 600", Duration::from_secs(1))).await;
    assert!(told.contains("no document within 1 s"), "{told}");
    assert!(told.contains("run it by hand"), "{told}");
}

/// Whether any process has `mark` among its arguments.
fn lives(mark: &str) -> bool {
    let entries = fs::read_dir("/proc").expect("a Linux machine");
    entries.flatten().any(|e| {
        let line = fs::read(e.path().join("cmdline")).unwrap_or_default();
        let state = fs::read_to_string(e.path().join("stat")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark) && !state.contains(") Z ")
    })
}

#[tokio::test]
async fn nothing_of_a_command_outlives_the_detector() {
    let mark = format!("{}.25", 100_000 + std::process::id());
    // A child that ignores the polite signal, and a command that waits for it.
    let command = format!("(trap '' TERM; sleep {mark}) & echo '{NOTHING}'; trap '' TERM; wait");
    let mut running = run(&command);
    running.wait_for(|f| f.as_of.is_some()).await;
    assert!(lives(&mark));
    running.end().await;
    let gone = async {
        while lives(&mark) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(HANGS, gone).await.expect("the whole process group goes");
}

#[tokio::test]
async fn a_command_is_told_where_the_cluster_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let seen = dir.path().join("seen");
    let mut running = run(&format!("env >{}; echo '{NOTHING}'; sleep 60", seen.display()));
    running.wait_for(|f| f.as_of.is_some()).await;
    let told = fs::read_to_string(Path::new(&seen)).expect("written");
    assert!(told.lines().any(|line| line == "KUBECONFIG=/somewhere/kubeconfig"));
    assert!(!told.lines().any(|line| line.starts_with("LOOPDRILL_")));
    running.end().await;
}

#[test]
fn its_name_is_its_programs() {
    let name = |command| Exec::new(command, ExecOptions::default()).name().to_string();
    assert_eq!(name("/opt/tools/k8sgpt analyze --output json"), "exec:k8sgpt");
    assert_eq!(name("./adapter"), "exec:adapter");
}
