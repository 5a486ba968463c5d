//! "Taints and Tolerations", and "Assigning Pods to Nodes".

use crate::{labels, texts};
use loopdrill_kubernetes::{
    Labels, NodeRules, NodeTerm, NodeView, Requirement, Taint, Toleration, TolerationOperator, is_true,
    matches_any, tolerated, well_known,
};
use proptest::prelude::*;

fn taint(key: &str, value: &str, effect: &str) -> Taint {
    Taint { key: key.into(), value: value.into(), effect: effect.into() }
}

fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
    let operator = TolerationOperator::named(operator);
    Toleration { key: key.into(), operator, value: value.into(), effect: effect.into() }
}

#[test]
fn a_toleration_matches_as_the_documentation_says() {
    let given = taint("key1", "value1", "NoSchedule");
    let sla = taint("example.com/sla", "800", "NoExecute");
    let table = [
        (&given, toleration("key1", "Equal", "value1", "NoSchedule"), true),
        (&given, toleration("key1", "", "value1", "NoSchedule"), true),
        (&given, toleration("key1", "Exists", "", "NoSchedule"), true),
        (&given, toleration("key1", "Equal", "value2", "NoSchedule"), false),
        (&given, toleration("key1", "", "", "NoSchedule"), false),
        (&given, toleration("key2", "Exists", "", "NoSchedule"), false),
        (&given, toleration("key1", "Equal", "value1", "NoExecute"), false),
        // An empty effect matches all effects with the key; an empty key with Exists matches everything.
        (&given, toleration("key1", "Exists", "", ""), true),
        (&given, toleration("", "Exists", "", ""), true),
        (&given, toleration("", "Exists", "", "NoSchedule"), true),
        (&given, toleration("", "Exists", "", "NoExecute"), false),
        // An empty key with another operator is refused by the API.
        (&given, toleration("", "Equal", "value1", ""), false),
        // Numeric operators: the taint's value against the toleration's.
        (&sla, toleration("example.com/sla", "Gt", "750", "NoExecute"), true),
        (&sla, toleration("example.com/sla", "Gt", "800", "NoExecute"), false),
        (&sla, toleration("example.com/sla", "Gt", "950", "NoExecute"), false),
        (&sla, toleration("example.com/sla", "Lt", "950", ""), true),
        (&sla, toleration("example.com/sla", "Lt", "800", ""), false),
        (&sla, toleration("example.com/sla", "Lt", "many", ""), false),
        (&given, toleration("key1", "Gt", "1", ""), false),
        (&given, toleration("key1", "Fancy", "value1", ""), false),
    ];
    for (taint, toleration, expected) in table {
        assert_eq!(toleration.tolerates(taint), expected, "{toleration:?} of {taint:?}");
    }
}

fn view<'a>(labels: &'a Labels, taints: &'a [Taint], cordoned: bool) -> NodeView<'a> {
    NodeView { name: "node1", labels, taints, cordoned }
}

/// The documentation's example: three taints, two of which are tolerated; the third keeps the pod away.
#[test]
fn what_is_left_of_the_taints_decides() {
    let taints = [
        taint("key1", "value1", "NoSchedule"),
        taint("key1", "value1", "NoExecute"),
        taint("key2", "value2", "NoSchedule"),
    ];
    let tolerations = [
        toleration("key1", "Equal", "value1", "NoSchedule"),
        toleration("key1", "Equal", "value1", "NoExecute"),
    ];
    let (none, rules) = (labels(&[]), NodeRules { tolerations: &tolerations, ..Default::default() });
    assert_eq!(rules.repelled_by(&view(&none, &taints, false)), Some(&taints[2]));
    assert_eq!(rules.repelled_by(&view(&none, &taints[..2], false)), None);
    let soft = [taint("key2", "value2", "PreferNoSchedule")];
    assert!(NodeRules::default().allow(&view(&none, &soft, false)));
    assert!(!NodeRules::default().allow(&view(&none, &taints, false)));
}

#[test]
fn only_who_tolerates_a_cordon_gets_past_it() {
    let none = labels(&[]);
    let daemon = [toleration(well_known::UNSCHEDULABLE, "Exists", "", "NoSchedule")];
    assert!(!NodeRules::default().allow(&view(&none, &[], true)));
    assert!(NodeRules { tolerations: &daemon, ..Default::default() }.allow(&view(&none, &[], true)));
}

fn term(expressions: &[(&str, &str, &[&str])], fields: &[(&str, &str, &[&str])]) -> NodeTerm {
    let all = |list: &[(&str, &str, &[&str])]| {
        list.iter().map(|(key, operator, values)| Requirement::new(*key, operator, texts(values))).collect()
    };
    NodeTerm { expressions: all(expressions), fields: all(fields) }
}

const ZONE: &str = well_known::ZONE;

#[test]
fn terms_are_alternatives_and_a_terms_requirements_are_all_needed() {
    let node = labels(&[(ZONE, "antarctica-east1"), ("disk", "ssd")]);
    let here: (&str, &str, &[&str]) = (ZONE, "In", &["antarctica-east1", "antarctica-west1"]);
    let no_disk: (&str, &str, &[&str]) = ("disk", "DoesNotExist", &[]);
    let table: [(Vec<NodeTerm>, bool); 12] = [
        (vec![], true),
        (vec![term(&[here], &[])], true),
        (vec![term(&[here, no_disk], &[])], false),
        (vec![term(&[no_disk], &[]), term(&[here], &[])], true),
        // An empty term matches nothing, and does not spoil the others.
        (vec![NodeTerm::default()], false),
        (vec![NodeTerm::default(), term(&[here], &[])], true),
        // Fields: the node's name.
        (vec![term(&[], &[("metadata.name", "In", &["node1"])])], true),
        (vec![term(&[], &[("metadata.name", "In", &["node2"])])], false),
        (vec![term(&[here], &[("metadata.name", "NotIn", &["node1"])])], false),
        (vec![term(&[], &[("metadata.name", "Exists", &[])])], false),
        (vec![term(&[], &[("spec.unschedulable", "In", &["false"])])], false),
        // A label of that name is not the field.
        (vec![term(&[("metadata.name", "In", &["node1"])], &[])], false),
    ];
    for (terms, expected) in table {
        assert_eq!(matches_any(&terms, "node1", &node), expected, "{terms:?}");
    }
}

#[test]
fn selector_and_affinity_must_both_want_the_node() {
    let (node, selector) = (labels(&[("disk", "ssd"), (ZONE, "a")]), labels(&[("disk", "ssd")]));
    let (fits, other) = ([term(&[(ZONE, "In", &["a"])], &[])], [term(&[(ZONE, "In", &["b"])], &[])]);
    let want = |selector, affinity| {
        NodeRules { selector, affinity, ..Default::default() }.want(&view(&node, &[], false))
    };
    assert!(want(Some(&selector), &fits[..]) && want(None, &[]));
    assert!(!want(Some(&selector), &other[..]));
    assert!(!want(Some(&labels(&[("disk", "hdd")])), &fits[..]));
}

#[test]
fn names_of_before_are_known() {
    let (new, old) =
        (labels(&[(ZONE, "a"), (well_known::OLD_ZONE, "b")]), labels(&[(well_known::OLD_ZONE, "b")]));
    assert_eq!((well_known::zone(&new), well_known::zone(&old)), (Some("a"), Some("b")));
    assert_eq!(well_known::region(&labels(&[("failure-domain.beta.kubernetes.io/region", "r")])), Some("r"));
    assert!(well_known::is_control_plane(&labels(&[("node-role.kubernetes.io/master", "")])));
    assert!(well_known::is_default_class(&labels(&[(
        "storageclass.beta.kubernetes.io/is-default-class",
        "true"
    )])));
    assert_eq!(well_known::domain("n", &new, well_known::HOSTNAME), Some("n"));
    assert_eq!(well_known::domain("n", &new, "rack"), None);
}

#[test]
fn only_true_is_true() {
    let ready = |status| is_true([("Ready", status), ("Other", "True")], "Ready");
    assert!(ready("True") && !ready("Unknown") && !ready("False") && !is_true([], "Ready"));
}

proptest! {
    #[test]
    fn exists_without_key_tolerates_everything(key in "[a-z/.]{1,9}", value in "[a-z0-9]{0,5}", effect in "NoSchedule|NoExecute|PreferNoSchedule|New") {
        let one = taint(&key, &value, &effect);
        prop_assert!(tolerated(&[toleration("", "Exists", "", "")], &one));
        prop_assert!(tolerated(&[toleration(&key, "Equal", &value, &effect)], &one));
        prop_assert!(!tolerated(&[], &one));
    }

    #[test]
    fn further_taints_never_let_a_pod_in(n in 0_usize..4, tolerate in any::<[bool; 4]>()) {
        let all: Vec<_> = (0..4).map(|i| taint(&format!("k{i}"), "", "NoSchedule")).collect();
        let some: Vec<_> = (0..4).filter(|i| tolerate[*i]).map(|i| toleration(&format!("k{i}"), "Exists", "", "")).collect();
        let none = labels(&[]);
        let rules = NodeRules { tolerations: &some, ..Default::default() };
        let (few, more) = (view(&none, &all[..n], false), view(&none, &all[..=n], false));
        prop_assert!(!rules.allow(&more) || rules.allow(&few));
        prop_assert_eq!(rules.allow(&few), (0..n).all(|i| tolerate[i]));
    }

    #[test]
    fn a_further_alternative_never_shuts_a_node_out(zone in "[ab]", wanted in prop::collection::vec("[abc]", 1..4)) {
        let node = labels(&[(ZONE, &zone)]);
        let terms: Vec<_> = wanted.iter().map(|z| term(&[(ZONE, "In", &[z.as_str()])], &[])).collect();
        prop_assert_eq!(matches_any(&terms, "n", &node), wanted.contains(&zone));
        prop_assert!(!matches_any(&terms[..1], "n", &node) || matches_any(&terms, "n", &node));
    }
}
