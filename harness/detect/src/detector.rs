//! The plug: whatever can watch a cluster and say what is wrong with it.

use async_trait::async_trait;
use loopdrill_model::Diagnoses;
use loopdrill_target::Target;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Why a detector ended.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// There is no detector of that name.
    #[error("there is no detector {name:?}; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It is listed twice.
    #[error("the detector {name} is listed twice; one column of the scoreboard is enough")]
    Twice {
        /// Its name.
        name: String,
    },
    /// It could not watch the cluster, or could not clean up behind itself.
    #[error("{0}")]
    Failed(String),
}

/// A detector under test. It is told the cluster, and never what is injected.
///
/// # Implementations
/// - MUST fire `ready` once they see the cluster, and from then on set `as_of` in what they publish;
/// - MUST publish all present findings each time they change, best first, and drop those that no longer hold;
/// - MUST end soon after `stop`, remove what they installed, and end with an error when that failed.
#[async_trait]
pub trait Detector: Send + Sync {
    /// The name on the scoreboard and for `--detector`.
    fn name(&self) -> &str;

    /// Watches until `stop`.
    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError>;
}
