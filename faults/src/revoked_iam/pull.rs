//! The pull credential is revoked at the registry: what runs goes on, and the next pull gets 401.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    node::{Content, EditFile, Limits, NodeChange},
    victim::{
        Workload, api, create, delete_pods, describe, is_ready, metadata, newest,
        place::{a_worker, quiet_worker},
        pods_of, typed, wait_ready,
    },
};
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use kube::{Api, ResourceExt, api::ListParams};
use loopdrill_cluster::{ClusterFacts, RegistryFacts};
use loopdrill_model::{Capability, Cause, Evidence};
use serde_json::Value;
use std::time::Duration;

const NAME: &str = "private";
const START: Duration = Duration::from_secs(60);
const DOCKER_CONFIG: &str = ".dockerconfigjson";

static SPEC: FaultSpec = FaultSpec {
    fault: "revoked-iam",
    variant: "pull",
    title: "a pull credential is revoked at the registry, and the next pull is refused",
    roots: &[&[Cause::PullUnauthorized]],
    needs: &[
        Capability::WorkerNodes(1),
        Capability::PrivateRegistry,
        Capability::NodeAccess,
        Capability::NodeServiceManager,
    ],
    ..FaultSpec::CANONICAL
};

/// See the module.
#[derive(Debug)]
pub struct Pull;

fn registry(facts: &ClusterFacts) -> Result<&RegistryFacts, FaultError> {
    facts
        .registry
        .as_ref()
        .ok_or_else(|| FaultError::Unfit("there is no private registry in the cluster".into()))
}

async fn pull_secret(ctx: &FaultContext) -> Result<Secret, FaultError> {
    let (namespace, name) = &registry(&ctx.target.facts)?.pull_secret;
    let secrets: Api<Secret> = Api::namespaced(ctx.target.client.clone(), namespace);
    secrets.get(name).await.map_err(FaultError::api(format!("read the pull secret {namespace}/{name}")))
}

/// A copy of the pull secret for the drill's namespace.
pub(crate) async fn secret(ctx: &FaultContext, name: &str) -> Result<Secret, FaultError> {
    let given = pull_secret(ctx).await?;
    Ok(Secret {
        metadata: typed(metadata(ctx, name)),
        data: given.data,
        type_: given.type_,
        ..Secret::default()
    })
}

/// The account that the Secret pulls as.
fn account(secret: &Secret, host: &str) -> Option<String> {
    let config = secret.data.as_ref()?.get(DOCKER_CONFIG)?;
    let config: Value = serde_json::from_slice(&config.0).ok()?;
    let entry = config.get("auths")?.get(host)?;
    if let Some(name) = entry.get("username").and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    let auth = BASE64_STANDARD.decode(entry.get("auth")?.as_str()?).ok()?;
    Some(String::from_utf8(auth).ok()?.split_once(':')?.0.to_owned())
}

/// The password file without the account's line, or `None` when it has no such line.
fn without(htpasswd: &str, account: &str) -> Option<String> {
    let is_mine = |line: &str| line.split_once(':').is_some_and(|(name, _)| name == account);
    let rest: String = htpasswd.split_inclusive('\n').filter(|line| !is_mine(line)).collect();
    (rest.len() < htpasswd.len()).then_some(rest)
}

#[async_trait]
impl Fault for Pull {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let mine = quiet_worker(cluster).map(|n| n.name.clone());
        let theirs = cluster.registry.as_ref().map(|r| r.node.clone());
        let footprint = Footprint::default().uses(Resource::ControlPlane).breaks(Resource::Registry);
        mine.into_iter().chain(theirs).fold(footprint, |f, node| f.uses_node(&node))
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (host, file, node) = cluster
            .registry
            .as_ref()
            .map_or(("the registry", "its password file", "its node"), |r| (&r.host, &r.htpasswd, &r.node));
        vec![
            format!("start a workload whose image is pulled from {host} with a credential"),
            format!(
                "remove the credential's account from {file} on node {node}, and have the image pulled anew"
            ),
            "undo: put the file back as it was".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let facts = &ctx.target.facts;
        let node = a_worker(facts)?;
        create(ctx, &secret(ctx, NAME).await?).await?;
        let workload = Workload::new(ctx, NAME, &["sleep"]).pulled(&registry(facts)?.image, NAME);
        create(ctx, &workload.on_node(&node.name).deployment(1)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let RegistryFacts { host, node, htpasswd, .. } = registry(&ctx.target.facts)?;
        let unfit = |what: &str| FaultError::Unfit(format!("{what}; the credential cannot be revoked"));
        let account = account(&pull_secret(ctx).await?, host)
            .ok_or_else(|| unfit(&format!("the pull secret has no account for {host}")))?;
        let nodes = ctx.target.node_access()?;
        let argv = ["cat", htpasswd];
        let present = nodes.exec(node, &argv, None).await?.success(node, &argv)?;
        let revoked = without(&present, &account).ok_or_else(|| {
            unfit(&format!("{htpasswd} on node {node} does not know the pull secret's account"))
        })?;
        let step = EditFile { path: htpasswd.into(), content: Content(revoked.into_bytes()) }.into();
        Ok(vec![Change::Node(NodeChange::plan(nodes, node, vec![step], Limits::default()).await?)])
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }

    /// The pull of the victim's new pod: with the node's own credential, since the victim's is gone.
    async fn absorbed_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let pods = pods_of(ctx, NAME).await?;
        let Some(pod) = newest(&pods) else { return Ok(Vec::new()) };
        let events: Api<Event> = api(ctx);
        let params =
            ListParams::default().fields(&format!("reason=Pulled,involvedObject.name={}", pod.name_any()));
        let events = events.list(&params).await.map_err(FaultError::api("list what was pulled"))?;
        let pulled =
            |e: &Event| Some(seen("the kubelet, without the revoked credential", e.message.clone()?));
        Ok(events.iter().filter_map(pulled).collect())
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        let pods = pods_of(ctx, NAME).await?;
        Ok(newest(&pods).map_or(Look::Settling("there is no pod".into()), judge))
    }

    /// The next try of a pod in its back-off may be minutes away; a new one pulls at once.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }
}

/// Broken when its image is refused for want of authorization.
fn judge(pod: &Pod) -> Look {
    if is_ready(pod) {
        return Look::Well;
    }
    let states = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten());
    let waiting = states.filter_map(|s| s.state.as_ref()?.waiting.as_ref()).next();
    let (reason, message) = waiting.map_or(("", ""), |w| {
        (w.reason.as_deref().unwrap_or_default(), w.message.as_deref().unwrap_or_default())
    });
    match matches!(reason, "ErrImagePull" | "ImagePullBackOff") && speaks_of_authorization(message) {
        true => Look::Broken(vec![seen(format!("waiting: {reason}"), message)]),
        false => Look::Settling(describe(pod)),
    }
}

fn speaks_of_authorization(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "unauthorized",
        "403 forbidden",
        "authorization failed",
        "authentication required",
        "no basic auth credentials",
    ]
    .iter()
    .any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use serde_json::json;

    #[test]
    fn only_the_account_loses_its_line() {
        let file = "alice:$2y$05$x\nal:$2y$05$y\nbob:$2y$05$z\n";
        assert_eq!(without(file, "al").as_deref(), Some("alice:$2y$05$x\nbob:$2y$05$z\n"));
        assert_eq!(without("al:$2y", "al").as_deref(), Some(""));
        assert_eq!(without(file, "mallory"), None);
    }

    #[test]
    fn the_account_is_found_in_either_form() {
        let secret = |entry: Value| {
            let config = json!({"auths": {"r:5000": entry}}).to_string();
            let data = [(DOCKER_CONFIG.to_owned(), ByteString(config.into_bytes()))];
            Secret { data: Some(data.into()), ..Secret::default() }
        };
        assert_eq!(account(&secret(json!({"username": "u"})), "r:5000").as_deref(), Some("u"));
        let auth = BASE64_STANDARD.encode("u:p:w");
        assert_eq!(account(&secret(json!({"auth": auth})), "r:5000").as_deref(), Some("u"));
        assert_eq!(account(&secret(json!({"auth": "?"})), "r:5000"), None);
        assert_eq!(account(&secret(json!({"username": "u"})), "other"), None);
    }

    #[test]
    fn a_missing_tag_or_a_silent_registry_is_not_this_symptom() {
        let pod = |message: &str| -> Pod {
            typed(json!({"status": {"containerStatuses": [{
                "name": "victim", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ErrImagePull", "message": message}},
            }]}}))
        };
        assert!(matches!(judge(&pod("failed to authorize: 401 Unauthorized")), Look::Broken(_)));
        assert!(matches!(judge(&pod("r/x:9: not found")), Look::Settling(_)));
        assert!(matches!(judge(&pod("dial tcp: connection refused")), Look::Settling(_)));
    }
}
