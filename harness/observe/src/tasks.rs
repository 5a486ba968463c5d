//! The observer's tasks: all end when it is stopped, or when nobody listens any more.

use crate::sink::NobodyListens;
use std::future::Future;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks and ends them.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Tasks that end with these, or on their own `stop`.
    pub(crate) fn child(&self) -> Self {
        Self { tracker: self.tracker.clone(), stop: self.stop.child_token() }
    }

    /// Runs `task` until it ends or all are stopped.
    pub(crate) fn spawn(&self, task: impl Future<Output = Result<(), NobodyListens>> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = task => if ended.is_err() { tracing::debug!("nobody listens to the observer") },
            }
        });
    }

    /// Asks these tasks to end.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Asks all to end and waits until they have.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
