//! What rules ask of very many objects, answered without going through all of them.

use super::{
    Seen, World,
    index::{self, Key},
};
use loopdrill_kubernetes::service_selects;
use loopdrill_model::{Subject, Timestamp, signal::*};
use std::{collections::BTreeMap, time::Duration};

/// Seconds after its end in which a container that runs again can still be in a loop: two back-offs, and a rounding.
const LOOPING: f64 = 900.0;

impl World {
    /// Pods that are not as they should be, or on their way there. Of any other pod no rule has anything to say.
    pub(crate) fn unwell_pods(&self) -> impl Iterator<Item = &Seen<Pod>> {
        self.pods.by(&Key::Unwell)
    }

    /// Pods with containers that are down, or came back so recently that it may be a loop.
    pub(crate) fn pods_that_may_crash(&self) -> Vec<&Seen<Pod>> {
        let begins = Duration::try_from_secs_f64(LOOPING + self.skew.seconds()).unwrap_or_default();
        let first = self.now().checked_sub(begins).unwrap_or(Timestamp::UNIX_EPOCH);
        self.pods.between(Key::EndedIn(index::minute(first)), Key::EndedIn(i64::MAX), &Key::Unwell)
    }

    /// Pods on the node.
    pub(crate) fn pods_on<'w>(&'w self, node: &str) -> impl Iterator<Item = &'w Seen<Pod>> + use<'w> {
        self.pods.by(&Key::Node(node.to_owned()))
    }

    /// Pods that this object owns.
    pub(crate) fn pods_of<'w>(&'w self, owner: &Subject) -> impl Iterator<Item = &'w Seen<Pod>> + use<'w> {
        self.pods.by(&Key::Owner(owner.clone()))
    }

    /// Pods to which a Service of the namespace with this selector leads.
    pub(crate) fn pods_selected<'w>(
        &'w self,
        namespace: &str,
        selector: &'w BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'w Seen<Pod>> + use<'w> {
        let label = |(k, v): (&String, &String)| Key::Label(namespace.to_owned(), k.clone(), v.clone());
        let rarest = selector.iter().map(label).min_by_key(|key| self.pods.count(key));
        let some = rarest.into_iter().flat_map(|key| self.pods.by(&key));
        some.filter(|p| service_selects(selector, &p.labels))
    }

    /// Services that lead to the pod.
    pub(crate) fn services_of(&self, pod: &Pod) -> impl Iterator<Item = &Seen<Service>> {
        let beside = self.services.by(&Key::Namespace(pod.namespace.clone()));
        beside.filter(|s| service_selects(&s.selector, &pod.labels))
    }

    /// Services with neither a ready nor an unready endpoint.
    pub(crate) fn services_without_endpoints(&self) -> Vec<&Seen<Service>> {
        let found = self.deserted.iter().filter_map(|(namespace, name)| self.services.find(namespace, name));
        let mut all: Vec<_> = found.collect();
        all.sort_by(|a, b| a.uid.cmp(&b.uid));
        all
    }

    /// The controller that owns the pod.
    pub(crate) fn controller_of(&self, pod: &Pod, owner: &Subject) -> Option<&Seen<Controller>> {
        let key = Key::Is(Subject::new(&owner.kind, &pod.namespace, &owner.name));
        self.controllers.by(&key).next()
    }

    /// Pods of which an event of this reason was told.
    pub(crate) fn pods_told_of<'w>(&'w self, reason: &str) -> impl Iterator<Item = &'w Seen<Pod>> + use<'w> {
        self.events.objects_told_of(reason).filter_map(|uid| self.pods.get(uid))
    }

    /// Whether any pod or Service is in the namespace.
    pub(crate) fn is_inhabited(&self, namespace: &str) -> bool {
        let key = Key::Namespace(namespace.to_owned());
        self.services.count(&key) + self.pods.count(&key) > 0
    }
}
