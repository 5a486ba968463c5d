//! The ServiceAccount's RoleBinding is deleted: the workload's next call gets 403, and it exits with 1.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    object::{Delete, ObjectChange},
    victim::{
        Latch, Look, Workload, create, delete_pods, describe, is_ready, log_of, metadata, newest,
        place::quiet_worker, pods_of, seen, typed, wait_ready,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::{
    core::v1::{ContainerStateTerminated, ContainerStatus, Pod, ServiceAccount},
    rbac::v1::{Role, RoleBinding},
};
use kube::ResourceExt;
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
        let pods = pods_of(ctx, NAME).await?;
        let look = match newest(&pods) {
            None => Look::Settling("there is no pod".into()),
            Some(pod) if is_ready(pod) => Look::Well,
            Some(pod) => look_closer(ctx, pod).await,
        };
        Ok(self.latch.judge(look))
    }

    /// A pod in its back-off would wait for up to five minutes; a new one starts at once.
    async fn relieve(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }
}

async fn look_closer(ctx: &FaultContext, pod: &Pod) -> Look {
    let status = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten()).next();
    let Some((status, end)) = status.and_then(|s| Some((s, last_end(s)?))) else {
        return Look::Settling(describe(pod));
    };
    match log_of(ctx, &pod.name_any(), !is_over(status)).await {
        Ok(log) => judge(end.exit_code, status.restart_count, &log),
        Err(e) => Look::Settling(e.to_string()),
    }
}

/// Broken when it exits with 1 again and again and its log is empty.
fn judge(exit_code: i32, restarts: i32, log: &str) -> Look {
    let seen_so_far = format!("exit code {exit_code}, {restarts} restarts, {} bytes of log", log.len());
    match exit_code == 1 && restarts >= 1 && log.is_empty() {
        true => Look::Broken(vec![seen("the container's last life", seen_so_far)]),
        false => Look::Settling(seen_so_far),
    }
}

fn is_over(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|s| s.terminated.is_some())
}

/// How the last life that is over ended.
fn last_end(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    [&status.state, &status.last_state].into_iter().find_map(|s| s.as_ref()?.terminated.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_end_counts_before_the_last_one() {
        let status = |state: serde_json::Value| -> ContainerStatus {
            typed(json!({
                "name": "victim", "image": "", "imageID": "", "ready": false, "restartCount": 2, "state": state,
                "lastState": {"terminated": {"exitCode": 1}},
            }))
        };
        let now = status(json!({"terminated": {"exitCode": 137}}));
        assert_eq!((last_end(&now).map(|e| e.exit_code), is_over(&now)), (Some(137), true));
        let waiting = status(json!({"waiting": {"reason": "CrashLoopBackOff"}}));
        assert_eq!((last_end(&waiting).map(|e| e.exit_code), is_over(&waiting)), (Some(1), false));
    }

    #[test]
    fn a_crash_of_another_kind_is_not_this_symptom() {
        assert!(matches!(judge(1, 1, ""), Look::Broken(_)));
        for (code, restarts, log) in [(1, 0, ""), (137, 5, ""), (2, 5, ""), (1, 5, "panicked")] {
            assert!(matches!(judge(code, restarts, log), Look::Settling(_)), "{code} {restarts} {log:?}");
        }
    }

    #[test]
    fn it_keeps_away_from_the_zone_that_storage_drills_take_away() {
        let facts = crate::victim::place::tests::facts(&[("x", Some("a")), ("y", Some("b"))]);
        let mine = Rbac::default().footprint(&facts);
        assert!(!mine.overlaps(&Footprint::default().breaks(Resource::NodeLife("x".into()))));
        assert!(mine.overlaps(&Footprint::default().breaks(Resource::NodeLife("y".into()))));
        assert_eq!(mine.broken().count(), 0);
    }
}
