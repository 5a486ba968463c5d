//! Where pods could go: the scheduler's arithmetic, done again from the objects.

use crate::{
    text,
    world::{Seen, World},
};
use loopdrill_model::signal::*;
use std::collections::BTreeMap;

/// Seconds within which a pod that is being deleted can be expected to be gone.
const SOON: f64 = 60.0;

/// Why a node is closed to a pod before any counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// It does not report, or is not ready.
    Down,
    /// It has just joined and was never ready.
    Starting,
    /// It takes no new pods.
    Cordoned,
    /// The pod does not tolerate one of its taints.
    Tainted,
    /// The pod's selector or affinity does not match.
    Unwanted,
}

/// A node with what is left of it, as one pod sees it.
#[derive(Debug, Clone)]
pub(crate) struct Room<'w> {
    pub(crate) node: &'w Seen<Node>,
    pub(crate) barrier: Option<Barrier>,
    /// The pod's bound volumes can be used here.
    pub(crate) volumes_here: bool,
    pub(crate) free: Resources,
    /// What pods that are being deleted still hold.
    pub(crate) releasing: Resources,
}

impl Room<'_> {
    pub(crate) fn fits(&self, wanted: Resources) -> bool {
        covers(self.free, wanted)
    }

    fn open(&self) -> bool {
        self.barrier.is_none()
    }
}

/// Why a pod that the scheduler gave up on has no node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// A claim that it mounts does not exist.
    NoClaim,
    /// A claim that it mounts is not bound, and does not wait for this pod.
    UnboundClaim,
    /// It would fit on a node if its volume were there.
    VolumeElsewhere,
    /// Every node that it wants is down.
    NodesDown,
    /// Selector, affinity, taint, cordon or peers exclude every node.
    Excluded,
    /// Σ free ≥ request > max free.
    Fragmented,
    /// Σ free < request, or no node is that large.
    Exhausted,
    /// It would fit: the scheduler will find out, or something is unknown.
    Unclear,
    /// Pods are about to leave, or nodes to become ready: that may be enough.
    InMotion,
}

/// A pod without a node, and why.
pub(crate) struct Pending<'w> {
    pub(crate) pod: &'w Seen<Pod>,
    pub(crate) hindrance: Hindrance,
    pub(crate) rooms: Vec<Room<'w>>,
    /// The names of the bound volumes with a node affinity.
    pub(crate) pinned: Vec<&'w Seen<Volume>>,
}

impl<'w> Pending<'w> {
    /// Nodes that are open to the pod, wherever its volumes are.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Room<'w>> {
        self.rooms.iter().filter(|r| r.open())
    }
}

/// Resources that are asked for by pods that hold their node, by node: all, and of those being deleted.
type Load = BTreeMap<String, (Resources, Resources)>;

/// All pods that the scheduler gave up on. It has not where others give way.
pub(crate) fn pending_pods(world: &World) -> Vec<Pending<'_>> {
    if !world.listed(&["nodes", "pods", "persistentvolumeclaims", "persistentvolumes"]) {
        return Vec::new();
    }
    let waiting = |p: &&Seen<Pod>| {
        p.node.is_none()
            && !p.deleting
            && p.phase == "Pending"
            && p.unscheduled
                .as_ref()
                .is_some_and(|u| u.reason == "Unschedulable" && !Unscheduled::makes_room(&u.message))
    };
    let pods: Vec<_> = world.pods.iter().filter(waiting).collect();
    if pods.is_empty() {
        return Vec::new();
    }
    let load = load(world);
    pods.into_iter().map(|pod| examine(world, &load, pod)).collect()
}

fn load(world: &World) -> Load {
    let mut load = Load::new();
    for pod in world.pods.iter().filter(|p| !matches!(p.phase.as_str(), "Succeeded" | "Failed")) {
        if let Some(node) = &pod.node {
            let (all, leaving) = load.entry(node.clone()).or_default();
            add(all, pod.requests);
            if pod.deleting && world.age(pod.since("deleting")) < SOON {
                add(leaving, pod.requests);
            }
        }
    }
    load
}

fn examine<'w>(world: &'w World, load: &Load, pod: &'w Seen<Pod>) -> Pending<'w> {
    let claims: Vec<_> = pod.claims.iter().map(|name| world.claims.find(&pod.namespace, name)).collect();
    let pinned: Vec<_> = claims
        .iter()
        .flatten()
        .filter_map(|c| world.volumes.find("", c.volume.as_deref()?))
        .filter(|v| !v.node_affinity.is_empty())
        .collect();
    let rooms = world.nodes.iter().map(|node| room(world, load, pod, node, &pinned)).collect();
    let mut pending = Pending { pod, hindrance: Hindrance::Unclear, rooms, pinned };
    pending.hindrance = if claims.iter().any(Option::is_none) {
        Hindrance::NoClaim
    } else if claims.iter().flatten().any(|c| c.volume.is_none() && !waits_for_consumer(world, c)) {
        Hindrance::UnboundClaim
    } else {
        hindrance(&pending)
    };
    pending
}

/// Whether the claim waits for its pod to be scheduled, as it should.
pub(crate) fn waits_for_consumer(world: &World, claim: &Claim) -> bool {
    claim
        .class
        .as_deref()
        .and_then(|class| world.classes.find("", class))
        .is_some_and(|class| class.binding_mode == "WaitForFirstConsumer")
}

fn room<'w>(
    world: &World,
    load: &Load,
    pod: &Pod,
    node: &'w Seen<Node>,
    pinned: &[&Seen<Volume>],
) -> Room<'w> {
    let (taken, releasing) = load.get(&node.name).copied().unwrap_or_default();
    Room {
        node,
        barrier: barrier(world, pod, node),
        volumes_here: pinned.iter().all(|v| matches_any(&v.node_affinity, node)),
        free: minus(node.allocatable, taken),
        releasing,
    }
}

fn hindrance(p: &Pending<'_>) -> Hindrance {
    let (wanted, message) = (p.pod.requests, message(p.pod));
    let usable: Vec<_> = p.open().filter(|r| r.volumes_here).collect();
    if usable.iter().any(|r| r.fits(wanted)) {
        return if text::says_peers(message) || p.pod.placed_by_peers {
            Hindrance::Excluded
        } else if text::says_insufficient(message) && !p.open().any(|r| covers(r.node.allocatable, wanted)) {
            Hindrance::Exhausted
        } else {
            Hindrance::Unclear
        };
    }
    let after = |r: &&Room<'_>| covers(plus(r.free, r.releasing), wanted);
    let soon = |r: &Room<'_>| {
        r.barrier == Some(Barrier::Starting) && r.volumes_here && covers(r.node.allocatable, wanted)
    };
    if usable.iter().any(after) || p.rooms.iter().any(soon) {
        return Hindrance::InMotion;
    }
    if !p.pinned.is_empty() && p.open().any(|r| !r.volumes_here && r.fits(wanted)) {
        return Hindrance::VolumeElsewhere;
    }
    if usable.is_empty() {
        return closed(p);
    }
    let sum = usable.iter().fold(Resources::default(), |sum, r| plus(sum, r.free));
    if covers(sum, wanted) && usable.iter().any(|r| covers(r.node.allocatable, wanted)) {
        Hindrance::Fragmented
    } else {
        Hindrance::Exhausted
    }
}

/// Why no node at all is open.
fn closed(p: &Pending<'_>) -> Hindrance {
    let wanted = p.rooms.iter().filter(|r| r.barrier != Some(Barrier::Unwanted) && r.volumes_here);
    let barriers: Vec<_> = wanted.filter_map(|r| r.barrier).collect();
    let down = barriers.contains(&Barrier::Down);
    if down && !barriers.contains(&Barrier::Cordoned) { Hindrance::NodesDown } else { Hindrance::Excluded }
}

pub(crate) fn message(pod: &Pod) -> &str {
    pod.unscheduled.as_ref().map_or("", |u| u.message.as_str())
}

/// Why `node` is closed to `pod`, by nothing that is counted.
pub(crate) fn barrier(world: &World, pod: &Pod, node: &Seen<Node>) -> Option<Barrier> {
    let selected = pod.node_selector.iter().all(|(k, v)| node.labels.get(k) == Some(v));
    if !selected || !matches_any(&pod.node_affinity, node) {
        return Some(Barrier::Unwanted);
    }
    let hard = |t: &&Taint| t.effect != "PreferNoSchedule" && !is_state(&t.key);
    if node.taints.iter().filter(hard).any(|t| !tolerates(pod, t)) {
        return Some(Barrier::Tainted);
    }
    if node.ready != "True" {
        return Some(if is_starting(world, node) { Barrier::Starting } else { Barrier::Down });
    }
    let cordon = Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        value: String::new(),
        effect: "NoSchedule".into(),
    };
    (node.unschedulable && !tolerates(pod, &cordon)).then_some(Barrier::Cordoned)
}

/// Taints that only repeat a node's state, which is read from the node itself.
fn is_state(key: &str) -> bool {
    ["not-ready", "unreachable", "unschedulable"]
        .iter()
        .any(|state| key.strip_prefix("node.kubernetes.io/") == Some(state))
}

/// Whether the node joined a short while ago and was never ready.
pub(crate) fn is_starting(world: &World, node: &Seen<Node>) -> bool {
    let never_ready = node.ready_since.is_none_or(|t| crate::world::age(t, node.created_at) < 5.0);
    node.ready != "Unknown" && never_ready && world.api_age(node.created_at) < 180.0
}

fn tolerates(pod: &Pod, taint: &Taint) -> bool {
    pod.tolerations.iter().any(|t| {
        (t.effect.is_empty() || t.effect == taint.effect)
            && (t.key.is_empty() && t.exists || t.key == taint.key && (t.exists || t.value == taint.value))
    })
}

/// Whether the node meets all requirements of any of the terms. No terms: no condition.
pub(crate) fn matches_any(terms: &[Vec<NodeRequirement>], node: &Node) -> bool {
    terms.is_empty() || terms.iter().any(|term| !term.is_empty() && term.iter().all(|r| meets(r, node)))
}

fn meets(requirement: &NodeRequirement, node: &Node) -> bool {
    let label = match requirement.key.as_str() {
        "metadata.name" => Some(&node.name),
        key => node.labels.get(key),
    };
    let listed = label.is_some_and(|l| requirement.values.contains(l));
    let number = |s: &String| s.parse::<i64>().ok();
    let (have, bound) = (label.and_then(number), requirement.values.first().and_then(number));
    match requirement.operator {
        Operator::In => listed,
        Operator::NotIn => !listed,
        Operator::Exists => label.is_some(),
        Operator::DoesNotExist => label.is_none(),
        Operator::Gt => have.zip(bound).is_some_and(|(have, bound)| have > bound),
        Operator::Lt => have.zip(bound).is_some_and(|(have, bound)| have < bound),
    }
}

fn covers(free: Resources, wanted: Resources) -> bool {
    free.cpu_millis >= wanted.cpu_millis && free.memory_bytes >= wanted.memory_bytes
}

fn add(sum: &mut Resources, more: Resources) {
    *sum = plus(*sum, more);
}

pub(crate) fn plus(a: Resources, b: Resources) -> Resources {
    Resources {
        cpu_millis: a.cpu_millis.saturating_add(b.cpu_millis),
        memory_bytes: a.memory_bytes.saturating_add(b.memory_bytes),
    }
}

fn minus(a: Resources, b: Resources) -> Resources {
    Resources {
        cpu_millis: a.cpu_millis.saturating_sub(b.cpu_millis),
        memory_bytes: a.memory_bytes.saturating_sub(b.memory_bytes),
    }
}

/// `1500m CPU, 256 MiB`.
pub(crate) fn amount(r: Resources) -> String {
    format!("{}m CPU, {} MiB", r.cpu_millis, r.memory_bytes >> 20)
}
