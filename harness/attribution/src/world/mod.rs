//! What is known of a cluster: the fold of all observations.
//!
//! # Invariants
//! - Objects are ordered by version, everything else by time: observations of one window may arrive in
//!   any order.
//! - Memory is bounded: what is older than a few minutes is forgotten, and floods are cut.

mod clock;
mod cloud;
mod clues;
mod deaths;
mod events;
mod extent;
mod grants;
mod index;
mod lookup;
mod objects;
mod probes;
mod series;
mod skew;
mod stores;
mod telemetry;

pub(crate) use cloud::{Cloud, Revocation, Revoked, Said};
pub(crate) use clues::{Clues, SeenClue};
pub(crate) use deaths::{Deaths, OUT_OF_MEMORY, Streak, never_ran};
pub(crate) use events::{Events, SeenEvent};
pub(crate) use grants::{Grants, Loss};
pub(crate) use index::Key;
pub(crate) use objects::{Fact, Seen, pod_load};
pub(crate) use probes::{Path, Probes};
pub(crate) use series::{Gain, HistogramSeries, Series, float, rise};
use skew::Skew;
use stores::Stores;
pub(crate) use telemetry::Telemetry;

use loopdrill_kubernetes::well_known;
use loopdrill_model::{Observation, Source, Subject, Timestamp, signal::*};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long the past is kept.
const MEMORY: Duration = Duration::from_secs(600);
/// How often it is looked for what can be forgotten.
const SWEEP: Duration = Duration::from_secs(5);

/// Everything known of a cluster; the module says what it keeps.
#[derive(Debug, Clone, Default)]
pub struct World {
    now: Option<Timestamp>,
    begun_at: Option<Timestamp>,
    swept_at: Option<Timestamp>,
    /// Rules read these as the world's own, such as `world.pods`.
    stores: Stores,
    deaths: Deaths,
    pub(crate) grants: Grants,
    pub(crate) cloud: Cloud,
    pub(crate) events: Events,
    pub(crate) probes: Probes,
    pub(crate) telemetry: Telemetry,
    /// By namespace and Service: the endpoints, when they were seen, and since when none is ready.
    pub(crate) endpoints: BTreeMap<(String, String), Latest<Endpoints>>,
    /// Those of them that are none at all.
    deserted: BTreeSet<(String, String)>,
    /// Bytes in a container's log by pod's uid, container and life.
    logs: BTreeMap<(String, String, u32), (Timestamp, u64)>,
    /// What failing containers said.
    pub(crate) clues: Clues,
    leases: BTreeMap<(String, String), Latest<Lease>>,
    /// Times at which a lease got a new holder.
    pub(crate) handovers: Vec<(Timestamp, Subject)>,
    skew: Skew,
    /// Sources that worked at least once.
    seen_working: BTreeSet<Source>,
    /// Sources that do not work now.
    lost: BTreeSet<Source>,
}

/// The newest of something that has no uid.
#[derive(Debug, Clone)]
pub(crate) struct Latest<T> {
    pub(crate) value: T,
    pub(crate) at: Timestamp,
    /// Since when the value is as bad as it is now.
    pub(crate) since: Timestamp,
}

impl World {
    /// The resources that most rules need.
    pub const NEEDED: [&'static str; 5] =
        ["pods", "nodes", "events", "persistentvolumeclaims", "persistentvolumes"];

    /// A world of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one observation in.
    pub fn apply(&mut self, observation: &Observation) {
        let at = observation.at;
        self.now = self.now.max(Some(at));
        self.begun_at = Some(self.begun_at.map_or(at, |t| t.min(at)));
        self.take(at, &observation.source, &observation.signal);
        let now = self.now();
        if self.swept_at.is_none_or(|t| age(now, t) >= SWEEP.as_secs_f64()) {
            self.swept_at = Some(now);
            self.sweep(now);
        }
    }

    fn take(&mut self, at: Timestamp, source: &Source, signal: &Signal) {
        if let Signal::Pod(pod) = signal {
            self.deaths.note(pod, at);
        }
        self.stores.put(signal, at);
        match signal {
            Signal::Endpoints(e) => self.take_endpoints(at, e),
            Signal::Lease(lease) => self.take_lease(at, lease),
            Signal::Grant(grant) => self.grants.put(grant.clone(), at),
            Signal::AccessReview(review) => self.grants.review(review.clone(), at),
            Signal::CloudRole(role) => self.cloud.put(role.clone(), at),
            Signal::CloudAnswer(answer) => self.cloud.answer(answer, at),
            Signal::Event(event) => self.events.put(event.clone(), at),
            Signal::Deleted(gone) => self.forget(at, gone),
            Signal::Log(log) => self.take_log(at, log),
            Signal::Clue(clue) => self.clues.put(clue, at),
            Signal::Probe(probe) => self.probes.put(at, probe),
            Signal::SourceState(s) => self.take_source(s),
            Signal::Metric(metric) => self.telemetry.put_metric(at, source, metric),
            Signal::Histogram(histogram) => self.telemetry.put_histogram(at, source, histogram),
            Signal::Usage(usage) => self.telemetry.put_usage(at, usage),
            Signal::Interface(link) => self.telemetry.put_link(at, link),
            Signal::IpCounters(stack) => self.telemetry.put_stack(at, stack),
            stores::stored!() | Signal::Tick => {}
        }
    }

    fn forget(&mut self, at: Timestamp, gone: &Deleted) {
        self.stores.remove(gone, at);
        let key = (gone.object.namespace.clone(), gone.object.name.clone());
        match gone.object.kind.as_str() {
            "Pod" => self.clues.forget(&gone.uid),
            "Node" => {
                self.probes.forget(&gone.object.name);
                self.telemetry.forget(&gone.object.name);
            }
            "Service" | "Endpoints" | "EndpointSlice" => {
                self.endpoints.remove(&key);
                self.deserted.remove(&key);
            }
            "RoleBinding" | "ClusterRoleBinding" => self.grants.remove(&gone.uid, at),
            "Lease" => {
                self.leases.remove(&key);
            }
            _ => {}
        }
    }

    fn take_endpoints(&mut self, at: Timestamp, e: &Endpoints) {
        let key = (e.namespace.clone(), e.service.clone());
        let fresh = Latest { value: e.clone(), at, since: at };
        let known = self.endpoints.entry(key.clone()).or_insert_with(|| fresh.clone());
        if at > known.at || at == known.at && known.value.ready > e.ready {
            let since = if known.value.ready == 0 && e.ready == 0 { known.since } else { at };
            *known = Latest { since, ..fresh };
        }
        if known.value.ready + known.value.not_ready == 0 {
            self.deserted.insert(key);
        } else {
            self.deserted.remove(&key);
        }
    }

    fn take_lease(&mut self, at: Timestamp, lease: &Lease) {
        let key = (lease.namespace.clone(), lease.name.clone());
        let fresh = Latest { value: lease.clone(), at, since: at };
        let Some(known) = self.leases.get_mut(&key) else {
            if let Some(renewed_at) = lease.renewed_at {
                self.skew.first_seen(age(at, renewed_at));
            }
            self.leases.insert(key, fresh);
            return;
        };
        if lease.version < known.value.version {
            return;
        }
        if lease.holder != known.value.holder && !known.value.holder.is_empty() {
            self.handovers.push((at, Subject::new("Lease", &lease.namespace, &lease.name)));
        }
        if let Some(renewed_at) = lease.renewed_at.filter(|_| lease.renewed_at != known.value.renewed_at) {
            self.skew.renewed(age(at, renewed_at));
        }
        *known = fresh;
    }

    fn take_log(&mut self, at: Timestamp, log: &Log) {
        let known = self
            .logs
            .entry((log.uid.clone(), log.container.clone(), log.restarts))
            .or_insert((at, log.bytes));
        *known = (known.0.max(at), known.1.max(log.bytes));
    }

    fn take_source(&mut self, state: &SourceState) {
        if state.lost.is_none() {
            self.seen_working.insert(state.name.clone());
        }
        match state.lost {
            Some(_) => self.lost.insert(state.name.clone()),
            None => self.lost.remove(&state.name),
        };
    }

    fn sweep(&mut self, now: Timestamp) {
        let Some(before) = back(now, MEMORY) else { return };
        self.stores.prune(before);
        self.deaths.prune(before);
        self.grants.prune(before);
        self.cloud.prune(before);
        self.events.prune(before);
        self.probes.prune(now);
        self.telemetry.prune(now);
        self.endpoints.retain(|(namespace, name), e| {
            e.at >= before || self.stores.services.find(namespace, name).is_some()
        });
        self.deserted.retain(|service| self.endpoints.contains_key(service));
        self.logs.retain(|_, (at, _)| *at >= before);
        self.handovers.retain(|(at, _)| *at >= before);
    }

    /// The time of the newest observation; the epoch when there is none.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Whether the objects that most rules need have all been listed: from then on, silence means something.
    #[must_use]
    pub fn is_oriented(&self) -> bool {
        self.now.is_some() && self.listed(&Self::NEEDED)
    }

    /// Seconds since `then`, in the observer's time; negative when it is still to come.
    pub(crate) fn age(&self, then: Timestamp) -> f64 {
        age(self.now(), then)
    }

    /// Seconds since a time that the cluster's own clock gave, as far as the clocks' difference is known.
    pub(crate) fn api_age(&self, then: Timestamp) -> f64 {
        self.age(then) - self.skew.seconds()
    }

    /// A time of the cluster's own clock in the observer's time, never later than now.
    pub(crate) fn local(&self, then: Timestamp) -> Timestamp {
        let skew = self.skew.seconds();
        let moved = match Duration::try_from_secs_f64(skew.abs()) {
            Ok(by) if skew > 0.0 => then.checked_add(by).ok(),
            Ok(by) if skew < 0.0 => then.checked_sub(by).ok(),
            _ => Some(then),
        };
        moved.unwrap_or(then).min(self.now())
    }

    /// The moment `seconds` ago.
    pub(crate) fn ago(&self, seconds: u64) -> Timestamp {
        back(self.now(), Duration::from_secs(seconds)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// For how many seconds this cluster has been watched.
    pub(crate) fn watched_for(&self) -> f64 {
        self.begun_at.map_or(0.0, |t| self.age(t))
    }

    /// Whether all of these resources have been listed, so that an object that is not there does not exist.
    /// Where the observer says nothing about a resource, a few seconds of watching must do.
    pub(crate) fn listed(&self, resources: &[&str]) -> bool {
        let told = self.seen_working.iter().any(|s| s.as_str().starts_with("api:"));
        resources
            .iter()
            .all(|r| self.seen_working.contains(&Source::api(r)) || !told && self.watched_for() >= 3.0)
    }

    /// Whether there is no way to the node's machine, neither to its kubelet nor beside it, while there is one to another's.
    /// A kubelet that is stopped or frozen leaves the machine within reach.
    pub(crate) fn is_out_of_reach(&self, node: &str) -> bool {
        let (machine, kubelet) = (Source::node(node), Source::metrics(&format!("kubelet/{node}")));
        let is_reached = |n: &Seen<Node>| {
            let source = Source::node(&n.name);
            self.seen_working.contains(&source) && !self.lost.contains(&source)
        };
        self.lost.contains(&machine) && self.lost.contains(&kubelet) && self.nodes.iter().any(is_reached)
    }

    /// For how many seconds the node has been ready: none when it is not, very many when nothing is known.
    pub(crate) fn ready_for(&self, node: &str) -> f64 {
        match self.nodes.find("", node) {
            Some(n) if n.ready != "True" => 0.0,
            Some(n) => n.ready_since.map_or(f64::INFINITY, |t| self.api_age(t)),
            None => f64::INFINITY,
        }
    }

    /// Whether the pod was there when its node came up less than so many seconds ago, or its node is not up.
    pub(crate) fn rose_with_its_node(&self, pod: &Pod, seconds: f64) -> bool {
        let node = pod.node.as_deref().unwrap_or_default();
        let older = |n: &Node| n.ready != "True" || n.ready_since.is_none_or(|up| pod.created_at <= up);
        self.ready_for(node) < seconds && self.nodes.find("", node).is_some_and(|n| older(n))
    }

    /// Whether the pod is a part of the control plane itself: its node's own, on a node of that role.
    pub(crate) fn is_control_plane(&self, pod: &Pod) -> bool {
        pod.owner.as_ref().is_some_and(|owner| owner.kind == "Node")
            && pod.node.as_deref().and_then(|n| self.nodes.find("", n)).is_some_and(|n| has_control_plane(n))
    }

    /// How the container ended lately, again and again or once.
    pub(crate) fn streak(&self, uid: &str, container: &str) -> Option<Streak> {
        self.deaths.streak(uid, container, |t| self.local(t))
    }

    /// Bytes that the container wrote in its newest life that is known.
    pub(crate) fn log_bytes(&self, uid: &str, container: &str) -> Option<(Timestamp, u64)> {
        let from = (uid.to_owned(), container.to_owned(), 0);
        let to = (uid.to_owned(), container.to_owned(), u32::MAX);
        self.logs.range(from..=to).next_back().map(|(_, v)| *v)
    }
}

impl std::ops::Deref for World {
    type Target = Stores;
    fn deref(&self) -> &Stores {
        &self.stores
    }
}

/// Whether the node has the role of a control plane, by Kubernetes' own label.
pub(crate) fn has_control_plane(node: &Node) -> bool {
    well_known::is_control_plane(&node.labels)
}

/// Seconds from `then` to `now`.
pub(crate) fn age(now: Timestamp, then: Timestamp) -> f64 {
    now.duration_since(then).as_secs_f64()
}

fn back(now: Timestamp, by: Duration) -> Option<Timestamp> {
    now.checked_sub(by).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::metrics;

    fn event(n: u64) -> Signal {
        Signal::Event(KubeEvent {
            uid: format!("event-{n}"),
            version: n,
            object: Subject::new("Pod", "n", "p"),
            object_uid: format!("pod-{}", n % 50),
            warning: true,
            reason: "BackOff".into(),
            message: String::new(),
            count: 1,
            component: String::new(),
            first_at: None,
            last_at: None,
        })
    }

    fn counter(n: u64) -> Signal {
        let labels = [("code".to_owned(), (n % 5).to_string())].into();
        Signal::Metric(Metric { name: "apiserver_request_total".into(), labels, value: float(n) })
    }

    fn pod(n: u64) -> Signal {
        let object = Subject::new("Pod", "n", format!("p-{n}"));
        Signal::Deleted(Deleted { object, uid: format!("uid-{n}") })
    }

    #[test]
    fn hours_and_floods_do_not_make_it_grow() {
        let begin = Timestamp::from_second(1_800_000_000).expect("in range");
        let mut world = World::new();
        for n in 0..40_000_u64 {
            let at = begin.checked_add(Duration::from_millis(200 * n)).expect("in range");
            for signal in [event(n), counter(n), pod(n)] {
                world.apply(&Observation { at, source: Source::other("test"), signal });
            }
        }
        let kept: usize = (0..50).map(|n| world.events.about(&format!("pod-{n}")).count()).sum();
        assert!(kept <= 3_100, "{kept} events of the last ten minutes");
        let samples: usize = world.telemetry.metric(&metrics::REQUESTS).map(|(_, s)| s.iter().count()).sum();
        assert!((1_000..=2_000).contains(&samples), "{samples} samples of the last five minutes");
        assert!(world.pods.tombstones() <= 3_100, "{} tombstones", world.pods.tombstones());
    }
}
