//! Crashes against an API server that has logs, and says what accounts may do.

use super::*;
use crate::reduce;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use loopdrill_model::Observation;
use loopdrill_model::signal::{ClueKind, CluePlace};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Never to be seen again.
const CANARY: &str = "CaNaRy0123456789";

/// What the API server is asked, and what it answers.
#[derive(Clone)]
struct Server {
    log: Arc<Vec<u8>>,
    log_status: StatusCode,
    pod: Value,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(log: impl Into<Vec<u8>>, pod: Value) -> Self {
        Self { log: Arc::new(log.into()), log_status: StatusCode::OK, pod, asked: Arc::default() }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        self.asked.lock().expect("no panic").push(format!("{path}?{query}"));
        let (status, body) = match path.as_str() {
            p if p.ends_with("/log") && self.log_status != StatusCode::OK => {
                let message = "pods \"p\" is forbidden: cannot get resource \"pods/log\"";
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "code": self.log_status.as_u16(), "reason": "Forbidden", "message": message});
                (self.log_status, status.to_string().into_bytes())
            }
            p if p.ends_with("/log") => (StatusCode::OK, self.log.to_vec()),
            p if p.ends_with("/subjectaccessreviews") => {
                let body = request.into_body().collect_bytes().await.expect("a question");
                let mut review: Value = serde_json::from_slice(&body).expect("a review");
                review["status"] = json!({"allowed": false});
                (StatusCode::CREATED, review.to_string().into_bytes())
            }
            _ => (StatusCode::OK, self.pod.to_string().into_bytes()),
        };
        Response::builder().status(status).body(Body::from(body)).expect("well-formed")
    }

    fn asked(&self, what: &str) -> usize {
        self.asked.lock().expect("no panic").iter().filter(|path| path.contains(what)).count()
    }
}

/// A pod whose container backs off.
fn crashing() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "serviceAccountName": "app",
            "containers": [{"name": "main", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "disk"}}],
        },
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "main", "ready": false, "restartCount": 6, "image": "i", "imageID": "",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": CANARY,
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"}},
        }]},
    })
}

fn reduced(pod: &Value) -> Signal {
    let pod = serde_json::from_value(pod.clone()).expect("a pod");
    Signal::Pod(Box::new(reduce::pod(&pod)))
}

/// What is told about `signals` until all questions are answered.
async fn told(server: &Server, signals: Vec<Signal>, read_logs: bool) -> Vec<Observation> {
    let (tx, mut rx) = mpsc::channel(64);
    let (news, heard) = mpsc::channel(64);
    let open = OpenQuestions::default();
    let task = tokio::spawn(follow(server.client(), heard, Sink::new(tx), (read_logs, open.clone())));
    for signal in signals {
        assert!(concerns(&signal), "{signal:?}");
        news.send(signal).await.expect("somebody listens");
    }
    let mut told = Vec::new();
    // Time stands still until nobody has anything to do: then all is answered.
    while let Ok(Some(o)) = tokio::time::timeout(Duration::from_secs(2), rx.recv()).await {
        told.push(o);
    }
    assert_eq!(open.count(), 0, "every question is answered");
    task.abort();
    told
}

fn clues(told: &[Observation]) -> Vec<ClueKind> {
    let kind = |o: &Observation| match &o.signal {
        Signal::Clue(clue) => Some(clue.kind.clone()),
        _ => None,
    };
    told.iter().filter_map(kind).collect()
}

const FORBIDDEN: &str = "Failed to watch *v1.ClusterRole: clusterroles.rbac.authorization.k8s.io is forbidden: User \
     \"system:serviceaccount:shop:app\" cannot list resource \"clusterroles\" in API group \
     \"rbac.authorization.k8s.io\" at the cluster scope";

#[tokio::test(start_paused = true)]
async fn a_403_in_a_log_becomes_a_clue_and_a_review_of_the_same_right() {
    let server = Server::new(FORBIDDEN, crashing());
    let told = told(&server, vec![reduced(&crashing())], true).await;
    assert!(matches!(&clues(&told)[..], [ClueKind::ApiForbidden { .. }]), "{told:#?}");
    let review = told.iter().find_map(|o| match &o.signal {
        Signal::AccessReview(review) => Some(review),
        _ => None,
    });
    let review = review.expect("it is asked for");
    assert_eq!(
        (review.verb.as_str(), review.resource.as_str(), review.allowed),
        ("list", "clusterroles", false)
    );
    assert_eq!(review.account, Subject::new("ServiceAccount", "shop", "app"));
    let asked = server.asked.lock().expect("no panic");
    let log = asked.iter().find(|path| path.contains("/log?")).expect("a log was read");
    for bound in ["previous=true", "tailLines=200", "limitBytes=262144", "timestamps=true"] {
        assert!(log.contains(bound), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_text_of_a_log_is_in_any_signal() {
    let log = format!(
        "token={CANARY} {FORBIDDEN} {CANARY}\npassword authentication failed for user \"{CANARY}\"\n\
         getaddrinfo ENOTFOUND {CANARY}\nchown: /data/{CANARY}: Read-only file system\n{CANARY}\n"
    );
    let server = Server::new(log, crashing());
    let told = told(&server, vec![reduced(&crashing())], true).await;
    assert!(clues(&told).len() >= 4, "{told:#?}");
    assert!(clues(&told).contains(&ClueKind::ReadOnlyFileSystem {
        file: loopdrill_model::signal::FilePlace::Claim("disk".into())
    }));
    let text = serde_json::to_string(&told).expect("plain data");
    assert!(!text.to_lowercase().contains("canary"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_life_is_read_once_and_few_pods_of_one_owner() {
    let server = Server::new("panic: x", crashing());
    told(&server, vec![reduced(&crashing()); 5], true).await;
    assert_eq!(server.asked("/log?"), 1);
    let server = Server::new("panic: x", crashing());
    let sibling = |n: u32| {
        let mut pod = crashing();
        pod["metadata"]["uid"] = json!(format!("u{n}"));
        pod["metadata"]["name"] = json!(format!("p{n}"));
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": true}]);
        reduced(&pod)
    };
    told(&server, (0..40).map(sibling).collect(), true).await;
    assert_eq!(server.asked("/log?"), 3);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_logs_is_told_so_and_asks_no_more_for_a_while() {
    let mut server = Server::new("", crashing());
    server.log_status = StatusCode::FORBIDDEN;
    let other = |uid: &str| {
        let mut pod = crashing();
        pod["metadata"]["uid"] = json!(uid);
        reduced(&pod)
    };
    let told = told(&server, (0..40).map(|n| other(&format!("u{n}"))).collect(), true).await;
    let lost: Vec<_> = told
        .iter()
        .filter_map(|o| match &o.signal {
            Signal::SourceState(state) => state.lost.clone(),
            _ => None,
        })
        .collect();
    assert!(matches!(&lost[..], [why] if why.contains("pods/log")), "{lost:?}");
    assert!(server.asked("/log?") <= 8, "{}", server.asked("/log?"));
}

#[tokio::test(start_paused = true)]
async fn without_logs_none_is_read_and_that_is_told() {
    let server = Server::new(FORBIDDEN, crashing());
    let told = told(&server, vec![reduced(&crashing())], false).await;
    assert_eq!(server.asked("/log?"), 0);
    assert!(
        told.iter().any(|o| matches!(&o.signal, Signal::SourceState(s) if s.lost.is_some())),
        "{told:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_runs_unready_for_long_is_read_as_well() {
    let mut pod = crashing();
    pod["spec"]["containers"][0]["readinessProbe"] = json!({"httpGet": {"port": 80}});
    let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    pod["status"]["containerStatuses"][0]["state"] = running;
    pod["status"]["containerStatuses"][0]["restartCount"] = json!(0);
    pod["status"]["containerStatuses"][0]["lastState"] = json!({});
    let server = Server::new("dial tcp 10.0.0.9:80: i/o timeout", pod.clone());
    let told = told(&server, vec![reduced(&pod)], true).await;
    assert_eq!(clues(&told).len(), 1, "{told:#?}");
    assert!(!told.iter().any(|o| matches!(o.signal, Signal::Log(_))), "it has not ended");
}

/// A container with a readiness probe is unready at first, and asked later. Its end must not wait for that.
#[tokio::test(start_paused = true)]
async fn who_ends_before_it_was_ready_is_read_at_once() {
    let now = jiff::Timestamp::now().to_string();
    let mut pod = crashing();
    pod["spec"]["containers"][0]["readinessProbe"] = json!({"httpGet": {"port": 80}});
    pod["status"]["containerStatuses"][0]["lastState"] = json!({});
    pod["status"]["containerStatuses"][0]["state"] = json!({"running": {"startedAt": now}});
    let starting = reduced(&pod);
    pod["status"]["containerStatuses"][0]["state"] =
        json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}});
    let server = Server::new("dial tcp: lookup check: i/o timeout", pod.clone());
    let told = told(&server, vec![starting, reduced(&pod)], true).await;
    assert!(told.iter().any(|o| matches!(o.signal, Signal::Log(_))), "{told:#?}");
    assert_eq!(clues(&told).len(), 1, "{told:#?}");
    assert_eq!(server.asked("/log?"), 1, "and not again while it runs");
}

#[tokio::test(start_paused = true)]
async fn an_endless_log_is_cut() {
    // A server that knows no limit: lines without end, and one line without end.
    for unit in ["connection refused\n", "x"] {
        let server = Server::new(unit.repeat((12 << 20) / unit.len()), crashing());
        let told = told(&server, vec![reduced(&crashing())], true).await;
        assert!(told.iter().any(|o| matches!(&o.signal, Signal::Log(log) if log.bytes == 4096)), "{told:#?}");
    }
}

#[test]
fn a_termination_message_is_classified_and_dropped() {
    let mut pod = crashing();
    let message = format!("{FORBIDDEN}\n{CANARY}\npanic: {CANARY}");
    pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"] = json!(message);
    let clues = crate::clue::termination_clues(&serde_json::from_value(pod).expect("a pod"));
    let told: Vec<_> = clues.iter().map(|c| (c.place, c.restarts)).collect();
    assert_eq!(told, [(CluePlace::TerminationMessage, 6); 2]);
    assert_eq!(clues[0].kind, ClueKind::StackTrace);
    assert!(matches!(clues[1].kind, ClueKind::ApiForbidden { .. }), "{:?}", clues[1].kind);
    assert!(!serde_json::to_string(&clues).expect("plain data").contains(CANARY));
}
