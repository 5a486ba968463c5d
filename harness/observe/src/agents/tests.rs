//! Our namespace on an API server that takes its time.

use super::*;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;

/// An API server with namespaces and nothing else, in which creating one takes a while.
#[derive(Clone)]
struct Server {
    takes: Duration,
    namespaces: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Server {
    fn new(takes: Duration) -> Self {
        Self { takes, namespaces: Arc::default() }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    fn names(&self) -> Vec<String> {
        self.namespaces.lock().expect("no panic").keys().cloned().collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let name = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
        let body = body.collect_bytes().await.expect("a request's body is in memory");
        if parts.method == Method::POST && !parts.uri.path().ends_with("/namespaces") {
            return failure(StatusCode::FORBIDDEN);
        }
        let value = match parts.method {
            Method::POST => {
                tokio::time::sleep(self.takes).await;
                let wanted: Value = serde_json::from_slice(&body).expect("objects are JSON");
                let name = wanted["metadata"]["name"].as_str().expect("a name").to_owned();
                let mut namespaces = self.namespaces.lock().expect("no panic");
                if namespaces.contains_key(&name) {
                    return failure(StatusCode::CONFLICT);
                }
                namespaces.insert(name, wanted.clone());
                Some(wanted)
            }
            Method::DELETE => self.namespaces.lock().expect("no panic").remove(&name),
            _ => self.namespaces.lock().expect("no panic").get(&name).cloned(),
        };
        value.map_or_else(
            || failure(StatusCode::NOT_FOUND),
            |value| Response::new(Body::from(value.to_string().into_bytes())),
        )
    }
}

fn failure(code: StatusCode) -> Response<Body> {
    let reason = if code == StatusCode::NOT_FOUND { "NotFound" } else { "Other" };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(),
        "reason": reason, "message": "no"});
    Response::builder().status(code).body(Body::from(status.to_string().into_bytes())).expect("valid")
}

fn agents(server: &Server, run: &str) -> Agents {
    let target =
        ObserveTarget { client: server.client(), nodes: None, image: None, run: run.into(), aws: None };
    Agents::new(&target, &ObserveOptions::default())
}

#[tokio::test(start_paused = true)]
async fn what_comes_into_being_when_nobody_waits_any_more_is_removed_too() {
    let server = Server::new(Duration::from_secs(25));
    let agents = agents(&server, "run");
    for _ in 0..2 {
        let waited = tokio::time::timeout(LIMIT, agents.install("image")).await;
        assert!(waited.is_err() && server.names().is_empty(), "the API server takes longer");
    }
    agents.remove().await.expect("it can be removed");
    assert_eq!(server.names(), [] as [&str; 0]);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(server.names(), [] as [&str; 0], "nothing comes later");
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_gets_the_answer_to_having_asked() {
    let server = Server::new(Duration::from_secs(15));
    let agents = agents(&server, "run");
    assert!(tokio::time::timeout(LIMIT, agents.namespace()).await.is_err());
    let second = tokio::time::timeout(LIMIT, agents.namespace()).await.expect("the answer comes");
    assert_eq!(second.expect("it is ours"), OWN_NAMESPACE);
    assert_eq!(server.names(), [OWN_NAMESPACE], "and none beside it");
    agents.remove().await.expect("it can be removed");
    assert_eq!(server.names(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn another_runs_namespace_stays() {
    let server = Server::new(Duration::ZERO);
    let (theirs, ours) = (agents(&server, "theirs"), agents(&server, "ours"));
    assert_eq!(theirs.namespace().await.expect("it is free"), OWN_NAMESPACE);
    let name = ours.namespace().await.expect("there is room beside it");
    assert_eq!(name, format!("{OWN_NAMESPACE}-ours"));
    ours.remove().await.expect("it can be removed");
    assert_eq!(server.names(), [OWN_NAMESPACE]);
}

#[tokio::test(start_paused = true)]
async fn who_was_refused_has_nothing_to_remove() {
    let refused =
        tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(failure(StatusCode::FORBIDDEN)) });
    let client = Client::new(refused, "default");
    let target = ObserveTarget { client, nodes: None, image: None, run: "run".into(), aws: None };
    let agents = Agents::new(&target, &ObserveOptions::default());
    assert!(agents.namespace().await.is_err());
    agents.remove().await.expect("this account may not even look, and need not");
}
