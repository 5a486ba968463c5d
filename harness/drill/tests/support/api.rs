//! An API server in memory.

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

/// What is stored, and what goes wrong.
#[derive(Default)]
pub(crate) struct Store {
    objects: BTreeMap<String, Value>,
    /// Paths whose creation is answered with success and not done.
    pub(crate) forgets: BTreeSet<String>,
    /// Paths whose deletion is refused.
    pub(crate) keeps: BTreeSet<String>,
    /// Paths of objects that were asked for and found.
    found: BTreeSet<String>,
    counter: u64,
}

/// The shared store of one test.
#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<Store>>);

impl Api {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().expect("no test thread panicked while it held the store")
    }

    /// Whether an object whose path ends so is there.
    pub(crate) fn has(&self, end: &str) -> bool {
        self.store().objects.keys().any(|path| path.ends_with(end))
    }

    /// Whether an object whose path ends so was asked for and found.
    pub(crate) fn was_found(&self, end: &str) -> bool {
        self.store().found.iter().any(|path| path.ends_with(end))
    }

    pub(crate) fn remove(&self, end: &str) {
        self.store().objects.retain(|path, _| !path.ends_with(end));
    }

    pub(crate) fn client(&self) -> kube::Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        kube::Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect_bytes().await.expect("a request's body is in memory");
        let path = parts.uri.path().to_string();
        let (status, value) = match parts.method {
            Method::POST => self.create(&path, serde_json::from_slice(&bytes).expect("objects are JSON")),
            Method::DELETE => self.delete(&path),
            _ => self.read(&path),
        };
        let body = Body::from(serde_json::to_vec(&value).expect("values have a text"));
        Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(body)
            .expect("valid")
    }

    fn create(&self, collection: &str, mut object: Value) -> (StatusCode, Value) {
        let mut store = self.store();
        let path = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
        if store.objects.contains_key(&path) {
            return failure(StatusCode::CONFLICT, "AlreadyExists");
        }
        store.counter += 1;
        object["metadata"]["uid"] = json!(format!("uid-{}", store.counter));
        object["metadata"]["resourceVersion"] = json!(store.counter.to_string());
        if !store.forgets.iter().any(|end| path.ends_with(end.as_str())) {
            store.objects.insert(path, object.clone());
        }
        (StatusCode::CREATED, object)
    }

    fn delete(&self, path: &str) -> (StatusCode, Value) {
        let mut store = self.store();
        if store.keeps.iter().any(|end| path.ends_with(end.as_str())) {
            return failure(StatusCode::FORBIDDEN, "Forbidden");
        }
        // A namespace takes what is in it along.
        let inside = format!("{path}/");
        let found = store.objects.remove(path);
        store.objects.retain(|other, _| !other.starts_with(&inside));
        found.map_or_else(|| failure(StatusCode::NOT_FOUND, "NotFound"), |object| (StatusCode::OK, object))
    }

    fn read(&self, path: &str) -> (StatusCode, Value) {
        let mut store = self.store();
        if let Some(object) = store.objects.get(path).cloned() {
            store.found.insert(path.into());
            return (StatusCode::OK, object);
        }
        let collection = matches!(path.rsplit('/').next(), Some("namespaces" | "nodes" | "configmaps"));
        if !collection {
            return failure(StatusCode::NOT_FOUND, "NotFound");
        }
        let inside = format!("{path}/");
        let items: Vec<_> = store
            .objects
            .iter()
            .filter(|(p, _)| p.starts_with(&inside) && !p[inside.len()..].contains('/'))
            .map(|(_, o)| o)
            .collect();
        (StatusCode::OK, json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": items }))
    }

    /// Puts a ready node into the cluster.
    pub(crate) fn add_node(&self, name: &str) {
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
            "status": { "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "lastHeartbeatTime": "2026-01-01T00:00:00Z" }] } });
        self.store().objects.insert(format!("/api/v1/nodes/{name}"), node);
    }
}

fn failure(status: StatusCode, reason: &str) -> (StatusCode, Value) {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": status.as_u16() });
    (status, body)
}
