//! A detector that watches from before the first drill to the end of the run.

use super::Ended;
use crate::EventSender;
use loopdrill_cluster::Target;
use loopdrill_detect::{DetectError, Detector, Scorer};
use loopdrill_model::{Diagnoses, Mark, Timestamp};
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

/// Why a detector did not start: its name, and the reason.
pub(crate) struct Unstarted {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// One detector at work.
pub(crate) struct RunningDetector {
    pub(crate) name: String,
    /// Judges what it publishes by what the drills do. Whoever waits for a change listens to it.
    scorer: Arc<watch::Sender<Scorer>>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), DetectError>>,
    judge: JoinHandle<()>,
}

impl RunningDetector {
    pub(super) async fn start(
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
        let scorer = Arc::new(watch::Sender::new(Scorer::new(&name)));
        let judge = tokio::spawn(judge(name.clone(), findings, Arc::clone(&scorer), events.clone()));
        Ok(Self { name, scorer, stop, task, judge })
    }

    /// What its scorer says now.
    pub(crate) fn score<T>(&self, ask: impl FnOnce(&Scorer) -> T) -> T {
        ask(&self.scorer.borrow())
    }

    /// Its scorer, for who waits until it says something else. It is there for as long as the detector is.
    pub(crate) fn scorer(&self) -> watch::Receiver<Scorer> {
        self.scorer.subscribe()
    }

    pub(super) fn mark(&self, mark: &Mark) {
        self.scorer.send_modify(|scorer| scorer.mark(mark));
    }

    pub(super) async fn stop(self) -> Ended {
        let early = self.task.is_finished();
        self.stop.cancel();
        let ended = self.task.await.map_err(|e| e.to_string());
        self.judge.abort();
        let error = ended.and_then(|r| r.map_err(|e| e.to_string())).err();
        let false_alarms = self.scorer.borrow().false_alarms().to_vec();
        Ended { name: self.name, early, error, false_alarms }
    }
}

/// Feeds the scorer with every document, so that none is missed between two drills, and passes on, once each, what the
/// detector says it cannot see.
async fn judge(
    name: String,
    mut findings: watch::Receiver<Diagnoses>,
    scorer: Arc<watch::Sender<Scorer>>,
    events: EventSender,
) {
    feed(&name, &mut findings, &scorer, &events).await;
    scorer.send_modify(Scorer::detector_ended);
}

/// Feeds the scorer until the detector has said all.
pub(super) async fn feed(
    name: &str,
    findings: &mut watch::Receiver<Diagnoses>,
    scorer: &watch::Sender<Scorer>,
    events: &EventSender,
) {
    let mut told = BTreeSet::new();
    loop {
        let document = findings.borrow_and_update().clone();
        scorer.send_modify(|scorer| scorer.document(&document, Timestamp::now()));
        for trouble in document.trouble.into_iter().filter(|t| told.insert(t.clone())) {
            events.progress(format!("{name}: {trouble}"));
        }
        if findings.changed().await.is_err() {
            return;
        }
    }
}
