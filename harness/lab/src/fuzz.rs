//! What fuzzing tries of kubeconfigs and of specifications of labs.

use crate::{
    LabError, LabSpec,
    kubeconfig::{LISTS, add_entries, parse, remove_entries, rename},
};
use kube::config::Kubeconfig;
use serde_json::{Value, json};

/// A user's kubeconfig: with a lab's entries in it, it can be written and read again, and without them it is as it was.
///
/// # Panics
/// When it is not.
pub fn kubeconfig(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut lab = Kubeconfig::from_yaml(text).unwrap_or_default();
    rename(&mut lab, "kind-fuzz", "https://127.0.0.1:4242");
    let Ok(before) = parse("config", text) else { return };
    let mut all = before.clone();
    add_entries(&mut all, &lab).expect("it was YAML");
    let written = serde_yaml::to_string(&all).expect("it is YAML");
    let mut again = parse("config", &written).expect("what we write is a kubeconfig");
    assert_eq!(again, all);
    remove_entries(&mut again, "kind-fuzz");
    assert_eq!(without_lists(again), without_lists(before));
}

/// Without a lab's entries, without a current context, and with empty lists where there were none.
fn without_lists(mut all: Value) -> Value {
    remove_entries(&mut all, "kind-fuzz");
    all["current-context"] = json!("");
    for list in LISTS.iter().filter(|list| all[**list].is_null()).collect::<Vec<_>>() {
        all[*list] = json!([]);
    }
    all
}

/// A specification of a lab: it survives its own YAML, or says what is wrong and where.
///
/// # Panics
/// When it does not.
pub fn spec(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match LabSpec::parse(text, "lab.yaml") {
        Ok(spec) => {
            let written = serde_yaml::to_string(&spec).expect("it is YAML");
            assert_eq!(LabSpec::parse(&written, "lab.yaml").expect("ours"), spec);
            assert_eq!(spec.named_nodes().len(), spec.nodes.len());
        }
        Err(LabError::Spec { line, what, remedy, .. }) => {
            let last = lines::last(text);
            assert!(line.is_none_or(|line| (1..=last).contains(&line)), "{line:?}: {what}");
            assert!(!what.is_empty() && !remedy.is_empty());
        }
        Err(error) => panic!("{error}"),
    }
}

#[path = "../../../tests/fuzz/lines.rs"]
mod lines;

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_of_kubeconfigs() {
        replay::replay("kubeconfig", kubeconfig);
    }

    #[test]
    fn the_corpus_of_specs() {
        replay::replay("spec", spec);
    }
}
