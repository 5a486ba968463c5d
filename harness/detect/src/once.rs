//! A detector that is called in afterwards, and when its one look is over. `diagnose --once` and a cold drill go by the
//! same few lines.

use crate::{DetectError, Detector, Told};
use async_trait::async_trait;
use loopdrill_cluster::Target;
use loopdrill_model::{Diagnoses, LookMode, Source};
use loopdrill_observe::{ObserveOptions, record::RecordingWriter};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Rates need a few readings of counters.
const COUNTERS: Duration = Duration::from_secs(4);
/// What is too young to be called wrong gets this much more time to grow up.
const GROW_UP: Duration = Duration::from_secs(5);
/// How long the answers about failing containers, their logs and rights, are waited for.
const ANSWERS: Duration = Duration::from_secs(12);
/// How long what came with the last answer gets to prove that it lasts.
const LAST_ANSWER: Duration = Duration::from_secs(2);
/// How long the first answer of probes that were started is waited for: their pods have to start.
const PROBES: Duration = Duration::from_secs(12);
/// How long ways between nodes are probed then: what vanishes does so more than once.
const PROBED: Duration = Duration::from_secs(3);
/// How much longer they are probed while what was lost is too little to be called anything.
const PROBED_MORE: Duration = Duration::from_secs(5);
/// How long the API server's metrics are waited for, which come late when it has much to do.
const METRICS: Duration = Duration::from_secs(12);
/// Judgements without an open question after which all answers are in: what was sent last is then taken in, too.
const CALM: u32 = 2;
/// How long its next reading may take.
const COUNTED: Duration = Duration::from_secs(1);
/// Between two scrapes of the API server, whose metrics are megabytes.
const APISERVER: Duration = Duration::from_secs(3);
/// How long a look lasts at most, whatever is still awaited: what a cluster in trouble does not answer, it does not.
const LONGEST: Duration = Duration::from_secs(14);
/// How long what was seen gets at least, where the lists themselves took their time.
const LEAST: Duration = Duration::from_secs(7);
/// How often it is asked whether there is still something to wait for.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// One look in progress: what the built-in detector has told, as far as the look's end depends on it.
#[derive(Debug)]
pub struct OneLook {
    begun: Instant,
    /// When it judged first.
    since: Option<Instant>,
    /// Until when it lasts at least.
    end: Option<Instant>,
    unsettled: bool,
    /// Questions about failing containers that were open at the last judgement.
    open: usize,
    /// Judgements since the last one with an open question.
    calm: u32,
    /// When a question was last seen to be open.
    answered: Option<Instant>,
    /// Probes were started.
    probes: bool,
    /// When the first of them had answered.
    probed: Option<Instant>,
    metrics: Metrics,
}

/// Whether the API server tells its metrics.
#[derive(Debug, Default, Clone, Copy)]
enum Metrics {
    /// It was not heard yet.
    #[default]
    Awaited,
    /// Since then; what counts is how much they rise until the next reading.
    Told(Instant),
    /// It does not, or not to this account.
    Refused,
}

impl OneLook {
    /// How long the API server may take to list everything; after that, what there is must do.
    pub const LISTING: Duration = Duration::from_secs(6);

    /// A look that begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            since: None,
            end: None,
            unsettled: false,
            open: 0,
            calm: 0,
            answered: None,
            probes: false,
            probed: None,
            metrics: Metrics::default(),
        }
    }

    /// What is observed for a look. Whoever goes on watching observes the same.
    #[must_use]
    pub fn options() -> ObserveOptions {
        ObserveOptions { apiserver_interval: APISERVER, ..ObserveOptions::default() }
    }

    /// Takes in what the detector told.
    pub fn told(&mut self, told: &Told) {
        let (unsettled, open, examined) = match told {
            Told::Judged { unsettled, open, examined, .. } => (unsettled, open, examined),
            Told::Source(state) => {
                if state.name == Source::other("agents") {
                    self.probes = state.lost.is_none();
                }
                if state.name == Source::metrics("apiserver") {
                    self.metrics = match (&state.lost, self.metrics) {
                        (None, Metrics::Told(since)) => Metrics::Told(since),
                        (None, _) => Metrics::Told(Instant::now()),
                        // Who has much to do may answer the next time.
                        (Some(_), before) if state.is_unanswered() => before,
                        (Some(_), _) => Metrics::Refused,
                    };
                }
                return;
            }
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        self.end.get_or_insert(since + COUNTERS);
        (self.unsettled, self.open) = (*unsettled, *open);
        self.calm = if *open == 0 { self.calm.saturating_add(1) } else { 0 };
        if *open > 0 {
            self.answered = Some(Instant::now());
        }
        if examined.paths > 0 {
            self.probed.get_or_insert_with(Instant::now);
        }
    }

    /// When it is to be asked whether it [is over](Self::is_over); `None` before it has judged.
    #[must_use]
    pub fn end(&self) -> Option<Instant> {
        self.end
    }

    /// Whether all is in that one look gives; else it lasts a little longer.
    pub fn is_over(&mut self) -> bool {
        let Some(since) = self.since else { return false };
        let asked = (self.calm < CALM).then(|| since + ANSWERS);
        // What came with the last answer is young, too.
        let answered = self.answered.map_or(since, |t| t + LAST_ANSWER);
        let lost = self.probed.map_or(since, |first| first + PROBED + PROBED_MORE);
        let young = self.unsettled.then(|| (since + COUNTERS + GROW_UP).max(answered).max(lost));
        let counted = match self.metrics {
            Metrics::Awaited => Some(since + METRICS),
            Metrics::Told(first) => Some((first + APISERVER + COUNTED).min(since + METRICS)),
            Metrics::Refused => None,
        };
        let probed = self.probes.then(|| self.probed.map_or(since + PROBES, |first| first + PROBED));
        let longest = (self.begun + LONGEST).max(since + LEAST);
        let now = Instant::now();
        match asked.max(young).max(probed).max(counted).map(|t| t.min(longest)).filter(|limit| now < *limit) {
            Some(limit) => {
                self.end = Some((now + ASK_AGAIN).min(limit));
                false
            }
            None => true,
        }
    }

    /// Questions about failing containers without an answer.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Listens until it is over, or `stop`.
    pub(crate) async fn listen(
        &mut self,
        detector: &mut mpsc::UnboundedReceiver<Told>,
        stop: &CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(self.end.unwrap_or_else(Instant::now)), if self.end.is_some() => {
                    if self.is_over() {
                        return;
                    }
                }
                told = detector.recv() => match told {
                    Some(told) => self.told(&told),
                    None => return,
                },
            }
        }
    }
}

/// `--detector once:DETECTOR`: the same detector, called in when the symptom has shown.
pub struct Once {
    name: String,
    detector: Arc<dyn Detector>,
}

impl Once {
    /// What stands in front of its detector's name.
    pub(crate) const PREFIX: &str = "once:";

    /// The same detector, called in afterwards.
    #[must_use]
    pub fn new(detector: Arc<dyn Detector>) -> Self {
        Self { name: Self::name_of(detector.name()), detector }
    }

    /// The name of the detector of that name when it is called in.
    #[must_use]
    pub fn name_of(name: &str) -> String {
        format!("{}{name}", Self::PREFIX)
    }
}

#[async_trait]
impl Detector for Once {
    fn name(&self) -> &str {
        &self.name
    }

    fn look(&self) -> LookMode {
        LookMode::Once
    }

    fn recorded(&self, begin: &mut dyn FnMut() -> Option<RecordingWriter>) -> Option<Arc<dyn Detector>> {
        Some(Arc::new(Self::new(self.detector.recorded(begin)?)))
    }

    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        Arc::clone(&self.detector).run(target, out, ready, stop).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Examined, signal::SourceState};

    fn judged(unsettled: bool, open: usize) -> Told {
        Told::Judged { document: Diagnoses::default(), unsettled, open, examined: Examined::default() }
    }

    /// The API server tells this account no metrics.
    fn no_metrics() -> Told {
        source(Source::metrics("apiserver"), Some("forbidden"))
    }

    fn source(name: Source, lost: Option<&str>) -> Told {
        Told::Source(SourceState { name, lost: lost.map(str::to_owned) })
    }

    /// How long a look lasts whose detector tells `first` at its beginning, and `next` four times a second.
    async fn listened(
        first: Vec<Told>,
        mut next: impl FnMut(Duration) -> Vec<Told> + Send + 'static,
    ) -> Duration {
        let (tell, mut told) = mpsc::unbounded_channel();
        let began = Instant::now();
        let telling = tokio::spawn(async move {
            let mut batch = first;
            loop {
                batch.extend(next(began.elapsed()));
                if batch.drain(..).any(|told| tell.send(told).is_err()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        });
        OneLook::begin().listen(&mut told, &CancellationToken::new()).await;
        drop(told);
        telling.await.expect("no panic");
        began.elapsed()
    }

    /// How long a look lasts whose detector tells this until `calm_after`.
    async fn lasts(unsettled: bool, open: usize, calm_after: Duration) -> Duration {
        let next = move |elapsed| {
            vec![if elapsed >= calm_after { judged(false, 0) } else { judged(unsettled, open) }]
        };
        listened(vec![no_metrics()], next).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_lasts_as_long_as_something_is_young_or_unanswered_and_no_longer() {
        let second = Duration::from_secs(1);
        let near = |took: Duration, wanted: Duration| took >= wanted && took < wanted + second;
        assert!(near(lasts(false, 0, Duration::ZERO).await, COUNTERS));
        assert!(near(lasts(true, 0, Duration::MAX).await, COUNTERS + GROW_UP));
        assert!(near(lasts(true, 0, 6 * second).await, 6 * second));
        assert!(near(lasts(false, 3, Duration::MAX).await, ANSWERS));
        assert!(near(lasts(false, 3, 8 * second).await, 8 * second));
    }

    /// How long a look lasts that has started probes, of which the first answers after so long, or that could not.
    async fn probes_for(answers_after: Duration, lost: Option<&str>, unsettled: bool) -> Duration {
        let first = vec![no_metrics(), source(Source::other("agents"), lost)];
        let next = move |elapsed| {
            let examined = Examined { paths: usize::from(elapsed >= answers_after), ..Examined::default() };
            vec![Told::Judged { document: Diagnoses::default(), unsettled, open: 0, examined }]
        };
        listened(first, next).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_probes_waits_for_the_first_answers_and_for_what_vanishes() {
        let second = Duration::from_secs(1);
        let near = |took: Duration, wanted: Duration| took >= wanted && took < wanted + second;
        assert!(near(probes_for(6 * second, None, false).await, 6 * second + PROBED));
        assert!(near(probes_for(Duration::MAX, None, false).await, PROBES));
        assert!(near(probes_for(Duration::MAX, Some("not asked for"), false).await, COUNTERS));
        let longest = 6 * second + PROBED + PROBED_MORE;
        assert!(near(probes_for(6 * second, None, true).await, longest), "what was lost once is seen again");
    }

    /// How long a look lasts to which the API server's metrics come, or not, after so long.
    async fn metrics_after(mut state: Option<Told>, after: Duration) -> Duration {
        let next = move |elapsed| {
            let state = state.take_if(|_| elapsed >= after);
            state.into_iter().chain([judged(false, 0)]).collect()
        };
        listened(Vec::new(), next).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_waits_for_two_readings_of_the_api_server() {
        let second = Duration::from_secs(1);
        let near = |took: Duration, wanted: Duration| took >= wanted && took < wanted + second;
        let apiserver = |lost| Some(source(Source::metrics("apiserver"), lost));
        assert!(near(metrics_after(apiserver(None), second).await, second + APISERVER + COUNTED));
        assert!(near(metrics_after(apiserver(None), 6 * second).await, 6 * second + APISERVER + COUNTED));
        assert!(near(metrics_after(None, second).await, METRICS), "it has much to do");
        assert!(near(metrics_after(apiserver(Some("forbidden")), second).await, COUNTERS));
        let late = apiserver(Some("no answer within 4s"));
        assert!(near(metrics_after(late, second).await, METRICS), "the next answer may come");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_at_a_cluster_that_does_not_answer_ends() {
        let second = Duration::from_secs(1);
        let near = |took: Duration, wanted: Duration| took >= wanted && took < wanted + second;
        let listed_after = |listed: Duration| {
            let told = move |elapsed| if elapsed < listed { vec![] } else { vec![judged(true, 3)] };
            listened(vec![source(Source::other("agents"), None)], told)
        };
        assert!(near(listed_after(3 * second).await, LONGEST));
        assert!(near(listed_after(20 * second).await, 20 * second + LEAST), "the lists took their time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_without_a_judgement_lasts_until_it_is_stopped() {
        let (_tell, mut told) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let mut look = OneLook::begin();
        let waited = tokio::time::timeout(Duration::from_secs(60), look.listen(&mut told, &stop)).await;
        assert!(waited.is_err() && look.end().is_none() && !look.is_over());
        stop.cancel();
        look.listen(&mut told, &stop).await;
    }
}
