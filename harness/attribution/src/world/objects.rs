//! The newest state of each API object, and since when each fact about it holds.

use super::index::{Index, Key, Pool, Uid};
use loopdrill_model::{Subject, Timestamp, signal::*};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An API object that is known by uid and ordered by version.
pub(crate) trait Object {
    fn uid(&self) -> &str;
    fn version(&self) -> u64;
    fn namespace(&self) -> &str {
        ""
    }
    fn name(&self) -> &str;
}

/// What rules ask of the objects of a kind; nothing by default.
#[derive(Debug, Clone)]
pub(crate) struct Traits<T> {
    /// What is worth knowing the beginning of, in the observer's time.
    pub(super) facts: fn(&T) -> Vec<Fact>,
    /// What it is looked up by.
    pub(super) keys: fn(&T) -> Vec<Key>,
    /// The node whose room it takes, and how much.
    pub(super) load: fn(&T) -> Option<(&str, &Resources)>,
    /// Holds parts that others have, too, only once.
    pub(super) share: fn(&mut Pool, &mut T),
}

impl<T> Default for Traits<T> {
    fn default() -> Self {
        Self { facts: |_| Vec::new(), keys: |_| Vec::new(), load: |_| None, share: |_, _| {} }
    }
}

/// What has a time by the cluster's own clock.
pub(crate) trait Timed {
    /// Since when the fact holds, where that is told.
    fn own_time(&self, fact: &Fact) -> Option<Timestamp>;
}

/// Something true of an object, of which rules ask since when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// A pod is being deleted.
    Deleting,
    /// The scheduler says that it finds no node for a pod.
    Unscheduled,
    /// A pod has a node and is not ready.
    Unready,
    /// A container of a pod waits, for reasons of this kind.
    Waits(String, WaitKind),
    /// A node does not say that it is ready.
    NodeNotReady,
    /// A condition of a controller has this type and reason.
    Trouble(String, String),
    /// An aggregated API does not answer.
    Unavailable,
    /// A Service selects pods by these labels.
    Selects(BTreeMap<String, String>),
}

/// Reasons to wait that are one for us: a pull that fails and one that backs off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WaitKind {
    Pull,
    Configuration,
    Other(String),
}

impl Fact {
    pub(crate) fn waits(container: &str, reason: &str) -> Self {
        let kind = match reason {
            "ErrImagePull" | "ImagePullBackOff" => WaitKind::Pull,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                WaitKind::Configuration
            }
            other => WaitKind::Other(other.to_owned()),
        };
        Self::Waits(container.to_owned(), kind)
    }

    pub(crate) fn trouble(kind: &str, reason: &str) -> Self {
        Self::Trouble(kind.to_owned(), reason.to_owned())
    }

    pub(crate) fn selects(service: &Service) -> Self {
        Self::Selects(service.selector.clone())
    }
}

/// An object with the times at which it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen<T> {
    pub(crate) object: T,
    /// When this version was first seen.
    pub(crate) at: Timestamp,
    /// When the object was first seen.
    pub(crate) first_at: Timestamp,
    since: BTreeMap<Fact, Timestamp>,
}

impl<T> Seen<T> {
    /// Since when the fact holds; the time of this version when it doesn't.
    pub(crate) fn since(&self, fact: &Fact) -> Timestamp {
        self.since.get(fact).copied().unwrap_or(self.at)
    }
}

impl<T> std::ops::Deref for Seen<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.object
    }
}

/// All objects of a kind. The order in which versions arrive does not matter: the highest wins, and a
/// uid that is gone stays gone.
#[derive(Debug, Clone)]
pub(crate) struct Store<T> {
    traits: Traits<T>,
    by_uid: BTreeMap<Uid, Box<Seen<T>>>,
    /// By namespace, then by name.
    by_name: BTreeMap<Box<str>, BTreeMap<Box<str>, Uid>>,
    gone: BTreeMap<String, Timestamp>,
    gone_names: BTreeMap<(String, String), Timestamp>,
    index: Index,
    load: HashMap<String, Resources>,
    pool: Pool,
}

impl<T: Object> Store<T> {
    pub(crate) fn new(traits: Traits<T>) -> Self {
        Self {
            traits,
            by_uid: BTreeMap::new(),
            by_name: BTreeMap::new(),
            gone: BTreeMap::new(),
            gone_names: BTreeMap::new(),
            index: Index::default(),
            load: HashMap::new(),
            pool: Pool::default(),
        }
    }

    pub(crate) fn put(&mut self, mut object: T, at: Timestamp) {
        if self.gone.contains_key(object.uid()) {
            return;
        }
        (self.traits.share)(&mut self.pool, &mut object);
        let facts = (self.traits.facts)(&object);
        let Some(seen) = self.by_uid.get_mut(object.uid()) else {
            self.insert(object, at, facts);
            return;
        };
        seen.first_at = seen.first_at.min(at);
        if object.version() < seen.object.version() {
            for fact in facts {
                seen.since.entry(fact).and_modify(|t| *t = at.min(*t));
            }
            return;
        }
        let same = object.version() == seen.object.version();
        let since = facts
            .into_iter()
            .map(|fact| {
                let held = seen.since.get(&fact).map_or(at, |t| at.min(*t));
                (fact, held)
            })
            .collect();
        seen.at = if same { seen.at.min(at) } else { at };
        seen.since = since;
        let before = std::mem::replace(&mut seen.object, object);
        self.reindex(&before);
    }

    fn insert(&mut self, object: T, at: Timestamp, facts: Vec<Fact>) {
        let (namespace, name, uid) = (object.namespace(), object.name(), Uid::from(object.uid()));
        if self.find(namespace, name).is_none_or(|newest| newest.version() <= object.version()) {
            self.by_name.entry(namespace.into()).or_default().insert(name.into(), uid.clone());
        }
        let since = facts.into_iter().map(|f| (f, at)).collect();
        self.index.change(&uid, &[], (self.traits.keys)(&object));
        if let Some((node, amount)) = (self.traits.load)(&object) {
            *self.load.entry(node.to_owned()).or_default() += amount;
        }
        self.by_uid.insert(uid, Box::new(Seen { object, at, first_at: at, since }));
    }

    /// Brings the index in step with an object that was as `before`.
    fn reindex(&mut self, before: &T) {
        let Some((uid, seen)) = self.by_uid.get_key_value(before.uid()) else { return };
        let Traits { keys, load, .. } = self.traits;
        self.index.change(uid, &keys(before), keys(&seen.object));
        let loads = [load(before), load(&seen.object)];
        if loads[0] != loads[1] {
            let both = loads.into_iter().flatten();
            let nodes: BTreeSet<_> = both.map(|(node, _)| node.to_owned()).collect();
            nodes.into_iter().for_each(|node| self.sum_up(node));
        }
    }

    pub(crate) fn remove(&mut self, uid: &str, name: &Subject, at: Timestamp) {
        let named = self.by_name.get_mut(name.namespace.as_str());
        let known = named.as_ref().and_then(|names| names.get(name.name.as_str()));
        let uid = if uid.is_empty() { known.map_or("", |u| u).to_owned() } else { uid.to_owned() };
        if known.is_some_and(|known| **known == *uid)
            && let Some(names) = named
        {
            names.remove(name.name.as_str());
            self.gone_names.insert((name.namespace.clone(), name.name.clone()), at);
        }
        if let Some((known, seen)) = self.by_uid.remove_entry(uid.as_str()) {
            self.index.change(&known, &(self.traits.keys)(&seen.object), Vec::new());
            if let Some((node, _)) = (self.traits.load)(&seen.object) {
                self.sum_up(node.to_owned());
            }
        }
        if !uid.is_empty() {
            self.gone.insert(uid, at);
        }
    }

    /// Sums up anew what is taken of a node.
    fn sum_up(&mut self, node: String) {
        let on_it = self.index.of(&Key::Node(node.clone())).filter_map(|uid| self.by_uid.get(uid));
        let loads = on_it.filter_map(|seen| (self.traits.load)(&seen.object));
        let sum: Resources = loads.map(|(_, amount)| amount).sum();
        self.load.insert(node, sum);
    }

    /// Forgets tombstones older than `before`: a late version of those would be that late, too.
    pub(crate) fn prune(&mut self, before: Timestamp) {
        self.gone.retain(|_, at| *at >= before);
        self.gone_names.retain(|_, at| *at >= before);
        self.by_name.retain(|_, names| !names.is_empty());
        self.pool.prune();
    }

    /// How many deleted objects are remembered.
    #[cfg(test)]
    pub(crate) fn tombstones(&self) -> usize {
        self.gone.len().max(self.gone_names.len())
    }

    /// When the last object of this name went, where that is not long ago.
    pub(crate) fn gone_at(&self, namespace: &str, name: &str) -> Option<Timestamp> {
        self.gone_names.get(&(namespace.to_owned(), name.to_owned())).copied()
    }

    /// All of them, which may be very many: rules look up by a [`Key`].
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Seen<T>> {
        self.by_uid.values().map(|seen| &**seen)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_uid.len()
    }

    pub(crate) fn get(&self, uid: &str) -> Option<&Seen<T>> {
        self.by_uid.get(uid).map(|seen| &**seen)
    }

    /// Those with this key.
    pub(crate) fn by<'s>(&'s self, key: &Key) -> impl Iterator<Item = &'s Seen<T>> + use<'s, T> {
        self.index.of(key).filter_map(|uid| self.get(uid))
    }

    /// How many have this key.
    pub(crate) fn count(&self, key: &Key) -> usize {
        self.index.count(key)
    }

    /// Those with any key from `first` to `last`, and those with the key `other`.
    pub(crate) fn between(&self, first: Key, last: Key, other: &Key) -> Vec<&Seen<T>> {
        let uids: BTreeSet<_> = self.index.between(first, last).chain(self.index.of(other)).collect();
        uids.into_iter().filter_map(|uid| self.get(uid)).collect()
    }

    /// What is taken of each node, where anything is.
    pub(crate) fn load(&self, node: &str) -> Option<&Resources> {
        self.load.get(node)
    }

    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<&Seen<T>> {
        self.get(self.by_name.get(namespace)?.get(name)?)
    }
}

/// A pod's facts; each container that waits has one of its own.
pub(super) fn pod_facts(pod: &Pod) -> Vec<Fact> {
    let mut facts = Vec::new();
    if pod.deleting {
        facts.push(Fact::Deleting);
    }
    if pod.unscheduled.is_some() {
        facts.push(Fact::Unscheduled);
    }
    if pod.node.is_some() && !pod.ready {
        facts.push(Fact::Unready);
    }
    for c in &pod.containers {
        if let ContainerState::Waiting { reason, .. } = &c.state {
            facts.push(Fact::waits(&c.name, reason));
        }
    }
    facts
}

impl Timed for Pod {
    /// A container that waits has no time of its own; its pod is unready at least as long.
    fn own_time(&self, fact: &Fact) -> Option<Timestamp> {
        match fact {
            Fact::Unscheduled => self.unscheduled.as_ref()?.since,
            Fact::Unready | Fact::Waits(..) => self.unready_since,
            _ => None,
        }
    }
}

impl Timed for Node {
    fn own_time(&self, _fact: &Fact) -> Option<Timestamp> {
        self.ready_since
    }
}

impl Timed for AggregatedApi {
    fn own_time(&self, _fact: &Fact) -> Option<Timestamp> {
        self.unavailable.as_ref()?.since
    }
}

/// What a pod takes of its node until it is over.
pub(crate) fn pod_load(pod: &Pod) -> Option<(&str, &Resources)> {
    let over = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
    pod.node.as_deref().filter(|_| !over).map(|node| (node, &pod.requests))
}

pub(super) fn node_facts(node: &Node) -> Vec<Fact> {
    if node.ready == "True" { Vec::new() } else { vec![Fact::NodeNotReady] }
}

pub(super) fn controller_facts(controller: &Controller) -> Vec<Fact> {
    controller.troubles.iter().map(|(kind, reason, _)| Fact::trouble(kind, reason)).collect()
}

#[cfg(test)]
mod tests;
