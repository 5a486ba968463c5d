//! Where pods could go: the scheduler's arithmetic, done again from the objects.

mod load;
mod obstacle;

pub(crate) use obstacle::{Obstacle, ObstacleKind};

use crate::{
    text,
    unwell::Unwell,
    world::{Fact, Key, Seen, World, pod_load},
};
use load::Load;
use loopdrill_kubernetes::{NodeRules, NodeView, tolerated, well_known};
use loopdrill_model::{Cause, signal::*};
use obstacle::Hindrance;
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

/// What the scheduler's words mean where they speak of what is always counted here: resources, selectors, taints, and
/// where volumes are.
pub(crate) const COUNTED: &[Cause] =
    &[Cause::Exhaustion, Cause::PlacementConstraint, Cause::VolumeZoneMismatch];

/// Seconds within which a pod that is being deleted can be expected to be gone.
const SOON: f64 = 60.0;

/// Why a node is closed to a pod before any counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodePredicate {
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
    pub(crate) predicate: Option<NodePredicate>,
    /// The pod's bound volumes can be used here.
    pub(crate) volumes_here: bool,
    pub(crate) free: Rc<Resources>,
    /// What pods that are being deleted still hold.
    pub(crate) releasing: Rc<Resources>,
    /// What beside resources keeps the pod off, where the node is open to it.
    pub(crate) obstacle: Option<Obstacle<'w>>,
}

impl Room<'_> {
    pub(crate) fn fits(&self, wanted: &Resources) -> bool {
        self.free.covers(wanted)
    }

    fn open(&self) -> bool {
        self.predicate.is_none()
    }
}

/// Why a pod that the scheduler gave up on has no node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnschedulableReason {
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
    /// It would fit if it were not for ports, other pods or volumes.
    Blocked(ObstacleKind),
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
    pub(crate) reason: UnschedulableReason,
    pub(crate) rooms: Rc<Vec<Room<'w>>>,
    /// The names of the bound volumes with a node affinity.
    pub(crate) pinned: Vec<&'w Seen<Volume>>,
    /// The number of its kind: pods of one kind ask the same of the same nodes. Claims aside they have the same reason.
    pub(crate) kind: usize,
}

impl<'w> Pending<'w> {
    /// Nodes that are open to the pod, wherever its volumes are.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Room<'w>> {
        self.rooms.iter().filter(|r| r.open())
    }
}

/// All pods for which the scheduler finds no node. A pod for which it preempts others is not among them: it has found
/// one.
pub(crate) fn pending_pods<'w>(world: &'w World, unwell: &Unwell<'w>) -> Vec<Pending<'w>> {
    if !world.listed(&["nodes", "pods", "persistentvolumeclaims", "persistentvolumes"]) {
        return Vec::new();
    }
    let waiting = |p: &Seen<Pod>| {
        p.node.is_none()
            && !p.deleting
            && p.phase == "Pending"
            && p.unscheduled.as_ref().is_some_and(|u| {
                is_final(&u.reason) && (!Unscheduled::makes_room(&u.message) || waits_long(world, p))
            })
    };
    let pods: Vec<_> = unwell.that(waiting).collect();
    if pods.is_empty() {
        return Vec::new();
    }
    let mut survey = Survey::of(world);
    pods.into_iter().map(|pod| survey.examine(pod)).collect()
}

/// Whether the scheduler gave up on a pod with this reason, and does not hold it back as it was told to.
fn is_final(reason: &str) -> bool {
    matches!(reason, "Unschedulable" | "SchedulerError")
}

/// Seconds after which those that give way to a pod should be gone.
const GIVES_WAY: f64 = 180.0;

/// Whether the pod waits for long for others to give way: they do not go.
fn waits_long(world: &World, pod: &Seen<Pod>) -> bool {
    pod.constraints.nominated.is_some() && world.age(world.since(pod, &Fact::Unscheduled)) > GIVES_WAY
}

/// A node, what is free there, and what pods that are being deleted still hold.
type Ground<'w> = (&'w Seen<Node>, Rc<Resources>, Rc<Resources>);

fn ground<'w>(world: &'w World) -> Vec<Ground<'w>> {
    let mut leaving: BTreeMap<&str, Resources> = BTreeMap::new();
    let gone_soon = |p: &&Seen<Pod>| world.age(p.since(&Fact::Deleting)) < SOON;
    for (node, amount) in world.pods.by(&Key::Leaving).filter(gone_soon).filter_map(|p| pod_load(p)) {
        *leaving.entry(node).or_default() += amount;
    }
    let none = Rc::<Resources>::default();
    let of = |node: &'w Seen<Node>| {
        let taken = world.pods.load(&node.name).unwrap_or(&none);
        let releasing = leaving.remove(node.name.as_str()).map_or_else(|| none.clone(), Rc::new);
        (node, Rc::new(node.allocatable.clone().minus(taken)), releasing)
    };
    world.nodes.iter().map(of).collect()
}

/// What is known of all nodes, and what was found of pods: what is found of the first pod of a kind holds for all.
struct Survey<'w> {
    load: Load<'w>,
    ground: Vec<Ground<'w>>,
    /// Which nodes are closed to pods that choose like this.
    closed: HashMap<Chooses<'w>, Rc<[Option<NodePredicate>]>>,
    /// Each with its number.
    rooms: HashMap<Wants<'w>, (usize, Rc<Vec<Room<'w>>>)>,
    /// Each kind's number and reason.
    kinds: HashMap<Asks<'w>, (usize, UnschedulableReason)>,
}

/// What a pod says of nodes: selector, affinity and tolerations.
type Chooses<'w> = (&'w Labels, &'w [NodeTerm], &'w [Toleration]);
/// Where a pod may go: by what it says, by where its volumes are, and by what hinders it.
type Wants<'w> = (Chooses<'w>, Vec<&'w [NodeTerm]>, Option<Hinders<'w>>);
/// What ports, other pods and volumes go by: constraints, namespace, labels and claims.
type Hinders<'w> = (&'w Constraints, &'w str, &'w Labels, &'w [String]);
/// Where a pod may go, by number, what it asks for there, whether peers place it, and what the scheduler says of it.
type Asks<'w> = (usize, &'w Resources, bool, &'w str);

impl<'w> Survey<'w> {
    fn of(world: &'w World) -> Self {
        let (load, ground) = (Load::of(world), ground(world));
        Self { load, ground, closed: HashMap::new(), rooms: HashMap::new(), kinds: HashMap::new() }
    }

    /// Why the pod has no node.
    fn examine(&mut self, pod: &'w Seen<Pod>) -> Pending<'w> {
        let world = self.load.world;
        let claims: Vec<_> = pod.claims.iter().map(|name| world.claims.find(&pod.namespace, name)).collect();
        let volumes = claims.iter().flatten().filter_map(|c| world.volumes.find("", c.volume.as_deref()?));
        let pinned: Vec<_> = volumes.filter(|v| !v.node_affinity.is_empty()).collect();
        let (number, rooms) = self.rooms(pod, &pinned);
        let reason = UnschedulableReason::Unclear;
        let mut pending = Pending { pod, reason, rooms, pinned, kind: self.kinds.len() };
        let asks = (number, &pod.object.requests, pod.placed_by_peers, message(pod));
        let (kind, by_room) = *self.kinds.entry(asks).or_insert_with(|| (pending.kind, by_room(&pending)));
        pending.kind = kind;
        pending.reason = if claims.iter().any(Option::is_none) {
            UnschedulableReason::NoClaim
        } else if claims.iter().flatten().any(|c| c.volume.is_none() && !waits_for_consumer(world, c)) {
            UnschedulableReason::UnboundClaim
        } else {
            by_room
        };
        pending
    }

    /// All nodes as the pod sees them, which has volumes in these places.
    fn rooms(&mut self, pod: &'w Seen<Pod>, pinned: &[&'w Seen<Volume>]) -> (usize, Rc<Vec<Room<'w>>>) {
        let pod = &pod.object;
        let hindrance = Hindrance::of(&self.load, pod);
        let chooses: Chooses<'w> = (&pod.node_selector, &pod.node_affinity, &pod.tolerations);
        let places = pinned.iter().map(|v| v.object.node_affinity.as_slice()).collect();
        let hinders: Hinders<'w> = (&pod.constraints, &pod.namespace, &pod.labels, &pod.claims);
        let wants = (chooses, places, hindrance.as_ref().map(|_| hinders));
        let (number, load, ground) = (self.rooms.len(), &self.load, &self.ground);
        let mut survey = || {
            let predicates = ground.iter().map(|(node, ..)| predicate(load.world, pod, node));
            let closed = self.closed.entry(chooses).or_insert_with(|| predicates.collect());
            let rooms = ground.iter().zip(closed.iter());
            Rc::new(rooms.map(|(g, closed)| room(load, g, *closed, pinned, hindrance.as_ref())).collect())
        };
        self.rooms.entry(wants).or_insert_with(|| (number, survey())).clone()
    }
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
    load: &Load<'w>,
    (node, free, releasing): &Ground<'w>,
    predicate: Option<NodePredicate>,
    pinned: &[&Seen<Volume>],
    hindrance: Option<&Hindrance<'w>>,
) -> Room<'w> {
    Room {
        node,
        predicate,
        volumes_here: pinned.iter().all(|v| matches_any(&v.node_affinity, node)),
        free: free.clone(),
        releasing: releasing.clone(),
        obstacle: hindrance.filter(|_| predicate.is_none()).and_then(|h| h.on(load, node)),
    }
}

/// Why a pod with these rooms has no node, whatever its claims wait for.
fn by_room(p: &Pending<'_>) -> UnschedulableReason {
    let (wanted, message) = (&p.pod.requests, message(p.pod));
    let usable: Vec<_> = p.open().filter(|r| r.volumes_here).collect();
    let fitting = || usable.iter().filter(|r| r.fits(wanted));
    if fitting().any(|r| r.obstacle.is_none()) {
        let unknown = p.pod.placed_by_peers && p.pod.constraints.are_none();
        return if text::says_peers(message) || unknown {
            UnschedulableReason::Excluded
        } else if text::says_insufficient(message) && !p.open().any(|r| r.node.allocatable.covers(wanted)) {
            UnschedulableReason::Exhausted
        } else {
            UnschedulableReason::Unclear
        };
    }
    if let Some(kind) = fitting().filter_map(|r| r.obstacle).map(|o| o.kind).min() {
        return UnschedulableReason::Blocked(kind);
    }
    let after = |r: &&Room<'_>| !r.releasing.is_zero() && (*r.free).clone().plus(&r.releasing).covers(wanted);
    let soon = |r: &Room<'_>| {
        r.predicate == Some(NodePredicate::Starting) && r.volumes_here && r.node.allocatable.covers(wanted)
    };
    if usable.iter().any(after) || p.rooms.iter().any(soon) {
        return UnschedulableReason::InMotion;
    }
    if !p.pinned.is_empty() && p.open().any(|r| !r.volumes_here && r.fits(wanted)) {
        return UnschedulableReason::VolumeElsewhere;
    }
    if usable.is_empty() {
        return closed(p);
    }
    let sum: Resources = usable.iter().map(|r| &*r.free).sum();
    if sum.covers(wanted) && usable.iter().any(|r| r.node.allocatable.covers(wanted)) {
        UnschedulableReason::Fragmented
    } else {
        UnschedulableReason::Exhausted
    }
}

/// Why no node at all is open.
fn closed(p: &Pending<'_>) -> UnschedulableReason {
    let wanted = p.rooms.iter().filter(|r| r.predicate != Some(NodePredicate::Unwanted) && r.volumes_here);
    let predicates: Vec<_> = wanted.filter_map(|r| r.predicate).collect();
    let down = predicates.contains(&NodePredicate::Down);
    if down && !predicates.contains(&NodePredicate::Cordoned) {
        UnschedulableReason::NodesDown
    } else {
        UnschedulableReason::Excluded
    }
}

pub(crate) fn message(pod: &Pod) -> &str {
    pod.unscheduled.as_ref().map_or("", |u| u.message.as_str())
}

/// What the pod says about nodes.
fn rules(pod: &Pod) -> NodeRules<'_> {
    NodeRules {
        selector: Some(&pod.node_selector),
        affinity: &pod.node_affinity,
        tolerations: &pod.tolerations,
    }
}

/// What of the node decides who may run there.
fn view(node: &Node) -> NodeView<'_> {
    NodeView { name: &node.name, labels: &node.labels, taints: &node.taints, cordoned: node.unschedulable }
}

/// Why `node` is closed to `pod`, by nothing that is counted.
pub(crate) fn predicate(world: &World, pod: &Pod, node: &Seen<Node>) -> Option<NodePredicate> {
    let (rules, view) = (rules(pod), view(node));
    if !rules.want(&view) {
        return Some(NodePredicate::Unwanted);
    }
    let repels = |t: &Taint| t.is_hard() && !is_state(&t.key) && !tolerated(&pod.tolerations, t);
    if node.taints.iter().any(repels) {
        return Some(NodePredicate::Tainted);
    }
    if node.ready != "True" {
        return Some(if is_starting(world, node) { NodePredicate::Starting } else { NodePredicate::Down });
    }
    rules.kept_off_by_cordon(&view).then_some(NodePredicate::Cordoned)
}

/// Taints that only repeat a node's state, which is read from the node itself.
fn is_state(key: &str) -> bool {
    [well_known::NOT_READY, well_known::UNREACHABLE, well_known::UNSCHEDULABLE].contains(&key)
}

/// Seconds that a node takes to become ready.
const STARTING: f64 = 180.0;

/// Whether the node joined a short while ago and was never ready. One that says that it was not ready long before has only
/// been registered anew.
pub(crate) fn is_starting(world: &World, node: &Seen<Node>) -> bool {
    let since_joined = |t| crate::world::age(t, node.created_at);
    let never_ready = node.ready_since.is_none_or(|t| (-STARTING..5.0).contains(&since_joined(t)));
    node.ready != "Unknown" && never_ready && world.api_age(node.created_at) < STARTING
}

/// Whether the node meets any of the terms. No terms: no condition.
pub(crate) fn matches_any(terms: &[NodeTerm], node: &Node) -> bool {
    loopdrill_kubernetes::matches_any(terms, &node.name, &node.labels)
}

/// What one may want to know of `amount` where `wanted` is asked for: `1500m CPU, 256 MiB, 1 nvidia.com/gpu`.
pub(crate) fn amount(amount: &Resources, wanted: &Resources) -> String {
    let usual = format!("{}m CPU, {} MiB", amount.cpu_millis, amount.memory_bytes >> 20);
    let others = wanted.others.keys().map(|name| format!(", {} {name}", amount.get(name)));
    // How many pods a node takes is of interest where it takes no more.
    let pods = (amount.pods < wanted.pods).then(|| format!(", {} pods", amount.pods));
    others.chain(pods).fold(usual, |text, more| text + &more)
}
