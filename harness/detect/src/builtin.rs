//! The built-in detector: observer → world → diagnosis, again whenever something was observed.

use crate::{
    DetectError, Detector,
    core::{Core, Looked, digest},
    once::OneLook,
};
use async_trait::async_trait;
use loopdrill_attribution::rest_after;
use loopdrill_cluster::Target;
use loopdrill_model::{Diagnoses, Examined, Observation, Signal, Timestamp, signal::SourceState};
use loopdrill_observe::{
    ObserveOptions, ObserveTarget, Observer, OpenQuestions,
    record::{Entry, Judged, RecordingWriter},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Until the next judgement when something looks wrong and is too young to be called so.
const RECONSIDER: Duration = Duration::from_millis(150);
/// How long resources that may not be listed are waited for.
const REFUSED: Duration = Duration::from_secs(2);
/// Observations that are taken in at once.
const BATCH: usize = 1024;

/// Its name.
pub(crate) const BUILTIN: &str = "builtin";

/// `--detector builtin`.
#[derive(Debug, Clone, Default)]
pub struct Builtin {
    options: ObserveOptions,
    recording: Option<RecordingWriter>,
    telling: Option<mpsc::UnboundedSender<Told>>,
    make_do: Option<Duration>,
    /// It ends by itself when one look has given what it gives.
    once: bool,
}

/// What a listener of the built-in detector hears, in the order of things.
#[derive(Debug, Clone)]
pub enum Told {
    /// A source of signals works, or why it does not.
    Source(SourceState),
    /// It judged.
    Judged {
        /// What it published.
        document: Diagnoses,
        /// Whether something is still too young to be called wrong.
        unsettled: bool,
        /// Questions about failing containers that are not answered yet.
        open: usize,
        /// What had been looked at.
        examined: Examined,
    },
}

impl Builtin {
    /// A detector that observes in another way than by default.
    #[must_use]
    pub fn new(options: ObserveOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Records all that the detector takes in, and when it judges.
    #[must_use]
    pub fn recorded(mut self, recording: RecordingWriter) -> Self {
        self.recording = Some(recording);
        self
    }

    /// Tells `listener` each document and each change of a source; none is skipped.
    #[must_use]
    pub fn telling(mut self, listener: mpsc::UnboundedSender<Told>) -> Self {
        self.telling = Some(listener);
        self
    }

    /// Judges by what there is when the cluster cannot be listed within `limit`: an account may not be allowed
    /// to, and what it sees may still prove something.
    #[must_use]
    pub fn make_do_after(mut self, limit: Duration) -> Self {
        self.make_do = Some(limit);
        self
    }

    /// The detector as `diagnose` has it: it judges by what there is when the cluster is not listed in time.
    #[must_use]
    pub fn of_a_look(options: ObserveOptions) -> Self {
        Self::new(options).make_do_after(OneLook::LISTING)
    }

    /// Ends by itself, as `diagnose --once` does.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Watches until one look has given what it gives, or `stop`.
    async fn look_once(
        self: Arc<Self>,
        target: ObserveTarget,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let (telling, mut told) = mpsc::unbounded_channel();
        let looker = (*self).clone().telling(telling);
        let over = stop.child_token();
        let watched = looker.watch(target, out, ready, &over);
        let look = async {
            OneLook::begin().listen(&mut told, &over).await;
            over.cancel();
        };
        tokio::join!(watched, look).0
    }

    /// Watches a cluster of which `target` is known, until `stop`: [`Detector::run`] without a drill.
    ///
    /// # Errors
    /// When the observer ends, or leaves something behind.
    pub async fn watch(
        &self,
        target: ObserveTarget,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: &CancellationToken,
    ) -> Result<(), DetectError> {
        let (observer, stream) = Observer::start(target, self.options.clone());
        let outlet = Outlet {
            out,
            ready: Some(ready),
            recording: self.recording.clone(),
            telling: self.telling.clone(),
            open: observer.open_questions(),
        };
        let followed = follow(stream, outlet, self.make_do, stop).await;
        let removed = observer.stop().await.map_err(|e| DetectError::Failed(e.to_string()));
        followed.and(removed)
    }
}

#[async_trait]
impl Detector for Builtin {
    fn name(&self) -> &str {
        BUILTIN
    }

    fn recorded(&self, begin: &mut dyn FnMut() -> Option<RecordingWriter>) -> Option<Arc<dyn Detector>> {
        Some(Arc::new(self.clone().recorded(begin()?)))
    }

    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let target = ObserveTarget::from(&*target);
        match self.once {
            true => self.look_once(target, out, ready, stop).await,
            false => self.watch(target, out, ready, &stop).await,
        }
    }
}

/// Judges what streams in, until `stop`.
async fn follow(
    mut stream: mpsc::Receiver<Observation>,
    mut outlet: Outlet,
    make_do: Option<Duration>,
    stop: &CancellationToken,
) -> Result<(), DetectError> {
    let mut core = Core::default();
    // When it began, or something of a list that goes on came last: a large cluster's lists take their time.
    let mut waiting_since = Instant::now();
    let mut batch = Vec::with_capacity(BATCH);
    let mut due: Option<Instant> = None;
    let mut judged = Instant::now();
    let mut rest = rest_after(Duration::ZERO);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            taken = stream.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return Err(DetectError::Failed("the observer has ended".into()));
                }
                for observation in batch.drain(..) {
                    if core.is_listing(&observation) {
                        waiting_since = Instant::now();
                    }
                    core.take(&observation);
                    outlet.saw(observation);
                }
                let soon = judged + rest;
                due = Some(due.map_or(soon, |d| d.min(soon)));
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let now = Timestamp::now();
                // What was refused a moment ago is hardly allowed a moment later.
                let patience = |limit| if core.is_told() { REFUSED.min(limit) } else { limit };
                let late = make_do.is_some_and(|limit| waiting_since.elapsed() >= patience(limit));
                let partial = late && !core.is_oriented();
                let begun = Instant::now();
                let looked = core.judge(now, partial);
                judged = Instant::now();
                rest = rest_after(judged - begun);
                due = looked.unsettled.then(|| judged + RECONSIDER.max(rest));
                outlet.publish(looked, now, partial, || core.examined());
            }
        }
    }
}

/// Where the detector publishes, and records.
struct Outlet {
    out: watch::Sender<Diagnoses>,
    ready: Option<oneshot::Sender<()>>,
    recording: Option<RecordingWriter>,
    telling: Option<mpsc::UnboundedSender<Told>>,
    open: OpenQuestions,
}

impl Outlet {
    fn saw(&self, observation: Observation) {
        if let (Signal::SourceState(state), Some(telling)) = (&observation.signal, &self.telling) {
            // Who does not listen any more misses nothing that counts.
            let _ = telling.send(Told::Source(state.clone()));
        }
        if let Some(recording) = &self.recording {
            recording.say(Entry::Seen(observation));
        }
    }

    fn publish(
        &mut self,
        looked: Looked,
        now: Timestamp,
        partial: bool,
        examined: impl FnOnce() -> Examined,
    ) {
        if let Some(recording) = &self.recording {
            let document = looked.document.as_ref().map(digest);
            recording.say(Entry::Judged(Judged { at: now, document, partial }));
        }
        let Some(document) = looked.document else { return };
        for d in &document.diagnoses {
            tracing::trace!(control_loop = %d.control_loop, confidence = d.confidence, "finding");
        }
        if let Some(telling) = &self.telling {
            let (document, unsettled) = (document.clone(), looked.unsettled);
            let (open, examined) = (self.open.count(), examined());
            let _ = telling.send(Told::Judged { document, unsettled, open, examined });
        }
        self.out.send_replace(document);
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
    }
}

#[cfg(test)]
mod tests;
