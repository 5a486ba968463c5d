//! An object's content: what of it is the user's, in one canonical form, and how two of them differ.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// What the server sets by itself and a recreated object gets anew.
const SERVER_SET: [&str; 8] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

const HIDDEN: &str = "(hidden)";
const SHOWN: usize = 6;

/// An object's content. Prints its kind and name only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Manifest(Value);

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |pointer| self.0.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        write!(f, "Manifest({} {})", text("/kind"), text("/metadata/name"))
    }
}

impl Manifest {
    /// The user's part of `object`: without status and what the server sets, keys sorted, nulls dropped.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let mut value = sorted(object);
        if let Some(object) = value.as_object_mut() {
            object.remove("status");
        }
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in SERVER_SET {
                metadata.remove(key);
            }
        }
        Self(value)
    }

    /// The content.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The bytes that two equal contents share.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.0.to_string()
    }

    /// Where `self` and `now` differ, one line a field; nothing when they are the same bytes. The content of
    /// Secrets is never shown.
    #[must_use]
    pub fn differences(&self, now: &Manifest) -> Vec<String> {
        if self.canonical() == now.canonical() {
            return vec![];
        }
        let secret = [self, now].iter().any(|m| m.0.get("kind").and_then(Value::as_str) == Some("Secret"));
        let mut found = Vec::new();
        compare("", Some(&self.0), Some(&now.0), secret, &mut found);
        let more = found.len().saturating_sub(SHOWN);
        found.truncate(SHOWN);
        if more > 0 {
            found.push(format!("and {more} more"));
        }
        found
    }
}

/// Nulls mean absent to the API, so they are dropped from objects.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, v)| !v.is_null()).collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn compare(at: &str, before: Option<&Value>, now: Option<&Value>, secret: bool, found: &mut Vec<String>) {
    match (before, now) {
        (before, now) if before == now => {}
        (Some(Value::Object(b)), Some(Value::Object(n))) => {
            let keys: std::collections::BTreeSet<_> = b.keys().chain(n.keys()).collect();
            for key in keys {
                compare(&format!("{at}.{key}"), b.get(key), n.get(key), secret, found);
            }
        }
        (before, now) => {
            let shown = |v: Option<&Value>| match v {
                None => "absent".to_owned(),
                Some(_) if secret && !harmless(at) => HIDDEN.to_owned(),
                Some(v) => v.to_string(),
            };
            found.push(format!("{} was {} and is {}", at.trim_start_matches('.'), shown(before), shown(now)));
        }
    }
}

/// Fields of a Secret that may be shown. Annotations may repeat its content.
fn harmless(at: &str) -> bool {
    matches!(at, ".apiVersion" | ".kind" | ".type" | ".immutable" | ".metadata.name" | ".metadata.namespace")
        || at.starts_with(".metadata.labels")
}

/// A value that is meant to be put in a text.
pub(super) fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,5}", inner, 0..5)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn object(spec: &Value, server: u64) -> Value {
        json!({
            "kind": "Thing", "apiVersion": "v1",
            "metadata": {
                "name": "x", "uid": format!("u{server}"), "resourceVersion": server.to_string(),
                "creationTimestamp": server, "managedFields": [server], "generation": server,
            },
            "spec": spec, "status": {"seen": server},
        })
    }

    proptest! {
        #[test]
        fn canonicalising_twice_changes_nothing(spec in json_value()) {
            let once = Manifest::of(&object(&spec, 1));
            prop_assert_eq!(Manifest::of(once.value()).canonical(), once.canonical());
        }

        #[test]
        fn what_the_server_sets_does_not_count(spec in json_value(), a: u64, b: u64) {
            let (one, other) = (Manifest::of(&object(&spec, a)), Manifest::of(&object(&spec, b)));
            prop_assert_eq!(one.canonical(), other.canonical());
            prop_assert!(one.differences(&other).is_empty());
        }

        #[test]
        fn anything_else_counts(a in json_value(), b in json_value()) {
            let (one, other) = (Manifest::of(&object(&a, 1)), Manifest::of(&object(&b, 1)));
            prop_assert_eq!(one.canonical() == other.canonical(), one.differences(&other).is_empty());
        }

        #[test]
        fn a_journal_gives_back_the_same_bytes(spec in json_value()) {
            let manifest = Manifest::of(&object(&spec, 1));
            let text = serde_json::to_string(&manifest).expect("json");
            let back: Manifest = serde_json::from_str(&text).expect("json");
            prop_assert_eq!(back.canonical(), manifest.canonical());
        }

        #[test]
        fn secrets_stay_secret(a in "S3CR[A-Z]{8}", b in "S3CR[A-Z]{8}") {
            let secret = |v: &str| Manifest::of(&json!({
                "kind": "Secret", "metadata": {"name": "x", "annotations": {"copy": v}},
                "data": {"key": v}, "stringData": {"key": v},
            }));
            let (one, other) = (secret(&a), secret(&b));
            let text = format!("{one:?} {:?}", one.differences(&other));
            prop_assert!(!text.contains("S3CR"), "{}", text);
        }
    }

    #[test]
    fn a_difference_names_the_field_and_both_values() {
        let one = Manifest::of(&json!({"kind": "RoleBinding", "roleRef": {"name": "reader"}}));
        let other = Manifest::of(&json!({"kind": "RoleBinding", "roleRef": {"name": "writer"}}));
        assert_eq!(one.differences(&other), [r#"roleRef.name was "reader" and is "writer""#]);
    }
}
