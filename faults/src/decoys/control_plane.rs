//! What looks like a throttled etcd disk: an API server that refuses or crawls, with a disk that is well.

use super::{
    condition::{Condition, NAME, Site, Symptom, Told},
    hammer,
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    etcd_disk::{self, STABLE, WRITER, stability},
    object::{Create, ObjectChange},
    victim::{Workload, place::quiet_worker, typed},
};
use async_trait::async_trait;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause};
use serde_json::json;
use std::sync::Arc;

const FAULT: &str = "control-plane-decoy";
/// The clients that ask too much.
const CLIENTS: &str = "clients";
/// How many of them, with some hundred requests under way each.
const REPLICAS: u32 = 3;
/// A write that takes longer is slow: some 20 times as long as on a healthy API server.
const SLOW_MS: u64 = 200;

pub(super) static CONDITIONS: &[Condition] = &[Condition {
    spec: FaultSpec {
        variant: "webhook",
        title: "a webhook that nobody serves refuses every pod, and a Deployment has none",
        ..WEBHOOK
    },
    does: "register a webhook without a server for the pods of one namespace, and start a workload there",
    objects: asks_nobody,
    symptom: Symptom::NoPod,
    told: Told::Symptom("not found"),
    ..Condition::PLAIN
}];

const WEBHOOK: FaultSpec = FaultSpec {
    fault: FAULT,
    roots: &[&[Cause::WebhookBlocked]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::DECOY
};

/// A workload in a namespace whose pods are shown first to the webhook of a Service that is not there.
fn asks_nobody(site: &Site<'_>) -> Result<Vec<Create>, FaultError> {
    let (namespace, drill) = (&site.ctx.namespace, &site.ctx.id.variant);
    let webhook = json!({
        "metadata": {"name": format!("{NAME}-{drill}-{}", site.ctx.target.run)},
        "webhooks": [{
            "name": format!("check.{namespace}.example.com"), "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
            "clientConfig": {"service": {"namespace": namespace, "name": "check", "path": "/check"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }],
    });
    let mut objects = vec![site.creates::<ValidatingWebhookConfiguration>(&typed(webhook))?];
    objects.extend(site.runs(&site.victim(&["sleep"]))?);
    Ok(objects)
}

static OVERLOAD: FaultSpec = FaultSpec {
    fault: FAULT,
    variant: "overload",
    title: "clients ask the API server for more than it can serve, and every call crawls",
    roots: &[&[Cause::ApiOverload]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::DECOY
};

/// The decoy that is more than a few objects.
pub(super) fn overload() -> Arc<dyn Fault> {
    Arc::new(Overload)
}

/// A client that writes at a steady pace finds its API server slow, because others ask too much.
struct Overload;

#[async_trait]
impl Fault for Overload {
    fn spec(&self) -> &'static FaultSpec {
        &OVERLOAD
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().breaks(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![
            "start a client that writes one ConfigMap twice a second".into(),
            format!("start {REPLICAS} pods with {} requests under way each", hammer::AT_ONCE),
            "undo: delete them".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        etcd_disk::start_writer(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let worker = quiet_worker(&ctx.target.facts);
        let worker = worker.ok_or_else(|| FaultError::Unfit("there is no worker node".into()))?;
        // They are of the victim's own account, so that no fairness between accounts spares it.
        let clients = Workload::new(ctx, CLIENTS, &["api-hammer"]).account(WRITER).on_node(&worker.name);
        let create = Create::new(&clients.deployment(REPLICAS), &ctx.target.run)?;
        Ok(vec![Change::Object(ObjectChange::Create(create))])
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        etcd_disk::look_at_writes(ctx, SLOW_MS).await
    }

    /// Leaders that lost their lease restart; the cluster is not as before until they lead again.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        stability::wait(ctx, STABLE).await
    }
}
