//! Questions that a crashing container raises: may its account still do what it could, and did it say
//! anything before it ended?
//!
//! An RBAC denial need not show in any metric by name, so the API server is asked for it: for what the
//! account's grants allow, or allowed since the observer started. Bounded, and asked again only while the
//! crashing goes on.

mod access;
mod log;

use crate::sink::{NobodyListens, Sink};
use access::Accounts;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use log::Logs;
use loopdrill_model::signal::{Container, ContainerState, Pod, Terminated};
use loopdrill_model::{Signal, Subject};
use std::time::Duration;
use tokio::sync::mpsc;

/// An end that is older than this is history.
const RECENT: SignedDuration = SignedDuration::from_mins(10);
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// Whether a signal is of interest in here.
pub(crate) fn concerns(signal: &Signal) -> bool {
    match signal {
        Signal::Grant(_) => true,
        Signal::Gone(gone) => {
            matches!(gone.object.kind.as_str(), "RoleBinding" | "ClusterRoleBinding" | "Pod")
        }
        Signal::Pod(pod) => !failures(pod).is_empty(),
        _ => false,
    }
}

/// A container that ended by itself with an error.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) container: String,
    /// Which life: the restart count before it.
    pub(crate) life: u32,
    /// Whether it is no longer the container's present state.
    pub(crate) previous: bool,
    pub(crate) ended: Timestamp,
}

/// The latest failure of each container. Memory is another loop's business, and deletion nobody's.
pub(crate) fn failures(pod: &Pod) -> Vec<Failure> {
    if pod.deleting {
        return Vec::new();
    }
    pod.containers.iter().filter_map(failure).collect()
}

fn failure(container: &Container) -> Option<Failure> {
    let failed = |t: &Terminated| t.exit_code >= 1 && t.reason != "OOMKilled";
    // The count rises when the next life begins, not when one ends.
    let (ended, previous, life) = match (&container.state, &container.last) {
        (ContainerState::Terminated(now), _) => (now, false, container.restarts),
        (ContainerState::Waiting { .. }, Some(last)) => (last, true, container.restarts),
        (ContainerState::Running { .. }, Some(last)) => (last, true, container.restarts.saturating_sub(1)),
        _ => return None,
    };
    let when = ended.finished_at.unwrap_or(Timestamp::UNIX_EPOCH);
    failed(ended).then(|| Failure { container: container.name.clone(), life, previous, ended: when })
}

/// Follows crashes and asks.
pub(crate) async fn follow(
    client: Client,
    mut news: mpsc::Receiver<Signal>,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let mut accounts = Accounts::default();
    let mut logs = Logs::new(client.clone(), sink.clone());
    let mut clock = crate::backoff::every(ASK_AGAIN);
    loop {
        tokio::select! {
            signal = news.recv() => {
                let Some(signal) = signal else { return Ok(()) };
                take(signal, &mut accounts, &mut logs);
            }
            _ = clock.tick() => accounts.ask_again(),
        }
        accounts.ask(&client, &sink);
    }
}

fn take(signal: Signal, accounts: &mut Accounts, logs: &mut Logs) {
    match signal {
        Signal::Grant(grant) => accounts.grant(&grant),
        Signal::Gone(gone) if gone.object.kind == "Pod" => logs.forget(&gone.uid),
        Signal::Gone(gone) => accounts.binding_gone(&gone.object),
        Signal::Pod(pod) => {
            let recent = Timestamp::now() - RECENT;
            for failure in failures(&pod).into_iter().filter(|f| f.ended > recent) {
                accounts.crashed(
                    Subject::new("ServiceAccount", &pod.namespace, &pod.service_account),
                    failure.ended,
                );
                logs.measure(&pod, &failure);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i32, reason: &str) -> Terminated {
        Terminated { exit_code: code, reason: reason.into(), started_at: None, finished_at: None }
    }

    fn container(restarts: u32, state: ContainerState, last: Option<Terminated>) -> Container {
        Container {
            name: "app".into(),
            init: false,
            image: String::new(),
            ready: false,
            restarts,
            state,
            last,
            memory_limit_bytes: None,
            has_liveness_probe: false,
            has_readiness_probe: false,
        }
    }

    fn waiting() -> ContainerState {
        ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() }
    }

    #[test]
    fn which_life_failed() {
        let life = |c: &Container| failure(c).map(|f| (f.life, f.previous));
        assert_eq!(
            life(&container(0, ContainerState::Terminated(ended(1, "Error")), None)),
            Some((0, false))
        );
        assert_eq!(life(&container(2, waiting(), Some(ended(1, "Error")))), Some((2, true)));
        let running = ContainerState::Running { since: None };
        assert_eq!(life(&container(3, running.clone(), Some(ended(128, "Error")))), Some((2, true)));
        assert_eq!(life(&container(0, running, None)), None);
    }

    #[test]
    fn what_is_no_failure_of_the_program() {
        for end in [ended(0, "Completed"), ended(137, "OOMKilled")] {
            assert_eq!(failure(&container(1, waiting(), Some(end))), None);
        }
    }
}
