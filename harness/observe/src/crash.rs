//! Questions that a crashing container raises: may its account still do what it could, and did it say
//! anything before it ended? And one that runs unready: what does it say?
//!
//! An RBAC denial need not show in any metric by name, so the API server is asked for it: for what the
//! account's grants allow, or allowed since the observer started. Bounded, and asked again only while the
//! crashing goes on.

mod access;
mod log;
mod open;

pub use open::OpenQuestions;

use crate::sink::{NobodyListens, Sink};
use access::{Accounts, Right};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use log::{Life, Logs, is_unready};
use loopdrill_model::signal::{Container, ContainerState, Pod, Terminated};
use loopdrill_model::{Signal, Subject};
use std::time::Duration;
use tokio::sync::mpsc;

/// An end that is older than this is history.
const RECENT: SignedDuration = SignedDuration::from_mins(10);
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// What is not ready for so long has something to say about it.
const WARM_UP: Duration = Duration::from_secs(25);
/// Answers of logs that may wait.
const RAISED: usize = 64;

/// Whether a signal is of interest in here.
pub(crate) fn concerns(signal: &Signal) -> bool {
    match signal {
        Signal::Grant(_) => true,
        Signal::Deleted(gone) => {
            matches!(gone.object.kind.as_str(), "RoleBinding" | "ClusterRoleBinding" | "Pod")
        }
        Signal::Pod(pod) => !failures(pod).is_empty() || unready(pod).next().is_some(),
        Signal::Clue(clue) => Right::denied(&clue.kind).is_some(),
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
    /// It is not running again.
    pub(crate) down: bool,
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
    let down = !matches!(container.state, ContainerState::Running { .. });
    failed(ended).then(|| Failure { container: container.name.clone(), life, previous, down, ended: when })
}

/// The containers that run and are not ready.
fn unready(pod: &Pod) -> impl Iterator<Item = &Container> {
    let lives = !pod.deleting && pod.phase == "Running";
    pod.containers.iter().filter(move |c| lives && is_unready(c))
}

/// Follows crashes and asks.
pub(crate) async fn follow(
    client: Client,
    mut news: mpsc::Receiver<Signal>,
    sink: Sink,
    (read_logs, open): (bool, OpenQuestions),
) -> Result<(), NobodyListens> {
    let mut accounts = Accounts::default();
    let (raise, mut raised) = mpsc::channel(RAISED);
    let mut logs = read_logs.then(|| Logs::new(client.clone(), sink.clone(), raise, open));
    if !read_logs {
        sink.lost(&log::source(), "not read, as was asked for").await?;
    }
    let mut clock = crate::backoff::every(ASK_AGAIN);
    loop {
        tokio::select! {
            signal = news.recv() => {
                let Some(signal) = signal else { return Ok(()) };
                take(signal, &mut accounts, logs.as_mut());
            }
            Some(said) = raised.recv() => {
                if let Some(account) = said.account.filter(|_| !said.rights.is_empty()) {
                    accounts.denied(account, said.rights, said.open);
                }
            }
            _ = clock.tick() => accounts.ask_again(),
        }
        accounts.ask(&client, &sink);
        if let Some(logs) = &mut logs {
            logs.read();
            logs.tell_left_out().await?;
        }
    }
}

fn take(signal: Signal, accounts: &mut Accounts, logs: Option<&mut Logs>) {
    match signal {
        Signal::Grant(grant) => accounts.grant(&grant),
        Signal::Deleted(gone) if gone.object.kind == "Pod" => {
            if let Some(logs) = logs {
                logs.forget(&gone.uid);
            }
        }
        Signal::Deleted(gone) => accounts.binding_gone(&gone.object),
        Signal::Pod(pod) => take_pod(&pod, accounts, logs),
        // A termination message. What it says of other accounts is weighed by nobody.
        Signal::Clue(clue) => {
            if let Some((Some(account), right)) = Right::denied(&clue.kind)
                && account.namespace == clue.pod.namespace
            {
                accounts.denied(account, vec![right], None);
            }
        }
        _ => {}
    }
}

fn take_pod(pod: &Pod, accounts: &mut Accounts, mut logs: Option<&mut Logs>) {
    let recent = Timestamp::now() - RECENT;
    // The two clocks may differ: who is down has not come back since, whenever that was.
    let standing = |f: &Failure| f.ended > recent || f.down && pod.phase != "Failed";
    for failure in failures(pod).into_iter().filter(standing) {
        let account = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
        accounts.crashed(account, failure.ended);
        if let Some(logs) = &mut logs {
            let how = if failure.previous { Life::Previous } else { Life::Ended };
            logs.want(pod, &failure.container, failure.life, how, Duration::ZERO);
        }
    }
    for container in unready(pod) {
        let age = match &container.state {
            ContainerState::Running { since: Some(since) } => Timestamp::now().duration_since(*since),
            _ => SignedDuration::ZERO,
        };
        let age = Duration::try_from(age).unwrap_or_default();
        if let Some(logs) = &mut logs {
            let after = WARM_UP.saturating_sub(age);
            logs.want(pod, &container.name, container.restarts, Life::Unready, after);
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod lives {
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
            ports: Vec::new(),
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
