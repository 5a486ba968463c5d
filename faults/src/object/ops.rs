//! Single requests with a time limit each, repeated until a deadline while the API server is busy.

use super::ObjectRef;
use crate::ChangeError;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams, Preconditions},
    core::DynamicObject,
};
use serde_json::Value;
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout};

const CALL: Duration = Duration::from_secs(10);
const ALL: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Whether the same request may succeed a moment later.
#[must_use]
pub fn is_transient(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 408 | 429 | 500 | 502 | 503 | 504),
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => true,
        _ => false,
    }
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// Requests about one object, all of them before one deadline.
pub(super) struct Ops<'a> {
    pub(super) object: &'a ObjectRef,
    api: Api<DynamicObject>,
    namespaces: Api<Namespace>,
    end: Instant,
}

impl<'a> Ops<'a> {
    pub(super) fn new(client: &Client, object: &'a ObjectRef) -> Self {
        Self {
            object,
            api: object.api(client),
            namespaces: Api::all(client.clone()),
            end: Instant::now() + ALL,
        }
    }

    /// The object, or `None` when there is none.
    pub(super) async fn get(&self) -> Result<Option<Value>, ChangeError> {
        let found = self.retry("get", || self.api.get_opt(&self.object.name)).await?;
        found.map(|object| self.to_value(&object)).transpose()
    }

    /// Whether its namespace is gone or going, and everything in it with it.
    pub(super) async fn is_homeless(&self) -> Result<bool, ChangeError> {
        let Some(namespace) = &self.object.namespace else { return Ok(false) };
        let home = self.retry("look for the namespace of", || self.namespaces.get_opt(namespace)).await?;
        Ok(home.is_none_or(|n| n.metadata.deletion_timestamp.is_some()))
    }

    /// Creates it; `false` when there is one already.
    pub(super) async fn create(&self, manifest: &Value) -> Result<bool, ChangeError> {
        let object = self.typed(manifest)?;
        let params = PostParams::default();
        self.retry("create", || conflict_is_false(self.api.create(&params, &object))).await
    }

    /// Replaces it by `object`, whose `resourceVersion` must be the present one; `false` when it is not.
    pub(super) async fn replace(&self, object: &Value) -> Result<bool, ChangeError> {
        let object = self.typed(object)?;
        let params = PostParams::default();
        self.retry("update", || conflict_is_false(self.api.replace(&self.object.name, &params, &object)))
            .await
    }

    /// Deletes the object with this `uid` and waits until it is gone. One that is gone already is fine.
    pub(super) async fn delete(&self, uid: &str) -> Result<(), ChangeError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.into()), resource_version: None }),
            ..DeleteParams::background()
        };
        self.retry("delete", || async {
            match self.api.delete(&self.object.name, &params).await {
                Ok(_) => Ok(()),
                // Gone, or another one has taken its name.
                Err(e) if is_code(&e, 404) || is_code(&e, 409) => Ok(()),
                Err(e) => Err(e),
            }
        })
        .await?;
        self.until_gone(uid).await
    }

    /// Waits until no object with this `uid` is there.
    pub(super) async fn until_gone(&self, uid: &str) -> Result<(), ChangeError> {
        while let Some(found) = self.get().await? {
            if uid_of(&found) != uid {
                break;
            }
            if Instant::now() >= self.end {
                let holders =
                    found.pointer("/metadata/finalizers").map_or_else(String::new, Value::to_string);
                return Err(self.no_api(format!(
                    "it is still there {} s after its deletion; finalizers: [{holders}]; see what holds it, \
                     then run `loopdrill undo`",
                    ALL.as_secs()
                )));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Whether the deadline has passed, for loops of the callers; waits a moment when it has not.
    pub(super) async fn again(&self, doing: &str) -> Result<(), ChangeError> {
        if Instant::now() >= self.end {
            return Err(self.no_api(format!("it changes faster than we can {doing} it")));
        }
        sleep(PAUSE).await;
        Ok(())
    }

    async fn retry<T, F>(&self, doing: &str, mut call: impl FnMut() -> F) -> Result<T, ChangeError>
    where
        F: Future<Output = kube::Result<T>>,
    {
        loop {
            let last = match timeout(CALL, call()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(e)) if is_transient(&e) => e.to_string(),
                Ok(Err(e)) => {
                    return Err(ChangeError::Api {
                        what: format!("{doing} {}", self.object),
                        source: Box::new(e),
                    });
                }
                Err(_) => format!("no answer within {} s", CALL.as_secs()),
            };
            if Instant::now() + PAUSE >= self.end {
                return Err(self.no_api(format!(
                    "cannot {doing} it for {} s now ({last}); when `kubectl get --raw /readyz` answers again, \
                     run `loopdrill undo`",
                    ALL.as_secs()
                )));
            }
            tracing::debug!(object = %self.object, doing, last, "again");
            sleep(PAUSE).await;
        }
    }

    pub(super) fn no_api(&self, why: String) -> ChangeError {
        ChangeError::NoApi { what: self.object.to_string(), why }
    }

    /// The state that was found is not ours to touch.
    pub(super) fn foreign(&self, found: impl Into<String>) -> ChangeError {
        ChangeError::Foreign { what: self.object.to_string(), found: found.into() }
    }

    fn to_value(&self, object: &DynamicObject) -> Result<Value, ChangeError> {
        let mut value = serde_json::to_value(object).map_err(|e| self.garbled(e))?;
        value["apiVersion"] = self.object.api_version.clone().into();
        value["kind"] = self.object.kind.clone().into();
        Ok(value)
    }

    fn typed(&self, value: &Value) -> Result<DynamicObject, ChangeError> {
        serde_json::from_value(value.clone()).map_err(|e| self.garbled(e))
    }

    fn garbled(&self, error: serde_json::Error) -> ChangeError {
        ChangeError::Api { what: self.object.to_string(), source: Box::new(kube::Error::SerdeError(error)) }
    }
}

async fn conflict_is_false<T>(call: impl Future<Output = kube::Result<T>>) -> kube::Result<bool> {
    match call.await {
        Ok(_) => Ok(true),
        Err(e) if is_code(&e, 409) => Ok(false),
        Err(e) => Err(e),
    }
}

pub(super) fn uid_of(object: &Value) -> &str {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null())
}
