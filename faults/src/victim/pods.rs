//! Starting victims, finding their pods, and what their status says.

use super::{
    wait::{Seen, until},
    workload::VICTIM_LABEL,
};
use crate::{FaultContext, FaultError, Look};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams},
    core::NamespaceResourceScope,
};
use loopdrill_cluster::objects::pod_is_ready;
use loopdrill_model::{Evidence, signal::Unscheduled};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{fmt::Debug, time::Duration};

const ACCOUNT: Duration = Duration::from_secs(20);

/// An API of the drill's namespace.
pub(crate) fn api<K>(ctx: &FaultContext) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(ctx.target.client.clone(), &ctx.namespace)
}

/// Waits until the drill's namespace has its default account and the cluster's root certificates: pods that come
/// sooner fail and are tried again, which would look like trouble to a detector.
///
/// # Errors
/// When they do not come.
pub(crate) async fn wait_for_namespace(ctx: &FaultContext) -> Result<(), FaultError> {
    let accounts: Api<ServiceAccount> = api(ctx);
    let maps: Api<ConfigMap> = api(ctx);
    until(ctx, format!("the default account of namespace {}", ctx.namespace), ACCOUNT, || async {
        let account = accounts.get_opt("default").await.map_err(FaultError::api("look for the account"))?;
        let roots = maps.get_opt("kube-root-ca.crt").await;
        let roots = roots.map_err(FaultError::api("look for the root certificates"))?;
        Ok(match (account, roots) {
            (None, _) => Seen::NotYet("there is none".into()),
            (_, None) => Seen::NotYet("it has no root certificates".into()),
            _ => Seen::Yes(()),
        })
    })
    .await
}

/// Creates `object` in the drill's namespace, once the namespace has its default account: pods that come
/// sooner fail and are tried again, which would look like trouble to a detector.
///
/// # Errors
/// When the API server refuses, or the account does not come.
pub async fn create<K>(ctx: &FaultContext, object: &K) -> Result<K, FaultError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let accounts: Api<ServiceAccount> = api(ctx);
    until(ctx, format!("the default account of namespace {}", ctx.namespace), ACCOUNT, || async {
        let found = accounts.get_opt("default").await.map_err(FaultError::api("look for the account"))?;
        Ok(found.map_or_else(|| Seen::NotYet("there is none".into()), |_| Seen::Yes(())))
    })
    .await?;
    let doing = format!("create {} {}", K::kind(&()), object.name_any());
    api(ctx).create(&PostParams::default(), object).await.map_err(FaultError::api(doing))
}

/// The pods of the workload `name`, those being deleted included.
///
/// # Errors
/// When the API server does not tell.
pub async fn pods_of(ctx: &FaultContext, name: &str) -> Result<Vec<Pod>, FaultError> {
    let params = ListParams::default().labels(&format!("{VICTIM_LABEL}={name}"));
    let doing = format!("list the pods of {name}");
    Ok(api::<Pod>(ctx).list(&params).await.map_err(FaultError::api(doing))?.items)
}

/// Waits until `count` pods of the workload are ready, and none is left of others.
///
/// # Errors
/// When they do not get ready in time; the error has what their status says.
pub async fn wait_ready(
    ctx: &FaultContext,
    name: &str,
    count: usize,
    limit: Duration,
) -> Result<Vec<Pod>, FaultError> {
    until(ctx, format!("{count} ready pods of {name}"), limit, || async {
        let pods = pods_of(ctx, name).await?;
        match pods.len() == count && pods.iter().all(is_ready) {
            true => Ok(Seen::Yes(pods)),
            false if pods.is_empty() => Ok(Seen::NotYet("there is no pod".into())),
            false => {
                let told = pods.iter().map(describe).collect::<Vec<_>>().join("; ");
                let is_theirs = ctx.target.facts.fence.is_some() && pods.iter().any(lacks_image);
                Ok(Seen::NotYet(told + if is_theirs { NO_IMAGE } else { "" }))
            }
        }
    })
    .await
}

/// On a cluster that is not ours, the image is the target file's.
const NO_IMAGE: &str = "; let `image.name` of the target file be an image that these nodes can pull, with its `pull-secret` where \
                        it needs one (`loopdrill image push` puts it into a registry)";

/// Whether the pod waits for an image that cannot be pulled.
fn lacks_image(pod: &Pod) -> bool {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut waiting = containers.filter_map(|c| c.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    waiting.any(|reason| matches!(reason, "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName"))
}

/// Deletes all pods of the workload; its controller brings new ones.
///
/// # Errors
/// When the API server refuses.
pub async fn delete_pods(ctx: &FaultContext, name: &str) -> Result<(), FaultError> {
    let params = ListParams::default().labels(&format!("{VICTIM_LABEL}={name}"));
    let doing = format!("delete the pods of {name}");
    api::<Pod>(ctx)
        .delete_collection(&DeleteParams::default(), &params)
        .await
        .map(drop)
        .map_err(FaultError::api(doing))
}

/// Sets the number of pods of a Deployment or StatefulSet.
///
/// # Errors
/// When the API server refuses.
pub async fn scale<K>(ctx: &FaultContext, name: &str, replicas: u32) -> Result<(), FaultError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let doing = format!("scale {name} to {replicas}");
    api::<K>(ctx).patch(name, &PatchParams::default(), &patch).await.map(drop).map_err(FaultError::api(doing))
}

/// One look at all pods of a Deployment or StatefulSet: broken when one of them is, well when as many are ready
/// as it wants. One that is not there, or wants none, has nobody who does its work.
pub(crate) async fn look_at_all<K>(
    ctx: &FaultContext,
    name: &str,
    broken: impl Fn(&Pod) -> Option<Vec<Evidence>>,
) -> Result<Look, FaultError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let wanted = match api::<K>(ctx).get_scale(name).await {
        Ok(scale) => scale.spec.and_then(|s| s.replicas).unwrap_or_default(),
        Err(kube::Error::Api(status)) if status.code == 404 => 0,
        Err(e) => return Err(FaultError::api(format!("read {name}"))(e)),
    };
    if wanted == 0 {
        return Ok(Look::Settling(format!("{name} wants no pod")));
    }
    Ok(judge_all(&pods_of(ctx, name).await?, wanted, broken))
}

fn judge_all(pods: &[Pod], wanted: i32, broken: impl Fn(&Pod) -> Option<Vec<Evidence>>) -> Look {
    let staying = || pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none());
    if let Some(evidence) = staying().find_map(broken) {
        return Look::Broken(evidence);
    }
    if let Some(pod) = staying().find(|p| !is_ready(p)) {
        return Look::Settling(describe(pod));
    }
    match i32::try_from(staying().count()).unwrap_or(i32::MAX) {
        count if count < wanted => Look::Settling(format!("{count} of {wanted} pods are there")),
        _ => Look::Well,
    }
}

/// The log of a pod's container; of its previous life on request.
///
/// # Errors
/// When the API server or the kubelet does not tell.
pub async fn log_of(ctx: &FaultContext, pod: &str, previous: bool) -> Result<String, FaultError> {
    let params = LogParams { previous, limit_bytes: Some(4096), ..LogParams::default() };
    api::<Pod>(ctx).logs(pod, &params).await.map_err(FaultError::api(format!("read the log of {pod}")))
}

/// The pod that counts: the newest one that is not being deleted.
pub(crate) fn newest(pods: &[Pod]) -> Option<&Pod> {
    let staying = pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none());
    staying.max_by_key(|p| p.metadata.creation_timestamp.clone())
}

/// Whether the pod is ready and stays.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && pod_is_ready(pod)
}

/// The scheduler's words about a pod that it could not place, and for which no other gives way.
#[must_use]
pub fn unscheduled(pod: &Pod) -> Option<&str> {
    not_yet_scheduled(pod).filter(|words| !Unscheduled::makes_room(words))
}

fn not_yet_scheduled(pod: &Pod) -> Option<&str> {
    let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let condition = conditions.into_iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    (condition.reason.as_deref() == Some("Unschedulable"))
        .then(|| condition.message.as_deref().unwrap_or_default())
}

/// What a pod's status says, in a few words.
pub(crate) fn describe(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_else(|| "without phase".into());
    let containers = status.container_statuses.unwrap_or_default();
    let waiting = containers.iter().find_map(|c| {
        let state = c.state.as_ref()?;
        match (&state.waiting, &state.terminated) {
            (Some(w), _) => Some(
                [w.reason.clone(), w.message.clone()].into_iter().flatten().collect::<Vec<_>>().join(": "),
            ),
            (_, Some(t)) => Some(format!("exit code {}", t.exit_code)),
            _ => None,
        }
    });
    let why =
        waiting.or_else(|| not_yet_scheduled(pod).map(str::to_owned)).unwrap_or_else(|| "not ready".into());
    let going = if pod.metadata.deletion_timestamp.is_some() { ", being deleted" } else { "" };
    format!("pod {} is {phase}{going} ({why})", pod.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        object::testing::FakeApi,
        victim::testing::{context, pod, ready, refused},
    };
    use loopdrill_cluster::{ClusterFacts, Fence};
    use serde_json::Value;

    fn put(api: &FakeApi, pod: &Pod) {
        let url = format!("/api/v1/namespaces/d/pods/{}", pod.name_any());
        let mut pod = serde_json::to_value(pod).expect("json");
        pod["metadata"]["labels"] = json!({VICTIM_LABEL: "w"});
        api.put(&url, pod);
    }

    #[tokio::test(start_paused = true)]
    async fn a_victim_that_never_gets_ready_says_why() {
        let api = FakeApi::default();
        put(&api, &pod("w-1", refused("0/3 nodes are available")));
        let ctx = context(&api, ClusterFacts::default());
        let error = wait_ready(&ctx, "w", 1, Duration::from_secs(2)).await.expect_err("pending").to_string();
        assert!(error.contains("pod w-1 is Pending (0/3 nodes are available)"), "{error}");
        put(&api, &pod("w-1", ready()));
        assert_eq!(wait_ready(&ctx, "w", 1, Duration::from_secs(2)).await.expect("ready").len(), 1);
        assert!(wait_ready(&ctx, "w", 2, Duration::from_secs(2)).await.is_err(), "one is missing");
    }

    #[tokio::test(start_paused = true)]
    async fn an_image_of_the_target_file_that_nobody_has_is_told_with_its_key() {
        let api = FakeApi::default();
        let waiting = json!({"containerStatuses": [{
            "name": "v", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such host"}}}]});
        put(&api, &pod("w-1", waiting));
        let theirs = ClusterFacts { fence: Some(Fence::default()), ..ClusterFacts::default() };
        for (facts, told) in [(theirs, true), (ClusterFacts::default(), false)] {
            let error = wait_ready(&context(&api, facts), "w", 1, Duration::from_secs(2)).await;
            let error = error.expect_err("no image").to_string();
            assert_eq!(error.contains("`image.name` of the target file"), told, "{error}");
        }
    }

    #[test]
    fn a_pod_that_is_being_deleted_does_not_count() {
        let mut old = pod("old", ready());
        old.metadata =
            super::super::typed(json!({"name": "old", "deletionTimestamp": "2026-01-01T00:00:00Z"}));
        assert!(!is_ready(&old));
        let pods = [old, pod("new", Value::Null)];
        assert_eq!(newest(&pods).map(ResourceExt::name_any).as_deref(), Some("new"));
        assert!(newest(&pods[..1]).is_none());
    }

    #[test]
    fn a_workload_is_well_when_all_the_pods_that_it_wants_are() {
        let broken = |p: &Pod| unscheduled(p).map(|_| vec![]);
        let both = |other| [pod("a", ready()), pod("b", other)];
        assert!(matches!(judge_all(&both(refused("why")), 2, broken), Look::Broken(_)));
        assert!(matches!(judge_all(&both(Value::Null), 2, broken), Look::Settling(_)));
        assert!(matches!(judge_all(&both(ready())[..1], 2, broken), Look::Settling(_)), "one is missing");
        assert_eq!(judge_all(&both(ready()), 2, broken), Look::Well);
    }

    #[test]
    fn a_failing_image_and_an_exit_are_described() {
        let waiting = json!({"containerStatuses": [{
            "name": "v", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}]});
        assert!(describe(&pod("p", waiting)).contains("(ErrImagePull: no such host)"));
        assert_eq!(unscheduled(&pod("p", ready())), None);
        assert_eq!(unscheduled(&pod("p", refused("why"))), Some("why"));
        let late = "0/5 nodes are available: 4 Insufficient cpu. preemption: found a potential placement for pod on \
                    node x, preempting 1 victims";
        assert_eq!(unscheduled(&pod("p", refused(late))), None, "another gives way");
        assert!(describe(&pod("p", refused(late))).contains("preempting 1 victims"));
    }
}
