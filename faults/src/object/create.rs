//! An object that was not there is created; undo deletes exactly that one.

use super::{
    Manifest, ObjectRef,
    ops::{Ops, is_going, uid_of},
};
use crate::ChangeError;
use jiff::Timestamp;
use kube::{Client, Resource};
use loopdrill_cluster::{RUN_LABEL, remove_namespace};
use loopdrill_model::Evidence;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep};

/// The annotation that says until when an object of ours has an effect.
pub const UNTIL: &str = "loopdrill.dev/until";
/// For how long a program of the drill keeps a fault in force at most, as long as a node holds a change.
pub(crate) const LASTS: Duration = Duration::from_secs(600);

/// When such a fault that begins now is over by itself.
pub(crate) fn ends_at() -> Timestamp {
    Timestamp::now() + LASTS
}

/// How long a created pod may take to run until its read-back says no.
const POD_START: Duration = Duration::from_secs(30);
/// How long the removal of a namespace with all that is in it may take: its pods have half a minute to end.
const NAMESPACE_END: Duration = Duration::from_secs(90);

/// An object that is created. Ours is told from a foreign one of the same name by the run's label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Create {
    /// Which object.
    pub object: ObjectRef,
    /// The run, as its label has it.
    pub run: String,
    /// Its content, label included.
    pub manifest: Manifest,
}

impl fmt::Display for Create {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "create {}", self.object)
    }
}

impl Create {
    /// Will create `object`, labelled with `run`.
    ///
    /// # Errors
    /// When `object` has no name or no serialised form.
    pub fn new<K>(object: &K, run: &str) -> Result<Self, ChangeError>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let meta = object.meta();
        let reference =
            ObjectRef::of::<K>(meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default());
        let foreign = |found: String| ChangeError::Foreign { what: reference.to_string(), found };
        if reference.name.is_empty() {
            return Err(foreign("an object without a name".into()));
        }
        let mut value = serde_json::to_value(object).map_err(|e| foreign(e.to_string()))?;
        value["apiVersion"] = reference.api_version.clone().into();
        value["kind"] = reference.kind.clone().into();
        if !value["metadata"]["labels"].is_object() {
            value["metadata"]["labels"] = json!({});
        }
        value["metadata"]["labels"][RUN_LABEL] = run.into();
        Ok(Self { manifest: Manifest::of(&value), object: reference, run: run.into() })
    }

    /// The same, saying until when it has an effect. What ends that effect is a program of the drill and no object, so this is
    /// for whoever finds the object.
    #[must_use]
    pub fn ends(mut self, at: Timestamp) -> Self {
        let mut value = self.manifest.value().clone();
        value["metadata"]["annotations"][UNTIL] = at.to_string().into();
        self.manifest = Manifest::of(&value);
        self
    }

    fn is_ours(&self, found: &Value) -> bool {
        let labels = found.get("metadata").and_then(|m| m.get("labels"));
        labels.and_then(|l| l.get(RUN_LABEL)).and_then(Value::as_str) == Some(self.run.as_str())
    }

    pub(super) async fn apply(&self, client: &Client) -> Result<(), ChangeError> {
        let ops = Ops::new(client, &self.object);
        loop {
            match ops.get().await? {
                None if ops.create(self.manifest.value()).await? => return Ok(()),
                None => {}
                Some(found) if !self.is_ours(&found) => {
                    return Err(ops.foreign("there is one of that name already that this run did not create"));
                }
                Some(found) if is_going(&found) => {}
                Some(_) => return Ok(()),
            }
            ops.again("create").await?;
        }
    }

    pub(super) async fn read_back(&self, client: &Client) -> Result<Option<Evidence>, ChangeError> {
        let ops = Ops::new(client, &self.object);
        let end = Instant::now() + POD_START;
        loop {
            let Some(found) = ops.get().await?.filter(|f| self.is_ours(f) && !is_going(f)) else {
                return Ok(None);
            };
            match (self.object.kind.as_str(), phase(&found)) {
                ("Pod", "Running") => return Ok(Some(self.object.shows("is there and runs"))),
                ("Pod", _) if Instant::now() >= end => return Ok(None),
                ("Pod", _) => sleep(Duration::from_millis(200)).await,
                _ => return Ok(Some(self.object.shows("is there"))),
            }
        }
    }

    pub(super) async fn undo(&self, client: &Client) -> Result<(), ChangeError> {
        let ops = Ops::new(client, &self.object);
        match ops.get().await? {
            // With all that is in it, also when a node that runs some of it has died.
            Some(found) if self.is_ours(&found) && self.object.kind == "Namespace" => {
                remove_namespace(client, &self.object.name, NAMESPACE_END)
                    .await
                    .map_err(|left| ops.no_api(left.to_string()))
            }
            Some(found) if self.is_ours(&found) => ops.delete(uid_of(&found)).await,
            // Never created, or gone; a foreign one stays.
            Some(_) | None => Ok(()),
        }
    }

    /// What is left of ours. A foreign object of that name is not.
    pub(super) async fn differences(&self, client: &Client) -> Result<Vec<String>, ChangeError> {
        let found = Ops::new(client, &self.object).get().await?;
        Ok(match found {
            Some(found) if self.is_ours(&found) => vec![format!("{} is still there", self.object)],
            Some(_) | None => vec![],
        })
    }
}

fn phase(object: &Value) -> &str {
    object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default()
}
