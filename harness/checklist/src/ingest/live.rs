//! What only live pods show: who made them, which registry refuses them, and what was given to them.

use super::{Owned, OwnerKey, objects, raw};
use crate::snapshot::Workload;
use std::collections::BTreeMap;

/// The controller behind a pod, as far as its name tells: a ReplicaSet of a Deployment carries its name, and a Job
/// of a CronJob, too.
pub(super) fn owner_of(meta: &raw::Meta, name: String) -> OwnerKey {
    let namespace = objects::namespace(meta);
    let Some(owner) = meta.owner_references.iter().find(|o| o.controller) else {
        return ("Pod".into(), namespace, name);
    };
    // Static pods belong to their node and carry its name.
    if owner.kind == "Node" {
        let base = name.strip_suffix(&owner.name).and_then(|n| n.strip_suffix('-')).unwrap_or(&name);
        return ("Pod".into(), namespace, base.into());
    }
    let base = || owner.name.rsplit_once('-').map(|(base, end)| (base.to_string(), end));
    match (owner.kind.as_str(), base()) {
        ("ReplicaSet", Some((base, hash)))
            if meta.labels.get("pod-template-hash").is_some_and(|h| h == hash) =>
        {
            ("Deployment".into(), namespace, base)
        }
        ("Job", Some((base, time))) if !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit()) => {
            ("CronJob".into(), namespace, base)
        }
        (kind, _) => (kind.into(), namespace, owner.name.clone()),
    }
}

/// The image's host, where a registry wants other credentials.
pub(super) fn refused_host(status: &raw::ContainerStatus) -> Option<String> {
    const PULL: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];
    const REFUSED: [&str; 6] = [
        "401 Unauthorized",
        "403 Forbidden",
        "unauthorized",
        "authentication required",
        "no basic auth",
        "denied",
    ];
    let waiting = &status.state.waiting;
    let refused =
        PULL.contains(&waiting.reason.as_str()) && REFUSED.iter().any(|r| waiting.message.contains(r));
    refused.then(|| status.image.split('/').next().unwrap_or_default().to_string())
}

/// What only real pods show: requests that a LimitRange gave them, an identity that a webhook gave them.
pub(super) fn adopt(workload: &mut Workload, owned: &Owned) {
    workload.template.identity |= owned.workload.template.identity;
    let given: BTreeMap<&str, _> =
        owned.workload.template.containers.iter().map(|c| (c.name.as_str(), c)).collect();
    for container in &mut workload.template.containers {
        let Some(real) = given.get(container.name.as_str()) else { continue };
        container.cpu_request = container.cpu_request.or(real.cpu_request);
        container.memory_request = container.memory_request.or(real.memory_request);
        container.cpu_limit = container.cpu_limit.or(real.cpu_limit);
        container.memory_limit = container.memory_limit.or(real.memory_limit);
    }
    let requests = std::mem::take(&mut workload.template.requests);
    workload.template.requests = requests.max(&owned.workload.template.requests);
}
