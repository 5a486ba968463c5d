//! What looks like a throttled etcd disk: an API server that refuses or crawls, with a disk that is well.

use super::{
    condition::{Condition, NAME, Symptom},
    hammer,
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    etcd_disk::{self, STABLE, WRITER, stability},
    object::{Create, ObjectChange},
    victim::{Latch, Workload, place::quiet_worker, typed},
};
use async_trait::async_trait;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use loopdrill_model::{Capability, Cause, Evidence};
use loopdrill_target::ClusterFacts;
use serde_json::json;
use std::sync::Arc;

const FAULT: &str = "control-plane-decoy";
/// The clients that ask too much.
const CLIENTS: &str = "clients";
/// How many of them, with some hundred requests under way each.
const REPLICAS: u32 = 2;
/// A write that takes longer is slow: some 20 times as long as on a healthy API server.
const SLOW_MS: u64 = 200;

pub(super) static CONDITIONS: &[Condition] = &[Condition {
    spec: FaultSpec {
        fault: FAULT,
        variant: "webhook",
        title: "a webhook that nobody serves refuses every pod, and a Deployment has none",
        roots: &[&[Cause::WebhookBlocked]],
        needs: &[Capability::WorkerNodes(1)],
        ..FaultSpec::DECOY
    },
    does: "register a webhook without a server for the pods of one namespace, and start a workload there",
    pulls: false,
    objects: |site| {
        let namespace = &site.ctx.namespace;
        let webhook = json!({
            "metadata": {"name": format!("{NAME}-{}", site.ctx.target.run)},
            "webhooks": [{
                "name": "check.example.com", "failurePolicy": "Fail", "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
                "clientConfig": {"service": {"namespace": namespace, "name": "check", "path": "/"}},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }],
        });
        let mut objects = vec![site.creates::<ValidatingWebhookConfiguration>(&typed(webhook))?];
        objects.extend(site.runs(&site.victim(&["sleep"]))?);
        Ok(objects)
    },
    symptom: Symptom::NoPod,
}];

static OVERLOAD: FaultSpec = FaultSpec {
    fault: FAULT,
    variant: "overload",
    title: "clients ask the API server for more than it can serve, and every call crawls",
    roots: &[&[Cause::ApiOverload]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::DECOY
};

/// Those that are no mere objects.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    [&OVERLOAD].into_iter().map(|spec| Arc::new(SlowApi { spec, latch: Latch::default() }) as _)
}

/// A client that writes at a steady pace finds its API server slow.
struct SlowApi {
    spec: &'static FaultSpec,
    latch: Latch,
}

#[async_trait]
impl Fault for SlowApi {
    fn spec(&self) -> &'static FaultSpec {
        self.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().breaks(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| {
            f.uses(Resource::NodeLife(n.name.clone())).uses(Resource::NodeNetwork(n.name.clone()))
        })
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![
            "start a client that writes one ConfigMap twice a second".into(),
            format!("start {REPLICAS} pods with {} requests under way each", hammer::AT_ONCE),
            "undo: delete them".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.latch.reset();
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

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        Ok(self.latch.judge(etcd_disk::look_for(ctx, SLOW_MS).await?))
    }

    /// Leaders that lost their lease restart; the cluster is not as before until they lead again.
    async fn relieve(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        stability::wait(ctx, STABLE).await
    }
}
