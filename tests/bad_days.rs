//! Bad input and bad days that need no cluster: each gives one clear error with the next step, and its exit code.

mod support;

use std::{fs, net::TcpListener};
use support::{Run, lab::engine_inventory, text};

/// Runs the binary and checks exit code, the words of the message, and that the message is one.
fn expect(run: &Run, args: &[&str], env: &[(&str, &str)], code: i32, words: &[&str]) {
    let output = run.command(args).envs(env.iter().copied()).output().expect("the binary runs");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{args:?} does not say {word:?}: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn no_engine() {
    let run = Run::new();
    let env = [("DOCKER_HOST", "unix:///nonexistent/docker.sock")];
    expect(&run, &["run"], &env, 3, &["no Docker engine", "start one"]);
    expect(&run, &["lab", "up"], &env, 3, &["no Docker engine"]);
}

#[test]
fn wrong_words() {
    let run = Run::new();
    expect(&run, &["run", "--fault", "overlay-mtv"], &[], 2, &["overlay-mtv", "overlay-mtu/df"]);
    expect(&run, &["run", "--variant", "nope"], &[], 2, &["nope"]);
    expect(&run, &["run", "--loop", "netwrok"], &[], 2, &["the loops are identity"]);
    expect(&run, &["run", "--loop", "workload"], &[], 2, &["--loop workload", "--group all"]);
    expect(&run, &["run", "--detector", "psychic"], &[], 2, &["psychic", "builtin"]);
    expect(&run, &["run", "--no-such-flag"], &[], 2, &["--no-such-flag"]);
    expect(&run, &["run", "--context", "staging"], &[], 2, &["--target"]);
    expect(&run, &["run", "--target", "staging.yaml"], &[], 2, &["--context"]);
    expect(&run, &["rbac", "--drills", "--fault", "revoked-aim"], &[], 2, &["did you mean `revoked-iam`?"]);
}

#[test]
fn a_wrong_specification() {
    let run = Run::new();
    let spec = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(spec.path(), "name: x\nnodes:\n  - role: control-plane\n    zome: a\n").expect("written");
    let path = spec.path().display().to_string();
    expect(&run, &["lab", "up", "--spec", &path], &[], 2, &[&path, ":4", "zome"]);
    expect(&run, &["lab", "up", "--spec", "/no/such/file.yaml"], &[], 2, &["/no/such/file.yaml"]);
}

#[test]
fn a_taken_port_and_a_wrong_image_leave_nothing() {
    let _alone = support::alone();
    let before = engine_inventory();
    let run = Run::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let spec = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(spec.path(), format!("name: x\napiPort: {port}\nnodes:\n  - role: control-plane\n"))
        .expect("written");
    let path = spec.path().display().to_string();
    expect(
        &run,
        &["lab", "up", "--name", "test-port", "--spec", &path],
        &[],
        3,
        &[&port.to_string(), "taken"],
    );
    expect(
        &run,
        &["lab", "up", "--name", "test-image", "--node-image", "no.such.image:0"],
        &[],
        3,
        &["no.such.image:0"],
    );
    assert_eq!(engine_inventory(), before);
}

#[test]
fn an_output_folder_that_cannot_be() {
    let run = Run::new();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let below = file.path().join("report").display().to_string();
    let output = std::process::Command::new(support::binary())
        .args(["run", "--output-dir", &below])
        .env("LOOPDRILL_STATE", run.state())
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--output-dir"));
}

#[test]
fn a_damaged_journal_is_named_and_kept() {
    let run = Run::new();
    let folder = run.state().join("journal");
    fs::create_dir_all(&folder).expect("created");
    fs::write(folder.join("kind-x.jsonl"), "garbage\n").expect("written");
    expect(&run, &["undo"], &[], 2, &["kind-x.jsonl:1", "not a journal line"]);
    assert!(folder.join("kind-x.jsonl").exists(), "nothing is lost");
}

#[test]
fn dry_run_touches_nothing() {
    let _alone = support::alone();
    let before = engine_inventory();
    let run = Run::new();
    let output = run.output(&["run", "--dry-run"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    for fault in ["revoked-iam/rbac", "overlay-mtu/df", "cross-az-pvc/cordon", "etcd-disk"] {
        assert!(said.contains(fault), "{fault} is not in:\n{said}");
    }
    assert!(said.contains("blast radius"));
    assert_eq!(engine_inventory(), before);
}
