//! Everything that is watched: values of which the rights are printed and the watches started.

use super::endpoints::Slices;
use super::rbac::Rbac;
use super::roster::{Nodes, Pods};
use super::{Handler, Roster, Watch, watch};
use crate::reduce;
use crate::sink::Sink;
use crate::tasks::Tasks;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use loopdrill_cluster::Right;
use loopdrill_model::Signal;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What one does who watches.
const WATCH: &[&str] = &["get", "list", "watch"];
/// Why most is watched.
pub(crate) const WHAT_THERE_IS: &str = "what there is";

/// Begins a watch of the objects that a field selector selects.
type Start = Box<dyn FnOnce(&Starter<'_>, &'static str)>;

/// A resource that is watched.
pub(crate) struct Watched {
    /// What that takes.
    pub(crate) right: Right,
    /// Field selector; empty for everything.
    fields: &'static str,
    start: Start,
}

impl Watched {
    /// Only those objects that this field selector selects.
    pub(crate) fn of(self, fields: &'static str) -> Self {
        Self { fields, ..self }
    }
}

/// Everything that is watched. What is told as it is stands with its reduction.
pub(crate) fn watched(roster: &Roster) -> Vec<Watched> {
    const ACCOUNTS: &str = "what accounts may do";
    let rbac = Rbac::default();
    let mut all = vec![
        in_namespaces(WHAT_THERE_IS, Pods::new(roster.clone())),
        everywhere(WHAT_THERE_IS, Nodes(roster.clone())),
        in_namespaces(WHAT_THERE_IS, Events),
        in_namespaces("who is behind a Service", Slices::default()),
        in_namespaces::<Role>(ACCOUNTS, rbac.clone()),
        everywhere::<ClusterRole>(ACCOUNTS, rbac.clone()),
        in_namespaces::<RoleBinding>(ACCOUNTS, rbac.clone()),
        everywhere::<ClusterRoleBinding>(ACCOUNTS, rbac),
    ];
    all.extend(reduce::watched());
    all
}

/// Starts one task a resource.
pub(crate) fn watch_all(
    tasks: &Tasks,
    client: &Client,
    sink: &Sink,
    roster: &Roster,
    namespace: Option<&str>,
) {
    let starter = Starter { tasks, client, sink, namespace };
    watched(roster).into_iter().for_each(|w| (w.start)(&starter, w.fields));
}

/// Events expire after an hour; that one is gone says nothing.
struct Events;

impl Handler<Event> for Events {
    fn applied(&mut self, object: &Event, signals: &mut Vec<Signal>) {
        signals.push(Signal::Event(reduce::event(object)));
    }

    fn gone(&mut self, _: &super::Key, _: &str, _: &mut Vec<Signal>) {}
}

/// A type of the API's objects.
pub(crate) trait Kind:
    Resource<DynamicType = ()> + k8s_openapi::Resource + Clone + DeserializeOwned + Debug + Send + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = ()> + k8s_openapi::Resource + Clone + DeserializeOwned + Debug + Send + 'static
{
}

/// Watches what lies in no namespace.
pub(crate) fn everywhere<K: Kind>(why: &'static str, handler: impl Handler<K>) -> Watched {
    resource::<K>(why, |starter, fields| starter.spawn(None, fields, handler))
}

/// Watches what lies in namespaces: in one of them, where the account may not watch all.
pub(crate) fn in_namespaces<K>(why: &'static str, handler: impl Handler<K>) -> Watched
where
    K: Kind + Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    resource::<K>(why, |starter, fields| {
        let alone =
            |namespace: &str| (namespace.to_owned(), Api::namespaced(starter.client.clone(), namespace));
        starter.spawn(starter.namespace.map(alone), fields, handler);
    })
}

fn resource<K: Kind>(why: &'static str, start: impl FnOnce(&Starter<'_>, &'static str) + 'static) -> Watched {
    let resources = const { &[K::URL_PATH_SEGMENT] };
    let right = Right { group: K::GROUP, resources, verbs: WATCH, why };
    Watched { right, fields: "", start: Box::new(start) }
}

/// What watches are started with.
struct Starter<'a> {
    tasks: &'a Tasks,
    client: &'a Client,
    sink: &'a Sink,
    namespace: Option<&'a str>,
}

impl Starter<'_> {
    fn spawn<K: Kind>(
        &self,
        instead: Option<(String, Api<K>)>,
        fields: &'static str,
        handler: impl Handler<K>,
    ) {
        let (api, resource) = (Api::all(self.client.clone()), K::plural(&()).into_owned());
        self.tasks.spawn(watch(Watch { api, instead, resource, fields }, handler, self.sink.clone()));
    }
}
