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
    /// The code that every request is answered with.
    always: Option<u16>,
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

    /// Puts a text there that is no object, as a log is.
    pub(crate) fn put_text(&self, url: &str, text: &str) {
        self.lock().objects.insert(url.into(), text.into());
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

    /// Answers everything with this code from now on.
    pub(crate) fn fail_always(&self, code: u16) {
        self.lock().always = Some(code);
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

    fn list(&self, url: &str, selector: Option<(&str, &str)>) -> Value {
        let inside = |(key, object): &(&String, &Value)| {
            is_inside(url, key)
                && selector.is_none_or(|(label, value)| object["metadata"]["labels"][label] == value)
        };
        let items: Vec<_> = self.objects.iter().filter(inside).map(|(_, object)| object).collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
    }

    fn answer(&mut self, method: &Method, uri: &Uri, body: Value) -> Result<Value, u16> {
        let url = uri.path();
        let found = self.objects.get(url).cloned();
        match (method.as_str(), found) {
            ("GET", None) if is_collection(url) => {
                let query = uri.query().unwrap_or_default().replace("%2F", "/").replace("%3D", "=");
                Ok(self.list(url, label_selector(&query)))
            }
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
            ("DELETE", None) if is_collection(url) => {
                let query = uri.query().unwrap_or_default().replace("%2F", "/").replace("%3D", "=");
                let selector = label_selector(&query);
                let selected = self.list(url, selector);
                self.objects.retain(|key, object| {
                    !is_inside(url, key)
                        || selector.is_some_and(|(label, value)| object["metadata"]["labels"][label] != value)
                });
                Ok(selected)
            }
            _ => Err(404),
        }
    }
}

/// Whether an object is one of the collection at `url`.
fn is_inside(url: &str, key: &str) -> bool {
    key.strip_prefix(url).is_some_and(|rest| rest.starts_with('/') && !rest[1..].contains('/'))
}

/// `…/nodes` and `…/namespaces/x/pods`, unlike `…/nodes/n1` and `…/pods/p/log`.
fn is_collection(url: &str) -> bool {
    if url.ends_with("/log") || url.ends_with("/scale") {
        return false;
    }
    let parts: Vec<_> = url.trim_matches('/').split('/').collect();
    let version = if parts[0] == "api" { 2 } else { 3 };
    parts.len().saturating_sub(version) % 2 == 1
}

/// `labelSelector=a=b`, the one form that we use.
fn label_selector(query: &str) -> Option<(&str, &str)> {
    query.split('&').find_map(|pair| pair.strip_prefix("labelSelector="))?.split_once('=')
}

async fn answer(State(api): State<FakeApi>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut state = api.lock();
    state.requests.push(method.to_string());
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let answer = match state.always {
        Some(code) => Err(code),
        None if state.failures.is_empty() => state.answer(&method, &uri, body),
        None => Err(state.failures.remove(0)),
    };
    drop(state);
    match answer {
        Ok(Value::String(text)) => text.into_response(),
        Ok(object) => object.to_string().into_response(),
        Err(code) => {
            let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": if code == 404 { "NotFound" } else { "x" }});
            let code = StatusCode::from_u16(code).expect("a test's own code");
            (code, status.to_string()).into_response()
        }
    }
}
