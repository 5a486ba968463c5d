//! Removing a namespace of ours, also while the controller-manager is away.
//!
//! A drill of the control plane makes the controller-manager restart, and the kubelet lets it wait for up to five
//! minutes. It is the one that empties and finishes namespaces. When it does not, we do the same for a namespace
//! that is our own: delete everything in it, look that nothing of any kind is left, and only then finish it.

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::Status;
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client, ResourceExt};
use loopdrill_model::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// For one call, on a machine that may be busy.
const ONE_CALL: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(250);
/// The controller-manager takes five seconds on a good day.
const PATIENCE: Duration = Duration::from_secs(12);

/// A namespace that is still there.
#[derive(Debug, thiserror::Error)]
#[error(
    "namespace {namespace} is still there ({why}); remove it with `kubectl delete namespace {namespace}`"
)]
pub struct NamespaceLeft {
    /// Its name.
    pub namespace: String,
    /// What was last seen.
    pub why: String,
}

/// Deletes `namespace`, which must be ours with all that is in it, and returns when it is gone. Tries again when
/// the API server fails meanwhile.
///
/// # Errors
/// [`NamespaceLeft`] when it is still there after `limit`, or may not be deleted.
pub async fn remove_namespace(
    client: &Client,
    namespace: &str,
    limit: Duration,
) -> Result<(), NamespaceLeft> {
    let began = Instant::now();
    let mut why = String::from("it was not looked at yet");
    let mut terminating = None;
    while began.elapsed() < limit {
        match timeout(ONE_CALL, step(client, namespace, &mut terminating)).await {
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(what))) => why = what,
            // No patience gives a right that is lacking.
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                return Err(NamespaceLeft { namespace: namespace.into(), why: status.message.clone() });
            }
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = "the API server does not answer".into(),
        }
        sleep(POLL).await;
    }
    Err(NamespaceLeft { namespace: namespace.into(), why })
}

/// One step towards its end; `None` when it is gone, else what holds it up.
async fn step(
    client: &Client,
    name: &str,
    terminating: &mut Option<Instant>,
) -> Result<Option<String>, kube::Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let Some(namespace) = namespaces.get_opt(name).await? else { return Ok(None) };
    if namespace.metadata.deletion_timestamp.is_none() {
        namespaces.delete(name, &DeleteParams::default()).await?;
        return Ok(Some("it is being deleted".into()));
    }
    release_pods(client, name).await?;
    if terminating.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
        return Ok(Some("it is being deleted".into()));
    }
    let left = match empty(client, name).await {
        // An account that may not look into all kinds waits for the controller.
        Err(kube::Error::Api(status)) if status.code == 403 => {
            return Ok(Some("it is being deleted, and this account may not hurry it".into()));
        }
        left => left?,
    };
    if let Some(left) = left {
        return Ok(Some(format!("it still holds {left}")));
    }
    finish(&namespaces, namespace).await?;
    Ok(Some("it is empty".into()))
}

/// The kubelet of a dead node confirms no pod's end, and the namespace would wait for it for ever.
async fn release_pods(client: &Client, name: &str) -> Result<(), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), name);
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    for pod in pods.list_metadata(&ListParams::default()).await? {
        let over = pod.metadata.deletion_timestamp.as_ref().is_some_and(|t| t.0 <= Timestamp::now());
        if over {
            gone_is_fine(pods.delete(&pod.name_any(), &now).await.map(drop))?;
        }
    }
    Ok(())
}

fn gone_is_fine(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if is_gone(&status) => Ok(()),
        other => other,
    }
}

fn is_gone(status: &Status) -> bool {
    status.code == 404
}

/// Deletes everything of every kind in the namespace; says what is left, if anything is. Nothing new can come: the
/// API server creates nothing in a namespace that ends.
async fn empty(client: &Client, name: &str) -> Result<Option<String>, kube::Error> {
    let kinds = Discovery::new(client.clone()).run_aggregated().await?;
    let everything = ListParams::default();
    let mut left = None;
    for (kind, can) in kinds.groups().flat_map(kube::discovery::ApiGroup::resources_by_stability) {
        let ours = can.scope == Scope::Namespaced && can.supports_operation(verbs::LIST);
        if !ours || !can.supports_operation(verbs::DELETE) {
            continue;
        }
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), name, &kind);
        let there = api.list_metadata(&everything.clone().limit(1)).await?;
        if there.items.is_empty() {
            continue;
        }
        if can.supports_operation(verbs::DELETE_COLLECTION) {
            api.delete_collection(&DeleteParams::background(), &everything).await?;
        }
        if !api.list_metadata(&everything.clone().limit(1)).await?.items.is_empty() {
            left = Some(kind.plural);
        }
    }
    Ok(left)
}

/// Tells the API server that the namespace's content is gone.
async fn finish(namespaces: &Api<Namespace>, mut namespace: Namespace) -> Result<(), kube::Error> {
    tracing::info!(namespace = namespace.name_any(), "finished in place of the controller-manager");
    namespace.spec.get_or_insert_default().finalizers = None;
    let name = namespace.name_any();
    gone_is_fine(
        namespaces.replace_subresource("finalize", &name, &PostParams::default(), &namespace).await.map(drop),
    )
}
