//! The observer: everything that is watched, asked and probed, as one stream of observations.

use crate::agents::{Agents, AgentsError};
use crate::crash::OpenQuestions;
use crate::options::{ObserveOptions, ObserveTarget};
use crate::sink::{Follower, NobodyListens, Sink};
use crate::tasks::Tasks;
use crate::watch::{Roster, watch_all};
use crate::{cloud, crash, metrics, nodes};
use loopdrill_model::{Observation, Signal, Source};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Observations that may wait for a slow receiver before sources are held up.
const CAPACITY: usize = 8192;

/// A running observer. Stop it with [`Observer::stop`]: dropped, it stops observing and leaves behind what it
/// installed, for [`crate::sweep`] to find.
pub struct Observer {
    tasks: Tasks,
    agents: Arc<Agents>,
    open: OpenQuestions,
}

impl Observer {
    /// Starts observing. Never blocks and never fails: what does not work is told in the stream as a
    /// [`loopdrill_model::signal::SourceState`], and tried again.
    ///
    /// A source `api:RESOURCE` is told to work when all objects that were there have been told.
    #[must_use]
    pub fn start(target: ObserveTarget, options: ObserveOptions) -> (Self, mpsc::Receiver<Observation>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let sink = Sink::new(sender);
        let tasks = Tasks::default();
        let agents = Arc::new(Agents::new(&target, &options));
        let (crashes, news) = mpsc::channel(CAPACITY);
        let open = OpenQuestions::default();
        let reading = (options.logs, open.clone());
        tasks.spawn(crash::follow(target.client.clone(), news, sink.clone(), reading));
        let mut followers = vec![Follower { concerns: crash::concerns, news: crashes }];
        if let Some(aws) = target.aws.clone() {
            let (identities, news) = mpsc::channel(CAPACITY);
            tasks.spawn(cloud::follow(target.client.clone(), aws, news, sink.clone()));
            followers.push(Follower { concerns: cloud::concerns, news: identities });
        }
        let roster = Roster::default();
        let watched = sink.with_followers(followers);
        watch_all(&tasks, &target.client, &watched, &roster, options.namespace.as_deref());
        if options.metrics {
            let client = target.client.clone();
            tasks.spawn(metrics::scrape_apiserver(client, options.apiserver_interval, sink.clone()));
        }
        tasks.spawn(nodes::follow(roster, target, options.clone(), tasks.clone(), sink.clone()));
        tasks.spawn(agents.clone().follow(tasks.clone(), sink.clone()));
        tasks.spawn(tick(options.tick, sink));
        (Self { tasks, agents, open }, receiver)
    }

    /// The questions about failing containers that are not answered yet: logs to be read, rights to be reviewed.
    #[must_use]
    pub fn open_questions(&self) -> OpenQuestions {
        self.open.clone()
    }

    /// Stops observing, removes whatever was installed and verifies that it is gone.
    ///
    /// # Errors
    /// [`AgentsError`] that says what is left and how to remove it.
    pub async fn stop(self) -> Result<(), AgentsError> {
        self.tasks.stop().await;
        self.agents.remove().await
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

async fn tick(period: Duration, sink: Sink) -> Result<(), NobodyListens> {
    let source = Source::other("clock");
    let mut clock = crate::backoff::every(period);
    loop {
        clock.tick().await;
        sink.send(&source, Signal::Tick).await?;
    }
}
