//! Which kinds of objects are read, and what is told of the others.

use crate::snapshot::{Input, Kinds};
use serde_json::Value;

/// The inputs that manifests can hold: all lists of objects but that of nodes.
pub(super) fn inputs() -> impl Iterator<Item = (Input, Kinds)> {
    let of_manifests = Input::ALL.iter().filter(|input| **input != Input::Nodes);
    of_manifests.filter_map(|input| Some((*input, input.kinds()?)))
}

/// The input that a kind belongs to, and whether it lies in a namespace.
pub(super) fn known(kind: &str, version: &str) -> Option<(Input, bool)> {
    let of = |group: &str| if group.ends_with('/') { version.starts_with(group) } else { version == group };
    let is = |(_, kinds): &(_, Kinds)| kinds.all.iter().any(|(name, group)| *name == kind && of(group));
    inputs().find(is).map(|(input, kinds)| (input, kinds.namespaced))
}

/// Whether any kind of this name is known, whatever its group.
pub(super) fn has_name(kind: &str) -> bool {
    inputs().any(|(_, kinds)| kinds.all.iter().any(|(name, _)| *name == kind))
}

/// Fields that hold containers, of pods and of what workflow engines make pods from.
const CONTAINERS: [&str; 5] = ["containers", "initContainers", "steps", "container", "script"];

/// Whether an object of a kind that is not known makes pods: it holds containers with images.
pub(super) fn makes_pods(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields
            .iter()
            .any(|(key, inner)| (CONTAINERS.contains(&key.as_str()) && runs(inner)) || makes_pods(inner)),
        Value::Array(all) => all.iter().any(makes_pods),
        _ => false,
    }
}

fn runs(containers: &Value) -> bool {
    let has_image = |c: &Value| c["image"].is_string();
    has_image(containers) || containers.as_array().is_some_and(|all| all.iter().any(has_image))
}

/// Whether placeholders of a template are left in a key, or in what names the object. In values they may well be meant
/// for somebody else, and annotations may hold anything.
pub(super) fn is_template(value: &Value) -> bool {
    let text = |v: &Value| v.as_str().is_some_and(|t| t.contains("{{"));
    text(&value["kind"]) || text(&value["apiVersion"]) || in_keys(value) || in_names(&value["metadata"])
}

fn in_keys(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.iter().any(|(k, v)| k.contains("{{") || (k != "annotations" && in_keys(v)))
        }
        Value::Array(all) => all.iter().any(in_keys),
        _ => false,
    }
}

fn in_names(metadata: &Value) -> bool {
    match metadata {
        Value::String(text) => text.contains("{{"),
        Value::Array(all) => all.iter().any(in_names),
        Value::Object(fields) => fields.iter().any(|(k, v)| k != "annotations" && in_names(v)),
        _ => false,
    }
}

/// Whether a placeholder is anywhere in it.
pub(super) fn has_braces(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{"),
        Value::Array(all) => all.iter().any(has_braces),
        Value::Object(fields) => fields.values().any(has_braces),
        _ => false,
    }
}
