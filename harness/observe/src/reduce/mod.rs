//! API objects reduced to the words of [`loopdrill_model::signal`]. Pure; objects may be half filled.

mod event;
mod node;
mod pod;
mod rbac;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod workload;

pub(crate) use event::event;
pub(crate) use node::node;
pub(crate) use pod::pod;
pub(crate) use rbac::{BoundTo, Role, bound_accounts, role_key, rules};
pub(crate) use service::{lease, quota, service, slice_counts};
pub(crate) use storage::{attachment, claim, class, volume};
pub(crate) use workload::{daemon_set, deployment, job, replica_set, stateful_set};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use loopdrill_model::Subject;

/// Orders versions of an object. Resource versions are numbers on every API server that stores in etcd.
fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or(0)
}

fn name(meta: &ObjectMeta) -> String {
    meta.name.clone().unwrap_or_default()
}

fn namespace(meta: &ObjectMeta) -> String {
    meta.namespace.clone().unwrap_or_default()
}

fn uid(meta: &ObjectMeta) -> String {
    meta.uid.clone().unwrap_or_default()
}

fn created_at(meta: &ObjectMeta) -> Timestamp {
    meta.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0)
}

fn time(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|t| t.0)
}

/// The controller that owns the object.
fn owner(meta: &ObjectMeta) -> Option<Subject> {
    let owners = meta.owner_references.as_ref()?;
    let owner = owners.iter().find(|o| o.controller == Some(true)).or_else(|| owners.first())?;
    Some(Subject::new(
        owner.kind.clone(),
        if owner.kind == "Node" { String::new() } else { namespace(meta) },
        owner.name.clone(),
    ))
}

fn count(n: Option<i32>) -> u32 {
    n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}
