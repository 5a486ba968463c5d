//! The symptom that revoked rights share: a container that exits with 1 again and again, without a word.

use crate::{
    FaultContext, FaultError, Look,
    look::seen,
    victim::{describe, is_ready, log_of, newest, pods_of},
};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use kube::ResourceExt;

/// One look at the newest pod of the workload `name`: whether it crashes like that.
pub(crate) async fn look_for_crashes(ctx: &FaultContext, name: &str) -> Result<Look, FaultError> {
    let pods = pods_of(ctx, name).await?;
    Ok(match newest(&pods) {
        None => Look::Settling("there is no pod".into()),
        Some(pod) if is_ready(pod) => Look::Well,
        Some(pod) => look_closer(ctx, pod).await,
    })
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
    use crate::victim::typed;
    use serde_json::json;

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
}
