//! The observer: everything that is watched, asked and probed, as one stream of observations.

use crate::agents::{Agents, AgentsError};
use crate::sink::{Follower, NobodyListens, Sink};
use crate::tasks::Tasks;
use crate::watch::{Roster, watch_all};
use crate::{cloud, crash, metrics, nodes};
use kube::Client;
use loopdrill_model::{Observation, Signal, Source};
use loopdrill_target::{NodeAccess, Target, aws::AwsTarget};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What to observe. Nothing in here says what was injected.
#[derive(Clone)]
pub struct ObserveTarget {
    /// A client for the cluster's API.
    pub client: Client,
    /// The nodes themselves, where they are within reach: counters and etcd's metrics then flow without the API.
    pub nodes: Option<Arc<dyn NodeAccess>>,
    /// The image that holds this binary, where pods may be started: for probes, and for counters when nodes are
    /// out of reach.
    pub image: Option<String>,
    /// The run's id, the value of the label on whatever is installed.
    pub run: String,
    /// The cloud account whose roles the pods take on, where one is given: its roles are then read, too.
    pub aws: Option<AwsTarget>,
}

impl From<&Target> for ObserveTarget {
    fn from(target: &Target) -> Self {
        Self {
            client: target.client.clone(),
            nodes: target.nodes.clone(),
            image: Some(target.image.clone()),
            run: target.run.clone(),
            aws: target.facts.cloud.as_ref().map(|c| c.aws.clone()),
        }
    }
}

/// How to observe.
#[derive(Debug, Clone, PartialEq)]
pub struct ObserveOptions {
    /// Start probe pods (needs an image): the only thing that an observer changes in a cluster.
    pub probes: bool,
    /// Scrape API server, etcd and kubelets.
    pub metrics: bool,
    /// Where the account may not watch a resource in all namespaces, watch it in this one. Its source is then
    /// called `api:RESOURCE/NAMESPACE`: what is not there may still exist elsewhere.
    pub namespace: Option<String>,
    /// Between two scrapes of the API server.
    pub apiserver_interval: Duration,
    /// Between two scrapes of etcd.
    pub etcd_interval: Duration,
    /// Between two scrapes of a kubelet.
    pub kubelet_interval: Duration,
    /// Between two readings of a node's counters.
    pub counters_interval: Duration,
    /// Between two rounds of probes.
    pub probe_interval: Duration,
    /// Between two [`Signal::Tick`]s.
    pub tick: Duration,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self {
            probes: true,
            metrics: true,
            namespace: None,
            apiserver_interval: Duration::from_secs(1),
            etcd_interval: Duration::from_secs(1),
            kubelet_interval: Duration::from_secs(5),
            counters_interval: Duration::from_secs(1),
            probe_interval: Duration::from_secs(1),
            tick: Duration::from_millis(500),
        }
    }
}

/// Observations that may wait for a slow receiver before sources are held up.
const CAPACITY: usize = 8192;

/// A running observer. Stop it with [`Observer::stop`]: dropped, it stops observing and leaves behind what it
/// installed, for [`crate::sweep`] to find.
pub struct Observer {
    tasks: Tasks,
    agents: Arc<Agents>,
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
        tasks.spawn(crash::follow(target.client.clone(), news, sink.clone()));
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
        (Self { tasks, agents }, receiver)
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
