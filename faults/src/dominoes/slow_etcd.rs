//! etcd's disk is throttled, and a workload that must renew its lease in time ends again and again: its crash
//! loop is the control plane's doing.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look,
    etcd_disk::EtcdDisk,
    look::seen,
    victim::{self, Workload, create, describe, is_ready, newest, place::a_worker, pods_of, wait_ready},
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Loop};
use serde_json::json;
use std::{num::NonZeroU32, time::Duration};

const NAME: &str = "lease-holder";
const START: Duration = Duration::from_secs(60);
/// Fewer than in the canonical drill: a lease's deadline must pass.
const WRITE_IOPS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");

static SPEC: FaultSpec = FaultSpec {
    fault: "domino",
    variant: "slow-etcd",
    title: "etcd's disk is throttled, and who must renew a lease in time ends and starts anew",
    roots: &[&[Cause::EtcdDiskBound]],
    chain: &[Loop::ControlPlane, Loop::Workload],
    needs: &[
        Capability::NodeAccess,
        Capability::NodeServiceManager,
        Capability::LocalEtcd,
        Capability::BlockIoThrottle,
        Capability::WorkerNodes(1),
    ],
    ..FaultSpec::DOMINO
};

/// See the module.
#[derive(Debug)]
pub(super) struct SlowEtcd {
    etcd: EtcdDisk,
}

impl Default for SlowEtcd {
    fn default() -> Self {
        Self { etcd: EtcdDisk::with_write_iops(WRITE_IOPS) }
    }
}

async fn start_holder(ctx: &FaultContext) -> Result<(), FaultError> {
    let rules = json!([
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]},
    ]);
    victim::account(ctx, NAME, rules).await?;
    let node = a_worker(&ctx.target.facts)?;
    let holder = Workload::new(ctx, NAME, &[NAME]).account(NAME).on_node(&node.name);
    create(ctx, &holder.deployment(1)).await?;
    wait_ready(ctx, NAME, 1, START).await.map(drop)
}

/// Broken when it ended twice at least, by itself.
fn judge(pods: &[Pod]) -> Look {
    let Some(pod) = newest(pods) else { return Look::Settling("there is no pod".into()) };
    let status = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten()).next();
    let lives = status.map_or(0, |s| {
        let over = s.state.as_ref().is_some_and(|state| state.terminated.is_some());
        s.restart_count + i32::from(over)
    });
    match (lives, is_ready(pod)) {
        (2.., _) => Look::Broken(vec![seen("lives of the lease's holder that ended", lives.to_string())]),
        (0, true) => Look::Well,
        _ => Look::Settling(describe(pod)),
    }
}

#[async_trait]
impl Fault for SlowEtcd {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        self.etcd.footprint(cluster)
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let holder = "start a workload that ends when it cannot renew its lease in time".to_owned();
        [holder].into_iter().chain(self.etcd.dry_run(cluster)).collect()
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.etcd.set_up(ctx).await?;
        start_holder(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        self.etcd.plan(ctx).await
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        Ok(judge(&pods_of(ctx, NAME).await?))
    }

    /// A pod in its back-off would wait for minutes; and the control plane's own leaders must lead again.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.etcd.after_undo(ctx).await?;
        victim::delete_pods(ctx, NAME).await
    }
}
