use super::*;
use crate::reduce;
use crate::sink::Sink;
use k8s_openapi::api::core::v1 as api;
use loopdrill_model::signal::{Controller, Probe, ProbePath, ProbeResult, SourceState};
use loopdrill_model::{Source, Subject};
use serde_json::{Value, json};

/// Never to be seen again.
const CANARY: &str = "CaNaRy0123456789";

/// Texts that hold the canary as a cluster's messages hold credentials.
fn leaks() -> Vec<String> {
    let jwt = format!("eyJhbGciOiJSUzI1NiJ9.{CANARY}.{CANARY}");
    vec![
        format!("Unable to authenticate the request: token {jwt} is expired"),
        format!("unexpected status: Authorization: Bearer {CANARY}: 401 Unauthorized"),
        format!("header `authorization: basic {CANARY}==` was refused"),
        format!("failed to pull: Get \"https://robot:{CANARY}@registry.example/v2/\": 403 Forbidden"),
        format!("Get \"https://r.example/t?service=r&access_token={CANARY}&scope=pull\": EOF"),
        format!("https://b.s3/x?X-Amz-Credential={CANARY}&X-Amz-Signature={CANARY}&X-Amz-Date=1"),
        format!("mount failed: options secret={CANARY},rw password={CANARY}"),
        format!("admission webhook denied the request: {{\"auth\": \"{CANARY}\", \"api_key\":\"{CANARY}\"}}"),
        format!("login with password: {CANARY} was refused"),
        format!("login with password: {} was refused", CANARY.to_lowercase()),
        format!("password: authentication{CANARY} required"),
        format!("password: unauthorized{CANARY}"),
        format!("key AKIA{} is not known", "CANARY0123456789"),
        format!("remote: ghp_{CANARY}{CANARY} is not allowed"),
        format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n{CANARY}\n-----END RSA PRIVATE KEY-----"),
    ]
}

async fn sent(signal: Signal) -> String {
    let (tx, mut rx) = tokio::sync::mpsc::channel(1);
    Sink::new(tx).send(&Source::other("test"), signal).await.expect("somebody listens");
    serde_json::to_string(&rx.recv().await.expect("one was sent")).expect("plain data")
}

fn event_of(reason: &str, message: &str) -> Signal {
    let object = json!({
        "metadata": {"name": "e", "namespace": "n", "annotations": {"a": CANARY}},
        "involvedObject": {"kind": "Pod", "namespace": "n", "name": "p"},
        "reason": reason, "message": message, "type": "Warning",
    });
    Signal::Event(reduce::event(&typed::<api::Event>(object)))
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object")
}

fn assert_gone(printed: &str, of: &str) {
    assert!(!printed.to_lowercase().contains("canary"), "{of}\nbecame\n{printed}");
}

/// A pod with the canary wherever a pod can hold text that nobody needs.
fn pod_with(message: &str) -> Signal {
    let container = json!({
        "name": "app", "image": format!("r.example/app:1"), "args": [CANARY], "command": [CANARY],
        "env": [{"name": "TOKEN", "value": CANARY}],
        "livenessProbe": {"exec": {"command": [CANARY]}},
    });
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": CANARY}});
    let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": message}});
    let object = json!({
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "annotations": {"a": CANARY}},
        "spec": {"containers": [container], "volumes": [{"name": "v", "csi": {"driver": "d",
            "volumeAttributes": {"token": CANARY}}}]},
        "status": {
            "phase": "Failed", "reason": "Evicted", "message": message,
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "x", "message": message}],
            "containerStatuses": [{"name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 1,
                "state": waiting, "lastState": ended}],
        },
    });
    Signal::Pod(Box::new(reduce::pod(&typed::<api::Pod>(object))))
}

/// Every signal that has a text, with this one in it.
fn all_with(message: &str) -> Vec<Signal> {
    let text = || message.to_owned();
    let controller = Controller {
        kind: "ReplicaSet".into(),
        namespace: "n".into(),
        name: "r".into(),
        uid: "u".into(),
        version: 1,
        owner: Some(Subject::new("Deployment", "n", "d")),
        desired: 1,
        ready: 0,
        troubles: vec![("ReplicaFailure".into(), "FailedCreate".into(), text())],
        ..Controller::default()
    };
    let result = ProbeResult::Refused(text());
    let probe = Probe { from: "a".into(), to: "b".into(), path: ProbePath::Dns, bytes: 1, result };
    let state = SourceState { name: Source::api("pods"), lost: Some(text()) };
    let condition = json!({"type": "Ready", "status": "False", "message": message});
    let pressure = json!({"type": "DiskPressure", "status": "True", "message": message});
    let node = json!({"metadata": {"name": "n"}, "status": {"conditions": [condition, pressure]}});
    let resizing = json!({"type": "ControllerResizeError", "status": "True", "message": message});
    let claim = json!({"metadata": {"name": "c"}, "status": {"conditions": [resizing]}});
    vec![
        pod_with(message),
        Signal::Node(reduce::node(&typed::<api::Node>(node))),
        Signal::Claim(reduce::storage::claim(&typed::<api::PersistentVolumeClaim>(claim))),
        event_of("Failed", message),
        Signal::Controller(controller),
        Signal::Probe(probe),
        Signal::SourceState(state),
    ]
}

#[tokio::test]
async fn no_credential_leaves() {
    for leak in leaks() {
        for signal in all_with(&leak) {
            assert_gone(&sent(signal).await, &leak);
        }
    }
}

#[tokio::test]
async fn nothing_that_a_program_printed_leaves() {
    let cases = [
        ("Unhealthy", format!("Liveness probe failed: my key is {CANARY}")),
        ("Unhealthy", format!("Startup probe failed: {CANARY}\nmore")),
        ("Unhealthy", format!("Readiness probe errored and resulted in unknown state: {CANARY}")),
        ("ProbeWarning", format!("Readiness probe warning: {CANARY}")),
        ("FailedPostStartHook", format!("PostStartHook failed: error: exit 1, message: \"{CANARY}\"")),
    ];
    for (reason, message) in cases {
        let printed = sent(event_of(reason, &message)).await;
        assert_gone(&printed, &message);
        let intro = message.split(['E', ':']).next().unwrap_or_default();
        assert!(printed.contains(intro), "how it failed must stay: {printed}");
    }
}

#[test]
fn what_attribution_lives_on_stays() {
    let all = [
        "Liveness probe failed: HTTP probe failed with statuscode: 503",
        "Readiness probe failed: Get \"http://10.0.0.1:80/\": context deadline exceeded",
        "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused",
        "failed to pull and unpack image \"r:5000/a/b:1\": failed to resolve reference \"r:5000/a/b:1\": unexpected \
         status from HEAD request to https://r:5000/v2/a/b/manifests/1: 401 Unauthorized",
        "failed to authorize: failed to fetch oauth token: Post \"https://r/token\": dial tcp: lookup r: no such host",
        "failed to fetch anonymous token: unexpected status from GET request to https://r/token?scope=repository%3Aa: \
         401 Unauthorized: authentication required, no basic auth credentials",
        "unable to retrieve auth token: invalid username/password: authentication required",
        "invalid username/password: unauthorized: access to the requested resource is not authorized",
        "MountVolume.SetUp failed for volume \"v\" : secret \"password\" not found",
        "basic authentication is disabled",
        "pods \"a\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1",
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu.",
        "Unable to authenticate the request: [invalid bearer token, token audiences [\"a\"] is invalid]",
    ];
    for message in all {
        let mut sent = event_of("Unhealthy", message);
        signal(&mut sent);
        let Signal::Event(kept) = sent else { panic!("an event was made") };
        assert_eq!(kept.message, message);
    }
}

#[test]
fn all_patterns_compile_and_without_one_of_them_no_text_leaves() {
    assert!(PATTERNS.is_ok(), "{:?}", PATTERNS.as_ref().err());
    let broken = Patterns::new(HEADER, &[("(", Keep::Nothing)]);
    for leak in leaks() {
        let mut text = leak.clone();
        take_out(broken.as_ref(), &mut text);
        assert_eq!(text, GONE, "{leak}");
    }
    assert!(Patterns::new("(", SECRETS).is_err());
}
