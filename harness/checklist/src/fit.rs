//! Which nodes a pod could run on, and what is free there.

use crate::snapshot::{Node, Snapshot, Template};
use loopdrill_kubernetes::{NodeRules, Resources, well_known};

/// What each node still has to give.
pub(crate) struct Room {
    free: Vec<Resources>,
}

impl Room {
    /// What is left on each node after the requests of the pods there.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut free: Vec<_> = snapshot.nodes.iter().map(|n| n.allocatable.clone()).collect();
        for pod in &snapshot.pods {
            if let Some(left) = pod.node.and_then(|n| free.get_mut(n as usize)) {
                *left = std::mem::take(left).minus(&pod.requests);
            }
        }
        Self { free }
    }

    /// What is free on a node.
    pub(crate) fn free(&self, node: usize) -> &Resources {
        &self.free[node]
    }
}

/// Whether a pod of this template may run on a node, capacity aside.
pub(crate) fn may_run(template: &Template, node: &Node) -> bool {
    let rules = NodeRules {
        selector: Some(&template.node_selector),
        affinity: &template.node_terms,
        tolerations: &template.tolerations,
    };
    node.ready && rules.allow(&node.view())
}

/// The indexes of the nodes on which a pod of this template may run.
pub(crate) fn candidates<'a>(
    snapshot: &'a Snapshot,
    template: &'a Template,
) -> impl Iterator<Item = usize> + 'a {
    snapshot.nodes.iter().enumerate().filter(|(_, n)| may_run(template, n)).map(|(at, _)| at)
}

/// The value of a topology label on a node.
pub(crate) fn domain<'a>(node: &'a Node, topology: &str) -> Option<&'a str> {
    well_known::domain(&node.name, &node.labels, topology)
}

#[cfg(test)]
mod tests {
    use crate::{
        check::Status,
        snapshot::{Input, Snapshot},
        testing::{NOW, Scene, result},
    };
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    /// Two nodes with four GPUs, twenty GiB of disk and two pods each, on the first of which a pod runs.
    fn cluster() -> Scene {
        let node = |name: &str| {
            json!({"metadata": {"name": name}, "status": {
                "allocatable": {"cpu": "2", "memory": "8Gi", "pods": "2", "nvidia.com/gpu": "4", "ephemeral-storage": "20Gi"},
                "conditions": [{"type": "Ready", "status": "True"}]}})
        };
        let runs = json!({"metadata": {"name": "runs", "namespace": "other"}, "spec": {"nodeName": "n1",
            "containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": "2"}}}]}});
        let nodes = Scene::cluster().object(Input::Nodes, node("n1")).object(Input::Nodes, node("n2"));
        nodes.object(Input::Pods, runs)
    }

    fn wants(resource: &str, amount: &str) -> Value {
        json!({"containers": [{"name": "c", "resources": {"limits": {resource: amount}}}]})
    }

    fn on(node: &str, operator: &str) -> Value {
        let term = json!({"matchFields": [{"key": "metadata.name", "operator": operator, "values": [node]}]});
        let mut pod = wants("nvidia.com/gpu", "3");
        pod["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [term]}}});
        pod
    }

    #[test]
    fn every_resource_counts() {
        cluster().deployment("a", 1, wants("nvidia.com/gpu", "4")).check("CO-05").passes();
        let five = cluster().deployment("a", 1, wants("nvidia.com/gpu", "5")).check("CO-05");
        five.fails_with(&["5 nvidia.com/gpu on one node", "at most 2 CPU, 8192Mi memory"]);
        let ten = cluster().deployment("a", 1, wants("nvidia.com/gpu", "10")).check("CO-05");
        ten.fails_with(&["too little of nvidia.com/gpu"]);
        let disk = cluster().deployment("a", 1, wants("ephemeral-storage", "21Gi")).check("CO-05");
        disk.fails_with(&["on one node"]);
    }

    #[test]
    fn a_node_without_a_free_place_takes_no_pod() {
        let pod = |name: &str, node: &str| json!({"metadata": {"name": name, "namespace": "other"}, "spec": {"nodeName": node, "containers": []}});
        let full = || cluster().object(Input::Pods, pod("b", "n1")).object(Input::Pods, pod("c", "n2"));
        full().deployment("a", 1, wants("cpu", "100m")).check("CO-05").passes();
        let fuller = full().object(Input::Pods, pod("d", "n2"));
        fuller.deployment("a", 1, wants("cpu", "100m")).check("CO-05").fails_with(&["too little of pods"]);
    }

    #[test]
    fn affinity_may_name_a_node() {
        cluster().deployment("a", 1, on("n2", "In")).check("CO-05").passes();
        cluster().deployment("a", 1, on("n1", "NotIn")).check("CO-05").passes();
        cluster().deployment("a", 1, on("n1", "In")).check("CO-05").fails_with(&["1 nodes have"]);
        cluster().deployment("a", 1, on("n3", "In")).check("CO-05").fails_with(&["no node is open"]);
        let mut nowhere = wants("cpu", "100m");
        nowhere["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{}]}}});
        cluster().deployment("a", 1, nowhere).check("CO-05").fails_with(&["no node is open"]);
    }

    #[test]
    fn a_budget_that_selects_nothing_protects_nothing() {
        let budget = |version: &str, selector: Value| {
            let object = json!({"apiVersion": version, "metadata": {"name": "b", "namespace": "shop"},
                "spec": {"maxUnavailable": 1, "selector": selector}});
            let scene = Scene::cluster().deployment("a", 2, wants("cpu", "100m"));
            scene.object(Input::Budgets, object).check("CO-04")
        };
        budget("policy/v1", json!({})).passes();
        budget("policy/v1", Value::Null).fails_with(&["has no PodDisruptionBudget"]);
        budget("policy/v1beta1", json!({})).fails_with(&["has no PodDisruptionBudget"]);
        budget("policy/v1beta1", json!({"matchLabels": {"app": "a"}})).passes();
    }

    /// The last format: CPU and memory under short names, terms as selectors, tolerations without an operator.
    #[test]
    fn a_snapshot_of_the_last_format_gives_the_same_answers() {
        let read = json!({"read": {"objects": 1, "unreadable": 0}});
        let inputs: BTreeMap<Input, Value> = Input::ALL.iter().map(|input| (*input, read.clone())).collect();
        let old = json!({
            "format": 1, "origin": {"cluster": "c"}, "taken_at": NOW,
            "inputs": inputs,
            "nodes": [{"name": "n1", "labels": {"cores": "8"}, "ready": true, "cordoned": false,
                "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}], "allocatable": {"c": 2000, "m": 8}}],
            "workloads": [{"kind": "Deployment", "namespace": "shop", "name": "a", "replicas": 2, "template": {
                "requests": {"c": 1500, "m": 4}, "tolerations": [{"key": "k", "value": null, "effect": ""}],
                "labels": {"app": "a"},
                "node_terms": [{"labels": {}, "expressions": [{"key": "cores", "operator": "Gt", "values": ["4"]}]}]}}],
            "pods": [{"w": 0, "n": 0, "r": {"c": 400, "m": 4}}],
            "budgets": [{"namespace": "shop", "name": "b", "allows": {"max-unavailable": 1},
                "selector": {"labels": {"app": "a"}, "expressions": []}}],
        });
        let mut snapshot: Snapshot = serde_json::from_value(old).expect("readable");
        assert_eq!(result(&snapshot, "CO-04").status, Status::Pass);
        assert_eq!(result(&snapshot, "CO-05").status, Status::Pass);
        snapshot.nodes[0].taints[0].key = "other".into();
        result(&snapshot, "CO-05").fails_with(&["no node is open"]);
    }
}
