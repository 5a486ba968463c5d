//! Who is there to be asked: the nodes, and etcd's pods.

use super::{Handler, Key, gone};
use crate::clue::termination_clues;
use crate::reduce;
use k8s_openapi::api::core::v1::{Node, Pod};
use loopdrill_model::Signal;
use loopdrill_model::signal::Clue;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::sync::watch;

/// A node, as far as it must be known to ask it for something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NodeEntry {
    /// Whether the node is there, and not only a pod that names it.
    pub(crate) exists: bool,
    /// Namespace and name of the etcd pod on it.
    pub(crate) etcd_pod: Option<(String, String)>,
}

/// The nodes by name; who asks them waits here for changes.
#[derive(Clone)]
pub(crate) struct Roster(Arc<watch::Sender<BTreeMap<String, NodeEntry>>>);

impl Default for Roster {
    fn default() -> Self {
        Self(Arc::new(watch::channel(BTreeMap::new()).0))
    }
}

impl Roster {
    pub(crate) fn follow(&self) -> watch::Receiver<BTreeMap<String, NodeEntry>> {
        self.0.subscribe()
    }

    fn change(&self, node: &str, change: impl FnOnce(&mut NodeEntry)) {
        self.0.send_if_modified(|nodes| {
            let before = nodes.get(node).cloned().unwrap_or_default();
            let mut after = before.clone();
            change(&mut after);
            if after == NodeEntry::default() {
                nodes.remove(node);
            } else {
                nodes.insert(node.into(), after.clone());
            }
            before != after
        });
    }
}

/// Nodes into signals and into the roster.
pub(super) struct Nodes(pub(super) Roster);

impl Handler<Node> for Nodes {
    fn applied(&mut self, object: &Node, signals: &mut Vec<Signal>) {
        let node = reduce::node(object);
        self.0.change(&node.name, |entry| entry.exists = true);
        signals.push(Signal::Node(node));
    }

    fn gone(&mut self, key: &Key, uid: &str, signals: &mut Vec<Signal>) {
        self.0.change(&key.name, |entry| entry.exists = false);
        signals.push(gone("Node", key, uid));
    }
}

/// Pods into signals, and etcd's static pods (as kubeadm labels them) into the roster.
pub(super) struct Pods {
    roster: Roster,
    /// Lives whose termination messages were told: pod's uid, container, restarts.
    told: HashSet<(String, String, u32)>,
}

impl Pods {
    pub(super) fn new(roster: Roster) -> Self {
        Self { roster, told: HashSet::new() }
    }

    /// What the containers said that ended since.
    fn last_words(&mut self, object: &Pod, signals: &mut Vec<Signal>) {
        let clues = termination_clues(object);
        let life = |c: &Clue| (c.uid.clone(), c.container.clone(), c.restarts);
        let fresh: Vec<_> = clues.into_iter().filter(|c| !self.told.contains(&life(c))).collect();
        for clue in &fresh {
            self.told.retain(|(uid, container, _)| (uid, container) != (&clue.uid, &clue.container));
        }
        self.told.extend(fresh.iter().map(life));
        signals.extend(fresh.into_iter().map(Signal::Clue));
    }
}

impl Handler<Pod> for Pods {
    fn applied(&mut self, object: &Pod, signals: &mut Vec<Signal>) {
        let pod = reduce::pod(object);
        let is_etcd = pod.host_network && pod.labels.get("component").is_some_and(|c| c == "etcd");
        if let Some(node) = pod.node.as_ref().filter(|_| is_etcd) {
            self.roster
                .change(node, |entry| entry.etcd_pod = Some((pod.namespace.clone(), pod.name.clone())));
        }
        self.last_words(object, signals);
        signals.push(Signal::Pod(Box::new(pod)));
    }

    fn gone(&mut self, key: &Key, uid: &str, signals: &mut Vec<Signal>) {
        let pod = (key.namespace.clone(), key.name.clone());
        let on = self
            .roster
            .0
            .borrow()
            .iter()
            .find(|(_, e)| e.etcd_pod.as_ref() == Some(&pod))
            .map(|(n, _)| n.clone());
        if let Some(node) = on {
            self.roster.change(&node, |entry| entry.etcd_pod = None);
        }
        self.told.retain(|(known, ..)| known != uid);
        signals.push(gone("Pod", key, uid));
    }
}
