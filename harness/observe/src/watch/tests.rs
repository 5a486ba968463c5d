//! A watch against an API server that does what they do on bad days.

use super::*;
use crate::reduce;
use http::{Request, Response, StatusCode};
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// What the API server answers, one after the other; then it hangs.
type Script = Arc<Mutex<VecDeque<(&'static str, StatusCode, String)>>>;

/// In place of an answer that never comes.
const HANG: &str = "hang";

fn service(name: &str, uid: &str, version: u32) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata":
        {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": version.to_string()}})
}

fn list(version: u32, items: &[Value]) -> (&'static str, StatusCode, String) {
    let list = json!({"apiVersion": "v1", "kind": "ServiceList",
        "metadata": {"resourceVersion": version.to_string()}, "items": items});
    ("list", StatusCode::OK, list.to_string())
}

fn events(events: &[(&str, Value)]) -> (&'static str, StatusCode, String) {
    let line = |(kind, object): &(&str, Value)| json!({"type": kind, "object": object}).to_string() + "\n";
    ("watch", StatusCode::OK, events.iter().map(line).collect())
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "x", "message": "bad day"})
}

/// Runs a watch of Services against the script until `enough` signals came.
async fn play(script: Vec<(&'static str, StatusCode, String)>, enough: usize) -> Vec<Signal> {
    play_with(script, enough, 0).await
}

/// Whether the question is only how many there are.
fn is_count(query: &str) -> bool {
    query.split('&').any(|p| p.ends_with("limit=1")) && !query.contains("resourceVersion")
}

/// How many there are, and one of them.
fn count(remaining: i64) -> Response<Body> {
    let list = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
        "metadata": {"remainingItemCount": remaining}, "items": []});
    Response::new(Body::from(list.to_string().into_bytes()))
}

/// The same where so many Services remain after the first.
async fn play_with(
    script: Vec<(&'static str, StatusCode, String)>,
    enough: usize,
    remaining: i64,
) -> Vec<Signal> {
    let script: Script = Arc::new(Mutex::new(script.into()));
    let client = Client::new(
        tower::service_fn(move |request: Request<Body>| {
            let script = script.clone();
            async move {
                let query = request.uri().query().unwrap_or_default().to_owned();
                if is_count(&query) {
                    return Ok(count(remaining));
                }
                let asked = match (query.contains("watch="), query.contains("resourceVersion=0")) {
                    (true, _) => "watch",
                    (false, true) => "list",
                    (false, false) => "pages",
                };
                let next = script.lock().expect("no panic").pop_front();
                let Some((expected, status, body)) = next else { return std::future::pending().await };
                assert_eq!(asked, expected, "{query}");
                if body == HANG {
                    return std::future::pending().await;
                }
                let response = Response::builder().status(status).body(Body::from(body.into_bytes()));
                Ok::<_, std::convert::Infallible>(response.expect("well-formed"))
            }
        }),
        "default",
    );
    let (tx, mut rx) = mpsc::channel(64);
    let alone = Api::namespaced(client.clone(), "shop");
    let instead = Some(("shop".to_owned(), alone));
    let what = Watch { api: Api::<Service>::all(client), instead, resource: "services".into(), fields: "" };
    let handler = Reduce(reduce::service::service);
    let task = tokio::spawn(watch(what, handler, Sink::new(tx)));
    let mut signals = Vec::new();
    while signals.len() < enough {
        let seen = tokio::time::timeout(Duration::from_secs(600), rx.recv()).await.expect("in time");
        signals.push(seen.expect("the watch goes on").signal);
    }
    task.abort();
    signals
}

/// A signal in a few words.
fn words(signal: &Signal) -> String {
    match signal {
        Signal::Service(s) => format!("{} at {}", s.name, s.version),
        Signal::Deleted(g) => format!("{} {} gone", g.object.name, g.uid),
        Signal::SourceState(state) => {
            if state.lost.is_some() {
                "lost".into()
            } else if state.name == Source::api("services/shop") {
                "works in shop".into()
            } else {
                "works".into()
            }
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_relist_tells_what_vanished_in_between() {
    let script = vec![
        list(10, &[service("a", "u1", 1), service("b", "u2", 2), service("c", "u3", 3)]),
        events(&[("MODIFIED", service("a", "u1", 11)), ("ERROR", status(410))]),
        list(20, &[service("a", "u1", 11), service("c", "u9", 15)]),
    ];
    let told: Vec<_> = play(script, 9).await.iter().map(words).collect();
    assert_eq!(
        told,
        ["a at 1", "b at 2", "c at 3", "works", "a at 11", "a at 11", "c u3 gone", "c at 15", "b u2 gone"],
        "an expired version is no loss, and a successor of the same name is another object"
    );
}

#[tokio::test(start_paused = true)]
async fn very_many_come_page_by_page() {
    let page = |version, more: &str, item| {
        let list = json!({"apiVersion": "v1", "kind": "ServiceList",
            "metadata": {"resourceVersion": version, "continue": more}, "items": [item]});
        ("pages", StatusCode::OK, list.to_string())
    };
    let script = vec![
        page("10", "more", service("a", "u1", 1)),
        page("10", "", service("b", "u2", 2)),
        events(&[("MODIFIED", service("a", "u1", 11))]),
    ];
    let told: Vec<_> = play_with(script, 4, MANY + 1).await.iter().map(words).collect();
    assert_eq!(told, ["a at 1", "b at 2", "works", "a at 11"]);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_look_everywhere_looks_into_one_namespace() {
    let script = vec![
        ("list", StatusCode::FORBIDDEN, status(403).to_string()),
        list(10, &[service("a", "u1", 1)]),
        events(&[("MODIFIED", service("a", "u1", 11))]),
    ];
    let told: Vec<_> = play(script, 4).await.iter().map(words).collect();
    assert_eq!(told, ["lost", "a at 1", "works in shop", "a at 11"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_survived() {
    let unavailable = |what| (what, StatusCode::SERVICE_UNAVAILABLE, status(503).to_string());
    let script = vec![
        unavailable("list"),
        unavailable("list"),
        list(10, &[service("a", "u1", 1)]),
        unavailable("watch"),
        ("watch", StatusCode::OK, "{\"type\":\"MODIFIED\",\"object\":{".into()),
        events(&[("MODIFIED", service("a", "u1", 11))]),
    ];
    let told: Vec<_> = play(script, 6).await.iter().map(words).collect();
    assert_eq!(told, ["lost", "a at 1", "works", "lost", "a at 11", "works"]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_resource_is_regained_without_an_event() {
    let script = vec![
        list(10, &[service("a", "u1", 1)]),
        ("watch", StatusCode::SERVICE_UNAVAILABLE, status(503).to_string()),
        ("watch", StatusCode::OK, HANG.into()),
        list(10, &[service("a", "u1", 1)]),
    ];
    let told: Vec<_> = play(script, 4).await.iter().map(words).collect();
    assert_eq!(told, ["a at 1", "works", "lost", "works"]);
}
