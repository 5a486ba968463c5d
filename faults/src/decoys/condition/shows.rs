//! Symptoms of a pod.

use crate::{
    look::seen,
    victim::{is_ready, unscheduled},
};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use loopdrill_model::Evidence;

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten())
}

fn waiting(pod: &Pod) -> Option<(&str, &str)> {
    let waiting = statuses(pod).find_map(|s| s.state.as_ref()?.waiting.as_ref())?;
    Some((waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or_default()))
}

/// It ends and starts anew.
pub(crate) fn restarts(pod: &Pod) -> Option<Vec<Evidence>> {
    let status = statuses(pod).find(|s| s.restart_count >= 1)?;
    let last = status.last_state.as_ref()?.terminated.as_ref()?;
    let said = format!(
        "{} restarts, the last life ended with code {} ({})",
        status.restart_count,
        last.exit_code,
        last.reason.as_deref().unwrap_or("no reason")
    );
    Some(vec![seen("container", said)])
}

/// Its image does not come.
pub(crate) fn no_image(pod: &Pod) -> Option<Vec<Evidence>> {
    let (reason, message) = waiting(pod)?;
    matches!(reason, "ErrImagePull" | "ImagePullBackOff")
        .then(|| vec![seen(format!("waiting: {reason}"), message)])
}

/// Its container's settings cannot be put together.
pub(crate) fn no_settings(pod: &Pod) -> Option<Vec<Evidence>> {
    let (reason, message) = waiting(pod)?;
    (reason == "CreateContainerConfigError").then(|| vec![seen(format!("waiting: {reason}"), message)])
}

/// Its container cannot be started.
pub(crate) fn not_started(pod: &Pod) -> Option<Vec<Evidence>> {
    let (reason, message) = waiting(pod)?;
    ["RunContainerError", "CreateContainerError", "CrashLoopBackOff"]
        .contains(&reason)
        .then(|| vec![seen(format!("waiting: {reason}"), message)])
}

/// It has no node.
pub(crate) fn no_node(pod: &Pod) -> Option<Vec<Evidence>> {
    unscheduled(pod).map(|why| vec![seen("the scheduler's answer", why)])
}

/// It has a node and does not get beyond creating its container.
pub(crate) fn no_container(pod: &Pod) -> Option<Vec<Evidence>> {
    let (reason, _) = waiting(pod)?;
    let created = pod.metadata.creation_timestamp.as_ref()?.0;
    let age = jiff::Timestamp::now().duration_since(created).as_secs_f64();
    (reason == "ContainerCreating" && age > 5.0)
        .then(|| vec![seen(format!("waiting: {reason}"), format!("for {age:.0} s"))])
}

/// It does its work.
pub(super) fn health(pod: &Pod) -> Option<Vec<Evidence>> {
    let restarts: i32 = statuses(pod).map(|s| s.restart_count).sum();
    (is_ready(pod) && restarts == 0).then(|| vec![seen("pod", "ready, started once")])
}
