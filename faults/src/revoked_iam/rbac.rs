//! The ServiceAccount's RoleBinding is deleted: the workload's next call gets 403, and it exits with 1.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    object::{Delete, ObjectChange},
    revoked_iam::silent_crash::look_for_crashes,
    victim::{
        Workload, account, create, delete_pods,
        place::{a_worker, quiet_worker},
        wait_ready,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::rbac::v1::RoleBinding;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause};
use serde_json::json;
use std::time::Duration;

const NAME: &str = "api-caller";
const START: Duration = Duration::from_secs(60);

static SPEC: FaultSpec = FaultSpec {
    fault: "revoked-iam",
    variant: "rbac",
    title: "a workload's RoleBinding is deleted, and it crashes with an empty log",
    roots: &[&[Cause::RbacDenied]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::CANONICAL
};

/// See the module.
#[derive(Debug, Default)]
pub struct Rbac;

fn workload(ctx: &FaultContext) -> Result<Workload, FaultError> {
    let node = a_worker(&ctx.target.facts)?;
    Ok(Workload::new(ctx, NAME, &["api-caller"]).account(NAME).tells_readiness().on_node(&node.name))
}

async fn grant(ctx: &FaultContext) -> Result<(), FaultError> {
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]);
    account(ctx, NAME, rules).await
}

#[async_trait]
impl Fault for Rbac {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let node = quiet_worker(cluster).map_or("a worker", |n| &n.name);
        vec![
            format!("start a workload on {node} that lists ConfigMaps with its ServiceAccount's token"),
            "delete the RoleBinding that allows it to".into(),
            "undo: create the same RoleBinding again".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        grant(ctx).await?;
        create(ctx, &workload(ctx)?.deployment(1)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let client = &ctx.target.client;
        let delete = Delete::plan::<RoleBinding>(client, Some(&ctx.namespace), NAME).await?;
        Ok(vec![Change::Object(ObjectChange::Delete(delete))])
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_for_crashes(ctx, NAME).await
    }

    /// A pod in its back-off would wait for up to five minutes; a new one starts at once.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_away_from_the_zone_that_storage_drills_take_away() {
        let facts = crate::victim::place::tests::facts(&[("x", Some("a")), ("y", Some("b"))]);
        let mine = Rbac.footprint(&facts);
        assert!(!mine.overlaps(&Footprint::default().breaks(Resource::NodeLife("x".into()))));
        assert!(mine.overlaps(&Footprint::default().breaks(Resource::NodeLife("y".into()))));
        assert_eq!(mine.broken().count(), 0);
    }
}
