//! A Prometheus in memory, behind the API server's proxy.

use super::*;
use loopdrill_model::{Cause, Loop};
use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

const RULES: &str = r#"{"status":"success","data":{"groups":[{"interval":1,"rules":[{"name":"A","duration":0,"labels":{"loop":"network"}}]}]}}"#;
const TARGETS: &str = r#"{"status":"success","data":{"activeTargets":[{"scrapeInterval":"1s"}]}}"#;

fn fires(labels: &str, state: &str) -> String {
    format!(
        r#"{{"status":"success","data":{{"alerts":[{{"labels":{labels},"annotations":{{"confidence":"0.9","summary":"s"}},
        "state":"{state}","activeAt":"2026-11-24T12:00:00Z","value":"1e+00"}}]}}}}"#
    )
}

/// What it says when it is asked for alerts: status and body.
type Says = Arc<Mutex<(u16, String)>>;

fn target(says: &Says, rules: &'static str) -> Arc<Target> {
    let says = Arc::clone(says);
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let path = request.uri().path().to_string();
        assert!(path.starts_with(IN_A_LAB), "{path}");
        let (status, body) = match path.trim_start_matches(IN_A_LAB) {
            "/api/v1/rules" => (200, rules.to_string()),
            "/api/v1/targets" => (200, TARGETS.to_string()),
            "/api/v1/alerts" => says.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            _ => (404, "{}".to_string()),
        };
        let response =
            http::Response::builder().status(status).body(kube::client::Body::from(body.into_bytes()));
        async move { Ok::<_, std::convert::Infallible>(response.expect("valid")) }
    });
    Arc::new(Target {
        name: "memory".into(),
        client: Client::new(service, "default"),
        nodes: None,
        image: "none".into(),
        run: "r1".into(),
        facts: Arc::default(),
        kubeconfig: None,
    })
}

struct Running {
    says: Says,
    findings: watch::Receiver<Diagnoses>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), DetectError>>,
}

fn run(status: u16, body: &str, rules: &'static str) -> Running {
    let says: Says = Arc::new(Mutex::new((status, body.to_string())));
    let (out, findings) = watch::channel(Diagnoses::default());
    let (ready, _) = oneshot::channel();
    let stop = CancellationToken::new();
    let detector = Arc::new(Prometheus::new(PrometheusOptions::default()));
    let task = tokio::spawn(detector.run(target(&says, rules), out, ready, stop.clone()));
    Running { says, findings, stop, task }
}

impl Running {
    fn say(&self, status: u16, body: &str) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = (status, body.to_string());
    }

    async fn wait_for(&mut self, what: impl FnMut(&Diagnoses) -> bool) -> Diagnoses {
        let found = timeout(Duration::from_secs(300), self.findings.wait_for(what)).await;
        found.expect("in time").expect("the detector lives").clone()
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("no panic").expect("ends well");
    }
}

const MTU: &str = r#"{"alertname":"A","loop":"network","cause":"overlay-mtu","node":"n1"}"#;

#[tokio::test(start_paused = true)]
async fn what_fires_is_a_finding_and_what_is_pending_or_of_no_loop_is_none() {
    let mut running = run(200, &fires(MTU, "pending"), RULES);
    assert!(running.wait_for(|f| f.as_of.is_some()).await.diagnoses.is_empty());
    running.say(200, &fires(MTU, "firing"));
    let found = running.wait_for(|f| !f.diagnoses.is_empty()).await.diagnoses.remove(0);
    assert_eq!((found.control_loop, found.cause), (Loop::Network, Some(Cause::OverlayMtu)));
    assert_eq!((found.subjects[0].to_string().as_str(), found.confidence), ("Node/n1", 0.9));
    assert_eq!(found.first_evidence_at.to_string(), "2026-11-24T12:00:00Z");
    running.say(200, &fires(r#"{"alertname":"Theirs","pod":"p"}"#, "firing"));
    running.wait_for(|f| f.diagnoses.is_empty()).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn garbage_and_silence_invent_nothing_and_are_told() {
    for (status, body) in [(200, "<html>"), (200, "{}"), (503, "no"), (404, "{}")] {
        let mut running = run(200, &fires(MTU, "firing"), RULES);
        let before = running.wait_for(|f| !f.diagnoses.is_empty()).await;
        running.say(status, body);
        // For a while the last answer stands; then nothing is known any more.
        let lost = running.wait_for(|f| f.diagnoses != before.diagnoses).await;
        assert!(lost.diagnoses.is_empty() && lost.as_of.is_none(), "{body}");
        assert!(lost.trouble[0].contains("does not tell its alerts"), "{:?}", lost.trouble);
        running.say(200, &fires(MTU, "firing"));
        running.wait_for(|f| !f.diagnoses.is_empty() && f.trouble.is_empty()).await;
        running.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_run_begins_without_an_answer_or_with_rules_of_no_loop() {
    let refused =
        |running: Running| async { running.task.await.expect("no panic").expect_err("refused").to_string() };
    let told = refused(run(404, "{}", RULES)).await;
    assert!(told.contains("lab up --with monitoring"), "{told}");
    let told = refused(run(200, "garbage", RULES)).await;
    assert!(told.contains("none of Prometheus or Alertmanager"), "{told}");
    let told = refused(run(503, "down", RULES)).await;
    assert!(told.contains("503"), "{told}");
    const THEIRS: &str = r#"{"data":{"groups":[{"interval":1,"rules":[{"name":"Theirs","duration":900}]}]}}"#;
    let told = refused(run(200, &fires(MTU, "firing"), THEIRS)).await;
    assert!(told.contains("none of its 1 alert rules names a loop"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn rules_that_are_too_slow_are_told_before_anything_is_injected() {
    const SLOW: &str = r#"{"data":{"groups":[{"interval":30,"rules":[{"name":"A","duration":900,"labels":{"loop":"network"}}]}]}}"#;
    let mut running = run(200, &fires(MTU, "pending"), SLOW);
    let first = running.wait_for(|f| f.as_of.is_some()).await;
    assert!(
        first.trouble[0].contains("1 of 1 rules cannot fire within the budget of 20 s"),
        "{:?}",
        first.trouble
    );
    running.end().await;
}

#[test]
fn an_alertmanagers_answer_is_read_too_and_what_is_silenced_does_not_fire() {
    let of = |state: &str| {
        format!(
            r#"[{{"labels":{{"alertname":"A","loop":"storage","namespace":"shop","persistentvolumeclaim":"data"}},
            "annotations":{{}},"startsAt":"2026-11-24T12:00:00Z","status":{{"state":"{state}"}}}}]"#
        )
    };
    let alerts = answer::alerts(&of("active")).expect("readable");
    let found = alerts[0].diagnosis(&Mapping::default(), Timestamp::now()).expect("it names its loop");
    assert_eq!((found.control_loop, found.cause), (Loop::Storage, None));
    assert_eq!(found.subjects[0].to_string(), "PersistentVolumeClaim/shop/data");
    assert!(!answer::alerts(&of("suppressed")).expect("readable")[0].firing);
}

#[test]
fn a_file_says_what_alerts_without_labels_mean() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "KubePodCrashLooping: {{loop: workload}}\nMine: {{loop: network, cause: overlay-mtu}}")
        .expect("written");
    let mapping = Mapping::read(file.path()).expect("readable");
    let meaning = |name: &str| mapping.meaning(name, &Default::default()).map(|m| (m.control_loop, m.cause));
    assert_eq!(meaning("KubePodCrashLooping"), Some((Loop::Workload, None)));
    assert_eq!(meaning("Mine"), Some((Loop::Network, Some(Cause::OverlayMtu))));
    assert_eq!(meaning("Other"), None);
    for wrong in ["A: {loop: dns}", "A: network", "[]", "A: {loop: network, cause: rbac-denied}"] {
        std::fs::write(file.path(), wrong).expect("written");
        let told = Mapping::read(file.path()).expect_err("refused").to_string();
        assert!(told.contains("a mapping has lines such as"), "{told}");
    }
}

#[test]
fn where_it_is_may_be_said_in_two_ways() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let says: Says = Arc::default();
    let target = target(&says, RULES);
    let server = |from: &str| {
        let options = PrometheusOptions { from: Some(from.into()), ..PrometheusOptions::default() };
        Prometheus::new(options).server(&target).map(|s| s.base)
    };
    assert_eq!(
        server("monitoring/prometheus-operated:9090").as_deref(),
        Ok("/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy")
    );
    assert_eq!(server("http://127.0.0.1:9090/prom/").as_deref(), Ok("/prom"));
    for wrong in ["prometheus", "a/b", "a/b:c", "ftp://x", ""] {
        assert!(server(wrong).is_err(), "{wrong}");
    }
}
