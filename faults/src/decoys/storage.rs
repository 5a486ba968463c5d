//! What looks like a volume in the wrong zone: claims that are not bound, pods that wait for a volume.

use super::condition::{Condition, NAME, Site, Symptom, shows};
use crate::{
    FaultError, FaultSpec,
    object::Create,
    victim::{Claim, metadata, typed},
};
use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};
use loopdrill_model::{Capability, Cause};
use loopdrill_target::StorageFacts;
use serde_json::json;

const FAULT: &str = "storage-decoy";

fn storage<'a>(site: &'a Site<'_>) -> Result<&'a StorageFacts, FaultError> {
    let storage = site.facts().storage.as_ref();
    storage.ok_or_else(|| FaultError::Unfit("there is no zonal storage in the cluster".into()))
}

fn claim(site: &Site<'_>, class: &str) -> Result<Create, FaultError> {
    site.creates::<PersistentVolumeClaim>(&typed(json!({
        "metadata": metadata(site.ctx, NAME),
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "resources": {"requests": {"storage": "16Mi"}},
        },
    })))
}

/// The name of a class of this drill alone: classes have no namespace.
fn class_name(site: &Site<'_>) -> String {
    format!("{NAME}-{}", site.ctx.target.run)
}

fn with_writer(site: &Site<'_>, mut objects: Vec<Create>) -> Result<Vec<Create>, FaultError> {
    let writer = site.victim(&["disk-writer", "/data"]).volume(&Claim::Named(NAME.into()));
    objects.extend(site.runs(&writer)?);
    Ok(objects)
}

pub(super) static CONDITIONS: &[Condition] = &[
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "missing-class",
            title: "a claim's StorageClass does not exist, and its pod stays Pending",
            roots: &[&[Cause::ClaimOrClassMissing]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload with a claim of a class that does not exist",
        pulls: false,
        objects: |site| with_writer(site, vec![claim(site, "premium")?]),
        symptom: Symptom::Pod(shows::no_node),
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "impossible-class",
            title: "a class asks its driver for what it cannot do, and no volume comes into being",
            roots: &[&[Cause::ProvisioningFailed]],
            needs: &[Capability::WorkerNodes(1), Capability::ZonalStorage],
            ..FaultSpec::DECOY
        },
        does: "start a workload with a claim of a class whose parameters the driver refuses",
        pulls: false,
        objects: |site| {
            let class = json!({
                "metadata": {"name": class_name(site)}, "provisioner": storage(site)?.driver,
                "volumeBindingMode": "Immediate", "reclaimPolicy": "Delete", "parameters": {"tier": "gold"},
            });
            let class = site.creates::<StorageClass>(&typed(class))?;
            with_writer(site, vec![class, claim(site, &class_name(site))?])
        },
        symptom: Symptom::Pod(shows::no_node),
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "missing-configmap",
            title: "a pod mounts a ConfigMap that does not exist, and does not get beyond ContainerCreating",
            roots: &[&[Cause::BadConfiguration]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that mounts a ConfigMap that nobody made",
        pulls: false,
        objects: |site| {
            let volumes = json!([{"name": "settings", "configMap": {"name": "settings"}}]);
            let mounts = json!([{"name": "settings", "mountPath": "/etc/app"}]);
            let victim = site.pinned(&["sleep"])?.set("volumes", volumes);
            site.runs(&victim.of_container("volumeMounts", mounts))
        },
        symptom: Symptom::Pod(shows::no_container),
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "no-consumer",
            title: "a claim that binds with its first consumer has none yet: nothing is wrong",
            roots: &[],
            needs: &[Capability::WorkerNodes(1), Capability::ZonalStorage],
            ..FaultSpec::DECOY
        },
        does: "make a claim of a class that waits for the first consumer, and no consumer",
        pulls: false,
        objects: |site| Ok(vec![claim(site, &storage(site)?.wait_class)?]),
        symptom: Symptom::Unbound,
    },
];
