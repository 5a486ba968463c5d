//! Whether a node may take a pod, what is free there aside.

use crate::{
    Labels, NO_SCHEDULE, NodeTerm, Taint, Toleration, node_affinity::matches_any, selector::has_all,
    tolerated, well_known,
};

/// What a pod says about the nodes that it may run on. The default one is an ordinary pod's, which says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeRules<'a> {
    /// `nodeSelector`; `None` is an empty one.
    pub selector: Option<&'a Labels>,
    /// The terms of required node affinity; none is no condition.
    pub affinity: &'a [NodeTerm],
    /// `tolerations`.
    pub tolerations: &'a [Toleration],
}

/// What of a node decides who may run on it.
#[derive(Debug, Clone, Copy)]
pub struct NodeView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
    /// Its taints.
    pub taints: &'a [Taint],
    /// `spec.unschedulable`.
    pub cordoned: bool,
}

impl<'a> NodeRules<'a> {
    /// Whether node selector and affinity want the node.
    #[must_use]
    pub fn want(&self, node: &NodeView<'_>) -> bool {
        self.selector.is_none_or(|s| has_all(s, node.labels))
            && matches_any(self.affinity, node.name, node.labels)
    }

    /// The first taint of the node that keeps the pod away.
    #[must_use]
    pub fn repelled_by<'n>(&self, node: &NodeView<'n>) -> Option<&'n Taint> {
        node.taints.iter().find(|t| t.is_hard() && !tolerated(self.tolerations, t))
    }

    /// Whether the node is cordoned, and the pod does not tolerate that.
    #[must_use]
    pub fn kept_off_by_cordon(&self, node: &NodeView<'_>) -> bool {
        let cordon = || Taint {
            key: well_known::UNSCHEDULABLE.into(),
            value: String::new(),
            effect: NO_SCHEDULE.into(),
        };
        node.cordoned && !tolerated(self.tolerations, &cordon())
    }

    /// Whether the scheduler would let the pod onto the node, what is free there aside.
    #[must_use]
    pub fn allow(&self, node: &NodeView<'_>) -> bool {
        self.want(node) && self.repelled_by(node).is_none() && !self.kept_off_by_cordon(node)
    }
}
