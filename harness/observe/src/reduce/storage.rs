//! Claims, volumes, classes, attachments.

use super::{created_at, name, namespace, time, uid, version};
use crate::watch::{Reduce, WHAT_THERE_IS, Watched, everywhere, in_namespaces};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimCondition};
use k8s_openapi::api::storage::v1 as api;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use loopdrill_cluster::objects;
use loopdrill_kubernetes::{quantity, well_known};
use loopdrill_model::signal::{Attachment, Claim, Condition, NodeDrivers, StorageClass, Volume};
use std::collections::BTreeMap;

/// What is watched of storage.
pub(super) fn watched() -> Vec<Watched> {
    const DISKS: &str = "disks, and how many a node takes";
    vec![
        in_namespaces(WHAT_THERE_IS, Reduce(claim)),
        everywhere(WHAT_THERE_IS, Reduce(volume)),
        everywhere(DISKS, Reduce(class)),
        everywhere(DISKS, Reduce(attachment)),
        everywhere(DISKS, Reduce(drivers)),
    ]
}

type Amounts = BTreeMap<String, Quantity>;

/// A claim as attribution sees it.
pub(crate) fn claim(object: &PersistentVolumeClaim) -> Claim {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let note = |key: &str| meta.annotations.as_ref().and_then(|a| a.get(key)).cloned();
    Claim {
        namespace: namespace(meta),
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        created_at: created_at(meta),
        deleting: meta.deletion_timestamp.is_some(),
        phase: object.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default(),
        grows: grows(object),
        once_per_pod: spec.access_modes.iter().flatten().any(|m| m == "ReadWriteOncePod"),
        conditions: object
            .status
            .iter()
            .flat_map(|s| s.conditions.iter().flatten())
            .filter_map(trouble)
            .collect(),
        class: spec.storage_class_name.or_else(|| note(well_known::OLD_CLASS)),
        volume: spec.volume_name.filter(|v| !v.is_empty()),
        selected_node: note(well_known::SELECTED_NODE),
    }
}

/// Whether the claim asks for more than it has got.
fn grows(object: &PersistentVolumeClaim) -> bool {
    let bytes = |of: Option<&Amounts>| of.and_then(|a| a.get("storage")).and_then(|q| quantity::units(&q.0));
    let asked = object.spec.as_ref().and_then(|s| s.resources.as_ref()).and_then(|r| r.requests.as_ref());
    let has = object.status.as_ref().and_then(|s| s.capacity.as_ref());
    bytes(asked).zip(bytes(has)).is_some_and(|(asked, has)| asked > has)
}

fn trouble(c: &PersistentVolumeClaimCondition) -> Option<Condition> {
    (c.status == "True").then(|| Condition {
        kind: c.type_.clone(),
        reason: c.reason.clone().unwrap_or_default(),
        message: c.message.clone().unwrap_or_default(),
        since: time(c.last_transition_time.as_ref()),
    })
}

/// A volume as attribution sees it.
pub(crate) fn volume(object: &PersistentVolume) -> Volume {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let affinity = spec.node_affinity.as_ref().and_then(|a| a.required.as_ref());
    Volume {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        phase: object.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default(),
        class: spec.storage_class_name.clone().filter(|c| !c.is_empty()),
        node_affinity: affinity.map(objects::node_terms).unwrap_or_default(),
        driver: spec.csi.as_ref().map(|csi| csi.driver.clone()),
    }
}

/// A class as attribution sees it. `Immediate` is what the API takes when nothing is said.
pub(crate) fn class(object: &api::StorageClass) -> StorageClass {
    let meta = &object.metadata;
    StorageClass {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        binding_mode: object.volume_binding_mode.clone().unwrap_or_else(|| "Immediate".into()),
        provisioner: object.provisioner.clone(),
    }
}

/// What a node's drivers can take, as attribution sees it.
pub(crate) fn drivers(object: &api::CSINode) -> NodeDrivers {
    let meta = &object.metadata;
    let count = |d: &api::CSINodeDriver| u32::try_from(d.allocatable.as_ref()?.count?).ok();
    NodeDrivers {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        drivers: object.spec.drivers.iter().map(|d| (d.name.clone(), count(d))).collect(),
    }
}

/// An attachment as attribution sees it.
pub(crate) fn attachment(object: &api::VolumeAttachment) -> Attachment {
    let meta = &object.metadata;
    Attachment {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        volume: object.spec.source.persistent_volume_name.clone().unwrap_or_default(),
        node: object.spec.node_name.clone(),
        attached: object.status.as_ref().is_some_and(|s| s.attached),
        deleting: meta.deletion_timestamp.is_some(),
    }
}
