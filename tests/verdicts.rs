//! No verdict can be green by accident: a blind detector, a fault that somebody takes away, a fault that cannot be
//! applied, two runs at once, an interruption, a node that dies, on a real lab.

mod support;

use loopdrill_model::{Gate, Outcome};
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};
use support::{lab::TestLab, part, text, wait};

#[test]
fn verdicts_on_a_real_lab() {
    let lab = TestLab::up("verdicts");
    part("no detector", || a_run_without_a_detector_fails(&lab));
    part("a limit that is reset", || a_limit_that_somebody_resets_has_not_manifested(&lab));
    part("a fault that cannot be applied", || a_fault_that_cannot_be_applied_is_not_injected(&lab));
    part("two runs", || two_runs_at_once_are_refused(&lab));
    part("an interrupted run", || an_interrupted_run_cleans_up(&lab));
    part("a node that dies", || a_node_that_dies_mid_drill_is_no_success(&lab));
}

fn a_run_without_a_detector_fails(lab: &TestLab) {
    let run = lab.run();
    let output = run.output(&[
        "run",
        "--lab",
        &lab.name,
        "--detector",
        "none",
        "--fault",
        "control",
        "--fault",
        "revoked-iam",
        "--detect-within",
        "3",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}\n{}", text(&output.stderr), text(&output.stdout));
    let report = run.report();
    assert!(report.drills.len() >= 3);
    for drill in &report.drills {
        assert!(!drill.gate(Gate::Detected).ok, "{}/{} was detected by nothing", drill.fault, drill.variant);
        assert_eq!(drill.outcome, Outcome::Failed(Gate::Detected));
    }
}

/// Resets the throttle behind the drill's back as soon as it is there. The shell that does it waits on the node already: a
/// symptom takes seconds to show, and so may a command that the engine only then starts.
fn a_limit_that_somebody_resets_has_not_manifested(lab: &TestLab) {
    let run = lab.run();
    let node = format!("{}-control-plane", lab.name);
    // The kernel's files have no size, so they are read to see whether a limit is in them.
    let reset = r#"
        read -r now
        for f in $(find /sys/fs/cgroup -name blkio.throttle.write_iops_device 2>/dev/null); do
            awk '{print $1, 0}' "$f" | while read -r l; do echo "$l" >"$f"; done
        done
        for f in $(find /sys/fs/cgroup -name io.max 2>/dev/null); do
            awk '{print $1, "wiops=max"}' "$f" | while read -r l; do echo "$l" >"$f"; done
        done; true"#;
    let resetter = Command::new("docker")
        .args(["exec", "-i", &node, "sh", "-c", reset])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut resetter = resetter.expect("docker runs");
    let mut child = run.spawn(&["run", "--lab", &lab.name, "--fault", "etcd-disk", "--bite-within", "40"]);
    run.wait_for_event("the throttle in force", |e| {
        e["event"] == "gate-answered" && e["gate"] == Gate::Injected.name()
    });
    resetter.stdin.take().expect("piped").write_all(b"now\n").expect("it waits");
    let output = resetter.wait_with_output().expect("docker runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let status = child.wait().expect("the child is ours");
    assert_eq!(status.code(), Some(1));
    let report = run.report();
    assert_eq!(report.drills[0].outcome, Outcome::Failed(Gate::Manifested), "{:#?}", report.drills[0]);
}

/// Somebody else's limit is there already: foreign state is refused, not replaced.
fn a_fault_that_cannot_be_applied_is_not_injected(lab: &TestLab) {
    let node = format!("{}-worker", lab.name);
    let docker = |args: &[&str]| {
        let output = Command::new("docker").args(["exec", &node]).args(args).output().expect("docker runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    // Whichever of the workers the drill chooses must be met, so both overlays are set.
    let other = format!("{}-worker2", lab.name);
    let set = |on: &str| {
        for n in [&node, &other] {
            let output = Command::new("docker")
                .args(["exec", n, "ip", "link", "set", "flannel.1", "type", "vxlan", "df", on])
                .output()
                .expect("docker runs");
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    };
    docker(&["true"]);
    set("set");
    let run = lab.run();
    let output = run.output(&["run", "--lab", &lab.name, "--fault", "overlay-mtu", "--variant", "df"]);
    set("unset");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert_eq!(run.report().drills[0].outcome, Outcome::NotInjected);
}

fn two_runs_at_once_are_refused(lab: &TestLab) {
    let first = lab.run();
    let mut child = first.spawn(&["run", "--lab", &lab.name, "--fault", "control"]);
    first.wait_for_event("the first run's cluster", |e| e["event"] == "cluster-ready");
    let second = lab.run();
    let output = second.output(&["run", "--lab", &lab.name, "--fault", "control"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("in use"), "{}", text(&output.stderr));
    assert_eq!(child.wait().expect("the child is ours").code(), Some(0));
}

fn an_interrupted_run_cleans_up(lab: &TestLab) {
    let run = lab.run();
    let mut child = run.spawn(&["run", "--lab", &lab.name, "--fault", "cross-az-pvc", "--variant", "cordon"]);
    run.wait_for_event("the fault in force", |e| e["event"] == "gate-answered" && e["gate"] == "injected");
    let pid = i32::try_from(child.id()).expect("a pid fits");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)
        .expect("delivered");
    assert_eq!(child.wait().expect("the child is ours").code(), Some(130));
    assert!(run.pending().is_empty(), "interrupted and cleaned");
    let report = run.report();
    assert_eq!(report.drills[0].outcome, Outcome::Interrupted);
}

fn a_node_that_dies_mid_drill_is_no_success(lab: &TestLab) {
    let run = lab.run();
    let drill = ["--fault", "overlay-mtu", "--variant", "df", "--bite-within", "30"];
    let mut child = run.spawn(&[&["run", "--lab", &lab.name], &drill[..]].concat());
    run.wait_for_event("the fault in force", |e| e["event"] == "gate-answered" && e["gate"] == "injected");
    let worker = format!("{}-worker", lab.name);
    let docker = |args: &[&str]| Command::new("docker").args(args).output().expect("docker runs");
    assert!(docker(&["kill", &worker]).status.success());
    let code = child.wait().expect("the child is ours").code();
    assert!(matches!(code, Some(1 | 3 | 5)), "a dead node is no success: {code:?}");
    assert!(docker(&["start", &worker]).status.success());
    // What was left is undone once the node is back, and nothing stays behind.
    wait("a clean journal", Duration::from_secs(300), || {
        run.output(&["undo"]).status.success().then_some(())
    });
    assert!(run.pending().is_empty());
    assert!(fs::read_dir(run.state().join("journal")).is_ok_and(|mut d| d.next().is_none()));
}
