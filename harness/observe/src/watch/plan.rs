//! Everything that is watched.

use super::endpoints::Slices;
use super::rbac::Rbac;
use super::roster::{Nodes, Pods};
use super::{Handler, Reduce, Roster, Watch, watch};
use crate::reduce;
use crate::sink::Sink;
use crate::tasks::Tasks;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use loopdrill_model::Signal;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Starts one task a resource.
pub(crate) fn watch_all(
    tasks: &Tasks,
    client: &Client,
    sink: &Sink,
    roster: &Roster,
    namespace: Option<&str>,
) {
    let starter = Starter { tasks, client, sink, namespace };
    starter.start_in("pods", "", Pods(roster.clone()));
    starter.start("nodes", "", Nodes(roster.clone()));
    starter.start_in(
        "persistentvolumeclaims",
        "",
        Reduce { kind: "PersistentVolumeClaim", reduce: |c: &_| Signal::Claim(reduce::claim(c)) },
    );
    starter.start(
        "persistentvolumes",
        "",
        Reduce { kind: "PersistentVolume", reduce: |v: &_| Signal::Volume(reduce::volume(v)) },
    );
    starter.start(
        "storageclasses",
        "",
        Reduce { kind: "StorageClass", reduce: |c: &_| Signal::StorageClass(reduce::class(c)) },
    );
    starter.start(
        "volumeattachments",
        "",
        Reduce { kind: "VolumeAttachment", reduce: |a: &_| Signal::Attachment(reduce::attachment(a)) },
    );
    starter.start_in(
        "deployments",
        "",
        Reduce { kind: "Deployment", reduce: |c: &_| Signal::Controller(reduce::deployment(c)) },
    );
    starter.start_in(
        "replicasets",
        "",
        Reduce { kind: "ReplicaSet", reduce: |c: &_| Signal::Controller(reduce::replica_set(c)) },
    );
    starter.start_in(
        "statefulsets",
        "",
        Reduce { kind: "StatefulSet", reduce: |c: &_| Signal::Controller(reduce::stateful_set(c)) },
    );
    starter.start_in(
        "daemonsets",
        "",
        Reduce { kind: "DaemonSet", reduce: |c: &_| Signal::Controller(reduce::daemon_set(c)) },
    );
    starter.start_in("jobs", "", Reduce { kind: "Job", reduce: |c: &_| Signal::Controller(reduce::job(c)) });
    starter.start_in(
        "services",
        "",
        Reduce { kind: "Service", reduce: |s: &_| Signal::Service(reduce::service(s)) },
    );
    starter.start_in("endpointslices", "", Slices::default());
    // Kubelets renew a lease each in a namespace of their own; leader election happens everywhere else.
    starter.start_in(
        "leases",
        "metadata.namespace!=kube-node-lease",
        Reduce { kind: "Lease", reduce: |l: &_| Signal::Lease(reduce::lease(l)) },
    );
    starter.start_in(
        "resourcequotas",
        "",
        Reduce { kind: "ResourceQuota", reduce: |q: &_| Signal::Quota(reduce::quota(q)) },
    );
    starter.start_in("events", "", Events);
    let rbac = Rbac::default();
    starter.start_in::<k8s_openapi::api::rbac::v1::Role>("roles", "", rbac.clone());
    starter.start::<k8s_openapi::api::rbac::v1::ClusterRole>("clusterroles", "", rbac.clone());
    starter.start_in::<k8s_openapi::api::rbac::v1::RoleBinding>("rolebindings", "", rbac.clone());
    starter.start::<k8s_openapi::api::rbac::v1::ClusterRoleBinding>("clusterrolebindings", "", rbac);
}

/// Events expire after an hour; that one is gone says nothing.
struct Events;

impl Handler<k8s_openapi::api::core::v1::Event> for Events {
    fn applied(&mut self, object: &k8s_openapi::api::core::v1::Event, signals: &mut Vec<Signal>) {
        signals.push(Signal::Event(reduce::event(object)));
    }

    fn gone(&mut self, _: &super::Key, _: &str, _: &mut Vec<Signal>) {}
}

struct Starter<'a> {
    tasks: &'a Tasks,
    client: &'a Client,
    sink: &'a Sink,
    namespace: Option<&'a str>,
}

impl Starter<'_> {
    /// Watches what lies in no namespace.
    fn start<K>(&self, resource: &'static str, fields: &'static str, handler: impl Handler<K>)
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        self.spawn(Watch { api: Api::all(self.client.clone()), instead: None, resource, fields }, handler);
    }

    /// Watches what lies in namespaces.
    fn start_in<K>(&self, resource: &'static str, fields: &'static str, handler: impl Handler<K>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let alone = |namespace: &str| (namespace.to_owned(), Api::namespaced(self.client.clone(), namespace));
        let instead = self.namespace.map(alone);
        self.spawn(Watch { api: Api::all(self.client.clone()), instead, resource, fields }, handler);
    }

    fn spawn<K>(&self, what: Watch<K>, handler: impl Handler<K>)
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        self.tasks.spawn(watch(what, handler, self.sink.clone()));
    }
}
