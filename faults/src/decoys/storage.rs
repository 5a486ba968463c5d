//! What looks like a volume in the wrong zone: claims that are not bound, pods that wait for a volume.

use super::condition::{Condition, NAME, Site, Symptom, Told, shows};
use crate::{
    FaultContext, FaultError, FaultSpec,
    object::Create,
    victim::{Claim, Workload, create, metadata, typed, wait_ready},
};
use futures::FutureExt;
use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};
use loopdrill_cluster::StorageFacts;
use loopdrill_model::{Capability, Cause};
use serde_json::json;
use std::time::Duration;

const FAULT: &str = "storage-decoy";

fn storage<'a>(site: &Site<'a>) -> Result<&'a StorageFacts, FaultError> {
    let storage = site.ctx.target.facts.storage.as_ref();
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
        objects: |site| with_writer(site, vec![claim(site, "premium")?]),
        symptom: Symptom::Pod(shows::no_node),
        told: Told::Event("storageclass.storage.k8s.io"),
        ..Condition::PLAIN
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
        objects: |site| {
            let class = json!({
                "metadata": {"name": class_name(site)}, "provisioner": storage(site)?.driver,
                "volumeBindingMode": "Immediate", "reclaimPolicy": "Delete", "parameters": {"tier": "gold"},
            });
            let class = site.creates::<StorageClass>(&typed(class))?;
            with_writer(site, vec![class, claim(site, &class_name(site))?])
        },
        symptom: Symptom::Pod(shows::no_node),
        told: Told::Event("the driver does not know"),
        ..Condition::PLAIN
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
        objects: |site| {
            let volumes = json!([{"name": "settings", "configMap": {"name": "settings"}}]);
            let mounts = json!([{"name": "settings", "mountPath": "/etc/app"}]);
            let victim = site.pinned(&["sleep"])?.set("volumes", volumes);
            site.runs(&victim.of_container("volumeMounts", mounts))
        },
        symptom: Symptom::Pod(shows::no_container),
        told: Told::Event("configmap"),
        ..Condition::PLAIN
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
        objects: |site| Ok(vec![claim(site, &storage(site)?.wait_class)?]),
        symptom: Symptom::Unbound,
        told: Told::Symptom("Pending"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "one-pod-claim",
            title: "a claim for one pod alone is held by another pod, and the next one stays Pending",
            roots: &[&[Cause::AttachOrMountFailed]],
            needs: &[Capability::WorkerNodes(1), Capability::ZonalStorage],
            ..FaultSpec::DECOY
        },
        does: "start a workload with a claim that only one pod may use, and a second workload that wants it, too",
        before: Some(|ctx| hold_claim(ctx).boxed()),
        objects: |site| with_writer(site, Vec::new()),
        symptom: Symptom::Pod(shows::no_node),
        told: Told::Symptom("ReadWriteOncePod"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "full-scratch",
            title: "a workload fills the small scratch space that it is given, and ends again and again",
            roots: &[&[Cause::ApplicationExit]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that writes to an emptyDir of 1 MiB until it is full",
        objects: |site| {
            let volumes = json!([{"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]);
            let mounts = json!([{"name": "scratch", "mountPath": "/scratch"}]);
            let victim = site.pinned(&["filler", "/scratch"])?.set("volumes", volumes);
            site.runs(&victim.of_container("volumeMounts", mounts))
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Log("No space left on device"),
        ..Condition::PLAIN
    },
    Condition {
        spec: FaultSpec {
            fault: FAULT,
            variant: "read-only-root",
            title: "a container whose root is read-only by its spec writes there, and ends again and again",
            roots: &[&[Cause::ApplicationExit, Cause::BadConfiguration]],
            needs: &[Capability::WorkerNodes(1)],
            ..FaultSpec::DECOY
        },
        does: "start a workload that writes to its own root, which its spec makes read-only",
        objects: |site| {
            let context = json!({"readOnlyRootFilesystem": true});
            site.runs(&site.pinned(&["disk-writer", "/"])?.of_container("securityContext", context))
        },
        symptom: Symptom::Pod(shows::restarts),
        told: Told::Log("Read-only file system"),
        ..Condition::PLAIN
    },
];

const HOLDER: &str = "holder";
const START: Duration = Duration::from_secs(60);

/// The victim's claim, and the one pod that may use it.
async fn hold_claim(ctx: &FaultContext) -> Result<(), FaultError> {
    let storage = storage(&Site { ctx })?;
    let spec = json!({
        "accessModes": ["ReadWriteOncePod"], "storageClassName": storage.wait_class,
        "resources": {"requests": {"storage": "16Mi"}},
    });
    let claim = json!({"metadata": metadata(ctx, NAME), "spec": spec});
    create::<PersistentVolumeClaim>(ctx, &typed(claim)).await?;
    let holder = Workload::new(ctx, HOLDER, &["disk-writer", "/data"]).tells_readiness();
    create(ctx, &holder.volume(&Claim::Named(NAME.into())).deployment(1)).await?;
    wait_ready(ctx, HOLDER, 1, START).await.map(drop)
}
