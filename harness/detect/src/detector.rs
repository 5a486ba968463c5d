//! The plug: whatever can watch a cluster and say what is wrong with it.

use async_trait::async_trait;
use loopdrill_cluster::Target;
use loopdrill_model::{Diagnoses, LookMode};
use loopdrill_observe::record::RecordingWriter;
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
/// - called in afterwards ([`LookMode::Once`]): are run anew for each question, without memory of the last one, and MUST
///   drop `out` when they have said all, before they clean up;
/// - MUST end soon after `stop`, remove what they installed, and end with an error when that failed.
#[async_trait]
pub trait Detector: Send + Sync {
    /// The name on the scoreboard and for `--detector`.
    fn name(&self) -> &str;

    /// Whether it watches all the time, or is called in when a symptom has shown.
    fn look(&self) -> LookMode {
        LookMode::Live
    }

    /// The same one, that writes down in `begin`'s recording all that it takes in. One of which there is nothing to be
    /// replayed begins none.
    fn recorded(&self, _begin: &mut dyn FnMut() -> Option<RecordingWriter>) -> Option<Arc<dyn Detector>> {
        None
    }

    /// Watches until `stop`.
    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError>;
}
