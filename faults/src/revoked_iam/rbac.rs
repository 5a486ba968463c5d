//! The ServiceAccount's RoleBinding is deleted: the workload's next call gets 403, and it exits with 1.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    object::{Delete, ObjectChange},
    revoked_iam::silent_crash::look_at,
    victim::{Latch, Workload, create, delete_pods, metadata, place::quiet_worker, typed, wait_ready},
};
use async_trait::async_trait;
use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{Role, RoleBinding},
};
use loopdrill_model::{Capability, Cause, Evidence};
use loopdrill_target::ClusterFacts;
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
pub struct Rbac {
    latch: Latch,
}

impl Rbac {
    /// Whether the symptom has shown in this drill.
    pub(crate) fn has_shown(&self) -> bool {
        self.latch.has_shown()
    }
}

fn workload(ctx: &FaultContext) -> Result<Workload, FaultError> {
    let node =
        quiet_worker(&ctx.target.facts).ok_or_else(|| FaultError::Unfit("there is no worker node".into()))?;
    Ok(Workload::new(ctx, NAME, &["api-caller"]).account(NAME).tells_readiness().on_node(&node.name))
}

async fn grant(ctx: &FaultContext) -> Result<(), FaultError> {
    let metadata = metadata(ctx, NAME);
    create::<ServiceAccount>(ctx, &typed(json!({"metadata": metadata}))).await?;
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]);
    create::<Role>(ctx, &typed(json!({"metadata": metadata, "rules": rules}))).await?;
    let binding = json!({
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": ctx.namespace}],
    });
    create::<RoleBinding>(ctx, &typed(binding)).await.map(drop)
}

#[async_trait]
impl Fault for Rbac {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| {
            f.uses(Resource::NodeLife(n.name.clone())).uses(Resource::NodeNetwork(n.name.clone()))
        })
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
        self.latch.reset();
        grant(ctx).await?;
        create(ctx, &workload(ctx)?.deployment(1)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let client = &ctx.target.client;
        let delete = Delete::plan::<RoleBinding>(client, Some(&ctx.namespace), NAME).await?;
        Ok(vec![Change::Object(ObjectChange::Delete(delete))])
    }

    fn on_its_way(&self) -> Option<String> {
        self.latch.on_its_way()
    }

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        Ok(self.latch.judge(look_at(ctx, NAME).await?))
    }

    /// A pod in its back-off would wait for up to five minutes; a new one starts at once.
    async fn relieve(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_away_from_the_zone_that_storage_drills_take_away() {
        let facts = crate::victim::place::tests::facts(&[("x", Some("a")), ("y", Some("b"))]);
        let mine = Rbac::default().footprint(&facts);
        assert!(!mine.overlaps(&Footprint::default().breaks(Resource::NodeLife("x".into()))));
        assert!(mine.overlaps(&Footprint::default().breaks(Resource::NodeLife("y".into()))));
        assert_eq!(mine.broken().count(), 0);
    }
}
