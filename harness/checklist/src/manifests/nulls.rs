//! What null is to the API server: in a map or a list of texts, the empty text. Everywhere else, null is absent.

use serde_json::{Map, Value};

/// Fields that are maps of texts, in whichever object.
const TEXTS: [&str; 8] = [
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "data",
    "stringData",
    "binaryData",
    "parameters",
];

/// Fields that are lists of texts.
const LISTS: [&str; 2] = ["command", "args"];

/// Fields that are maps of amounts. An amount that is null is nothing, and is as good as none.
const AMOUNTS: [&str; 7] = ["requests", "limits", "default", "defaultRequest", "max", "min", "overhead"];

/// Makes texts of what is null among texts.
pub(super) fn to_texts(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(to_texts),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, inner)| of_field(name, inner)),
        _ => {}
    }
}

fn of_field(name: &str, value: &mut Value) {
    match value {
        Value::Array(all) if LISTS.contains(&name) => all.iter_mut().for_each(empty_for_null),
        Value::Object(map) if TEXTS.contains(&name) || is_service_selector(name, map) => fill(map),
        Value::Object(map) if AMOUNTS.contains(&name) => map.retain(|_, amount| !amount.is_null()),
        _ => to_texts(value),
    }
}

/// The selector of a Service is a map of labels itself.
fn is_service_selector(name: &str, map: &Map<String, Value>) -> bool {
    name == "selector" && !map.contains_key("matchLabels") && !map.contains_key("matchExpressions")
}

fn empty_for_null(value: &mut Value) {
    if value.is_null() {
        *value = Value::String(String::new());
    }
}

fn fill(map: &mut Map<String, Value>) {
    map.values_mut().for_each(empty_for_null);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_is_the_empty_text_among_texts_and_absent_elsewhere() {
        let mut object = json!({
            "metadata": {"labels": {"a": null, "b": "c"}, "annotations": null},
            "spec": {"selector": {"matchLabels": null}, "template": {"metadata": {"labels": {"x": null}}}},
        });
        to_texts(&mut object);
        assert_eq!(object["metadata"], json!({"labels": {"a": "", "b": "c"}, "annotations": null}));
        assert_eq!(object["spec"]["selector"], json!({"matchLabels": null}));
        assert_eq!(object["spec"]["template"]["metadata"]["labels"], json!({"x": ""}));
        let mut amounts = json!({"resources": {"requests": {"cpu": null, "memory": 1}}});
        to_texts(&mut amounts);
        assert_eq!(amounts, json!({"resources": {"requests": {"memory": 1}}}));
    }
}
