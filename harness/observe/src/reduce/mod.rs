//! API objects reduced to the words of [`loopdrill_model::signal`]. Pure; objects may be half filled.

mod constraints;
mod event;
mod node;
mod pod;
pub(crate) mod policy;
mod rbac;
pub(crate) mod service;
pub(crate) mod storage;
#[cfg(test)]
mod tests;
mod ways;
pub(crate) mod workload;

pub(crate) use event::event;
pub(crate) use node::node;
pub(crate) use pod::pod;
pub(crate) use rbac::{BoundTo, Role, bound_accounts, role_key, rules};
pub(crate) use service::slice_counts;

use crate::watch::Watched;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use loopdrill_model::Subject;

/// What is watched and told as it is: one signal an object.
pub(crate) fn watched() -> impl Iterator<Item = Watched> {
    [storage::watched(), workload::watched(), service::watched(), policy::watched()].into_iter().flatten()
}

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
