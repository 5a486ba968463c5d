//! The example adapter reads a rival's own output and prints ours. Needs python3.

use loopdrill_model::{Cause, Diagnoses, Loop, Timestamp};
use serde_json::{Value, json};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn adapter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/k8sgpt-adapter")
}

/// Whether this machine lacks what the test needs; said once, and a failure where nothing may be skipped.
fn lacks_python() -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success());
    let required = env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
    assert!(there || !required, "python3 is missing, and LOOPDRILL_REQUIRE is set");
    if !there {
        eprintln!("skipped: python3 is missing on this machine");
    }
    !there
}

/// Runs the adapter over a k8sgpt that prints `output` and exits with `code`.
fn run(output: &str, code: i32) -> Output {
    let dir = tempfile::tempdir().expect("a folder");
    let rival = dir.path().join("k8sgpt");
    fs::write(dir.path().join("output"), output).expect("written");
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = 'analyze --output json' ] || exit 9\ncat {}/output\nexit {code}\n",
        dir.path().display()
    );
    fs::write(&rival, script).expect("written");
    fs::set_permissions(&rival, fs::Permissions::from_mode(0o755)).expect("ours");
    Command::new(adapter()).env("K8SGPT", &rival).output().expect("it starts")
}

/// What it printed, read as a detector's document with the times that the detector adds.
fn document(output: &Output) -> Diagnoses {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for finding in printed["diagnoses"].as_array_mut().expect("a list") {
        finding["first_evidence_at"] = json!(Timestamp::UNIX_EPOCH);
        finding["diagnosed_at"] = json!(Timestamp::UNIX_EPOCH);
        for fact in finding["evidence"].as_array_mut().expect("a list") {
            fact["at"] = json!(Timestamp::UNIX_EPOCH);
        }
    }
    serde_json::from_value(printed).expect("our own form")
}

fn result(kind: &str, name: &str, texts: &[&str]) -> Value {
    let errors: Vec<_> =
        texts.iter().map(|t| json!({ "Text": t, "KubernetesDoc": "", "Sensitive": [] })).collect();
    json!({ "kind": kind, "name": name, "error": errors, "details": "", "parentObject": "" })
}

#[test]
fn its_results_become_diagnoses() {
    if lacks_python() {
        return;
    }
    let cases = [
        (
            "Pod",
            "failed to pull image \"r/x:1\": unexpected status: 401 Unauthorized",
            Loop::Identity,
            Some(Cause::PullUnauthorized),
        ),
        (
            "Pod",
            "rpc error: code = NotFound desc = failed to resolve",
            Loop::Workload,
            Some(Cause::ImageNotFound),
        ),
        ("Pod", "0/3 nodes are available: 2 Insufficient cpu.", Loop::Compute, None),
        (
            "Pod",
            "0/3 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity",
            Loop::Storage,
            Some(Cause::VolumeZoneMismatch),
        ),
        (
            "Node",
            "lab-worker2 has condition of type Ready, reason NodeStatusUnknown: Kubelet stopped posting",
            Loop::Compute,
            Some(Cause::NodeDown),
        ),
        ("Deployment", "Deployment shop/web has 2 replicas but 1 are available", Loop::Workload, None),
    ];
    let results: Vec<_> =
        cases.iter().map(|(kind, text, ..)| result(kind, "shop/thing-0", &[text])).collect();
    let said = json!({ "provider": "", "errors": null, "status": "ProblemDetected", "problems": 6, "results": results });
    let found = document(&run(&said.to_string(), 0)).diagnoses;
    let answers: Vec<_> = found.iter().map(|d| (d.control_loop, d.cause)).collect();
    assert_eq!(answers, cases.map(|(_, _, l, c)| (l, c)));
    assert_eq!(found[0].subjects[0].to_string(), "Pod/shop/thing-0");
    assert!(found[0].evidence[0].value.contains("401"));
    for d in &found {
        assert!(d.cause.is_none_or(|c| c.control_loop() == d.control_loop));
    }
}

#[test]
fn nothing_found_is_no_finding_and_garbage_is_no_silence() {
    if lacks_python() {
        return;
    }
    for healthy in [json!({ "status": "OK", "problems": 0, "results": null }), json!({ "results": [] })] {
        assert!(document(&run(&healthy.to_string(), 0)).diagnoses.is_empty());
    }
    for (garbage, code) in [("oops", 0), ("[]", 0), ("{\"results\": [{}]}", 0), ("{\"results\": []}", 7)] {
        let output = run(garbage, code);
        assert!(!output.status.success() && output.stdout.is_empty(), "{garbage}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).trim().lines().count(), 1, "one clear line");
    }
}
