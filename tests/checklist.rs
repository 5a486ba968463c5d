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
const NOT_BROKEN: [(&str, &str); 7] = [
    ("NE-03", "a wrong MTU would break the lab itself"),
    ("NE-04", "the same"),
    ("CO-11", "the API server refuses such an object"),
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
            // It has neither an autoscaler nor a CronJob, and its workloads name no ConfigMap or Secret.
            "CO-08" | "CO-09" | "CO-13" => &[Status::Skip],
            // One control-plane node.
            "CP-03" => &[Status::Warn],
            _ => &[Status::Pass],
        };
        assert!(expected.contains(&result.status), "{}: {} {:?}", result.id, result.status, result.evidence);
    }
    let (report, predictions) = drilled(&lab, "ready and resilient");
    for drill in &report.drills {
        assert!(drill.gates.injected.ok, "{}/{}: {drill:?}", drill.fault, drill.variant);
        assert_eq!(drill.outcome, Outcome::Resilient, "{}/{}: {drill:?}", drill.fault, drill.variant);
        let held = &drill.gates.manifested.evidence;
        assert!(!held.is_empty(), "{}/{} was held by nothing that can be seen", drill.fault, drill.variant);
    }
    for fault in DRILLED {
        assert_eq!(agreement(&predictions, fault), "ready-and-resilient", "{predictions:#}");
    }
}

#[test]
fn the_profiles_manifests_are_judged_alike_before_they_are_applied() {
    let run = support::Run::new();
    let profile = |name: &str| format!("{}/suites/profiles/{name}", env!("CARGO_MANIFEST_DIR"));
    let naive = results(&run.output(&["check", &profile("naive"), "--output", "json"]), 1);
    for id in [
        "ID-01", "ID-02", "ID-03", "ID-04", "ID-05", "ID-07", "CO-01", "CO-12", "CO-13", "NE-01", "NE-02",
        "NE-05", "NE-09", "ST-01", "ST-03",
    ] {
        assert_eq!(naive.get(id).map(|r| r.status), Some(Status::Fail), "{id}");
    }
    // What these ask for may come from elsewhere.
    for id in ["CO-03", "CO-04", "ID-06", "CO-08", "CO-09", "CO-10", "NE-06", "NE-07", "NE-08", "ST-06"] {
        assert_eq!(naive.get(id).map(|r| r.status), Some(Status::Warn), "{id}");
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
    refused(&["check", &file("y.yaml", "apiVersion: v1\nkind: Pod\na: [1\n")], "y.yaml:");
    refused(&["check", "/nowhere"], "cannot read /nowhere");
    refused(&["check"], "say what to check");
    let kubeconfig = file("kubeconfig", "apiVersion: v1\nkind: Config\n");
    refused(&["check", "--kubeconfig", &kubeconfig, "--context", "nowhere"], "there is no context nowhere");
    refused(&["check", "--snapshot", &file("s.json", "{}")], "is no snapshot");
    refused(&["explain", "CO-99"], "nothing is called CO-99");
    let pod =
        file("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n");
    let old = file("c.yaml", "exceptions:\n- check: CO-01\n  reason: x\n  expires: 2020-01-01\n");
    refused(&["check", &pod, "--config", &old], "c.yaml:2: the exception for CO-01 expired");
    let unknown = file("d.yaml", "exceptions:\n- check: XX-01\n  reason: x\n  expires: 2099-01-01\n");
    refused(&["check", &pod, "--config", &unknown], "d.yaml:2: there is no check \"XX-01\"");
}

#[test]
fn one_file_never_voids_a_run() {
    let run = support::Run::new();
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    let root = dir.path().to_str().expect("a plain path");
    write("values.yaml", "replicas: 2\n");
    write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    write("chart/templates/pod.yaml", "kind: Pod\nmetadata:\n  name: {{ .Values.name }}\n");
    let empty = run.output(&["check", root]);
    assert_eq!(empty.status.code(), Some(0), "{}", text(&empty.stderr));
    let told = text(&empty.stderr);
    assert!(told.contains("nothing to judge") && told.contains("helm template"), "{told}");
    assert_eq!(run.output(&["check", root, "--require"]).status.code(), Some(1));
    write("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n");
    let judged: Value =
        serde_json::from_slice(&run.output(&["check", root, "--output", "json"]).stdout).expect("JSON");
    assert_eq!(judged["input"]["objects"], 1, "{judged:#}");
    assert!(judged["input"]["no_manifests"].as_array().is_some_and(|a| !a.is_empty()), "{judged:#}");
    let fails = |v: &Value| v["checks"].as_array().is_some_and(|c| c.iter().any(|c| c["status"] == "fail"));
    assert!(fails(&judged));
    write("broken.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: q\n");
    let broken = run.output(&["check", root, "--output", "json"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(text(&broken.stderr).contains("broken.yaml:"), "{}", text(&broken.stderr));
    assert!(fails(&serde_json::from_slice(&broken.stdout).expect("JSON")), "the rest is judged");
}

#[test]
fn what_can_be_patched_is_written_for_kustomize() {
    let run = support::Run::new();
    let dir = tempfile::tempdir().expect("a folder");
    let fix = dir.path().join("fix");
    let fix = fix.to_str().expect("a plain path");
    let naive = format!("{}/suites/profiles/naive", env!("CARGO_MANIFEST_DIR"));
    let output = run.output(&["check", &naive, "--by", "object", "--fix", fix]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).lines().all(|l| l.chars().count() <= 80 || l.starts_with("    ")));
    let component = fs::read_to_string(format!("{fix}/kustomization.yaml")).expect("it was written");
    let component: Value = serde_yaml::from_str(&component).expect("YAML");
    assert_eq!(component["kind"], "Component");
    let patches = component["patches"].as_array().expect("patches");
    // An object of an older version is found by its kind and name.
    assert!(patches.iter().all(|p| p["target"]["name"].is_string()), "{component:?}");
    let patches = patches.iter().map(|p| p["path"].clone());
    let files: Vec<Value> =
        patches.chain(component["resources"].as_array().expect("new objects").clone()).collect();
    assert!(files.contains(&Value::from("deployment-shop-web.yaml")), "{files:?}");
    for file in files {
        let text =
            fs::read_to_string(format!("{fix}/{}", file.as_str().expect("a name"))).expect("it was written");
        let object: Value = serde_yaml::from_str(&text).expect("YAML");
        assert!(object["kind"].is_string() && object["metadata"]["name"].is_string(), "{object}");
    }
    assert_eq!(run.output(&["check", &naive, "--fix", fix]).status.code(), Some(2), "nothing is overwritten");
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
        let client = lab.access().await.client.clone().expect("the lab's API answers");
        let all = Api::<Namespace>::all(client).list(&ListParams::default()).await.expect("a list");
        all.iter().map(ResourceExt::name_any).collect()
    })
}
