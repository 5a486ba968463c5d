//! Which nodes a pod could run on, and what is free there.

use crate::snapshot::{Amount, Node, Selector, Snapshot, Template};

/// What each node still has to give.
pub(crate) struct Room {
    free: Vec<Amount>,
}

impl Room {
    /// What is left on each node after the requests of the pods there.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut free: Vec<_> = snapshot.nodes.iter().map(|n| n.allocatable).collect();
        for pod in &snapshot.pods {
            if let Some(left) = pod.node.and_then(|n| free.get_mut(n as usize)) {
                *left = left.minus(pod.requests);
            }
        }
        Self { free }
    }

    /// What is free on a node.
    pub(crate) fn free(&self, node: usize) -> Amount {
        self.free.get(node).copied().unwrap_or_default()
    }
}

/// Whether a pod of this template may run on a node, capacity aside.
pub(crate) fn may_run(template: &Template, node: &Node) -> bool {
    let selected = template.node_selector.iter().all(|(k, v)| node.labels.get(k) == Some(v));
    let terms = &template.node_terms;
    let wanted = terms.is_empty() || terms.iter().any(|t: &Selector| t.matches(&node.labels));
    let repelled = node
        .taints
        .iter()
        .filter(|t| t.effect != "PreferNoSchedule")
        .any(|taint| !template.tolerations.iter().any(|t| t.covers(taint)));
    node.ready && !node.cordoned && selected && wanted && !repelled
}

/// The indexes of the nodes on which a pod of this template may run.
pub(crate) fn candidates<'a>(
    snapshot: &'a Snapshot,
    template: &'a Template,
) -> impl Iterator<Item = usize> + 'a {
    snapshot.nodes.iter().enumerate().filter(|(_, n)| may_run(template, n)).map(|(at, _)| at)
}

/// The value of a topology label on a node; every node has a host name.
pub(crate) fn domain<'a>(node: &'a Node, topology: &str) -> Option<&'a str> {
    match node.labels.get(topology) {
        Some(value) => Some(value),
        None if topology == "kubernetes.io/hostname" => Some(&node.name),
        None => None,
    }
}
