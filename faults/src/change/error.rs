//! Why a change of any kind could not be applied, read or taken back.

use loopdrill_aws::CloudError;
use loopdrill_cluster::NodeError;

/// Why a change could not be applied, read or taken back.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The state that was found is not ours to touch, or not the one the snapshot shows.
    #[error("{what} is in a foreign state: {found}; put it right by hand, then run `loopdrill undo`")]
    Foreign {
        /// What was to be changed.
        what: String,
        /// What was found there.
        found: String,
    },
    /// The change needs the API server and there is no client.
    #[error("{what} needs the API server: {why}")]
    NoApi {
        /// What was to be changed.
        what: String,
        /// Why there is none.
        why: String,
    },
    /// The API server refused or did not answer.
    #[error("{what}: {source}")]
    Api {
        /// What was to be changed.
        what: String,
        /// The API's answer.
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("{what} did not answer within {seconds} s")]
    TimedOut {
        /// What was to be changed.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// The node refused or did not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The cloud refused or did not answer.
    #[error("{what}: {source}")]
    Cloud {
        /// What was to be changed.
        what: String,
        /// The cloud's answer.
        source: CloudError,
    },
    /// A node's agent said something that makes no sense.
    #[error("the agent on node {node} answered {answer:?}: {why}")]
    Agent {
        /// The node.
        node: String,
        /// What it said.
        answer: String,
        /// Why that makes no sense.
        why: String,
    },
}
