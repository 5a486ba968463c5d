//! Objects of the API in the words of `loopdrill_kubernetes`, which knows what they mean.

use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::api::resource::Quantity};
use loopdrill_kubernetes::{
    Amounts, ContainerAmounts, Labels, NodeRules, NodeTerm, NodeView, PodAmounts, READY, Requirement,
    Resources, Taint, Toleration, TolerationOperator, is_true,
};
use std::collections::BTreeMap;

/// Amounts of resources.
#[must_use]
pub fn resources(amounts: Option<&BTreeMap<String, Quantity>>) -> Resources {
    Resources::of(list(amounts))
}

fn list(amounts: Option<&BTreeMap<String, Quantity>>) -> Amounts<'_> {
    amounts.into_iter().flatten().map(|(name, quantity)| (name.as_str(), quantity.0.as_str())).collect()
}

/// What a pod asks its node for, as the scheduler counts it.
#[must_use]
pub fn pod_requests(pod: &api::Pod) -> Resources {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let statuses: Vec<_> = status
        .into_iter()
        .flat_map(|s| s.container_statuses.iter().chain(&s.init_container_statuses).flatten())
        .collect();
    let all = |containers| all_amounts(containers, &statuses);
    let amounts = PodAmounts {
        containers: spec.map(|s| s.containers.as_slice()).map(all).unwrap_or_default(),
        init: spec.and_then(|s| s.init_containers.as_deref()).map(all).unwrap_or_default(),
        level: declared(spec.and_then(|s| s.resources.as_ref())),
        overhead: list(spec.and_then(|s| s.overhead.as_ref())),
        infeasible_resize: status.is_some_and(has_infeasible_resize),
    };
    amounts.requests()
}

fn has_infeasible_resize(status: &api::PodStatus) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|c| c.type_ == "PodResizePending" && c.reason.as_deref() == Some("Infeasible"))
}

fn declared(resources: Option<&api::ResourceRequirements>) -> ContainerAmounts<'_> {
    ContainerAmounts {
        requests: list(resources.and_then(|r| r.requests.as_ref())),
        limits: list(resources.and_then(|r| r.limits.as_ref())),
        ..ContainerAmounts::default()
    }
}

fn all_amounts<'a>(
    containers: &'a [api::Container],
    statuses: &[&'a api::ContainerStatus],
) -> Vec<ContainerAmounts<'a>> {
    containers.iter().map(|c| container_amounts(c, statuses)).collect()
}

fn container_amounts<'a>(
    container: &'a api::Container,
    statuses: &[&'a api::ContainerStatus],
) -> ContainerAmounts<'a> {
    let status = statuses.iter().copied().find(|s| s.name == container.name);
    let has = status.and_then(|s| s.resources.as_ref()?.requests.as_ref());
    let promised = status.and_then(|s| s.allocated_resources.as_ref());
    ContainerAmounts {
        held: [has, promised].into_iter().flatten().map(|amounts| list(Some(amounts))).collect(),
        sidecar: container.restart_policy.as_deref() == Some("Always"),
        ..declared(container.resources.as_ref())
    }
}

/// Whether a pod is ready.
#[must_use]
pub fn pod_is_ready(pod: &api::Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    is_true(conditions.map(|c| (c.type_.as_str(), c.status.as_str())), READY)
}

/// Whether a node is ready.
#[must_use]
pub fn node_is_ready(node: &api::Node) -> bool {
    let conditions = node.status.iter().flat_map(|s| s.conditions.iter().flatten());
    is_true(conditions.map(|c| (c.type_.as_str(), c.status.as_str())), READY)
}

/// Whether a pod that neither selects nor tolerates anything may run on a node now, what is free there aside.
#[must_use]
pub fn takes_ordinary_pods(node: &api::Node) -> bool {
    let (none, taints) = (Labels::new(), taints(node));
    let view = NodeView {
        name: node.metadata.name.as_deref().unwrap_or_default(),
        labels: node.metadata.labels.as_ref().unwrap_or(&none),
        taints: &taints,
        cordoned: node.spec.as_ref().and_then(|s| s.unschedulable) == Some(true),
    };
    node_is_ready(node) && NodeRules::default().allow(&view)
}

/// A node's taints.
#[must_use]
pub fn taints(node: &api::Node) -> Vec<Taint> {
    let taints = node.spec.iter().flat_map(|s| s.taints.iter().flatten());
    let taint = |t: &api::Taint| Taint {
        key: t.key.clone(),
        value: t.value.clone().unwrap_or_default(),
        effect: t.effect.clone(),
    };
    taints.map(taint).collect()
}

/// A pod's toleration.
#[must_use]
pub fn toleration(t: &api::Toleration) -> Toleration {
    Toleration {
        key: t.key.clone().unwrap_or_default(),
        operator: TolerationOperator::named(t.operator.as_deref().unwrap_or_default()),
        value: t.value.clone().unwrap_or_default(),
        effect: t.effect.clone().unwrap_or_default(),
    }
}

/// The terms of a required node selector. One without terms matches no node, as a term without requirements does.
#[must_use]
pub fn node_terms(selector: &api::NodeSelector) -> Vec<NodeTerm> {
    let all = |list: Option<&Vec<api::NodeSelectorRequirement>>| {
        list.into_iter().flatten().map(requirement).collect()
    };
    let term = |term: &api::NodeSelectorTerm| NodeTerm {
        expressions: all(term.match_expressions.as_ref()),
        fields: all(term.match_fields.as_ref()),
    };
    match &selector.node_selector_terms[..] {
        [] => vec![NodeTerm::default()],
        terms => terms.iter().map(term).collect(),
    }
}

fn requirement(r: &api::NodeSelectorRequirement) -> Requirement {
    Requirement::new(r.key.clone(), &r.operator, r.values.iter().flatten().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(value: Value) -> api::Pod {
        serde_json::from_value(value).expect("a pod")
    }

    #[test]
    fn every_part_of_a_pod_counts() {
        let cpu = |cpu: &str| json!({"requests": {"cpu": cpu}});
        let held = json!({"name": "main", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "allocatedResources": {"cpu": "300m"}, "resources": {"requests": {"cpu": "200m"}}});
        let whole = pod(json!({
            "spec": {
                "containers": [{"name": "main", "resources": cpu("100m")}],
                "initContainers": [{"name": "side", "restartPolicy": "Always", "resources": cpu("50m")},
                                   {"name": "once", "resources": cpu("100m")}],
                "resources": {"requests": {"memory": "1Gi"}}, "overhead": {"cpu": "5m"},
            },
            "status": {"containerStatuses": [held]},
        }));
        let requests = pod_requests(&whole);
        assert_eq!((requests.cpu_millis, requests.memory_bytes, requests.pods), (355, 1 << 30, 1));
        let pending = json!({"type": "PodResizePending", "status": "True", "reason": "Infeasible"});
        let infeasible = pod(json!({
            "spec": {"containers": [{"name": "main", "resources": cpu("9")}]},
            "status": {"containerStatuses": [held], "conditions": [pending]},
        }));
        assert_eq!(pod_requests(&infeasible).cpu_millis, 300);
        assert_eq!(pod_requests(&pod(json!({}))), Resources { pods: 1, ..Resources::default() });
    }

    #[test]
    fn terms_keep_their_fields() {
        let selector = |value: Value| serde_json::from_value::<api::NodeSelector>(value).expect("a selector");
        let only = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]});
        let terms = node_terms(&selector(json!({"nodeSelectorTerms": [only]})));
        assert!(terms[0].matches("n1", &Labels::new()) && !terms[0].matches("n2", &Labels::new()));
        let none = node_terms(&selector(json!({"nodeSelectorTerms": []})));
        assert!(!loopdrill_kubernetes::matches_any(&none, "n1", &Labels::new()));
    }
}
