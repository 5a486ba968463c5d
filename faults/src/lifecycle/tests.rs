//! The life of changes of a small API server that keeps config maps, and misbehaves as it is told.

use super::*;
use crate::{
    journal::disk_tests::{fill, with_little_room},
    object::{Create, ObjectChange},
};
use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use loopdrill_cluster::ClusterHandle;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

/// What the API server holds, and what was asked of it.
#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    /// Methods and names, in the order in which they came.
    writes: Vec<String>,
    /// What is accepted and never kept.
    forgotten: Vec<&'static str>,
    /// Objects that cannot be deleted, and so many times.
    kept: BTreeMap<&'static str, u32>,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with it")
    }

    fn access(&self) -> UndoAccess {
        let server = self.clone();
        let router = Router::new().fallback(move |request: Request| server.clone().answer(request));
        UndoAccess { client: Ok(kube::Client::new(router, "default")), nodes: None }
    }

    async fn answer(self, request: Request) -> Response {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let mut guard = self.state();
        let state = &mut *guard;
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        match method {
            Method::POST => {
                let mut object: Value = serde_json::from_slice(&body).expect("JSON");
                let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
                state.writes.push(format!("create {name}"));
                object["metadata"]["uid"] = name.clone().into();
                if !state.forgotten.contains(&name.as_str()) {
                    state.objects.insert(name, object.clone());
                }
                ok(&object)
            }
            Method::DELETE => {
                state.writes.push(format!("delete {last}"));
                match state.kept.iter_mut().find(|(name, times)| **name == last && **times > 0) {
                    Some((_, times)) => {
                        *times -= 1;
                        status(StatusCode::FORBIDDEN)
                    }
                    None => state.objects.remove(&last).map_or(status(StatusCode::NOT_FOUND), |o| ok(&o)),
                }
            }
            _ => state.objects.get(&last).map_or(status(StatusCode::NOT_FOUND), ok),
        }
    }
}

fn ok(object: &Value) -> Response {
    object.to_string().into_response()
}

fn status(code: StatusCode) -> Response {
    let reason = if code == StatusCode::NOT_FOUND { "NotFound" } else { "Forbidden" };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "as it was told",
        "reason": reason, "code": code.as_u16()});
    (code, status.to_string()).into_response()
}

struct Drill {
    server: Server,
    access: UndoAccess,
    journal: Journal,
    _folder: Option<tempfile::TempDir>,
}

impl Drill {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let drill = Self::of(folder.path());
        Self { _folder: Some(folder), ..drill }
    }

    /// One whose journal is in this folder.
    fn of(folder: &Path) -> Self {
        let cluster = ClusterHandle::Lab { name: "t".into() };
        let journal = Journal::open(folder, &cluster, "r1").expect("a clean start");
        let server = Server::default();
        Self { access: server.access(), server, journal, _folder: None }
    }

    async fn inject(&self, names: &[&str]) -> Result<(Vec<Pending>, Vec<Evidence>), InjectError> {
        let plan = names.iter().map(|name| config_map(name)).collect();
        inject(&self.access, &self.journal, &FaultId::new("f", "v"), plan).await
    }

    async fn undo(&self) -> Vec<Leftover> {
        undo(&self.access, &self.journal, &self.journal.pending()).await
    }

    fn lines(&self) -> String {
        std::fs::read_to_string(self.journal.path()).expect("a journal")
    }
}

fn config_map(name: &str) -> Change {
    let metadata =
        ObjectMeta { name: Some(name.into()), namespace: Some("n".into()), ..ObjectMeta::default() };
    let object = ConfigMap { metadata, ..ConfigMap::default() };
    Change::Object(ObjectChange::Create(Create::new(&object, "r1").expect("it has a name")))
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_applied_in_its_order_and_each_change_is_read_back() {
    let drill = Drill::new();
    let (pending, evidence) = drill.inject(&["a", "b"]).await.expect("in force");
    assert_eq!(drill.server.state().writes, ["create a", "create b"]);
    assert_eq!(pending, drill.journal.pending());
    let seen: Vec<_> = evidence.iter().map(|e| e.value.as_str()).collect();
    assert_eq!(seen, ["is there", "is there"]);
    assert_eq!(drill.lines().matches(r#""entry":"applied""#).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_back_is_not_in_force_and_still_pending() {
    let drill = Drill::new();
    drill.server.state().forgotten.push("b");
    let error = drill.inject(&["a", "b"]).await.expect_err("b is not there");
    assert!(matches!(&error, InjectError::NotInForce { change } if change.ends_with('b')), "{error}");
    assert_eq!(drill.journal.pending().len(), 2, "what was announced must be undone");
    assert!(drill.undo().await.is_empty());
    assert!(drill.server.state().objects.is_empty() && drill.journal.pending().is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_a_change_that_fails_no_other_is_tried() {
    let drill = Drill::new();
    drill.server.state().objects.insert("b".into(), json!({"metadata": {"name": "b", "uid": "theirs"}}));
    let error = drill.inject(&["a", "b", "c"]).await.expect_err("b is somebody else's");
    assert!(matches!(&error, InjectError::Apply { change, .. } if change.ends_with('b')), "{error}");
    assert_eq!(drill.server.state().writes, ["create a"]);
    assert!(drill.undo().await.is_empty());
    let state = drill.server.state();
    assert_eq!(state.objects.keys().collect::<Vec<_>>(), ["b"], "what is not ours stays");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_announced_before_it_is_tried() {
    let drill = Drill::new();
    let access = UndoAccess { client: Err("it is gone".into()), nodes: None };
    let plan = vec![config_map("a")];
    let error = inject(&access, &drill.journal, &FaultId::new("f", "v"), plan).await.expect_err("no API");
    assert!(error.to_string().contains("it is gone"), "{error}");
    assert!(drill.lines().contains(r#""entry":"intent""#));
    assert!(!drill.lines().contains(r#""entry":"applied""#));
}

#[tokio::test(start_paused = true)]
async fn undo_goes_newest_first_and_on_past_a_failure() {
    let drill = Drill::new();
    drill.inject(&["a", "b", "c"]).await.expect("in force");
    drill.server.state().writes.clear();
    drill.server.state().kept.insert("b", u32::MAX);
    let left = drill.undo().await;
    assert_eq!(
        drill.server.state().writes,
        ["delete c", "delete b", "delete b", "delete b", "delete a"],
        "three attempts at what fails, one at what does not"
    );
    assert_eq!(left.len(), 1);
    assert!(left[0].change.ends_with('b') && left[0].why.contains("as it was told"), "{left:?}");
    let pending = drill.journal.pending();
    assert_eq!(pending.iter().map(|p| p.change.to_string()).collect::<Vec<_>>(), [left[0].change.clone()]);
    assert!(drill.lines().contains(r#""entry":"undo-failed""#));
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_works_at_last_leaves_nothing() {
    let drill = Drill::new();
    drill.inject(&["a"]).await.expect("in force");
    drill.server.state().kept.insert("a", 2);
    assert!(drill.undo().await.is_empty());
    assert!(drill.server.state().objects.is_empty() && drill.journal.pending().is_empty());
    let lines = drill.lines();
    let at = |entry: &str| lines.find(&format!(r#""entry":"{entry}""#)).expect("it is noted");
    assert!(at("undo-started") < at("undo-finished"));
}

#[tokio::test(start_paused = true)]
async fn a_second_look_finds_what_somebody_took_away() {
    let drill = Drill::new();
    let (pending, _) = drill.inject(&["a", "b"]).await.expect("in force");
    assert_eq!(read_back(&drill.access, &pending).await.expect("still there").len(), 2);
    drill.server.state().objects.remove("a");
    let error = read_back(&drill.access, &pending).await.expect_err("gone");
    assert!(matches!(&error, InjectError::NotInForce { change } if change.ends_with('a')), "{error}");
}

/// On a disk that is full, in a folder with little room.
fn on_a_full_disk(test: impl AsyncFnOnce(&Drill, &Path) + Send, injected: &'static [&'static str]) {
    with_little_room("64k", |dir| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let drill = Drill::of(dir);
            drill.inject(injected).await.expect("room");
            let filler = dir.join("filler");
            fill(&filler);
            test(&drill, &filler).await;
        });
    });
}

#[test]
fn what_cannot_be_announced_is_not_done() {
    on_a_full_disk(
        async |drill, _| {
            // Not even the rest of the journal's last page has room.
            while drill.journal.undo_started("nothing").is_ok() {}
            let error = drill.inject(&["a"]).await.expect_err("no room");
            assert!(matches!(error, InjectError::Journal(_)), "{error}");
            assert!(drill.server.state().writes.is_empty(), "something was touched all the same");
            assert!(drill.journal.pending().is_empty());
        },
        &[],
    );
}

#[test]
fn an_undo_that_cannot_be_noted_is_done_all_the_same() {
    on_a_full_disk(
        async |drill, filler| {
            while drill.journal.undo_started("nothing").is_ok() {}
            let left = drill.undo().await;
            assert!(drill.server.state().objects.is_empty(), "a full disk keeps the fault in force");
            assert!(left.len() == 2 && left[0].why.contains("No space left"), "{left:?}");
            assert_eq!(drill.journal.pending().len(), 2, "what was not noted is undone once more");
            std::fs::remove_file(filler).expect("room again");
            assert!(drill.undo().await.is_empty());
            drill.journal.close().expect("nothing is pending");
            assert!(!drill.journal.path().exists());
        },
        &["a", "b"],
    );
}
