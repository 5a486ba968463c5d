//! The readiness checklist on real labs: `naive` fails for the right reasons, `hardened` fails nothing, and a check
//! leaves a cluster as it was.
//!
//! Needs a container engine; makes two labs, one after the other.

mod support;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt, api::ListParams};
use loopdrill_checklist::{Evidence, Results, Status, checks};
use loopdrill_model::{Outcome, RunReport};
use serde_json::Value;
use std::{fs, process::Output};
use support::{alone, lab::TestLab, text};

/// What the naive profile cannot break, with why.
const NOT_BROKEN: [(&str, &str); 6] = [
    ("NE-03", "a wrong MTU would break the lab itself"),
    ("NE-04", "the same"),
    ("CP-01", "measures this machine's disk"),
    ("CP-02", "measures this machine"),
    ("CP-03", "a lab has one control-plane node, which is a warning"),
    ("CP-04", "a lab's certificates are new"),
];

#[test]
fn naive_fails_and_says_why() {
    let _alone = alone();
    let lab = TestLab::with_profile("naive", "naive");
    let before = namespaces(&lab);
    let results = check(&lab, &["--probes"], 1);
    for check in checks::all().filter(|c| NOT_BROKEN.iter().all(|(id, _)| *id != c.id)) {
        let result = results.get(check.id).expect("every check has a result");
        assert_eq!(result.status, Status::Fail, "{}: {:?}", check.id, result.evidence);
    }
    assert!(results.count(Status::Fail) >= 24, "{}", results.count(Status::Fail));
    for id in ["NE-03", "NE-04"] {
        assert_eq!(results.get(id).map(|r| r.status), Some(Status::Pass), "{id}");
    }
    assert_eq!(namespaces(&lab), before, "a check leaves nothing behind");
    a_snapshot_gives_the_same_results_and_holds_no_secret(&lab, &results);
    let (report, predictions) = drilled(&lab, "predicted and bitten");
    for drill in &report.drills {
        assert!(drill.gates.manifested.ok, "{}/{} did not bite: {drill:?}", drill.fault, drill.variant);
    }
    for fault in DRILLED {
        assert_eq!(agreement(&predictions, fault), "predicted-and-bitten", "{predictions:#}");
    }
}

/// Faults that the remedies of the hardened profile stop, and that bite without them.
const DRILLED: [&str; 2] = ["request-fragmentation", "cross-az-pvc"];

/// Runs them beside the checklist.
fn drilled(lab: &TestLab, told: &str) -> (RunReport, Value) {
    let run = lab.run();
    let output = run.output(&[
        "run",
        "--lab",
        &lab.name,
        "--check",
        "--no-record",
        "--bite-within",
        "40",
        "--fault",
        DRILLED[0],
        "--variant",
        "fillers",
        "--fault",
        DRILLED[1],
        "--variant",
        "immediate",
    ]);
    let table = text(&output.stdout);
    assert_eq!(table.matches(told).count(), 2, "{table}\n{}", text(&output.stderr));
    let file = fs::read_to_string(run.report_dir().join("predictions.json")).expect("it was written");
    (run.report(), serde_json::from_str(&file).expect("JSON"))
}

fn agreement<'a>(predictions: &'a Value, fault: &str) -> &'a str {
    let all = predictions["predictions"].as_array().expect("a list");
    let of = all.iter().find(|p| p["fault"] == fault).expect("every fault is there");
    of["agreement"].as_str().expect("a word")
}

fn a_snapshot_gives_the_same_results_and_holds_no_secret(lab: &TestLab, live: &Results) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("snapshot.json");
    let file = path.to_str().expect("a plain path");
    check(lab, &["--save", file], 1);
    let saved = fs::read_to_string(&path).expect("it was written");
    for secret in ["AKIAIOSFODNN7EXAMPLE", "QUtJQUlPU0ZPRE5ON0VYQU1QTEU", "expires-soon"] {
        assert!(!saved.contains(secret), "the snapshot holds {secret}");
    }
    let offline = results(&lab.output(&["check", "--snapshot", file, "--output", "json"]), 1);
    let lasting = |r: &Results| {
        let of = r.checks.iter().filter(|c| c.status == Status::Fail && !c.id.starts_with("CP"));
        of.map(|c| c.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(lasting(&offline), lasting(live));
}

#[test]
fn hardened_fails_nothing() {
    let _alone = alone();
    let lab = TestLab::with_profile("hardened", "hardened");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/profiles/hardened/check.yaml");
    // How fast a machine is on which other tests run is no fault of the profile.
    let machine = ["--ignore", "CP-01", "--ignore", "CP-02"];
    let results = check(&lab, &[&["--probes", "--config", config], &machine[..]].concat(), 0);
    assert_eq!(results.checks.len(), checks::all().count() - 2);
    for result in &results.checks {
        let expected: &[Status] = match result.id.as_str() {
            // No Prometheus in the lab.
            "OB-01" | "OB-02" => &[Status::Skip],
            // One control-plane node.
            "CP-03" => &[Status::Warn],
            _ => &[Status::Pass],
        };
        assert!(expected.contains(&result.status), "{}: {} {:?}", result.id, result.status, result.evidence);
    }
    let (report, predictions) = drilled(&lab, "ready and held");
    for drill in &report.drills {
        assert!(drill.gates.injected.ok, "{}/{}: {drill:?}", drill.fault, drill.variant);
        assert_eq!(drill.outcome, Outcome::Resilient, "{}/{}: {drill:?}", drill.fault, drill.variant);
        let held = &drill.gates.manifested.evidence;
        assert!(!held.is_empty(), "{}/{} was held by nothing that can be seen", drill.fault, drill.variant);
    }
    for fault in DRILLED {
        assert_eq!(agreement(&predictions, fault), "ready-and-held", "{predictions:#}");
    }
}

#[test]
fn the_profiles_manifests_are_judged_alike_before_they_are_applied() {
    let run = support::Run::new();
    let profile = |name: &str| format!("{}/suites/profiles/{name}", env!("CARGO_MANIFEST_DIR"));
    let naive = results(&run.output(&["check", &profile("naive"), "--output", "json"]), 1);
    for id in [
        "ID-01", "ID-02", "ID-03", "ID-04", "ID-05", "CO-01", "CO-04", "NE-01", "NE-02", "NE-05", "ST-01",
        "ST-03",
    ] {
        assert_eq!(naive.get(id).map(|r| r.status), Some(Status::Fail), "{id}");
    }
    let good: Vec<String> =
        ["platform", "web", "orders", "headroom"].map(|f| format!("{}/{f}.yaml", profile("hardened"))).into();
    let args: Vec<&str> =
        ["check", "--output", "json"].into_iter().chain(good.iter().map(String::as_str)).collect();
    let hardened = results(&run.output(&args), 0);
    assert_eq!(hardened.count(Status::Fail), 0);
    assert!(hardened.count(Status::Pass) >= 12, "{}", hardened.count(Status::Pass));
}

#[test]
fn bad_input_is_told_and_never_passes() {
    let run = support::Run::new();
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("a plain path").to_string()
    };
    let refused = |args: &[&str], words: &str| {
        let output = run.output(args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(words), "{args:?}: {told}");
    };
    let template = file("t.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n");
    refused(&["check", &template], "t.yaml:4: this is a template");
    refused(&["check", &file("x.yaml", "just text")], "is no Kubernetes object");
    refused(&["check", &file("y.yaml", "a: [1\n")], "this is not YAML");
    refused(&["check", "/nowhere"], "cannot read /nowhere");
    refused(&["check"], "say what to check");
    let kubeconfig = file("kubeconfig", "apiVersion: v1\nkind: Config\n");
    refused(&["check", "--kubeconfig", &kubeconfig, "--context", "nowhere"], "there is no context nowhere");
    refused(&["check", "--snapshot", &file("s.json", "{}")], "is no snapshot");
    refused(&["explain", "CO-99"], "there is no such check");
    let pod =
        file("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n");
    let old = file("c.yaml", "exceptions:\n- check: CO-01\n  reason: x\n  expires: 2020-01-01\n");
    refused(&["check", &pod, "--config", &old], "c.yaml:2: the exception for CO-01 expired");
    let unknown = file("d.yaml", "exceptions:\n- check: XX-01\n  reason: x\n  expires: 2099-01-01\n");
    refused(&["check", &pod, "--config", &unknown], "d.yaml:2: there is no check \"XX-01\"");
}

fn check(lab: &TestLab, more: &[&str], code: i32) -> Results {
    let args = [&["check", "--lab", &lab.name, "--output", "json"], more].concat();
    results(&lab.output(&args), code)
}

fn results(output: &Output, code: i32) -> Results {
    let told = || format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    let results = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", told()));
    assert_eq!(output.status.code(), Some(code), "failed: {:#?}\n{}", failed(&results), text(&output.stderr));
    results
}

/// What failed and why, without the remedies and all that passed.
fn failed(results: &Results) -> Vec<(&str, Vec<String>)> {
    let failed = results.checks.iter().filter(|c| c.status == Status::Fail);
    let why = |e: &Evidence| format!("{}: {}", e.object, e.value);
    failed.map(|c| (c.id.as_str(), c.evidence.iter().map(why).collect())).collect()
}

/// The cluster's namespaces, of which a probe would leave one.
fn namespaces(lab: &TestLab) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = lab.means().await.client.clone().expect("the lab's API answers");
        let all = Api::<Namespace>::all(client).list(&ListParams::default()).await.expect("a list");
        all.iter().map(ResourceExt::name_any).collect()
    })
}
