//! Whether what was installed is ready.

use crate::LabError;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::Node,
};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(300);

/// Polls a condition until it holds.
pub(crate) async fn until<F>(what: &str, holds: impl Fn() -> F) -> Result<(), LabError>
where
    F: Future<Output = Result<bool, kube::Error>>,
{
    let started = Instant::now();
    loop {
        let last = match holds().await {
            Ok(true) => return Ok(()),
            Ok(false) => "its pods are not ready".to_string(),
            Err(error) => error.to_string(),
        };
        if started.elapsed() > LIMIT {
            return Err(LabError::NotReady {
                what: what.into(),
                seconds: LIMIT.as_secs(),
                log: format!("  | {last}"),
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The address by which the nodes of a cluster reach one of them.
pub(crate) fn internal_ip(node: &Node) -> Option<String> {
    let all = node.status.as_ref()?.addresses.as_ref()?;
    Some(all.iter().find(|a| a.type_ == "InternalIP")?.address.clone())
}

/// Whether all pods that a DaemonSet wants are ready, and of its newest version.
pub(crate) fn is_complete(daemons: &DaemonSet) -> bool {
    daemons.status.as_ref().is_some_and(|status| {
        status.observed_generation == daemons.metadata.generation
            && status.desired_number_scheduled > 0
            && status.updated_number_scheduled == Some(status.desired_number_scheduled)
            && status.number_ready == status.desired_number_scheduled
    })
}

/// Whether a Deployment has all the replicas that it wants, ready.
pub(crate) fn is_available(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0) >= wanted
}

/// Whether it has also replaced all older replicas: those that go would still leave room behind.
pub(crate) fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let Some(status) = &deployment.status else { return false };
    is_available(deployment)
        && status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) >= wanted
        && status.replicas.unwrap_or(0) <= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_that_still_replaces_pods_is_not_rolled_out() {
        let deployment = |replicas: i32, updated: i32, observed: i64| -> Deployment {
            let status = serde_json::json!({"replicas": replicas, "readyReplicas": replicas.min(2),
                "updatedReplicas": updated, "observedGeneration": observed});
            let all = serde_json::json!({"metadata": {"generation": 2}, "status": status,
                "spec": {"replicas": 2, "selector": {}, "template": {}}});
            serde_json::from_value(all).expect("a Deployment")
        };
        assert!(is_rolled_out(&deployment(2, 2, 2)));
        for rolling in [deployment(3, 2, 2), deployment(2, 1, 2), deployment(2, 2, 1), deployment(1, 1, 2)] {
            assert!(!is_rolled_out(&rolling));
        }
    }
}
