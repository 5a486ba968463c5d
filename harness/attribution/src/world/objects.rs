//! The newest state of each API object, and since when each fact about it holds.

use loopdrill_model::{Subject, Timestamp, signal::*};
use std::collections::BTreeMap;

/// An API object that is known by uid and ordered by version.
pub(crate) trait Object {
    fn uid(&self) -> &str;
    fn version(&self) -> u64;
    fn namespace(&self) -> &str {
        ""
    }
    fn name(&self) -> &str;
    /// What is worth knowing the beginning of, in the observer's time.
    fn facts(&self) -> Vec<String> {
        Vec::new()
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
    since: BTreeMap<String, Timestamp>,
}

impl<T> Seen<T> {
    /// Since when the fact holds; the time of this version when it doesn't.
    pub(crate) fn since(&self, fact: &str) -> Timestamp {
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
    by_uid: BTreeMap<String, Seen<T>>,
    by_name: BTreeMap<(String, String), String>,
    gone: BTreeMap<String, Timestamp>,
    gone_names: BTreeMap<(String, String), Timestamp>,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self {
            by_uid: BTreeMap::new(),
            by_name: BTreeMap::new(),
            gone: BTreeMap::new(),
            gone_names: BTreeMap::new(),
        }
    }
}

impl<T: Object> Store<T> {
    pub(crate) fn put(&mut self, object: T, at: Timestamp) {
        if self.gone.contains_key(object.uid()) {
            return;
        }
        let facts = object.facts();
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
        seen.object = object;
    }

    fn insert(&mut self, object: T, at: Timestamp, facts: Vec<String>) {
        let name = (object.namespace().to_owned(), object.name().to_owned());
        let uid = object.uid().to_owned();
        let newest = self.by_name.get(&name).and_then(|u| self.by_uid.get(u));
        if newest.is_none_or(|n| n.version() <= object.version()) {
            self.by_name.insert(name, uid.clone());
        }
        let since = facts.into_iter().map(|f| (f, at)).collect();
        self.by_uid.insert(uid, Seen { object, at, first_at: at, since });
    }

    pub(crate) fn remove(&mut self, uid: &str, name: &Subject, at: Timestamp) {
        let key = (name.namespace.clone(), name.name.clone());
        let uid = match uid {
            "" => self.by_name.get(&key).cloned().unwrap_or_default(),
            known => known.to_owned(),
        };
        if self.by_name.get(&key) == Some(&uid) {
            self.by_name.remove(&key);
            self.gone_names.insert(key, at);
        }
        self.by_uid.remove(&uid);
        if !uid.is_empty() {
            self.gone.insert(uid, at);
        }
    }

    /// Forgets tombstones older than `before`: a late version of those would be that late, too.
    pub(crate) fn prune(&mut self, before: Timestamp) {
        self.gone.retain(|_, at| *at >= before);
        self.gone_names.retain(|_, at| *at >= before);
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Seen<T>> {
        self.by_uid.values()
    }

    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<&Seen<T>> {
        self.by_name.get(&(namespace.to_owned(), name.to_owned())).and_then(|uid| self.by_uid.get(uid))
    }
}

macro_rules! object {
    ($kind:ty $(, $namespace:ident)?) => {
        object!($kind $(, $namespace)?; |_o| Vec::new());
    };
    ($kind:ty $(, $namespace:ident)?; $facts:expr) => {
        impl Object for $kind {
            fn uid(&self) -> &str {
                &self.uid
            }
            fn version(&self) -> u64 {
                self.version
            }
            $(fn namespace(&self) -> &str {
                &self.$namespace
            })?
            fn name(&self) -> &str {
                &self.name
            }
            fn facts(&self) -> Vec<String> {
                let facts: fn(&Self) -> Vec<String> = $facts;
                facts(self)
            }
        }
    };
}

object!(Pod, namespace; pod_facts);
object!(Node; node_facts);
object!(Claim, namespace);
object!(Volume);
object!(StorageClass);
object!(Attachment);
object!(Controller, namespace; |c| c.troubles.iter().map(|(kind, reason, _)| format!("{kind}/{reason}")).collect());
object!(Service, namespace; |s| vec![selector_fact(s)]);
object!(Quota, namespace);

/// The fact that a container waits, for reasons of one kind: a pull that fails and one that backs off are one.
pub(crate) fn waiting_fact(container: &str, reason: &str) -> String {
    let kind = match reason {
        "ErrImagePull" | "ImagePullBackOff" => "pull",
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => "configuration",
        other => other,
    };
    format!("waiting/{container}/{kind}")
}

/// The fact that a Service selects these pods.
pub(crate) fn selector_fact(service: &Service) -> String {
    format!("selector/{:?}", service.selector)
}

/// A pod's facts: `deleting`, `unscheduled`, `unready`, and for each container that
/// waits [`waiting_fact`].
fn pod_facts(pod: &Pod) -> Vec<String> {
    let mut facts = Vec::new();
    if pod.deleting {
        facts.push("deleting".to_owned());
    }
    if pod.unscheduled.is_some() {
        facts.push("unscheduled".to_owned());
    }
    if pod.node.is_some() && !pod.ready {
        facts.push("unready".to_owned());
    }
    for c in &pod.containers {
        if let ContainerState::Waiting { reason, .. } = &c.state {
            facts.push(waiting_fact(&c.name, reason));
        }
    }
    facts
}

fn node_facts(node: &Node) -> Vec<String> {
    let mut facts = Vec::new();
    if node.ready != "True" {
        facts.push("down".to_owned());
    }
    if node.unschedulable {
        facts.push("cordoned".to_owned());
    }
    facts
}
