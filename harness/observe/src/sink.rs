//! Where observations leave: stamped with the observer's clock, in one channel.

use jiff::Timestamp;
use loopdrill_model::signal::SourceState;
use loopdrill_model::{Observation, Signal, Source};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// The receiver of the observations is gone: there is nobody to observe for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NobodyListens;

/// Who asks further questions about some of the signals.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) concerns: fn(&Signal) -> bool,
    pub(crate) news: mpsc::Sender<Signal>,
}

/// Sends what was seen, and remembers which sources work so that only changes of that are told.
#[derive(Clone)]
pub(crate) struct Sink {
    observations: mpsc::Sender<Observation>,
    followers: Vec<Follower>,
    works: Arc<Mutex<HashMap<Source, bool>>>,
}

impl Sink {
    pub(crate) fn new(observations: mpsc::Sender<Observation>) -> Self {
        Self { observations, followers: Vec::new(), works: Arc::default() }
    }

    /// A sink that also passes on to `followers` what concerns them.
    pub(crate) fn with_followers(&self, followers: Vec<Follower>) -> Self {
        Self { followers, ..self.clone() }
    }

    /// Sends one signal, without what must not leave. Waits when the receiver is slow.
    pub(crate) async fn send(&self, source: &Source, mut signal: Signal) -> Result<(), NobodyListens> {
        crate::redact::signal(&mut signal);
        for follower in self.followers.iter().filter(|f| (f.concerns)(&signal)) {
            // Follow-up questions are extras: when they pile up, the watch goes on without them.
            let _ = follower.news.try_send(signal.clone());
        }
        let observation = Observation { at: Timestamp::now(), source: source.clone(), signal };
        self.observations.send(observation).await.map_err(|_| NobodyListens)
    }

    /// Tells that `source` does not work, unless that was the last thing told.
    pub(crate) async fn lost(&self, source: &Source, why: impl Into<String>) -> Result<(), NobodyListens> {
        if self.changed(source, false) { self.state(source, Some(why.into())).await } else { Ok(()) }
    }

    /// Tells that `source` works, unless that was the last thing told.
    pub(crate) async fn works(&self, source: &Source) -> Result<(), NobodyListens> {
        if self.changed(source, true) { self.state(source, None).await } else { Ok(()) }
    }

    fn changed(&self, source: &Source, works: bool) -> bool {
        let mut known = self.works.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(source.clone(), works) != Some(works)
    }

    async fn state(&self, source: &Source, lost: Option<String>) -> Result<(), NobodyListens> {
        self.send(source, Signal::SourceState(SourceState { name: source.clone(), lost })).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_changes_of_a_source_are_told() {
        let (tx, mut rx) = mpsc::channel(16);
        let sink = Sink::new(tx);
        let source = Source::metrics("apiserver");
        for _ in 0..3 {
            sink.lost(&source, "timed out").await.expect("somebody listens");
        }
        sink.works(&source).await.expect("somebody listens");
        sink.works(&source).await.expect("somebody listens");
        drop(sink);
        let mut told = Vec::new();
        while let Some(o) = rx.recv().await {
            let Signal::SourceState(state) = o.signal else { panic!("only states were sent") };
            told.push(state.lost);
        }
        assert_eq!(told, [Some("timed out".to_owned()), None]);
    }

    #[tokio::test]
    async fn says_so_when_nobody_listens() {
        let (tx, rx) = mpsc::channel(1);
        drop(rx);
        assert_eq!(Sink::new(tx).send(&Source::other("clock"), Signal::Tick).await, Err(NobodyListens));
    }
}
