//! One look of a detector that is called in: the same for a drill and for the cluster to which nothing is done.

use crate::{Session, detectors::ColdSeat};
use loopdrill_model::{Diagnosis, EventKind, FaultId};
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep_until},
};

/// Drills side by side where detectors are called in: each look lists the whole cluster, and a dozen at once would slow
/// down what they look at.
pub(crate) const LANES: usize = 3;

impl Session {
    /// Waits until a drill may begin beside those that are under way; `None` where nobody is called in, and any number may.
    pub(crate) async fn lane(&self) -> Option<SemaphorePermit<'_>> {
        match self.detectors.cold().next() {
            // Nobody closes it.
            Some(_) => self.lanes.acquire().await.ok(),
            None => None,
        }
    }

    /// Calls a detector in, and listens until it has said all or `end` has come. Each answer is told to `each`.
    ///
    /// # Errors
    /// When the run was interrupted.
    pub(crate) async fn look(
        &self,
        seat: &ColdSeat,
        drill: &FaultId,
        end: Instant,
        mut each: impl FnMut(Vec<Diagnosis>) + Send,
    ) -> Result<(), ()> {
        let look = seat.look(drill, &self.target, &self.events, self.records_looks.as_deref());
        let mut scorer = look.scorer();
        loop {
            let found = scorer.borrow_and_update().answer(drill).to_vec();
            each(found);
            tokio::select! {
                biased;
                Ok(()) = scorer.changed() => {}
                () = look.over() => break,
                () = sleep_until(end) => break,
                () = self.cancel.cancelled() => return Err(()),
            }
        }
        self.concluded(drill, seat.name());
        look.stop();
        Ok(())
    }

    /// Tells that the time of a detector is over.
    pub(crate) fn concluded(&self, drill: &FaultId, detector: &str) {
        self.tell(drill, EventKind::DetectorConcluded { detector: detector.into() });
    }
}
