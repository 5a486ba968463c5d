//! Controllers of pods.

use super::{count, name, namespace, owner, uid, version};
use crate::watch::{Reduce, Watched, in_namespaces};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use loopdrill_model::signal::Controller;
use std::collections::BTreeMap;

/// What is watched of controllers.
pub(super) fn watched() -> Vec<Watched> {
    const MAKERS: &str = "who makes pods";
    vec![
        in_namespaces(MAKERS, Reduce(deployment)),
        in_namespaces(MAKERS, Reduce(replica_set)),
        in_namespaces(MAKERS, Reduce(stateful_set)),
        in_namespaces(MAKERS, Reduce(daemon_set)),
        in_namespaces(MAKERS, Reduce(job)),
    ]
}

type Trouble = (String, String, String);

fn controller(kind: &str, meta: &ObjectMeta, desired: u32, ready: u32, troubles: Vec<Trouble>) -> Controller {
    Controller {
        kind: kind.into(),
        namespace: namespace(meta),
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        owner: owner(meta),
        desired,
        ready,
        troubles,
        template: BTreeMap::new(),
    }
}

/// The labels of a controller's pods.
fn labels(template: Option<&PodTemplateSpec>) -> BTreeMap<String, String> {
    template.and_then(|t| t.metadata.as_ref()?.labels.clone()).unwrap_or_default()
}

/// What is left of conditions: those whose type and status mean that something is wrong.
fn troubles<'a>(conditions: impl Iterator<Item = [Option<&'a String>; 4]>) -> Vec<Trouble> {
    const WRONG: [(&str, &str); 4] =
        [("ReplicaFailure", "True"), ("Progressing", "False"), ("Failed", "True"), ("FailureTarget", "True")];
    let text = |field: Option<&String>| field.cloned().unwrap_or_default();
    conditions
        .filter(|[kind, status, ..]| {
            WRONG.iter().any(|(k, s)| kind.is_some_and(|x| x == k) && status.is_some_and(|x| x == s))
        })
        .map(|[kind, _, reason, message]| (text(kind), text(reason), text(message)))
        .collect()
}

/// Conditions of every kind of controller: some types have optional fields where others do not.
macro_rules! troubles {
    ($conditions:expr) => {
        troubles($conditions.iter().flatten().map(|c| {
            [Option::from(&c.type_), Option::from(&c.status), c.reason.as_ref(), c.message.as_ref()]
        }))
    };
}

/// Replicas default to one when nothing is said.
fn replicas(n: Option<i32>) -> u32 {
    count(n.or(Some(1)))
}

pub(crate) fn deployment(object: &Deployment) -> Controller {
    let status = object.status.clone().unwrap_or_default();
    let desired = replicas(object.spec.replicas);
    let (ready, troubles) = (count(status.ready_replicas), troubles!(status.conditions));
    let template = labels(Some(&object.spec.template));
    Controller { template, ..controller("Deployment", &object.metadata, desired, ready, troubles) }
}

pub(crate) fn replica_set(object: &ReplicaSet) -> Controller {
    let status = object.status.clone().unwrap_or_default();
    let desired = replicas(object.spec.replicas);
    let (ready, troubles) = (count(status.ready_replicas), troubles!(status.conditions));
    let template = labels(object.spec.template.as_ref());
    Controller { template, ..controller("ReplicaSet", &object.metadata, desired, ready, troubles) }
}

pub(crate) fn stateful_set(object: &StatefulSet) -> Controller {
    let status = object.status.clone().unwrap_or_default();
    let desired = replicas(object.spec.replicas);
    let (ready, troubles) = (count(status.ready_replicas), troubles!(status.conditions));
    let template = labels(Some(&object.spec.template));
    Controller { template, ..controller("StatefulSet", &object.metadata, desired, ready, troubles) }
}

pub(crate) fn daemon_set(object: &DaemonSet) -> Controller {
    let status = object.status.clone().unwrap_or_default();
    let (desired, ready) = (count(Some(status.desired_number_scheduled)), count(Some(status.number_ready)));
    let troubles = troubles!(status.conditions);
    let template = labels(Some(&object.spec.template));
    Controller { template, ..controller("DaemonSet", &object.metadata, desired, ready, troubles) }
}

pub(crate) fn job(object: &Job) -> Controller {
    let spec = object.spec.clone().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    controller(
        "Job",
        &object.metadata,
        wanted(&spec, &status),
        count(status.ready),
        troubles!(status.conditions),
    )
}

/// How many pods of a Job should run now: none when it is over or suspended.
fn wanted(spec: &JobSpec, status: &JobStatus) -> u32 {
    let over = status
        .conditions
        .iter()
        .flatten()
        .any(|c| c.status == "True" && matches!(c.type_.as_str(), "Complete" | "Failed"));
    if over || spec.suspend == Some(true) {
        return 0;
    }
    let parallel = replicas(spec.parallelism);
    match spec.completions {
        Some(_) => parallel.min(count(spec.completions).saturating_sub(count(status.succeeded))),
        None => parallel,
    }
}
