//! "Labels and Selectors", and what an empty or absent selector means to whom.

use crate::{labels, texts};
use loopdrill_kubernetes::{
    LabelSelector, Labels, Operator, Requirement, budget_selects, selects, service_selects,
};
use proptest::{collection::btree_map, prelude::*};

fn requirement(key: &str, operator: &str, values: &[&str]) -> Requirement {
    Requirement::new(key, operator, texts(values))
}

fn expressions(expressions: Vec<Requirement>) -> LabelSelector {
    LabelSelector { expressions, ..Default::default() }
}

#[test]
fn operators_mean_what_the_documentation_says() {
    let with =
        labels(&[("environment", "production"), ("tier", "frontend"), ("cores", "5"), ("partition", "")]);
    let table: [(&str, &str, &[&str], bool); 24] = [
        ("environment", "In", &["production", "qa"], true),
        ("environment", "In", &["qa"], false),
        ("absent", "In", &["qa"], false),
        ("tier", "NotIn", &["frontend", "backend"], false),
        ("tier", "NotIn", &["backend"], true),
        // All resources without such a label match, too.
        ("absent", "NotIn", &["frontend"], true),
        ("partition", "Exists", &[], true),
        ("absent", "Exists", &[], false),
        ("partition", "DoesNotExist", &[], false),
        ("absent", "DoesNotExist", &[], true),
        ("cores", "Gt", &["4"], true),
        ("cores", "Gt", &["5"], false),
        ("cores", "Lt", &["6"], true),
        ("cores", "Lt", &["5"], false),
        ("absent", "Lt", &["5"], false),
        ("tier", "Gt", &["4"], false),
        // The API refuses these; nothing matches them.
        ("environment", "In", &[], false),
        ("absent", "NotIn", &[], false),
        ("partition", "Exists", &["x"], false),
        ("absent", "DoesNotExist", &["x"], false),
        ("cores", "Gt", &["1", "2"], false),
        ("cores", "Gt", &["many"], false),
        ("tier", "Like", &["frontend"], false),
        ("tier", "", &["frontend"], false),
    ];
    for (key, operator, values, expected) in table {
        assert_eq!(
            requirement(key, operator, values).matches(&with),
            expected,
            "{key} {operator} {values:?}"
        );
    }
}

#[test]
fn all_conditions_of_both_parts_must_hold() {
    // The documentation's own example.
    let selector = LabelSelector {
        labels: labels(&[("component", "redis")]),
        expressions: vec![
            requirement("tier", "In", &["cache"]),
            requirement("environment", "NotIn", &["dev"]),
        ],
    };
    assert!(selector.matches(&labels(&[("component", "redis"), ("tier", "cache"), ("more", "x")])));
    assert!(!selector.matches(&labels(&[("component", "redis"), ("tier", "cache"), ("environment", "dev")])));
    assert!(!selector.matches(&labels(&[("component", "redis")])));
    assert!(!selector.matches(&labels(&[("tier", "cache")])));
    let node_only = expressions(vec![requirement("n", "Gt", &["1"])]);
    assert!(!node_only.matches(&labels(&[("n", "2")])), "labels are not compared by size");
}

#[test]
fn an_empty_selector_and_none_mean_different_things_to_different_objects() {
    let pod = labels(&[("app", "a")]);
    let (empty, some, other) = (
        LabelSelector::default(),
        LabelSelector { labels: labels(&[("app", "a")]), ..Default::default() },
        LabelSelector { labels: labels(&[("app", "b")]), ..Default::default() },
    );
    let table = [
        (None, false, false),
        (Some(&empty), true, false),
        (Some(&some), true, true),
        (Some(&other), false, false),
    ];
    for (selector, now, in_beta) in table {
        assert_eq!(selects(selector, &pod), now, "{selector:?}");
        assert_eq!(budget_selects("policy/v1", selector, &pod), now, "{selector:?}");
        assert_eq!(budget_selects("policy/v1beta1", selector, &pod), in_beta, "{selector:?}");
    }
    assert!(!service_selects(&Labels::new(), &pod), "a Service without a selector leads to no pod");
    assert!(service_selects(&pod, &labels(&[("app", "a"), ("more", "x")])));
    assert!(!service_selects(&labels(&[("app", "a"), ("more", "x")]), &pod));
}

fn some_labels() -> impl Strategy<Value = Labels> {
    btree_map("[ab]{1,2}", "[0-3]{0,2}", 0..4)
}

proptest! {
    #[test]
    fn complements_are_complements(labels in some_labels(), key in "[ab]{1,2}", value in "[0-3]{1,2}") {
        let ask = |operator: &str, values: Vec<String>| Requirement::new(key.clone(), operator, values).matches(&labels);
        prop_assert_ne!(ask("In", vec![value.clone()]), ask("NotIn", vec![value.clone()]));
        prop_assert_ne!(ask("Exists", vec![]), ask("DoesNotExist", vec![]));
        prop_assert!(!(ask("Gt", vec![value.clone()]) && ask("Lt", vec![value.clone()])));
        prop_assert!(!ask("In", vec![value]) || ask("Exists", vec![]));
    }

    #[test]
    fn a_selector_with_more_conditions_selects_no_more(labels in some_labels(), a in some_labels(), key in "[ab]", values in prop::collection::vec("[0-3]", 1..3)) {
        let less = LabelSelector { labels: a.clone(), ..Default::default() };
        let more = LabelSelector { labels: a, expressions: vec![Requirement::new(key, "In", values)] };
        prop_assert!(!more.matches(&labels) || less.matches(&labels));
        prop_assert!(LabelSelector::default().matches(&labels));
        let itself = LabelSelector { labels: labels.clone(), ..Default::default() };
        prop_assert!(itself.matches(&labels));
    }

    #[test]
    fn unknown_operators_match_nothing(labels in some_labels(), key in "[ab]", operator in "[A-Za-z]{0,8}") {
        prop_assume!(Operator::named(&operator) == Operator::Unknown);
        prop_assert!(!Requirement::new(key, &operator, []).matches(&labels));
    }
}
