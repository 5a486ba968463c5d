//! `loopdrill diagnose` as a user runs it, on a real lab: silence, findings, few rights, probes, Ctrl-C, a recording.

mod support;

use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Namespace, Pod, ServiceAccount},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
    config::{AuthInfo, Kubeconfig},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use support::{lab::TestLab, text, wait};
use tokio::runtime::Runtime;

#[test]
fn diagnose_on_a_real_lab() {
    let lab = TestLab::up("diagnose");
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(async { lab.access().await.client.clone().expect("the API answers") });
    let dir = tempfile::tempdir().expect("a folder");

    healthy_is_silent(&lab);
    ctrl_c_ends_it_and_leaves_nothing(&lab, &runtime, &client);

    runtime.block_on(unschedulable_pod(&client));
    once_names_what_is_wrong(&lab);
    another_namespace_is_not_concerned(&lab);
    what_was_recorded_replays_the_same(&lab, dir.path());
    probes_come_and_go(&lab, &runtime, &client);
    a_kubeconfig_is_enough(&lab);
    without_rights_silence_proves_nothing(&lab, &runtime, &client, dir.path());
}

fn diagnose(lab: &TestLab, more: &[&str]) -> Output {
    lab.output(&[&["diagnose", "--lab", &lab.name, "--output", "json"], more].concat())
}

/// The document that was printed, after the exit code was as expected.
fn document(output: &Output, code: i32) -> Value {
    let told = || format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{}", told());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", told()))
}

fn causes(document: &Value) -> Vec<&str> {
    let all = document["diagnoses"].as_array().expect("a list");
    all.iter().map(|d| d["cause"].as_str().unwrap_or_default()).collect()
}

fn healthy_is_silent(lab: &TestLab) {
    let silent = document(&diagnose(lab, &["--for", "10s"]), 0);
    assert_eq!(silent["diagnoses"], json!([]));
    assert!(silent["as_of"].is_string(), "it did look: {silent}");
    let lacking: Vec<_> =
        silent["lacking"].as_array().expect("a list").iter().filter_map(|l| l["source"].as_str()).collect();
    assert!(lacking.iter().all(|s| !s.starts_with("api:")), "{lacking:?}");
}

/// A pod that no node's labels suit.
async fn unschedulable_pod(client: &Client) {
    let namespace: Namespace =
        serde_json::from_value(json!({"metadata": {"name": "shop"}})).expect("a namespace");
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.expect("created");
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "till"},
        "spec": {
            "nodeSelector": {"disk": "ssd"},
            "containers": [{"name": "till", "image": "none.invalid/till:1"}],
        },
    }))
    .expect("a pod");
    Api::namespaced(client.clone(), "shop").create(&PostParams::default(), &pod).await.expect("created");
}

fn once_names_what_is_wrong(lab: &TestLab) {
    let found = document(&diagnose(lab, &["--once"]), 1);
    assert_eq!(causes(&found), ["placement-constraint"], "{found:#}");
    let finding = &found["diagnoses"][0];
    assert_eq!(finding["loop"], "compute");
    let subjects = finding["subjects"].as_array().expect("a list");
    assert!(
        subjects.iter().any(|s| s["kind"] == "Pod" && s["namespace"] == "shop" && s["name"] == "till"),
        "{finding:#}"
    );
    assert!(finding["evidence"].as_array().is_some_and(|e| !e.is_empty()));
    for time in ["first_evidence_at", "diagnosed_at"] {
        assert!(finding[time].is_string(), "{finding:#}");
    }
}

fn another_namespace_is_not_concerned(lab: &TestLab) {
    document(&diagnose(lab, &["--once", "--namespace", "default"]), 0);
    document(&diagnose(lab, &["--once", "--namespace", "shop"]), 1);
}

fn what_was_recorded_replays_the_same(lab: &TestLab, dir: &Path) {
    let file = dir.join("incident.gz");
    let file = file.to_str().expect("a plain path");
    let live = document(&diagnose(lab, &["--for", "10s", "--record", file]), 1);
    let again = lab.output(&["replay", file, "--output", "json"]);
    assert_eq!(document(&again, 1)["diagnoses"], live["diagnoses"]);
}

fn probes_come_and_go(lab: &TestLab, runtime: &Runtime, client: &Client) {
    let found = document(&diagnose(lab, &["--for", "15s", "--probes"]), 1);
    assert_eq!(causes(&found), ["placement-constraint"], "{found:#}");
    let lacking = found["lacking"].as_array().expect("a list");
    assert!(lacking.iter().all(|l| l["source"] != "agents"), "{lacking:?}");
    assert_eq!(ours(runtime, client), Vec::<String>::new());
}

/// Namespaces with a label of ours.
fn ours(runtime: &Runtime, client: &Client) -> Vec<String> {
    let list = ListParams::default().labels(loopdrill_cluster::RUN_LABEL);
    let all = runtime.block_on(Api::<Namespace>::all(client.clone()).list(&list)).expect("a list");
    all.iter().map(ResourceExt::name_any).collect()
}

fn probes_run(runtime: &Runtime, client: &Client) -> bool {
    let running = |pod: &Pod| pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running");
    ours(runtime, client).iter().any(|namespace| {
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        let pods = runtime.block_on(pods.list(&ListParams::default())).expect("a list");
        !pods.items.is_empty() && pods.iter().all(running)
    })
}

fn ctrl_c_ends_it_and_leaves_nothing(lab: &TestLab, runtime: &Runtime, client: &Client) {
    for (more, code) in [(&[][..], 0), (&["--for", "10m"][..], 130)] {
        let args = [&["diagnose", "--lab", &lab.name, "--probes"], more].concat();
        let mut command = lab.run().command(&args);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        assert!(lines.any(|l| l.expect("text").starts_with("watching ")));
        // Not before its pods run, for they are what could be left.
        wait("our probes", Duration::from_secs(300), || probes_run(runtime, client).then_some(()));
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("it lives");
        let told: Vec<_> = lines.map_while(Result::ok).collect();
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{told:?}");
        assert_eq!(ours(runtime, client), Vec::<String>::new());
    }
}

fn kubeconfig(lab: &TestLab) -> PathBuf {
    let output = lab.output(&["lab", "kubeconfig", "--path", "--name", &lab.name]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().into()
}

fn with_kubeconfig(lab: &TestLab, file: &Path, more: &[&str]) -> Output {
    let config = Kubeconfig::read_from(file).expect("a kubeconfig");
    let context = config.current_context.expect("a context");
    let file = file.to_str().expect("a plain path");
    let args = ["diagnose", "--context", &context, "--kubeconfig", file, "--once", "--output", "json"];
    lab.output(&[&args, more].concat())
}

fn a_kubeconfig_is_enough(lab: &TestLab) {
    let found = document(&with_kubeconfig(lab, &kubeconfig(lab), &[]), 1);
    assert_eq!(causes(&found), ["placement-constraint"], "{found:#}");
    let lacking = found["lacking"].as_array().expect("a list");
    assert!(lacking.iter().any(|l| l["source"] == "agents"), "what it does without is said: {lacking:?}");
}

fn without_rights_silence_proves_nothing(lab: &TestLab, runtime: &Runtime, client: &Client, dir: &Path) {
    let token = runtime.block_on(async {
        let account: ServiceAccount =
            serde_json::from_value(json!({"metadata": {"name": "nobody"}})).expect("an account");
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "shop");
        accounts.create(&PostParams::default(), &account).await.expect("created");
        let request: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": []}})).expect("a request");
        let answer = accounts.create_token_request("nobody", &PostParams::default(), &request).await;
        answer.expect("an answer").status.expect("given").token.expect("a token")
    });
    let mut config = Kubeconfig::read_from(kubeconfig(lab)).expect("a kubeconfig");
    for user in &mut config.auth_infos {
        user.auth_info = Some(AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() });
    }
    let file = dir.join("nobody.yaml");
    fs::write(&file, serde_json::to_string(&config).expect("JSON is YAML")).expect("written");
    let output = with_kubeconfig(lab, &file, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("forbidden"), "{}", text(&output.stderr));
    runtime.block_on(async {
        let all = Api::<Namespace>::all(client.clone());
        all.delete("shop", &DeleteParams::default()).await.expect("deleted");
    });
}
