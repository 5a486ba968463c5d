//! Some fields of an object are altered; undo sets them back if they are still as we left them.
//!
//! While it is altered the object carries the annotation [`HOLDER`], so that a like change by somebody else is
//! not taken for ours, and [`ORIGINAL`], so that it can be put right without the journal. (A label would not do: a sweep deletes what carries the run's label.)

use super::{
    ObjectRef,
    manifest::shown,
    ops::Ops,
    original::{ORIGINAL, Original},
};
use crate::ChangeError;
use kube::{Client, Resource};
use loopdrill_model::Evidence;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// The annotation on an object that a run has altered; its value is the run's id.
pub const HOLDER: &str = "loopdrill.dev/held-by";

/// Some fields of an object that are altered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// Which object.
    pub object: ObjectRef,
    /// The run that holds it.
    pub run: String,
    /// The fields.
    pub fields: Vec<Field>,
}

/// A field with its value before and after; `None` is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The names on the way to it, such as `["spec", "unschedulable"]`.
    pub path: Vec<String>,
    /// Its value before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value that the fault needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set {} of {}", self.list(|field| field.after.as_ref()), self.object)
    }
}

impl Patch {
    /// Takes the snapshot of the fields that will be set to these values.
    ///
    /// # Errors
    /// When the object is not there, is held by another run, has these values already, or holds content that
    /// must not be shown.
    pub async fn plan<K>(
        client: &Client,
        namespace: Option<&str>,
        name: &str,
        run: &str,
        set: &[(&[&str], Option<Value>)],
    ) -> Result<Self, ChangeError>
    where
        K: Resource<DynamicType = ()>,
    {
        let object = ObjectRef::of::<K>(namespace, name);
        let ops = Ops::new(client, &object);
        if object.kind == "Secret" {
            return Err(ops.foreign("a Secret, whose fields would show in texts"));
        }
        let Some(found) = ops.get().await? else { return Err(ops.foreign("there is none of that name")) };
        if let Some(other) = holder(&found) {
            return Err(ops.foreign(format!("run {other} holds it")));
        }
        let fields = set.iter().map(|(path, after)| Field {
            path: path.iter().map(|p| (*p).to_owned()).collect(),
            before: get(&found, path).cloned(),
            after: after.clone(),
        });
        let fields: Vec<_> = fields.collect();
        if let Some(same) = fields.iter().find(|f| f.before == f.after) {
            return Err(ops.foreign(format!(
                "{} is {} already",
                same.path.join("."),
                shown(same.after.as_ref())
            )));
        }
        Ok(Self { object, run: run.into(), fields })
    }

    fn list(&self, value: impl Fn(&Field) -> Option<&Value>) -> String {
        let each = self.fields.iter().map(|f| format!("{} to {}", f.path.join("."), shown(value(f))));
        each.collect::<Vec<_>>().join(" and ")
    }

    /// The first field that does not have the value that `wanted` says.
    fn stranger(&self, found: &Value, wanted: impl Fn(&Field) -> Option<&Value>) -> Option<String> {
        let field = self.fields.iter().find(|f| get(found, &f.path) != wanted(f))?;
        Some(format!(
            "{} is {}, it was {} before and {} is ours",
            field.path.join("."),
            shown(get(found, &field.path)),
            shown(field.before.as_ref()),
            shown(field.after.as_ref())
        ))
    }

    pub(super) async fn apply(&self, client: &Client) -> Result<(), ChangeError> {
        let ops = Ops::new(client, &self.object);
        loop {
            let Some(mut found) = ops.get().await? else {
                return Err(ops.foreign("there is none of that name"));
            };
            match holder(&found) {
                Some(run) if run == self.run && self.stranger(&found, after).is_none() => return Ok(()),
                Some(run) => return Err(ops.foreign(format!("run {run} holds it"))),
                None => {}
            }
            if let Some(stranger) = self.stranger(&found, before) {
                return Err(ops.foreign(stranger));
            }
            let original = Original::new(self, &found).encode().map_err(|e| ops.foreign(e.to_string()))?;
            self.fields.iter().for_each(|f| set(&mut found, &f.path, f.after.as_ref()));
            set(&mut found, &["metadata", "annotations", HOLDER], Some(&self.run.clone().into()));
            set(&mut found, &["metadata", "annotations", ORIGINAL], Some(&original.into()));
            if ops.replace(&found).await? {
                return Ok(());
            }
            ops.again("update").await?;
        }
    }

    pub(super) async fn read_back(&self, client: &Client) -> Result<Option<Evidence>, ChangeError> {
        let found = Ops::new(client, &self.object).get().await?;
        let ours = found.filter(|f| holder(f) == Some(&self.run) && self.stranger(f, after).is_none());
        let value = || self.list(|field| field.after.as_ref()).replace(" to ", " = ");
        Ok(ours.map(|_| self.object.shows(value())))
    }

    pub(super) async fn undo(&self, client: &Client) -> Result<(), ChangeError> {
        let ops = Ops::new(client, &self.object);
        loop {
            // Gone, or never ours: then nothing of ours is in force.
            let Some(mut found) = ops.get().await? else { return Ok(()) };
            match holder(&found) {
                Some(run) if run == self.run => {}
                Some(_) | None => return Ok(()),
            }
            if let (Some(stranger), Some(_)) = (self.stranger(&found, after), self.stranger(&found, before)) {
                return Err(ops.foreign(stranger));
            }
            self.fields.iter().for_each(|f| set(&mut found, &f.path, f.before.as_ref()));
            set(&mut found, &["metadata", "annotations", HOLDER], None);
            set(&mut found, &["metadata", "annotations", ORIGINAL], None);
            if ops.replace(&found).await? {
                return Ok(());
            }
            ops.again("update").await?;
        }
    }

    /// An object that somebody has deleted has nothing of ours left.
    pub(super) async fn differences(&self, client: &Client) -> Result<Vec<String>, ChangeError> {
        let Some(found) = Ops::new(client, &self.object).get().await? else { return Ok(vec![]) };
        let mut differences: Vec<_> =
            self.stranger(&found, before).map(|s| format!("{}: {s}", self.object)).into_iter().collect();
        if holder(&found) == Some(&self.run) {
            differences.push(format!("{}: the annotation {HOLDER} is still there", self.object));
        }
        Ok(differences)
    }
}

fn before(field: &Field) -> Option<&Value> {
    field.before.as_ref()
}

fn after(field: &Field) -> Option<&Value> {
    field.after.as_ref()
}

pub(super) fn holder(object: &Value) -> Option<&str> {
    get(object, &["metadata", "annotations", HOLDER])?.as_str()
}

pub(super) fn get<'v>(object: &'v Value, path: &[impl AsRef<str>]) -> Option<&'v Value> {
    path.iter().try_fold(object, |value, key| value.get(key.as_ref())).filter(|v| !v.is_null())
}

/// Sets a field, or removes it together with parents that it leaves empty.
fn set(object: &mut Value, path: &[impl AsRef<str>], value: Option<&Value>) {
    let Some((key, rest)) = path.split_first() else { return };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(map) = object.as_object_mut() else { return };
    let key = key.as_ref();
    match (rest.is_empty(), value) {
        (true, Some(value)) => drop(map.insert(key.into(), value.clone())),
        (true, None) => drop(map.remove(key)),
        (false, Some(_)) => set(map.entry(key).or_insert(Value::Null), rest, value),
        (false, None) => {
            let Some(child) = map.get_mut(key) else { return };
            set(child, rest, None);
            if child.as_object().is_some_and(Map::is_empty) {
                map.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn setting_and_removing_gives_back_the_object(
            keys in prop::collection::vec("[a-c]", 1..4),
            others in prop::collection::btree_map("[d-f]", any::<i32>(), 1..3),
        ) {
            let original = json!({"metadata": {"name": "x"}, "rest": others});
            let mut object = original.clone();
            set(&mut object, &keys, Some(&json!(1)));
            prop_assert_eq!(get(&object, &keys), Some(&json!(1)));
            set(&mut object, &keys, None);
            prop_assert_eq!(object, original);
        }
    }
}
