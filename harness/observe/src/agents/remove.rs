//! Removing what was installed, and knowing that it is gone.

use super::manifests::ROLE_LABEL;
use crate::reason::reason;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};
use loopdrill_target::RUN_LABEL;
use std::time::Duration;
use tokio::time::Instant;

/// A namespace goes by the controller-manager, which may be restarting after a drill of the control plane.
const LIMIT: Duration = Duration::from_secs(120);
const ONE_CALL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(200);

/// Why something of ours is still there.
#[derive(Debug, thiserror::Error)]
pub enum AgentsError {
    /// It did not go in time.
    #[error(
        "namespace {namespace} was still there after {LIMIT:?} ({why}); remove it with `kubectl delete namespace {namespace}`"
    )]
    Left {
        /// Its name.
        namespace: String,
        /// What was last seen.
        why: String,
    },
    /// It is not known what is there.
    #[error("cannot look for namespaces of earlier runs: {0}")]
    Look(#[source] Box<kube::Error>),
}

/// Deletes the namespace and waits until it is gone. Tries again when the API server fails meanwhile.
pub(super) async fn namespace(client: &Client, name: &str) -> Result<(), AgentsError> {
    let deadline = Instant::now() + LIMIT;
    let mut why = String::from("it was not looked at yet");
    while Instant::now() < deadline {
        match tokio::time::timeout(ONE_CALL, step(client, name)).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => why = "it is being deleted".into(),
            Ok(Err(error)) => why = reason(&error),
            Err(_) => why = "the API server does not answer".into(),
        }
        tokio::time::sleep(POLL).await;
    }
    Err(AgentsError::Left { namespace: name.into(), why })
}

/// One step towards its end; `true` when it is gone. Pods go first: a namespace that still holds some when its
/// turn comes is looked at again only seconds later.
async fn step(client: &Client, name: &str) -> Result<bool, kube::Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let Some(namespace) = namespaces.get_opt(name).await? else { return Ok(true) };
    let all = ListParams::default();
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), name);
    sets.delete_collection(&DeleteParams::default(), &all).await?;
    // Without grace: the kubelet of a dead node confirms no pod's end, and the namespace would wait for ever.
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let pods: Api<Pod> = Api::namespaced(client.clone(), name);
    pods.delete_collection(&now, &all).await?;
    let empty =
        sets.list_metadata(&all).await?.items.is_empty() && pods.list_metadata(&all).await?.items.is_empty();
    if empty && namespace.metadata.deletion_timestamp.is_none() {
        namespaces.delete(name, &DeleteParams::default()).await?;
    }
    Ok(false)
}

/// Removes what observers of dead runs left behind: of `run`, or of every run. Returns the namespaces that
/// were removed.
///
/// # Errors
/// [`AgentsError`] when something is left or nothing could be looked for.
pub async fn sweep(client: &Client, run: Option<&str>) -> Result<Vec<String>, AgentsError> {
    let labels = match run {
        Some(run) => format!("{ROLE_LABEL}=namespace,{RUN_LABEL}={run}"),
        None => format!("{ROLE_LABEL}=namespace"),
    };
    let api: Api<Namespace> = Api::all(client.clone());
    let found =
        api.list(&ListParams::default().labels(&labels)).await.map_err(|e| AgentsError::Look(Box::new(e)))?;
    let names: Vec<_> = found.iter().map(ResourceExt::name_any).collect();
    for name in &names {
        namespace(client, name).await?;
    }
    Ok(names)
}
