//! The same revocation for a key in a Secret and for a projected token: the one dies for good, the other renews
//! itself.
//!
//! A key that was copied into a Secret is used until somebody copies another one: nothing in the cluster renews it.
//! A workload with a token of its own loses the session that it has, and has a new one seconds later.

use super::{
    documents,
    reader::{self, NAME, Reader, account, cloud, footprint, named, pinned, place, token},
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look,
    cloud::CloudChange,
    look::seen,
    revoked_iam::silent_crash::look_for_crashes,
    victim::{create, delete_pods, describe, is_ready, metadata, newest, pods_of, typed, wait_ready},
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use loopdrill_aws::WebIdentityClient;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Cause, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The workload with the key. Its name must not tell what is wrong with it.
const KEYED: &str = "batch";
const START: Duration = Duration::from_secs(60);

static SPEC: FaultSpec = FaultSpec {
    fault: "revoked-iam",
    variant: "aws-static-key",
    title: "sessions are revoked: a key in a Secret stays dead, a projected token renews itself",
    roots: &[&[Cause::SessionRevoked]],
    needs: reader::NEEDS,
    ..FaultSpec::CANONICAL
};

/// See the module.
#[derive(Debug)]
pub(super) struct StaticKey;

/// Puts a session where long-lived keys lie: in a Secret, and from there into a workload's environment.
async fn start_keyed(ctx: &FaultContext) -> Result<(), FaultError> {
    let target = &cloud(&ctx.target.facts)?.aws;
    let begun = WebIdentityClient::of(target)
        .await
        .begin(&target.role_arn(target.victim_role()), &token(ctx, NAME).await?)
        .await;
    let session = begun.map_err(|e| FaultError::Unfit(format!("no key for the Secret: {e}")))?;
    let mut env = place(target);
    let mut data = Map::new();
    for (name, value) in session.into_variables() {
        data.insert(name.into(), Value::String(value));
        env.push(json!({"name": name, "valueFrom": {"secretKeyRef": {"name": KEYED, "key": name}}}));
    }
    create::<Secret>(ctx, &typed(json!({"metadata": metadata(ctx, KEYED), "stringData": data}))).await?;
    let keyed = pinned(ctx, KEYED, &["cloud-reader", &target.bucket])?.of_container("env", json!(env));
    create(ctx, &keyed.deployment(1)).await.map(drop)
}

#[async_trait]
impl Fault for StaticKey {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        footprint(cluster)
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (role, account) = named(cluster);
        vec![
            format!(
                "start two workloads that read as role {role} of account {account}: one with a projected token, one with a key from a Secret"
            ),
            format!(
                "add the inline policy {} with the present time to the role",
                documents::REVOKES_SESSIONS
            ),
            "undo: take that policy away".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        create(ctx, &account(ctx, NAME)?).await?;
        create(ctx, &Reader::WELL.workload(ctx)?.deployment(1)).await?;
        start_keyed(ctx).await?;
        wait_ready(ctx, NAME, 1, START).await?;
        wait_ready(ctx, KEYED, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let cloud = cloud(&ctx.target.facts)?;
        let revoke = |role: &_| documents::sessions_revoked(role, Timestamp::now());
        let change = CloudChange::plan(cloud, cloud.aws.victim_role(), revoke).await?;
        Ok(vec![Change::Cloud(Box::new(change))])
    }

    /// Shows when the key is dead for good and the token has brought a new session.
    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        let (keyed, renewed) = (look_for_crashes(ctx, KEYED).await?, renewed(ctx).await?);
        Ok(match (keyed, renewed) {
            (Look::Broken(mut evidence), Ok(well)) => {
                evidence.insert(0, seen("workload with a key in a Secret", DIES));
                evidence.push(seen("workload with a projected token", format!("{well}: {RENEWS}")));
                Look::Broken(evidence)
            }
            (Look::Broken(_) | Look::Well, Err(not_yet)) => Look::Settling(not_yet),
            (look, _) => look,
        })
    }

    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, KEYED).await
    }
}

const DIES: &str = "crashes until somebody puts another key there; checks ID-01 (no cloud key in a Secret) and ID-05 \
                    (no credential that ends unnoticed) ask for this";
const RENEWS: &str = "it took a new session by itself; check ID-02 (workloads reach a cloud by an identity of their \
                      own) asks for this";

/// Whether the workload with the token works, or what it does instead.
async fn renewed(ctx: &FaultContext) -> Result<Result<String, String>, FaultError> {
    let pods = pods_of(ctx, NAME).await?;
    let Some(pod) = newest(&pods) else { return Ok(Err("the workload with the token has no pod".into())) };
    let statuses = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten());
    let restarts: i32 = statuses.map(|s| s.restart_count).sum();
    Ok(match is_ready(pod) {
        true => Ok(format!("ready, {restarts} restarts")),
        false => Err(format!("the workload with the token: {}", describe(pod))),
    })
}
