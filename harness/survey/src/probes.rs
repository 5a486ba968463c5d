//! Full-size payloads between all nodes, by the observer's probe pods. They are the only thing that a survey starts.

use crate::{Ask, Cluster, missing, read};
use loopdrill_checklist::{Input, Snapshot, snapshot::PairProbe};
use loopdrill_model::{
    Signal,
    signal::{Probe, ProbePath, ProbeResult},
};
use loopdrill_observe::{ObserveOptions, ObserveTarget, Observer};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Rounds that each pair of nodes gets.
const ROUNDS: u32 = 3;
/// For the pods to start and for their rounds.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) async fn survey(cluster: &Cluster, ask: &Ask, snapshot: &mut Snapshot) {
    let image = match &ask.probes {
        None => {
            return missing(
                snapshot,
                Input::Probes,
                "nothing was started in the cluster; --probes allows it",
            );
        }
        Some(Err(why)) => return missing(snapshot, Input::Probes, why),
        Some(Ok(image)) => image.clone(),
    };
    let ready = snapshot.nodes.iter().filter(|n| n.ready).count();
    let pairs = ready * ready.saturating_sub(1);
    let target = ObserveTarget {
        client: cluster.client.clone(),
        nodes: None,
        image: Some(image),
        run: format!("check-{}", std::process::id()),
        aws: None,
    };
    let options = ObserveOptions { metrics: false, logs: false, ..ObserveOptions::default() };
    let (observer, mut stream) = Observer::start(target, options);
    let mut seen: BTreeMap<(String, String), PairProbe> = BTreeMap::new();
    let deadline = Instant::now() + LIMIT;
    while seen.values().filter(|p| p.passed + p.lost >= ROUNDS).count() < pairs {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, stream.recv()).await {
            Ok(Some(observation)) => count(&mut seen, observation.signal),
            Ok(None) | Err(_) => break,
        }
    }
    drop(stream);
    match observer.stop().await {
        Ok(()) => {
            snapshot.probes = seen.into_values().collect();
            read(snapshot, Input::Probes, snapshot.probes.len());
        }
        Err(error) => missing(snapshot, Input::Probes, format!("the probes could not be removed: {error}")),
    }
}

/// Counts a probe between nodes; of each pair, those of the largest size.
fn count(seen: &mut BTreeMap<(String, String), PairProbe>, signal: Signal) {
    let Signal::Probe(Probe { from, to, path: ProbePath::Overlay, bytes, result }) = signal else { return };
    if from == to {
        return;
    }
    let new = || PairProbe { from: from.clone(), to: to.clone(), bytes, passed: 0, lost: 0 };
    let pair = seen.entry((from.clone(), to.clone())).or_insert_with(new);
    if bytes > pair.bytes {
        *pair = new();
    }
    if bytes == pair.bytes {
        match result {
            ProbeResult::Passed { .. } => pair.passed += 1,
            _ => pair.lost += 1,
        }
    }
}
