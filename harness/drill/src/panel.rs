//! The detectors under test, side by side. The first one's gates decide how a drill ends; all are watched, judged
//! and scored alike, and none knows of the others.

use crate::{
    EventSender,
    findings::{Scope, Scopes},
};
use futures::future::join_all;
use loopdrill_detect::{DetectError, Detector};
use loopdrill_model::{Diagnoses, Diagnosis, FaultId, Rival};
use loopdrill_target::Target;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long a detector may take until it sees the cluster.
const START: Duration = Duration::from_secs(60);
/// How long it may take to say why it did not.
const END: Duration = Duration::from_secs(10);

/// At least one detector; the first decides.
pub struct Detectors {
    first: Arc<dyn Detector>,
    rivals: Vec<Arc<dyn Detector>>,
}

impl Detectors {
    /// `first`, whose gates decide, and `rivals` beside it.
    #[must_use]
    pub fn new(first: Arc<dyn Detector>, rivals: Vec<Arc<dyn Detector>>) -> Self {
        Self { first, rivals }
    }

    /// Their names, as a run announces them.
    #[must_use]
    pub fn names(&self) -> String {
        self.iter().map(|d| d.name()).collect::<Vec<_>>().join(", ")
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<dyn Detector>> {
        std::iter::once(&self.first).chain(&self.rivals)
    }
}

impl From<Arc<dyn Detector>> for Detectors {
    fn from(only: Arc<dyn Detector>) -> Self {
        Self::new(only, Vec::new())
    }
}

/// Why a detector did not start: its name, and the reason.
pub(crate) struct Unstarted {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// The detectors at work.
pub(crate) struct Panel {
    first: Seat,
    rivals: Vec<Seat>,
}

/// One detector at work.
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) findings: watch::Receiver<Diagnoses>,
    pub(crate) scopes: Arc<Scopes>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), DetectError>>,
    judge: JoinHandle<()>,
}

/// What is known of the detectors when all have ended.
pub(crate) struct Stopped {
    pub(crate) name: String,
    pub(crate) strays: Vec<Diagnosis>,
    pub(crate) rivals: Vec<Rival>,
    /// What they could not clean up behind themselves.
    pub(crate) trouble: Vec<String>,
}

impl Panel {
    /// Starts all detectors at once and returns when each sees the cluster. When one does not, all are stopped.
    pub(crate) async fn start(
        detectors: Detectors,
        target: &Arc<Target>,
        events: &EventSender,
    ) -> Result<Self, Unstarted> {
        let started = detectors.iter().map(|d| Seat::start(Arc::clone(d), target, events));
        let mut seats = Vec::new();
        let mut failed = None;
        for seat in join_all(started).await {
            match seat {
                Ok(seat) => seats.push(seat),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if let Some(failed) = failed {
            join_all(seats.into_iter().map(Seat::stop)).await;
            return Err(failed);
        }
        let rivals = seats.split_off(1);
        Ok(Self { first: seats.remove(0), rivals })
    }

    /// The detector whose gates decide.
    pub(crate) fn first(&self) -> &Seat {
        &self.first
    }

    /// All of them, the first one first.
    pub(crate) fn seats(&self) -> impl Iterator<Item = &Seat> {
        std::iter::once(&self.first).chain(&self.rivals)
    }

    /// From now on findings in `scope` may be this drill's.
    pub(crate) fn enter(&self, drill: &FaultId, scope: &Scope) {
        self.seats().for_each(|s| s.scopes.enter(drill, scope.clone()));
    }

    /// The drill is over.
    pub(crate) fn leave(&self, drill: &FaultId) {
        self.seats().for_each(|s| s.scopes.leave(drill));
    }

    /// Stops all detectors and waits until they are gone.
    pub(crate) async fn stop(self) -> Stopped {
        let first = async {
            let (name, scopes) = (self.first.name.clone(), Arc::clone(&self.first.scopes));
            let (_, result) = self.first.stop().await;
            (name, scopes.strays(), result)
        };
        let rivals = self.rivals.into_iter().map(|seat| async {
            let (name, scopes) = (seat.name.clone(), Arc::clone(&seat.scopes));
            let (early, result) = seat.stop().await;
            let stray_findings = scopes.strays();
            let error = result.err();
            // One that died on the way has failed at its work; one that fails in the end has left something behind.
            let trouble = error.clone().filter(|_| !early).map(|e| format!("{name}: {e}"));
            let ended = || "it ended before the run did".to_string();
            let rival = Rival { name, stray_findings, error: early.then(|| error.unwrap_or_else(ended)) };
            (rival, trouble)
        });
        let ((name, strays, result), rivals) = tokio::join!(first, join_all(rivals));
        let (rivals, troubles): (Vec<_>, Vec<_>) = rivals.into_iter().unzip();
        let trouble = result.err().into_iter().chain(troubles.into_iter().flatten()).collect();
        Stopped { name, strays, rivals, trouble }
    }
}

impl Seat {
    async fn start(
        detector: Arc<dyn Detector>,
        target: &Arc<Target>,
        events: &EventSender,
    ) -> Result<Self, Unstarted> {
        let name = detector.name().to_string();
        events.progress(format!("starting the {name} detector"));
        let (out, findings) = watch::channel(Diagnoses::default());
        let (ready, is_ready) = oneshot::channel();
        let stop = CancellationToken::new();
        let mut task = tokio::spawn(detector.run(Arc::clone(target), out, ready, stop.clone()));
        let started = match timeout(START, is_ready).await {
            Ok(Ok(())) => Ok(()),
            // It gave up; its end says why.
            Ok(Err(_)) => Err(match timeout(END, &mut task).await {
                Ok(Ok(Err(e))) => e.to_string(),
                Ok(Err(e)) => e.to_string(),
                Ok(Ok(Ok(()))) | Err(_) => "it ended before it was ready".to_string(),
            }),
            Err(_) => Err(format!("it was not ready within {} s", START.as_secs())),
        };
        if let Err(why) = started {
            stop.cancel();
            return Err(Unstarted { name, why });
        }
        let scopes = Arc::new(Scopes::default());
        let judge = tokio::spawn(judge(name.clone(), findings.clone(), Arc::clone(&scopes), events.clone()));
        Ok(Self { name, findings, scopes, stop, task, judge })
    }

    /// Whether it had ended by itself, and how it ended.
    async fn stop(self) -> (bool, Result<(), String>) {
        let early = self.task.is_finished();
        self.stop.cancel();
        let ended = self.task.await.map_err(|e| e.to_string());
        self.judge.abort();
        (early, ended.and_then(|r| r.map_err(|e| e.to_string())))
    }
}

/// Sorts every new set of findings into scopes, so that none is missed between two drills, and passes on, once
/// each, what the detector says it cannot see.
async fn judge(
    name: String,
    mut findings: watch::Receiver<Diagnoses>,
    scopes: Arc<Scopes>,
    events: EventSender,
) {
    let mut told = BTreeSet::new();
    loop {
        let trouble = {
            let now = findings.borrow_and_update();
            scopes.judge(&now.diagnoses);
            now.trouble.clone()
        };
        for trouble in trouble.into_iter().filter(|t| told.insert(t.clone())) {
            events.progress(format!("{name}: {trouble}"));
        }
        if findings.changed().await.is_err() {
            return;
        }
    }
}
