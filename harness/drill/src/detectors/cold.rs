//! A detector that is called in for each drill when its symptom has shown: fresh, without memory, and for one answer.
//! A look is a detector like any other, with a beginning of its own and a scorer of its own that is asked about one drill.
//!
//! Invariant: what the drills do reaches each look's scorer and its recording once and in order, also what was done
//! before the look began.

use super::{Ended, live::feed};
use crate::EventSender;
use loopdrill_cluster::Target;
use loopdrill_detect::{DetectError, Detector, Scorer};
use loopdrill_model::{DetectorResult, Diagnoses, Diagnosis, DrillMark, FaultId, LookMode, Mark};
use loopdrill_observe::{
    beside,
    record::{Entry, RecordingWriter},
};
use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// Numbers the looks of this process, so that none meets what another one installed.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// A detector that waits to be called in.
pub(crate) struct ColdSeat {
    detector: Arc<dyn Detector>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the drills that are under way did.
    marks: Vec<Mark>,
    looks: Vec<Arc<Look>>,
    /// Looks that are over and clean up.
    leaving: JoinSet<Result<(), Failed>>,
    /// What was found on the healthy cluster is its own trouble.
    known: Vec<Diagnosis>,
    false_alarms: Vec<Diagnosis>,
}

/// One look at one drill.
pub(crate) struct Look {
    drill: FaultId,
    scorer: Arc<watch::Sender<Scorer>>,
    /// Cancelled when the detector has said all that it says.
    over: CancellationToken,
    stop: CancellationToken,
    recording: Option<RecordingWriter>,
    task: Mutex<Option<JoinHandle<Result<(), Failed>>>>,
}

/// How a look failed.
struct Failed {
    /// Before its time was over: it failed at its work, and not at cleaning up.
    early: bool,
    why: String,
}

impl Failed {
    fn late(why: impl ToString) -> Self {
        Self { early: false, why: why.to_string() }
    }
}

impl ColdSeat {
    pub(super) fn new(detector: Arc<dyn Detector>) -> Self {
        Self { detector, state: Mutex::default() }
    }

    pub(crate) fn name(&self) -> &str {
        self.detector.name()
    }

    /// Calls the detector in. `record` is the run's recording, beside which that of the look is written.
    pub(crate) fn look(
        &self,
        drill: &FaultId,
        target: &Target,
        events: &EventSender,
        record: Option<&Path>,
    ) -> Arc<Look> {
        let recorded = record.and_then(|path| recorded(&self.detector, path, drill, events));
        let (detector, recording) = match recorded {
            Some((detector, recording)) => (detector, Some(recording)),
            None => (Arc::clone(&self.detector), None),
        };
        let run = beside(&target.run, LOOKS.fetch_add(1, Ordering::Relaxed));
        let target = Arc::new(Target { run, ..target.clone() });
        let mut state = self.state();
        let mut scorer = Scorer::of_look(self.name(), drill.clone());
        for mark in &state.marks {
            scorer.mark(mark);
            record_mark(recording.as_ref(), mark);
        }
        let (out, mut findings) = watch::channel(Diagnoses::default());
        let (stop, over) = (CancellationToken::new(), CancellationToken::new());
        let task = tokio::spawn(once(detector, target, out, stop.clone()));
        let look = Arc::new(Look {
            drill: drill.clone(),
            scorer: Arc::new(watch::Sender::new(scorer)),
            over: over.clone(),
            stop,
            recording,
            task: Mutex::new(Some(task)),
        });
        let (name, scorer, events) = (self.name().to_owned(), Arc::clone(&look.scorer), events.clone());
        tokio::spawn(async move {
            feed(&name, &mut findings, &scorer, &events).await;
            over.cancel();
        });
        state.looks.push(Arc::clone(&look));
        look
    }

    pub(super) fn result(&self, drill: &FaultId) -> DetectorResult {
        match self.state().looks.iter().find(|look| look.drill == *drill) {
            Some(look) => look.scorer.borrow().result(drill),
            None => {
                DetectorResult { name: self.name().into(), look: LookMode::Once, ..DetectorResult::default() }
            }
        }
    }

    pub(super) fn mark(&self, mark: &Mark) {
        let mut state = self.state();
        for look in &state.looks {
            look.scorer.send_modify(|scorer| scorer.mark(mark));
            record_mark(look.recording.as_ref(), mark);
        }
        if matches!(mark.what, DrillMark::End { .. }) {
            state.end(&mark.drill);
        } else {
            state.marks.push(mark.clone());
        }
    }

    pub(super) fn false_alarms(&self) -> Vec<Diagnosis> {
        self.state().false_alarms.clone()
    }

    pub(super) async fn stop(self) -> Ended {
        let name = self.name().to_owned();
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        while let Some(look) = state.looks.pop() {
            state.leaving.spawn(leave(look));
        }
        let mut failed: Option<Failed> = None;
        while let Some(left) = state.leaving.join_next().await {
            let left = left.map_err(Failed::late).and_then(|left| left);
            // What is left behind weighs more than a look that failed.
            failed = match (failed, left.err()) {
                (Some(f), Some(next)) if f.early => Some(next),
                (failed, next) => failed.or(next),
            };
        }
        let early = failed.as_ref().is_some_and(|f| f.early);
        Ended { name, early, error: failed.map(|f| f.why), false_alarms: state.false_alarms }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The drill is over, and so is the look at it.
    fn end(&mut self, drill: &FaultId) {
        self.marks.retain(|mark| mark.drill != *drill);
        let Some(at) = self.looks.iter().position(|look| look.drill == *drill) else { return };
        let look = self.looks.remove(at);
        for finding in look.scorer.borrow().false_alarms() {
            if !finding.is_among(&self.known) {
                self.known.push(finding.clone());
                self.false_alarms.push(finding.clone());
            }
        }
        if drill.fault == crate::CONTROL {
            self.known.extend(look.present());
        }
        self.leaving.spawn(leave(look));
    }
}

impl Look {
    /// Its scorer, for who waits until it says something else.
    pub(crate) fn scorer(&self) -> watch::Receiver<Scorer> {
        self.scorer.subscribe()
    }

    /// Ends when the detector has said all that it says.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Its time is over: it may clean up.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// What it found last.
    fn present(&self) -> Vec<Diagnosis> {
        self.scorer.borrow().present().to_vec()
    }
}

async fn once(
    detector: Arc<dyn Detector>,
    target: Arc<Target>,
    out: watch::Sender<Diagnoses>,
    stop: CancellationToken,
) -> Result<(), Failed> {
    // Nobody waits until it is ready: its time is short, and whatever it says counts.
    let (ready, _) = oneshot::channel();
    let ended = detector.run(target, out, ready, stop.clone()).await;
    ended.map_err(|e: DetectError| Failed { early: !stop.is_cancelled(), why: e.to_string() })
}

/// Waits until a look has cleaned up behind itself.
async fn leave(look: Arc<Look>) -> Result<(), Failed> {
    look.stop();
    let task = look.task.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = match task {
        Some(task) => task.await.map_err(Failed::late).and_then(|ended| ended),
        None => Ok(()),
    };
    let Some(recording) = look.recording.clone() else { return ended };
    let written = tokio::task::spawn_blocking(move || recording.finish()).await;
    ended.and(written.map_err(Failed::late).and_then(|written| written.map_err(Failed::late)))
}

/// The detector that also writes down what it takes in. A look is worth more than its recording.
fn recorded(
    detector: &Arc<dyn Detector>,
    path: &Path,
    drill: &FaultId,
    events: &EventSender,
) -> Option<(Arc<dyn Detector>, RecordingWriter)> {
    let mut begun = None;
    let detector = detector.recorded(&mut || {
        let recording = RecordingWriter::of_look(path, drill);
        begun = recording.inspect_err(|e| events.progress(e.to_string())).ok();
        begun.clone()
    });
    detector.zip(begun)
}

fn record_mark(recording: Option<&RecordingWriter>, mark: &Mark) {
    if let Some(recording) = recording {
        recording.say(Entry::Mark(mark.clone()));
    }
}
