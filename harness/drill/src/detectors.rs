//! The detectors under test, side by side. The first one's gates decide how a drill ends; all are judged and scored
//! alike, and none knows of the others. One watches all the time ([`live`]), or is called in for each drill when its
//! symptom has shown ([`cold`]).

mod cold;
mod live;

pub(crate) use cold::ColdSeat;
pub(crate) use live::{RunningDetector, Unstarted};

use crate::EventSender;
use futures::future::join_all;
use loopdrill_cluster::Target;
use loopdrill_detect::Detector;
use loopdrill_model::{DetectorResult, Diagnosis, FaultId, Mark, Rival};
use std::sync::Arc;

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

/// One of the detectors under test.
pub(crate) enum Seat {
    /// It watches all the time.
    Live(RunningDetector),
    /// It is called in when a symptom has shown.
    Cold(ColdSeat),
}

impl Seat {
    pub(crate) fn name(&self) -> &str {
        match self {
            Seat::Live(detector) => &detector.name,
            Seat::Cold(seat) => seat.name(),
        }
    }

    /// What it made of a running drill, so far.
    pub(crate) fn result(&self, drill: &FaultId) -> DetectorResult {
        match self {
            Seat::Live(detector) => detector.score(|scorer| scorer.result(drill)),
            Seat::Cold(seat) => seat.result(drill),
        }
    }

    fn mark(&self, mark: &Mark) {
        match self {
            Seat::Live(detector) => detector.mark(mark),
            Seat::Cold(seat) => seat.mark(mark),
        }
    }

    fn false_alarms(&self) -> Vec<Diagnosis> {
        match self {
            Seat::Live(detector) => detector.score(|scorer| scorer.false_alarms().to_vec()),
            Seat::Cold(seat) => seat.false_alarms(),
        }
    }

    /// Stops it; the `bool` says whether it had ended by itself.
    async fn stop(self) -> Ended {
        match self {
            Seat::Live(detector) => detector.stop().await,
            Seat::Cold(seat) => seat.stop().await,
        }
    }
}

/// One detector at its end.
pub(crate) struct Ended {
    name: String,
    /// Before it was asked to.
    early: bool,
    error: Option<String>,
    false_alarms: Vec<Diagnosis>,
}

impl Ended {
    /// One that died on the way has failed at its work; one that fails in the end has left something behind.
    fn into_rival(self) -> (Rival, Option<String>) {
        let Self { name, early, error, false_alarms } = self;
        let trouble = error.clone().filter(|_| !early).map(|e| format!("{name}: {e}"));
        let ended = || "it ended before the run did".to_string();
        let error = early.then(|| error.unwrap_or_else(ended));
        (Rival { name, false_alarms, error }, trouble)
    }
}

/// The detectors at work.
pub(crate) struct RunningDetectors {
    /// At least one; the first one decides.
    seats: Vec<Seat>,
}

/// What is known of the detectors when all have ended.
pub(crate) struct Stopped {
    pub(crate) name: String,
    pub(crate) false_alarms: Vec<Diagnosis>,
    pub(crate) rivals: Vec<Rival>,
    /// What they could not clean up behind themselves.
    pub(crate) trouble: Vec<String>,
}

impl RunningDetectors {
    /// Starts all that watch at once and returns when each sees the cluster. When one does not, all are stopped.
    pub(crate) async fn start(
        detectors: Detectors,
        target: &Arc<Target>,
        events: &EventSender,
    ) -> Result<Self, Unstarted> {
        let seated = detectors.iter().map(|detector| async {
            let detector = Arc::clone(detector);
            match detector.look().is_live() {
                true => RunningDetector::start(detector, target, events).await.map(Seat::Live),
                false => Ok(Seat::Cold(ColdSeat::new(detector))),
            }
        });
        let mut seats = Vec::new();
        let mut failed = None;
        for seat in join_all(seated).await {
            match seat {
                Ok(seat) => seats.push(seat),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if let Some(failed) = failed {
            join_all(seats.into_iter().map(Seat::stop)).await;
            return Err(failed);
        }
        Ok(Self { seats })
    }

    /// All of them, the one that decides first.
    pub(crate) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// Those that watch all the time.
    pub(crate) fn live(&self) -> impl Iterator<Item = &RunningDetector> {
        self.seats.iter().filter_map(|seat| match seat {
            Seat::Live(detector) => Some(detector),
            Seat::Cold(_) => None,
        })
    }

    /// Those that are called in.
    pub(crate) fn cold(&self) -> impl Iterator<Item = &ColdSeat> {
        self.seats.iter().filter_map(|seat| match seat {
            Seat::Cold(seat) => Some(seat),
            Seat::Live(_) => None,
        })
    }

    /// Whether this one decides.
    pub(crate) fn decides(&self, name: &str) -> bool {
        self.seats.first().is_some_and(|first| first.name() == name)
    }

    /// What a detector that watches all the time finds now of a running drill: one that decides, where there are several.
    pub(crate) fn alarms(&self, drill: &FaultId) -> Vec<Diagnosis> {
        self.live().next().map(|d| d.score(|scorer| scorer.alarms(drill))).unwrap_or_default()
    }

    /// What the one that decides found that belongs to no drill.
    pub(crate) fn false_alarms(&self) -> Vec<Diagnosis> {
        self.seats.first().map(Seat::false_alarms).unwrap_or_default()
    }

    /// What each made of a running drill, so far.
    pub(crate) fn results(&self, drill: &FaultId) -> Vec<DetectorResult> {
        self.seats.iter().map(|seat| seat.result(drill)).collect()
    }

    /// Lets all scorers know what a drill did.
    pub(crate) fn mark(&self, mark: &Mark) {
        self.seats.iter().for_each(|seat| seat.mark(mark));
    }

    /// Stops all detectors and waits until they are gone.
    pub(crate) async fn stop(self) -> Stopped {
        let mut ended = join_all(self.seats.into_iter().map(Seat::stop)).await.into_iter();
        let first = ended.next();
        let (rivals, troubles): (Vec<_>, Vec<_>) = ended.map(Ended::into_rival).unzip();
        let error = first.as_ref().and_then(|first| first.error.clone());
        let trouble = error.into_iter().chain(troubles.into_iter().flatten()).collect();
        let (name, false_alarms) = first.map(|first| (first.name, first.false_alarms)).unwrap_or_default();
        Stopped { name, false_alarms, rivals, trouble }
    }
}
