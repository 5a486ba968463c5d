//! What can go wrong with a lab. Each error says what to do next.

use loopdrill_cluster::{NodeError, with_causes};
use loopdrill_model::ExitStatus;

/// Why a cluster could not be provided.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The lab's specification is wrong.
    #[error("{file}{}: {what}; {remedy}", line.map(|n| format!(":{n}")).unwrap_or_default())]
    Spec {
        /// The file, or what else the specification came from.
        file: String,
        /// The line, counted from 1.
        line: Option<usize>,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// No container engine answers.
    #[error(
        "no Docker engine answers ({why}); start one (`sudo systemctl start docker`), set DOCKER_HOST, or let `ci/drill` set this machine up"
    )]
    NoEngine {
        /// What happened.
        why: String,
    },
    /// The engine is there, and not for this user.
    #[error(
        "the Docker engine refuses this user ({why}); join its group (`sudo usermod -aG docker $USER`, then log in again) or run as root"
    )]
    EngineDenied {
        /// What happened.
        why: String,
    },
    /// The engine cannot give nodes what they need.
    #[error(
        "the Docker engine cannot start a node, neither privileged nor with single capabilities ({why}); use an engine that is not rootless and not confined itself"
    )]
    EngineTooWeak {
        /// What it said.
        why: String,
    },
    /// The disk is full.
    #[error("not enough disk space: {what}; free some (`docker system df` shows what the engine holds)")]
    NoSpace {
        /// Where and how much.
        what: String,
    },
    /// An image cannot be had.
    #[error(
        "node image {image} cannot be had: {why}; name another with --node-image, or check the registry and try again"
    )]
    NoImage {
        /// Its reference.
        image: String,
        /// Why not.
        why: String,
    },
    /// An image is not what a lab needs.
    #[error(
        "{image} does not serve as node image: {why}; use an image with the contract of kindest/node and Kubernetes {}",
        crate::KUBERNETES
    )]
    WrongImage {
        /// Its reference.
        image: String,
        /// What is wrong with it.
        why: String,
    },
    /// The node image could not be built.
    #[error("the node image could not be built: {why}")]
    Builder {
        /// The end of what the builder said, which has the next step.
        why: String,
    },
    /// A cluster of that name exists.
    #[error(
        "{what} named {name} exists already; use it (`--lab {name}`), choose another name, or remove it (`loopdrill lab down --name {name}`)"
    )]
    Exists {
        /// The name.
        name: String,
        /// A lab, or a kind cluster.
        what: &'static str,
    },
    /// No such lab.
    #[error("there is no lab named {name} ({}); make it with `loopdrill lab up --name {name}`",
        if known.is_empty() { "there is none at all".into() } else { format!("there are: {}", known.join(", ")) })]
    NotFound {
        /// The name.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// A lab of that name is not whole.
    #[error(
        "lab {name} is not complete: it is still being made, or its making failed; wait for it, or remove it (`loopdrill lab down --name {name}`)"
    )]
    Incomplete {
        /// The name.
        name: String,
    },
    /// A cluster of that name was made by somebody else.
    #[error(
        "{name} is a cluster of the kind CLI, and not ours to remove; use `kind delete cluster --name {name}`"
    )]
    NotOurs {
        /// The name.
        name: String,
    },
    /// Somebody else uses the lab.
    #[error("lab {name} is in use by {holder}; wait for it, or use another lab (`--lab NAME`)")]
    Busy {
        /// The lab.
        name: String,
        /// Who has it.
        holder: String,
    },
    /// The API server's port is taken.
    #[error(
        "port {port} on this machine is taken; name another in the lab's spec (apiPort), or leave it out to get a free one"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// A node's container ended by itself or was ended.
    #[error(
        "node {node} died: {why}\n{log}\nif this repeats, look at `docker logs {node}` and at the machine's free memory"
    )]
    NodeDied {
        /// The node.
        node: String,
        /// How.
        why: String,
        /// The end of its log.
        log: String,
    },
    /// A step on a node failed.
    #[error(
        "{step} failed on node {node}:\n{log}\nsee the last lines for the cause; keep the pieces with `lab up --keep-failed` and look around with `docker exec -it {node} bash`"
    )]
    Step {
        /// The node.
        node: String,
        /// What was being done.
        step: &'static str,
        /// The relevant lines.
        log: String,
    },
    /// Something did not become ready in time.
    #[error(
        "{what} not ready after {seconds} s:\n{log}\non a slow or busy machine try again with less load; `kubectl --kubeconfig` on `loopdrill lab kubeconfig --path` shows more while a lab is up"
    )]
    NotReady {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What its state was.
        log: String,
    },
    /// The binary to put on nodes is unfit.
    #[error(
        "{path} cannot run on the nodes: {why}; build it statically (`cargo build` in this workspace does)"
    )]
    Binary {
        /// Its path.
        path: String,
        /// Why.
        why: String,
    },
    /// The API server said no.
    #[error("the lab's API server failed to {what}: {source}")]
    Kube {
        /// What was asked of it.
        what: String,
        /// Its answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The engine said no.
    #[error("the Docker engine failed to {what}: {why}")]
    Engine {
        /// What was asked of it.
        what: String,
        /// Its answer.
        why: String,
    },
    /// A node could not be reached.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A file of ours could not be used.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The user stopped it; what had been made is gone again.
    #[error("interrupted; everything that had been started was taken down")]
    Interrupted,
    /// What had been started could not be taken down.
    #[error("{what} is left behind: {why}; remove it with `loopdrill lab down --name {name}`")]
    LeftBehind {
        /// The lab.
        name: String,
        /// What is left.
        what: String,
        /// Why.
        why: String,
    },
}

impl LabError {
    /// What this error means for the process's exit code.
    #[must_use]
    pub const fn exit(&self) -> ExitStatus {
        match self {
            LabError::Spec { .. } | LabError::Binary { .. } | LabError::NotOurs { .. } => ExitStatus::Usage,
            LabError::Interrupted => ExitStatus::Interrupted,
            LabError::LeftBehind { .. } => ExitStatus::CleanupFailed,
            _ => ExitStatus::NoCluster,
        }
    }

    pub(crate) fn io(what: String, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull {
            return LabError::NoSpace { what };
        }
        LabError::Io { what, source }
    }

    pub(crate) fn kube(what: &str, source: kube::Error) -> Self {
        LabError::Kube { what: what.into(), source: Box::new(source) }
    }

    /// An engine's refusal, sorted by what the user can do about it.
    pub(crate) fn engine(what: impl Into<String>, why: &(dyn std::error::Error + 'static)) -> Self {
        let (what, text) = (what.into(), with_causes(why));
        if text.contains("no space left on device") {
            return LabError::NoSpace { what: format!("the Docker engine could not {what}: {text}") };
        }
        let taken = text.contains("port is already allocated") || text.contains("address already in use");
        if let Some(port) = port_in(&text).filter(|_| taken) {
            return LabError::PortTaken { port };
        }
        match io_kind(why) {
            Some(std::io::ErrorKind::PermissionDenied) => LabError::EngineDenied { why: text },
            Some(std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
                LabError::NoEngine { why: text }
            }
            _ => LabError::Engine { what, why: text },
        }
    }
}

fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(next) = cause {
        if let Some(io) = next.downcast_ref::<std::io::Error>() {
            // An error of the operating system says more than a wrapper of the same type around another error.
            if io.raw_os_error().is_some() || io.get_ref().is_none() {
                return Some(io.kind());
            }
        }
        cause = next.source();
    }
    None
}

/// The port in an engine's message like `Bind for 127.0.0.1:6443 failed: port is already allocated`.
fn port_in(text: &str) -> Option<u16> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter_map(|word| word.trim_end_matches(':').rsplit_once(':'))
        .find_map(|(_, port)| port.parse().ok().filter(|p| *p > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn a_full_disk_and_a_taken_port_have_errors_of_their_own() {
        let full = LabError::engine("start x", &Error::other("write /var/lib: no space left on device"));
        assert!(matches!(full, LabError::NoSpace { .. }), "{full}");
        let text = "driver failed programming external connectivity on endpoint x (1f): Bind for 127.0.0.1:46443 failed: port is already allocated";
        let taken = LabError::engine("start x", &Error::other(text));
        assert!(matches!(taken, LabError::PortTaken { port: 46443 }), "{taken}");
        let text = "listen tcp4 127.0.0.1:8443: bind: address already in use";
        assert!(matches!(LabError::engine("x", &Error::other(text)), LabError::PortTaken { port: 8443 }));
    }

    #[test]
    fn a_missing_engine_is_told_from_a_forbidden_one() {
        let missing = LabError::engine("ping", &Error::from(ErrorKind::NotFound));
        assert!(matches!(missing, LabError::NoEngine { .. }));
        let denied = LabError::engine("ping", &Error::from(ErrorKind::PermissionDenied));
        assert!(matches!(denied, LabError::EngineDenied { .. }));
        assert_eq!(denied.exit(), ExitStatus::NoCluster);
    }

    #[test]
    fn wrong_words_are_a_matter_of_usage() {
        let error = LabError::Spec {
            file: "lab.yaml".into(),
            line: Some(3),
            what: "unknown field `zome`".into(),
            remedy: "did you mean `zone`?".into(),
        };
        assert_eq!(error.to_string(), "lab.yaml:3: unknown field `zome`; did you mean `zone`?");
        assert_eq!(error.exit(), ExitStatus::Usage);
    }
}
