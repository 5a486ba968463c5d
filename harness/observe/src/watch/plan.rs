//! Everything that is watched.

use super::endpoints::Slices;
use super::rbac::Rbac;
use super::roster::{Nodes, Pods};
use super::{Handler, Reduce, Roster, Watch, watch};
use crate::reduce;
use crate::sink::Sink;
use crate::tasks::Tasks;
use kube::{Api, Client, Resource};
use loopdrill_model::Signal;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Starts one task a resource.
pub(crate) fn watch_all(tasks: &Tasks, client: &Client, sink: &Sink, roster: &Roster) {
    let starter = Starter { tasks, client, sink };
    starter.start("pods", "", Pods(roster.clone()));
    starter.start("nodes", "", Nodes(roster.clone()));
    starter.start(
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
    starter.start(
        "deployments",
        "",
        Reduce { kind: "Deployment", reduce: |c: &_| Signal::Controller(reduce::deployment(c)) },
    );
    starter.start(
        "replicasets",
        "",
        Reduce { kind: "ReplicaSet", reduce: |c: &_| Signal::Controller(reduce::replica_set(c)) },
    );
    starter.start(
        "statefulsets",
        "",
        Reduce { kind: "StatefulSet", reduce: |c: &_| Signal::Controller(reduce::stateful_set(c)) },
    );
    starter.start(
        "daemonsets",
        "",
        Reduce { kind: "DaemonSet", reduce: |c: &_| Signal::Controller(reduce::daemon_set(c)) },
    );
    starter.start("jobs", "", Reduce { kind: "Job", reduce: |c: &_| Signal::Controller(reduce::job(c)) });
    starter.start(
        "services",
        "",
        Reduce { kind: "Service", reduce: |s: &_| Signal::Service(reduce::service(s)) },
    );
    starter.start("endpointslices", "", Slices::default());
    // Kubelets renew a lease each in a namespace of their own; leader election happens everywhere else.
    starter.start(
        "leases",
        "metadata.namespace!=kube-node-lease",
        Reduce { kind: "Lease", reduce: |l: &_| Signal::Lease(reduce::lease(l)) },
    );
    starter.start(
        "resourcequotas",
        "",
        Reduce { kind: "ResourceQuota", reduce: |q: &_| Signal::Quota(reduce::quota(q)) },
    );
    starter.start("events", "", Events);
    let rbac = Rbac::default();
    starter.start::<k8s_openapi::api::rbac::v1::Role>("roles", "", rbac.clone());
    starter.start::<k8s_openapi::api::rbac::v1::ClusterRole>("clusterroles", "", rbac.clone());
    starter.start::<k8s_openapi::api::rbac::v1::RoleBinding>("rolebindings", "", rbac.clone());
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
}

impl Starter<'_> {
    fn start<K>(&self, resource: &'static str, fields: &'static str, handler: impl Handler<K>)
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let what = Watch { api: Api::<K>::all(self.client.clone()), resource, fields };
        self.tasks.spawn(watch(what, handler, self.sink.clone()));
    }
}
