//! What keeps a pod from nodes beside resources, selectors and taints: other pods, ports, priorities.

use k8s_openapi::api::core::v1::{Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as ApiSelector;
use loopdrill_kubernetes::{HostPort, LabelSelector, Labels, PodTerm, Requirement, Spread};
use loopdrill_model::signal::Constraints;

const DEFAULT_SCHEDULER: &str = "default-scheduler";

pub(super) fn constraints(pod: &Pod) -> Constraints {
    let Some(spec) = &pod.spec else { return Constraints::default() };
    let affinity = spec.affinity.as_ref();
    let near = affinity.and_then(|a| a.pod_affinity.as_ref());
    let near = near.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    let apart = affinity.and_then(|a| a.pod_anti_affinity.as_ref());
    let apart = apart.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    let none = Labels::new();
    let labels = pod.metadata.labels.as_ref().unwrap_or(&none);
    let hard = |c: &&TopologySpreadConstraint| c.when_unsatisfiable == "DoNotSchedule";
    Constraints {
        host_ports: host_ports(spec),
        near: near.into_iter().flatten().map(|t| term(t, labels)).collect(),
        apart: apart.into_iter().flatten().map(|t| term(t, labels)).collect(),
        spread: spec
            .topology_spread_constraints
            .iter()
            .flatten()
            .filter(hard)
            .map(|c| spread(c, labels))
            .collect(),
        priority: spec.priority.unwrap_or(0),
        never_preempts: spec.preemption_policy.as_deref() == Some("Never"),
        nominated: pod.status.as_ref().and_then(|s| s.nominated_node_name.clone()).filter(|n| !n.is_empty()),
        scheduler: spec.scheduler_name.clone().filter(|s| !s.is_empty() && s != DEFAULT_SCHEDULER),
    }
}

/// With its node's network, each port of a container is the node's.
fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let host_network = spec.host_network == Some(true);
    let ports = spec.containers.iter().flat_map(|c| c.ports.iter().flatten());
    let port = |p: &k8s_openapi::api::core::v1::ContainerPort| {
        let number = p.host_port.or(host_network.then_some(p.container_port))?;
        Some(HostPort {
            ip: p.host_ip.clone().unwrap_or_default(),
            protocol: p.protocol.clone().unwrap_or_else(|| "TCP".into()),
            port: u16::try_from(number).ok().filter(|n| *n > 0)?,
        })
    };
    ports.filter_map(port).collect()
}

fn term(term: &PodAffinityTerm, labels: &Labels) -> PodTerm {
    PodTerm {
        topology_key: term.topology_key.clone(),
        selector: alike(term.label_selector.as_ref(), term.match_label_keys.as_ref(), labels),
        namespaces: term.namespaces.clone().unwrap_or_default(),
        namespace_selector: term.namespace_selector.as_ref().map(selector),
    }
}

fn spread(c: &TopologySpreadConstraint, labels: &Labels) -> Spread {
    Spread {
        topology_key: c.topology_key.clone(),
        max_skew: u32::try_from(c.max_skew).unwrap_or(1),
        selector: alike(c.label_selector.as_ref(), c.match_label_keys.as_ref(), labels),
        min_domains: c.min_domains.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        honors_taints: c.node_taints_policy.as_deref() == Some("Honor"),
        ignores_affinity: c.node_affinity_policy.as_deref() == Some("Ignore"),
    }
}

/// A selector, and beside it the pod's own values of these labels.
fn alike(wanted: Option<&ApiSelector>, keys: Option<&Vec<String>>, own: &Labels) -> Option<LabelSelector> {
    let mut selector = selector(wanted?);
    let keys = keys.into_iter().flatten();
    selector.labels.extend(keys.filter_map(|key| Some((key.clone(), own.get(key)?.clone()))));
    Some(selector)
}

pub(super) fn selector(selector: &ApiSelector) -> LabelSelector {
    let requirement = |r: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement| {
        Requirement::new(r.key.clone(), &r.operator, r.values.iter().flatten().cloned())
    };
    LabelSelector {
        labels: selector.match_labels.clone().unwrap_or_default(),
        expressions: selector.match_expressions.iter().flatten().map(requirement).collect(),
    }
}
