//! What is asked of each node, for as long as it is there. A node that does not answer holds up no other.

use crate::backoff::Backoff;
use crate::lines::{Ended, pass_on};
use crate::metrics;
use crate::options::{ObserveOptions, ObserveTarget};
use crate::sink::{NobodyListens, Sink};
use crate::tasks::Tasks;
use crate::watch::{NodeEntry, Roster};
use kube::Api;
use loopdrill_cluster::NodeAccess;
use loopdrill_model::Source;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Our processes report every second; longer silence means that the node or the way to it is gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// An engine that hangs is as bad as one that fails.
const START: Duration = Duration::from_secs(10);

/// Kubelets that are asked at the same time: the API server passes each question on.
const TURNS: usize = 16;

/// Keeps the tasks of each node in step with the roster.
pub(crate) async fn follow(
    roster: Roster,
    target: ObserveTarget,
    options: ObserveOptions,
    tasks: Tasks,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let mut nodes = roster.follow();
    let mut running: BTreeMap<String, (NodeEntry, Tasks)> = BTreeMap::new();
    let turns = Arc::new(Semaphore::new(TURNS));
    loop {
        let now = nodes.borrow_and_update().clone();
        running.retain(|node, (entry, tasks)| {
            let stays = now.get(node) == Some(entry);
            if !stays {
                tasks.cancel();
            }
            stays
        });
        for (node, entry) in now.iter().filter(|(_, entry)| entry.exists) {
            if !running.contains_key(node) {
                let own = tasks.child();
                let options = paced(&options, now.len());
                start(node, entry, (&target, &options, &turns), &own, &sink);
                running.insert(node.clone(), (entry.clone(), own));
            }
        }
        if nodes.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Kubelets are asked through the API server: of many nodes each is asked less often.
fn paced(options: &ObserveOptions, nodes: usize) -> ObserveOptions {
    let factor = u32::try_from(nodes / 20).unwrap_or(u32::MAX).saturating_add(1);
    ObserveOptions { kubelet_interval: options.kubelet_interval.saturating_mul(factor), ..options.clone() }
}

fn start(
    node: &str,
    entry: &NodeEntry,
    (target, options, turns): (&ObserveTarget, &ObserveOptions, &Arc<Semaphore>),
    tasks: &Tasks,
    sink: &Sink,
) {
    if options.metrics {
        let (period, turns, client) = (options.kubelet_interval, turns.clone(), target.client.clone());
        tasks.spawn(metrics::scrape_kubelet(client, node.into(), period, turns, sink.clone()));
    }
    if let Some(nodes) = &target.nodes {
        let source = Source::node(node);
        tasks.spawn(process(
            nodes.clone(),
            node.into(),
            "counters",
            source,
            options.counters_interval,
            sink.clone(),
        ));
    }
    let runs_etcd = entry.etcd_pod.is_some();
    if !options.metrics || !runs_etcd {
        return;
    }
    let source = Source::metrics(&format!("etcd/{node}"));
    match (&target.nodes, &entry.etcd_pod) {
        (Some(nodes), _) => {
            tasks.spawn(process(
                nodes.clone(),
                node.into(),
                "etcd",
                source,
                options.etcd_interval,
                sink.clone(),
            ));
        }
        (None, Some((namespace, pod))) => {
            let api = Api::namespaced(target.client.clone(), namespace);
            tasks.spawn(metrics::scrape_etcd_pod(
                api,
                node.into(),
                pod.clone(),
                options.etcd_interval,
                sink.clone(),
            ));
        }
        (None, None) => {}
    }
}

/// Keeps `loopdrill observer WHAT` running on a node and passes on what it tells.
async fn process(
    nodes: Arc<dyn NodeAccess>,
    node: String,
    what: &'static str,
    source: Source,
    interval: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let interval = format!("{}ms", interval.as_millis());
    let mut backoff = Backoff::default();
    loop {
        let argv = [nodes.agent(), "observer", what, "--node", &node, "--interval", &interval, "--until-eof"];
        let began = tokio::time::Instant::now();
        let why = match tokio::time::timeout(START, nodes.exec_pipe(&node, &argv)).await {
            Ok(Ok(pipe)) => {
                let _lifeline = pipe.stdin;
                match pass_on(pipe.stdout, &source, PATIENCE, &sink).await {
                    Ended::NobodyListens => return Err(NobodyListens),
                    ended => ended.why(),
                }
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the node did not start our process within {START:?}"),
        };
        sink.lost(&source, why).await?;
        if began.elapsed() > PATIENCE {
            backoff.reset();
        }
        backoff.wait().await;
    }
}
