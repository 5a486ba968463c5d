//! Removing what was installed, and knowing that it is gone.

use super::manifests::ROLE_LABEL;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use loopdrill_cluster::{NamespaceLeft, RUN_LABEL, remove_namespace};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// What follows a run's id in that of an observer beside it.
const BESIDE: &str = "-look-";

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

/// Deletes the namespace, where it is one of this run, and waits until it is gone.
pub(super) async fn own(client: &Client, name: &str, run: &str) -> Result<(), AgentsError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let found = api.get_opt(name).await.map_err(|e| AgentsError::Look(Box::new(e)))?;
    match found.is_some_and(|n| n.labels().get(RUN_LABEL).is_some_and(|label| label == run)) {
        true => namespace(client, name).await,
        false => Ok(()),
    }
}

/// Deletes the namespace and waits until it is gone.
async fn namespace(client: &Client, name: &str) -> Result<(), AgentsError> {
    Ok(remove_namespace(client, name, LIMIT).await?)
}

/// The id of an observer beside that of its run: what it installs is its own, and is swept with the run.
#[must_use]
pub fn beside(run: &str, number: usize) -> String {
    format!("{run}{BESIDE}{number}")
}

fn is_of(label: &str, run: &str) -> bool {
    label.strip_prefix(run).is_some_and(|rest| rest.is_empty() || rest.starts_with(BESIDE))
}

/// The namespaces of what observers of `run`, or of every run, have installed.
///
/// # Errors
/// [`AgentsError`] when nothing could be looked for.
pub async fn installed(client: &Client, run: Option<&str>) -> Result<Vec<String>, AgentsError> {
    let labels = format!("{ROLE_LABEL}=namespace");
    let api: Api<Namespace> = Api::all(client.clone());
    let found =
        api.list(&ListParams::default().labels(&labels)).await.map_err(|e| AgentsError::Look(Box::new(e)))?;
    let asked = |n: &&Namespace| {
        run.is_none_or(|run| n.labels().get(RUN_LABEL).is_some_and(|label| is_of(label, run)))
    };
    Ok(found.iter().filter(asked).map(ResourceExt::name_any).collect())
}

/// Removes what observers of dead runs left behind: of `run`, or of every run. Returns the namespaces that
/// were removed.
///
/// # Errors
/// [`AgentsError`] when something is left or nothing could be looked for.
pub async fn sweep(client: &Client, run: Option<&str>) -> Result<Vec<String>, AgentsError> {
    let names = installed(client, run).await?;
    for name in &names {
        namespace(client, name).await?;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_swept_with_its_looks_and_no_other_run_is() {
        assert!(is_of("r1", "r1") && is_of(&beside("r1", 7), "r1"));
        assert!(!is_of("r12", "r1") && !is_of(&beside("r12", 7), "r1") && !is_of("r", "r1"));
    }
}
