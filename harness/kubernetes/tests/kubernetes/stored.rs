//! Serialised forms: those of recordings and snapshots that were made before are read as what they meant.

use crate::labels;
use loopdrill_kubernetes::{
    NodeTerm, Operator, Requirement, Resources, Toleration, TolerationOperator, matches_any,
};
use proptest::prelude::*;
use serde_json::{Value, from_value, json, to_value};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    from_value(value).expect("readable")
}

#[test]
fn amounts_of_recordings_and_of_snapshots() {
    let both = [json!({"cpu_millis": 100, "memory_bytes": 5}), json!({"c": 100, "m": 5})];
    let expected = Resources { cpu_millis: 100, memory_bytes: 5, ..Default::default() };
    for old in both {
        assert_eq!(read::<Resources>(old), expected);
    }
    // What has nothing new is written as before.
    assert_eq!(to_value(&expected).expect("written"), json!({"cpu_millis": 100, "memory_bytes": 5}));
}

#[test]
fn node_terms_of_recordings_and_of_snapshots() {
    let old = json!([{"key": "zone", "operator": "In", "values": ["a"]},
                     {"key": "metadata.name", "operator": "NotIn", "values": ["n"]}]);
    let term: NodeTerm = read(old.clone());
    assert_eq!((term.expressions.len(), term.fields.len()), (1, 1));
    assert_eq!(to_value(&term).expect("written"), old);
    let nothing: NodeTerm = read(json!([{"key": "metadata.name", "operator": "In", "values": []}]));
    assert!(!matches_any(&[nothing], "n", &labels(&[])), "how a term that matches no node was once written");
    let selector: NodeTerm =
        read(json!({"labels": {}, "expressions": [{"key": "n", "operator": "Gt", "values": ["4"]}]}));
    assert!(selector.matches("n", &labels(&[("n", "5")])));
    let later: Requirement = read(json!({"key": "k", "operator": "Fancy", "values": ["v"]}));
    assert_eq!(later.operator, Operator::Unknown);
}

#[test]
fn tolerations_of_recordings_and_of_snapshots() {
    let table = [
        (json!({"key": "k", "exists": true, "value": "", "effect": ""}), TolerationOperator::Exists),
        (json!({"key": "k", "exists": false, "value": "", "effect": ""}), TolerationOperator::Equal),
        (json!({"key": "k", "value": null, "effect": ""}), TolerationOperator::Exists),
        (json!({"key": "k", "value": "v"}), TolerationOperator::Equal),
        (
            json!({"key": "k", "exists": false, "operator": "Gt", "value": "5", "effect": ""}),
            TolerationOperator::Gt,
        ),
    ];
    for (old, operator) in table {
        assert_eq!(read::<Toleration>(old.clone()).operator, operator, "{old}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(key in "[a-z]{0,3}", operator in "Equal|Exists|Gt|Lt|Fancy", value in "[0-9]{0,2}", effect in "NoSchedule|") {
        let t = Toleration { key, operator: TolerationOperator::named(&operator), value, effect };
        prop_assert_eq!(read::<Toleration>(to_value(&t).expect("written")), t);
    }

    #[test]
    fn amounts_are_read_back(cpu in any::<u64>(), pods in any::<u64>(), gpus in 0_u64..9) {
        let mut all = Resources { cpu_millis: cpu, pods, ..Default::default() };
        all.set("nvidia.com/gpu", gpus);
        prop_assert_eq!(read::<Resources>(to_value(&all).expect("written")), all);
    }
}
