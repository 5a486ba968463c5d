//! Removing what was installed, and knowing that it is gone.

use super::manifests::ROLE_LABEL;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use loopdrill_target::{NamespaceLeft, RUN_LABEL, remove_namespace};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Why something of ours is still there.
#[derive(Debug, thiserror::Error)]
pub enum AgentsError {
    /// It did not go in time.
    #[error(transparent)]
    Left(#[from] NamespaceLeft),
    /// It is not known what is there.
    #[error("cannot look for namespaces of earlier runs: {0}")]
    Look(#[source] Box<kube::Error>),
}

/// Deletes the namespace and waits until it is gone.
pub(super) async fn namespace(client: &Client, name: &str) -> Result<(), AgentsError> {
    Ok(remove_namespace(client, name, LIMIT).await?)
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
