//! A small API server in memory, for tests: objects by URL, resource versions, uids, and answers that fail.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use kube::Client;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

#[derive(Default)]
struct State_ {
    objects: BTreeMap<String, Value>,
    counter: u64,
    /// Codes that the next requests are answered with.
    failures: Vec<u16>,
    requests: Vec<String>,
}

/// The server; clones share the objects.
#[derive(Clone, Default)]
pub(crate) struct FakeApi(Arc<Mutex<State_>>);

impl FakeApi {
    pub(crate) fn client(&self) -> Client {
        Client::new(Router::new().fallback(answer).with_state(self.clone()), "default")
    }

    fn lock(&self) -> MutexGuard<'_, State_> {
        self.0.lock().expect("no test panics while it holds the lock")
    }

    /// Puts an object there, as somebody else would.
    pub(crate) fn put(&self, url: &str, object: Value) {
        self.lock().store(url, object);
    }

    pub(crate) fn remove(&self, url: &str) {
        self.lock().objects.remove(url);
    }

    pub(crate) fn object(&self, url: &str) -> Option<Value> {
        self.lock().objects.get(url).cloned()
    }

    pub(crate) fn fail_next(&self, codes: &[u16]) {
        self.lock().failures = codes.to_vec();
    }

    /// How many requests had this method.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.lock().requests.iter().filter(|m| *m == method).count()
    }
}

impl State_ {
    fn store(&mut self, url: &str, mut object: Value) -> Value {
        self.counter += 1;
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", self.counter).into();
        }
        object["metadata"]["resourceVersion"] = self.counter.to_string().into();
        self.objects.insert(url.into(), object.clone());
        object
    }

    fn list(&self, url: &str) -> Value {
        let inside = |(key, _): &(&String, &Value)| {
            key.strip_prefix(url).is_some_and(|rest| rest.starts_with('/') && !rest[1..].contains('/'))
        };
        let items: Vec<_> = self.objects.iter().filter(inside).map(|(_, object)| object).collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
    }

    fn answer(&mut self, method: &Method, url: &str, body: Value) -> Result<Value, u16> {
        let found = self.objects.get(url).cloned();
        match (method.as_str(), found) {
            ("GET", None) if is_collection(url) => Ok(self.list(url)),
            ("GET", found) => found.ok_or(404),
            ("POST", _) => {
                let url = format!("{url}/{}", body["metadata"]["name"].as_str().ok_or(422_u16)?);
                if self.objects.contains_key(&url) { Err(409) } else { Ok(self.store(&url, body)) }
            }
            ("PUT", Some(found))
                if found["metadata"]["resourceVersion"] == body["metadata"]["resourceVersion"] =>
            {
                Ok(self.store(url, body))
            }
            ("PUT", Some(_)) => Err(409),
            ("DELETE", Some(found)) if body["preconditions"]["uid"] == found["metadata"]["uid"] => {
                self.objects.remove(url);
                Ok(json!({"kind": "Status", "status": "Success", "code": 200}))
            }
            ("DELETE", Some(_)) => Err(409),
            _ => Err(404),
        }
    }
}

/// `…/nodes` and `…/namespaces/x/pods`, unlike `…/nodes/n1`.
fn is_collection(url: &str) -> bool {
    let parts: Vec<_> = url.trim_matches('/').split('/').collect();
    let version = if parts[0] == "api" { 2 } else { 3 };
    parts.len().saturating_sub(version) % 2 == 1
}

async fn answer(State(api): State<FakeApi>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut state = api.lock();
    state.requests.push(method.to_string());
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let answer = match state.failures.is_empty() {
        true => state.answer(&method, uri.path(), body),
        false => Err(state.failures.remove(0)),
    };
    drop(state);
    match answer {
        Ok(object) => object.to_string().into_response(),
        Err(code) => {
            let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": if code == 404 { "NotFound" } else { "x" }});
            let code = StatusCode::from_u16(code).expect("a test's own code");
            (code, status.to_string()).into_response()
        }
    }
}
