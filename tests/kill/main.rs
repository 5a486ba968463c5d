//! `kill -9` at any moment: of a run, of what holds a fault on a node, of both. What was done to nodes ends by itself
//! within its deadline, `loopdrill undo` removes the rest, and the touched state equals the snapshot to the byte.
//!
//! `ci/kill-matrix` runs the matrix.

mod harness;
mod matrix;
mod moments;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod whole;
mod world;

use loopdrill_faults::Change;
use loopdrill_model::Gate;
use std::time::Duration;
use support::{
    Run, differences,
    lab::{TestLab, access},
    text, wait,
};
use tokio::runtime::Runtime;

/// Longer than any heartbeat's tolerance and the restoration after it, on a machine on which all takes longer.
const HEARTBEAT_LOST: Duration = Duration::from_secs(120);

/// Kills a run as soon as its fault is in force, and checks all that must follow.
fn kill_during(lab: &TestLab, fault: &str, variant: &str) {
    eprintln!("killing the harness during {fault}/{variant}");
    let run = lab.run();
    let mut child =
        run.spawn(&["run", "--lab", &lab.name, "--fault", fault, "--variant", variant, "--detector", "none"]);
    run.wait_for_event(&format!("{fault}/{variant} in force"), |event| {
        event["event"] == "gate-answered"
            && event["gate"] == Gate::Injected.name()
            && event["result"]["ok"] == true
    });
    child.kill().expect("SIGKILL is always delivered");
    child.wait().expect("the child is ours");

    let pending = run.pending();
    assert!(!pending.is_empty(), "a fault was in force, so the journal lists it");
    let runtime = Runtime::new().expect("a runtime");
    let access = runtime.block_on(access(&lab.name));

    let (on_nodes, rest): (Vec<_>, Vec<_>) =
        pending.iter().cloned().partition(|p| matches!(&p.change, Change::Node(c) if c.is_held()));
    wait("the end of what was done to nodes, without any undo", HEARTBEAT_LOST, || {
        runtime.block_on(differences(&access, &on_nodes)).is_empty().then_some(())
    });
    if on_nodes.is_empty() {
        assert!(!runtime.block_on(differences(&access, &rest)).is_empty(), "the fault is still in force");
    }

    let refused = run.output(&["run", "--lab", &lab.name, "--fault", fault]);
    assert_eq!(refused.status.code(), Some(2), "a dirty journal refuses a run");
    assert!(text(&refused.stderr).contains("loopdrill undo"), "{}", text(&refused.stderr));

    let undone = run.output(&["undo"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    assert_eq!(runtime.block_on(differences(&access, &pending)), Vec::<String>::new());
    assert!(run.pending().is_empty());
    let again = run.output(&["undo"]);
    assert!(
        again.status.success() && text(&again.stderr).contains("nothing is left"),
        "{}",
        text(&again.stderr)
    );
}

/// Also plays the harness that the matrix kills, and is the matrix itself where that is asked for.
#[test]
fn what_is_killed_at_any_moment_is_undone() {
    if let Some(order) = harness::order() {
        return harness::play(order);
    }
    let _alone = support::alone();
    let wish = matrix::Wish::read();
    let lab = match (&wish.lab, wish.kills) {
        (Some(name), _) => TestLab::there(name),
        (None, Some(_)) => TestLab::with("kill", &["cloud-identity"]),
        (None, None) => TestLab::up("kill"),
    };
    if wish.kills.is_some() {
        return kill_in_matrix(&lab, &wish);
    }
    kill_during(&lab, "revoked-iam", "rbac");
    kill_during(&lab, "revoked-iam", "pull");
    kill_during(&lab, "request-fragmentation", "fillers");
    kill_during(&lab, "overlay-mtu", "df");
    kill_during(&lab, "overlay-mtu", "filtered-icmp");
    kill_during(&lab, "overlay-mtu", "path");
    kill_during(&lab, "cross-az-pvc", "cordon");
    kill_during(&lab, "cross-az-pvc", "node-failure");
    kill_during(&lab, "etcd-disk", "write-iops");
    kill_during(&lab, "api-latency", "slow-admission");
}

fn kill_in_matrix(lab: &TestLab, wish: &matrix::Wish) {
    let tally = matrix::run(lab, wish);
    eprintln!("\n{tally}");
    let failures = tally.failures();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(tally.kills() > 0, "nothing was killed");
}

#[test]
fn a_run_that_was_killed_while_it_made_its_lab_is_swept() {
    let _alone = support::alone();
    let before = support::lab::engine_inventory();
    let run = Run::new();
    let mut child = run.spawn(&["run", "--fault", "control"]);
    let name = wait("the first node container", Duration::from_secs(180), || {
        support::lab::engine_inventory()
            .into_iter()
            .find(|l| l.starts_with("container loopdrill-") && !before.contains(l))
    });
    child.kill().expect("SIGKILL is always delivered");
    child.wait().expect("the child is ours");
    // Any command that provides a cluster sweeps; the lab of this one fails at once for its image. The engine may
    // still be finishing a container that nobody waits for any more, which only a later sweep can see.
    wait(&format!("the end of {name} and of all that came with it"), Duration::from_secs(120), || {
        let next = run.output(&["run", "--fault", "control", "--node-image", "no.such.image:0"]);
        assert_eq!(next.status.code(), Some(3), "{}", text(&next.stderr));
        // A sweep may also take what others had left.
        support::lab::engine_inventory().iter().all(|left| before.contains(left)).then_some(())
    });
}
