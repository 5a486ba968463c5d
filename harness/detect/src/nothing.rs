//! The detector that never finds anything: what a cluster without monitoring has.

use crate::{DetectError, Detector};
use async_trait::async_trait;
use loopdrill_cluster::Target;
use loopdrill_model::Diagnoses;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// `--detector none`.
#[derive(Debug, Default)]
pub struct Nothing;

#[async_trait]
impl Detector for Nothing {
    fn name(&self) -> &str {
        "none"
    }

    async fn run(
        self: Arc<Self>,
        _target: Arc<Target>,
        _out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let _ = ready.send(());
        // `_out` lives until here: a closed channel would mean that the detector has died.
        stop.cancelled().await;
        Ok(())
    }
}
