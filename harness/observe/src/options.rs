//! What is observed, and how.

use kube::Client;
use loopdrill_cluster::{NodeAccess, Target, aws::AwsTarget};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
    /// The labels of the nodes on which they run. None: all of them.
    pub selector: BTreeMap<String, String>,
    /// Scrape API server, etcd and kubelets.
    pub metrics: bool,
    /// Read the ends of failing containers' logs. They are classified, and no text of them is kept.
    pub logs: bool,
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
    /// Between two [`loopdrill_model::Signal::Tick`]s.
    pub tick: Duration,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self {
            probes: true,
            selector: BTreeMap::new(),
            metrics: true,
            logs: true,
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
