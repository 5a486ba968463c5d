//! Nodes.

use super::{created_at, name, time, uid, version};
use k8s_openapi::api::core::v1::{Node as ApiNode, NodeCondition};
use loopdrill_cluster::objects;
use loopdrill_kubernetes::READY;
use loopdrill_model::signal::{Condition, Node};

/// A node as attribution sees it. A node that says nothing about `Ready` is `Unknown`.
pub(crate) fn node(object: &ApiNode) -> Node {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions.iter().find(|c| c.type_ == READY);
    Node {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        created_at: created_at(meta),
        labels: meta.labels.clone().unwrap_or_default(),
        ready: ready.map_or_else(|| "Unknown".into(), |c| c.status.clone()),
        ready_reason: ready.and_then(|c| c.reason.clone()).unwrap_or_default(),
        ready_message: ready
            .filter(|c| c.status != "True")
            .and_then(|c| c.message.clone())
            .unwrap_or_default(),
        ready_since: ready.and_then(|c| time(c.last_transition_time.as_ref())),
        troubles: conditions.iter().filter(|c| c.type_ != READY && c.status == "True").map(trouble).collect(),
        unschedulable: spec.unschedulable == Some(true),
        taints: objects::taints(object),
        allocatable: objects::resources(status.allocatable.as_ref()),
    }
}

fn trouble(c: &NodeCondition) -> Condition {
    Condition {
        kind: c.type_.clone(),
        reason: c.reason.clone().unwrap_or_default(),
        message: c.message.clone().unwrap_or_default(),
        since: time(c.last_transition_time.as_ref()),
    }
}
