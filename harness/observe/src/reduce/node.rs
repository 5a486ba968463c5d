//! Nodes, and the requirements on them.

use super::pod::matches_nothing;
use super::{created_at, name, time, uid, version};
use k8s_openapi::api::core::v1::{Node as ApiNode, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use loopdrill_model::quantity;
use loopdrill_model::signal::{Node, NodeRequirement, Operator, Resources, Taint};

/// A node as attribution sees it. A node that says nothing about `Ready` is `Unknown`.
pub(crate) fn node(object: &ApiNode) -> Node {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions.iter().find(|c| c.type_ == "Ready");
    let allocatable = status.allocatable.unwrap_or_default();
    Node {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        created_at: created_at(meta),
        labels: meta.labels.clone().unwrap_or_default(),
        ready: ready.map_or_else(|| "Unknown".into(), |c| c.status.clone()),
        ready_reason: ready.and_then(|c| c.reason.clone()).unwrap_or_default(),
        ready_since: ready.and_then(|c| time(c.last_transition_time.as_ref())),
        pressures: conditions
            .iter()
            .filter(|c| c.type_ != "Ready" && c.status == "True")
            .map(|c| c.type_.clone())
            .collect(),
        unschedulable: spec.unschedulable == Some(true),
        taints: spec.taints.iter().flatten().map(taint).collect(),
        allocatable: Resources {
            cpu_millis: allocatable.get("cpu").and_then(|q| quantity::millis(&q.0)).unwrap_or(0),
            memory_bytes: allocatable.get("memory").and_then(|q| quantity::units(&q.0)).unwrap_or(0),
        },
    }
}

fn taint(t: &k8s_openapi::api::core::v1::Taint) -> Taint {
    Taint { key: t.key.clone(), value: t.value.clone().unwrap_or_default(), effect: t.effect.clone() }
}

/// The terms of a required node selector.
pub(crate) fn requirements(selector: &NodeSelector) -> Vec<Vec<NodeRequirement>> {
    selector.node_selector_terms.iter().map(term).collect()
}

fn term(term: &NodeSelectorTerm) -> Vec<NodeRequirement> {
    let expressions = term.match_expressions.iter().flatten();
    let all: Vec<_> = expressions.chain(term.match_fields.iter().flatten()).map(requirement).collect();
    if all.is_empty() { matches_nothing() } else { all }
}

/// An operator of a later Kubernetes becomes `In` of nothing: it must not look as if any node would do.
fn requirement(r: &NodeSelectorRequirement) -> NodeRequirement {
    let operator = match r.operator.as_str() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        _ => return NodeRequirement { key: r.key.clone(), operator: Operator::In, values: Vec::new() },
    };
    NodeRequirement { key: r.key.clone(), operator, values: r.values.clone().unwrap_or_default() }
}
