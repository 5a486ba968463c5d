//! Claims, volumes, classes, attachments.

use super::node::requirements;
use super::{created_at, name, namespace, uid, version};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec};
use k8s_openapi::api::storage::v1 as api;
use loopdrill_model::Subject;
use loopdrill_model::signal::{Attachment, Claim, StorageClass, Volume};

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
        class: spec.storage_class_name.or_else(|| note("volume.beta.kubernetes.io/storage-class")),
        volume: spec.volume_name.filter(|v| !v.is_empty()),
        selected_node: note("volume.kubernetes.io/selected-node"),
    }
}

/// A volume as attribution sees it.
pub(crate) fn volume(object: &PersistentVolume) -> Volume {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let claim = spec.claim_ref.as_ref().map(|c| {
        let (namespace, name) = (c.namespace.clone().unwrap_or_default(), c.name.clone().unwrap_or_default());
        Subject::new("PersistentVolumeClaim", namespace, name)
    });
    let affinity = spec.node_affinity.as_ref().and_then(|a| a.required.as_ref());
    Volume {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        phase: object.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default(),
        claim,
        class: spec.storage_class_name.clone().filter(|c| !c.is_empty()),
        driver: driver(&spec),
        node_affinity: affinity.map(requirements).unwrap_or_default(),
    }
}

fn driver(spec: &PersistentVolumeSpec) -> String {
    if let Some(csi) = &spec.csi {
        return csi.driver.clone();
    }
    let in_tree = [
        ("kubernetes.io/host-path", spec.host_path.is_some()),
        ("kubernetes.io/local-volume", spec.local.is_some()),
        ("kubernetes.io/nfs", spec.nfs.is_some()),
        ("kubernetes.io/aws-ebs", spec.aws_elastic_block_store.is_some()),
        ("kubernetes.io/gce-pd", spec.gce_persistent_disk.is_some()),
        ("kubernetes.io/azure-disk", spec.azure_disk.is_some()),
        ("kubernetes.io/iscsi", spec.iscsi.is_some()),
        ("kubernetes.io/fc", spec.fc.is_some()),
    ];
    in_tree.iter().find(|(_, is)| *is).map_or_else(String::new, |(name, _)| (*name).into())
}

/// A class as attribution sees it. `Immediate` is what the API takes when nothing is said.
pub(crate) fn class(object: &api::StorageClass) -> StorageClass {
    let meta = &object.metadata;
    let default =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let annotations = meta.annotations.as_ref();
    StorageClass {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        provisioner: object.provisioner.clone(),
        binding_mode: object.volume_binding_mode.clone().unwrap_or_else(|| "Immediate".into()),
        is_default: default
            .iter()
            .any(|key| annotations.and_then(|a| a.get(*key)).is_some_and(|v| v == "true")),
    }
}

/// An attachment as attribution sees it.
pub(crate) fn attachment(object: &api::VolumeAttachment) -> Attachment {
    let meta = &object.metadata;
    let status = object.status.clone().unwrap_or_default();
    let error = status.attach_error.or(status.detach_error).and_then(|e| e.message);
    Attachment {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        volume: object.spec.source.persistent_volume_name.clone().unwrap_or_default(),
        node: object.spec.node_name.clone(),
        attached: status.attached,
        deleting: meta.deletion_timestamp.is_some(),
        error,
    }
}
