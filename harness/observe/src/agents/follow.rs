//! Our pods: who they are, what they tell, and who their peers are.

use super::manifests::{COUNTERS, PEERS, PROBE, ROLE_LABEL};
use super::peers;
use crate::backoff::Backoff;
use crate::lines::{Ended, pass_on};
use crate::reason::reason;
use crate::sink::{NobodyListens, Sink};
use crate::tasks::Tasks;
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{LogParams, Patch, PatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use loopdrill_model::Source;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio_util::compat::FuturesAsyncReadCompatExt;

/// Probes and counters tell something every interval.
const PATIENCE: Duration = Duration::from_secs(6);
const LIMIT: Duration = Duration::from_secs(5);

/// One of our pods that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Agent {
    uid: String,
    node: String,
    ip: String,
    role: &'static str,
    /// The peers that it was told.
    told: Option<String>,
}

/// Follows our pods in `namespace`.
pub(super) async fn pods(
    client: Client,
    namespace: String,
    tasks: Tasks,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let api: Api<Pod> = Api::namespaced(client, &namespace);
    let events = watcher(api.clone(), watcher::Config::default().labels(ROLE_LABEL).timeout(60));
    pin_mut!(events);
    let mut agents = HashMap::<String, Agent>::new();
    let mut followed = HashMap::<String, (String, Tasks)>::new();
    let mut backoff = Backoff::default();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => agents.clear(),
            Ok(Event::InitApply(pod)) => take(&mut agents, &pod),
            Ok(Event::Apply(pod)) => {
                take(&mut agents, &pod);
                act(&api, &agents, &mut followed, &tasks, &sink).await;
            }
            Ok(Event::Delete(pod)) => {
                agents.remove(&pod.name_any());
                act(&api, &agents, &mut followed, &tasks, &sink).await;
            }
            Ok(Event::InitDone) => act(&api, &agents, &mut followed, &tasks, &sink).await,
            Err(error) => {
                tracing::debug!(%error, "our own pods cannot be watched");
                backoff.wait().await;
                continue;
            }
        }
        backoff.reset();
    }
    Ok(())
}

fn take(agents: &mut HashMap<String, Agent>, pod: &Pod) {
    match agent(pod) {
        Some(agent) => drop(agents.insert(pod.name_any(), agent)),
        None => drop(agents.remove(&pod.name_any())),
    }
}

fn agent(pod: &Pod) -> Option<Agent> {
    let status = pod.status.as_ref()?;
    let running = status.phase.as_deref() == Some("Running") && pod.metadata.deletion_timestamp.is_none();
    let role = match pod.labels().get(ROLE_LABEL)?.as_str() {
        PROBE => PROBE,
        COUNTERS => COUNTERS,
        _ => return None,
    };
    running.then_some(())?;
    Some(Agent {
        uid: pod.uid()?,
        node: pod.spec.as_ref()?.node_name.clone()?,
        ip: status.pod_ip.clone()?,
        role,
        told: pod.annotations().get(PEERS).cloned(),
    })
}

/// Follows new pods, leaves those that are gone, and tells probes whose peers changed.
async fn act(
    api: &Api<Pod>,
    agents: &HashMap<String, Agent>,
    followed: &mut HashMap<String, (String, Tasks)>,
    tasks: &Tasks,
    sink: &Sink,
) {
    followed.retain(|pod, (uid, own)| {
        let stays = agents.get(pod).is_some_and(|a| a.uid == *uid);
        if !stays {
            own.cancel();
        }
        stays
    });
    for (pod, agent) in agents {
        if !followed.contains_key(pod) {
            let own = tasks.child();
            own.spawn(output(api.clone(), pod.clone(), agent.clone(), sink.clone()));
            followed.insert(pod.clone(), (agent.uid.clone(), own));
        }
    }
    let probes: BTreeMap<_, _> =
        agents.values().filter(|a| a.role == PROBE).map(|a| (a.node.clone(), a.ip.clone())).collect();
    for (pod, agent) in agents.iter().filter(|(_, a)| a.role == PROBE) {
        let Ok(wanted) = serde_json::to_string(&peers::of(&agent.node, &probes)) else { continue };
        if agent.told.as_ref() == Some(&wanted) {
            continue;
        }
        let patch = Patch::Merge(json!({"metadata": {"annotations": {PEERS: wanted}}}));
        // A pod that cannot be told now is told on the next change of any pod, this one's included.
        match tokio::time::timeout(LIMIT, api.patch_metadata(pod, &PatchParams::default(), &patch)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(pod, %error, "a probe was not told its peers"),
            Err(_) => tracing::debug!(pod, "a probe was not told its peers in time"),
        }
    }
}

/// Passes on what a pod prints, for as long as it is there.
async fn output(api: Api<Pod>, pod: String, agent: Agent, sink: Sink) -> Result<(), NobodyListens> {
    let source = if agent.role == PROBE { Source::probe(&agent.node) } else { Source::node(&agent.node) };
    let mut backoff = Backoff::default();
    // What was printed before we came is history.
    let params = LogParams { follow: true, tail_lines: Some(0), ..LogParams::default() };
    loop {
        let began = tokio::time::Instant::now();
        let why = match tokio::time::timeout(LIMIT, api.log_stream(&pod, &params)).await {
            Ok(Ok(log)) => match pass_on(log.compat(), &source, PATIENCE, &sink).await {
                Ended::NobodyListens => return Err(NobodyListens),
                ended => ended.why(),
            },
            Ok(Err(error)) => reason(&error),
            Err(_) => format!("its log did not open within {LIMIT:?}"),
        };
        sink.lost(&source, format!("pod {pod}: {why}")).await?;
        if began.elapsed() > PATIENCE {
            backoff.reset();
        }
        backoff.wait().await;
    }
}
