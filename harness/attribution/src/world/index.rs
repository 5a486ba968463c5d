//! Which objects there are, by what rules look them up by: no rule goes through all pods of a cluster.
//!
//! # Invariants
//! - An index follows from the objects alone, and is kept in step with each change: a world that has seen a thousand changes
//!   answers as one that is built anew from what is left.
//! - Objects come in the order of their uids, whichever way they are found.

use super::{has_control_plane, objects::Object};
use loopdrill_model::{Shared, Subject, Timestamp, signal::*};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// An object's uid, held once.
pub(crate) type Uid = Arc<str>;

/// What objects are looked up by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Not as it should be, or on its way there.
    Unwell,
    /// A healthy pod with a container that ended in this minute of the cluster's clock.
    EndedIn(i64),
    /// Being deleted, and still on a node.
    Leaving,
    /// A pod on a node that wants others apart.
    Apart,
    /// A node of the control plane.
    ControlPlane,
    /// In this namespace.
    Namespace(String),
    /// On this node.
    Node(String),
    /// Owned by this object of the same namespace.
    Owner(Subject),
    /// A pod of this namespace that mounts the claim.
    Claim(String, String),
    /// A pod of this namespace with the label.
    Label(String, String, String),
    /// A controller that is this object.
    Is(Subject),
    /// A controller of this namespace whose pods are still to come, or that wants none.
    Idle(String),
    /// A Service of this name, in any namespace.
    Name(String),
    /// A Service with this address.
    Address(String),
    /// An attachment of this volume.
    Volume(String),
}

/// Uids by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index(BTreeMap<Key, BTreeSet<Uid>>);

impl Index {
    /// The object had the keys `before` and has the keys `after` now.
    pub(crate) fn change(&mut self, uid: &Uid, before: &[Key], after: Vec<Key>) {
        if before == after {
            return;
        }
        for key in before.iter().filter(|key| !after.contains(key)) {
            let empty = self.0.get_mut(key).is_some_and(|uids| uids.remove(uid) && uids.is_empty());
            if empty {
                self.0.remove(key);
            }
        }
        for key in after {
            self.0.entry(key).or_default().insert(uid.clone());
        }
    }

    pub(crate) fn of<'i>(&'i self, key: &Key) -> impl Iterator<Item = &'i Uid> + use<'i> {
        self.0.get(key).into_iter().flatten()
    }

    pub(crate) fn count(&self, key: &Key) -> usize {
        self.0.get(key).map_or(0, BTreeSet::len)
    }

    /// Uids under all keys from `first` to `last`.
    pub(crate) fn between(&self, first: Key, last: Key) -> impl Iterator<Item = &Uid> {
        self.0.range(first..=last).flat_map(|(_, uids)| uids)
    }
}

/// Parts that many pods have in common: those of one controller differ in names and states only.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    labels: HashSet<Shared<BTreeMap<String, String>>>,
    terms: HashSet<Shared<Vec<NodeTerm>>>,
    tolerations: HashSet<Shared<Vec<Toleration>>>,
    constraints: HashSet<Shared<Constraints>>,
    ways: HashSet<Shared<Ways>>,
}

impl Pool {
    pub(crate) fn share(&mut self, pod: &mut Pod) {
        share(&mut self.labels, &mut pod.labels);
        share(&mut self.labels, &mut pod.node_selector);
        share(&mut self.terms, &mut pod.node_affinity);
        share(&mut self.tolerations, &mut pod.tolerations);
        share(&mut self.constraints, &mut pod.constraints);
        share(&mut self.ways, &mut pod.ways);
    }

    /// Forgets what nobody else holds any more.
    pub(crate) fn prune(&mut self) {
        self.labels.retain(|known| !known.is_alone());
        self.terms.retain(|known| !known.is_alone());
        self.tolerations.retain(|known| !known.is_alone());
        self.constraints.retain(|known| !known.is_alone());
        self.ways.retain(|known| !known.is_alone());
    }
}

fn share<T: std::hash::Hash + Eq + Clone>(known: &mut HashSet<Shared<T>>, part: &mut Shared<T>) {
    match known.get(part) {
        Some(same) => *part = same.clone(),
        None => _ = known.insert(part.clone()),
    }
}

pub(super) fn pod_keys(pod: &Pod) -> Vec<Key> {
    let namespace = &pod.namespace;
    let mut keys = vec![Key::Namespace(namespace.clone())];
    match (is_unwell(pod), last_end(pod)) {
        (true, _) => keys.push(Key::Unwell),
        (false, Some(at)) => keys.push(Key::EndedIn(minute(at))),
        (false, None) => {}
    }
    keys.extend(pod.node.clone().map(Key::Node));
    keys.extend(pod.node.as_ref().filter(|_| pod.deleting).map(|_| Key::Leaving));
    keys.extend(pod.node.as_ref().filter(|_| !pod.constraints.apart.is_empty()).map(|_| Key::Apart));
    keys.extend(pod.owner.clone().map(Key::Owner));
    keys.extend(pod.claims.iter().map(|claim| Key::Claim(namespace.clone(), claim.clone())));
    keys.extend(pod.labels.iter().map(|(k, v)| Key::Label(namespace.clone(), k.clone(), v.clone())));
    keys
}

/// The minute of a time.
pub(crate) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// Whether a rule may have something to say of the pod as it is now, whatever happened before.
fn is_unwell(pod: &Pod) -> bool {
    let fine = |c: &Container| match &c.state {
        ContainerState::Running { .. } => c.last.as_ref().is_none_or(|last| last.finished_at.is_some()),
        ContainerState::Terminated(end) => c.init && end.exit_code == 0 || pod.phase == "Succeeded",
        ContainerState::Waiting { .. } => false,
    };
    let well = pod.phase == "Succeeded" || pod.phase == "Running" && pod.ready;
    !well || !pod.containers.iter().all(fine)
}

/// When a container that runs again ended last.
fn last_end(pod: &Pod) -> Option<Timestamp> {
    let again = pod.containers.iter().filter(|c| matches!(c.state, ContainerState::Running { .. }));
    again.filter_map(|c| c.last.as_ref()?.finished_at).max()
}

pub(super) fn node_keys(node: &Node) -> Vec<Key> {
    let unwell = node.ready != "True" || !node.troubles.is_empty();
    let keys = [(unwell, Key::Unwell), (has_control_plane(node), Key::ControlPlane)];
    keys.into_iter().filter(|(is, _)| *is).map(|(_, key)| key).collect()
}

pub(super) fn claim_keys(claim: &Claim) -> Vec<Key> {
    let unwell = claim.phase != "Bound" || claim.grows;
    unwell.then_some(Key::Unwell).into_iter().collect()
}

pub(super) fn controller_keys(c: &Controller) -> Vec<Key> {
    let itself = Subject::new(&c.kind, &c.namespace, &c.name);
    let mut keys = vec![Key::Is(itself), Key::Namespace(c.namespace.clone())];
    if c.ready < c.desired {
        keys.push(Key::Unwell);
    }
    if c.kind != "Job" && (c.ready < c.desired || c.desired == 0 && c.owner.is_none()) {
        keys.push(Key::Idle(c.namespace.clone()));
    }
    keys
}

pub(super) fn service_keys(service: &Service) -> Vec<Key> {
    let mut keys = vec![Key::Namespace(service.namespace.clone()), Key::Name(service.name.clone())];
    keys.extend(service.addresses.iter().cloned().map(Key::Address));
    keys
}

pub(super) fn attachment_keys(attachment: &Attachment) -> Vec<Key> {
    vec![Key::Volume(attachment.volume.clone())]
}

/// Of what is looked up by its namespace alone.
pub(super) fn keys_beside<T: Object>(object: &T) -> Vec<Key> {
    vec![Key::Namespace(object.namespace().to_owned())]
}
