//! Termination messages: what a container, or the runtime in its place, left in the pod's own status.

use super::{Heard, Mounts, classify};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use loopdrill_model::Subject;
use loopdrill_model::signal::{Clue, CluePlace};

/// What the failed containers of this pod said in their status.
pub(crate) fn termination_clues(pod: &Pod) -> Vec<Clue> {
    let Some(status) = &pod.status else { return Vec::new() };
    let all =
        status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
    all.filter_map(|s| Some((s, ended(s)?))).flat_map(|(s, (life, end))| clues(pod, s, life, end)).collect()
}

/// A clue with where it comes from.
pub(crate) fn clue(pod: &Pod, container: &str, life: u32, place: CluePlace, heard: Heard) -> Clue {
    let meta = &pod.metadata;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    Clue {
        pod: Subject::new("Pod", part(&meta.namespace), part(&meta.name)),
        uid: part(&meta.uid),
        container: container.into(),
        restarts: life,
        place,
        kind: heard.kind,
        lines: heard.lines,
        lines_after: heard.lines_after,
    }
}

/// The last failure of a container, and which life it ended.
fn ended(status: &ContainerStatus) -> Option<(u32, &ContainerStateTerminated)> {
    let restarts = u32::try_from(status.restart_count).unwrap_or(0);
    let now = status.state.as_ref().and_then(|s| s.terminated.as_ref());
    let last = status.last_state.as_ref().and_then(|s| s.terminated.as_ref());
    // As `crash` counts lives: the count rises when the next one begins.
    let runs = status.state.as_ref().is_some_and(|s| s.running.is_some());
    let (life, end) = match (now, last) {
        (Some(end), _) => (restarts, end),
        (None, Some(end)) => (if runs { restarts.saturating_sub(1) } else { restarts }, end),
        (None, None) => return None,
    };
    (end.exit_code != 0 && end.reason.as_deref() != Some("OOMKilled")).then_some((life, end))
}

fn clues(pod: &Pod, status: &ContainerStatus, life: u32, end: &ContainerStateTerminated) -> Vec<Clue> {
    let message = end.message.as_deref().unwrap_or_default();
    let heard = classify(message.as_bytes(), &Mounts::of(pod, &status.name));
    heard.into_iter().map(|h| clue(pod, &status.name, life, CluePlace::TerminationMessage, h)).collect()
}
