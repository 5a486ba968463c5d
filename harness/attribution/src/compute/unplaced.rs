//! Pods without a node: what our own count says, where the scheduler says the same or nothing, else the scheduler's words.

use crate::{
    finding::{Finding, Findings, PROVEN, excerpt, link, node_subject, pod_subject},
    phrases::Weight,
    placement::{self, NodePredicate, ObstacleKind, Pending, UnschedulableReason, amount},
    text,
    world::{Fact, Key, Seen, SeenEvent, World, float},
};
use loopdrill_model::{Cause, ChainLink, Evidence, Loop, Measure, Source, Subject, signal::*};
use std::collections::BTreeMap;

/// What is found of the first pod of a kind is not looked for again in the others.
pub(super) fn look(world: &World, pending: &[Pending<'_>], found: &mut Findings<'_>) {
    let mut kinds: BTreeMap<(usize, &str, &[String]), (&Pending<'_>, Finding)> = BTreeMap::new();
    for p in pending {
        let since = world.since(p.pod, &Fact::Unscheduled);
        let Some(patience) = patience(p) else { continue };
        if is_helped(world, p.pod) || !found.lasts(since, patience) {
            continue;
        }
        let (namespace, claims) = named_claims(p);
        let kind = (p.kind, namespace, claims);
        let finding = match kinds.get(&kind) {
            Some((first, finding)) => as_of(world, p, (first, finding)),
            None => {
                let Some(finding) = unplaced(world, p) else { continue };
                kinds.insert(kind, (p, finding.clone()));
                finding
            }
        };
        let finding = not_given_way(world, finding, p.pod);
        found.add(format!("{}/unplaced", p.pod.namespace), without_help(world, finding, p));
    }
}

/// The pod's claims and their namespace, where the finding about it may name them: pods with others do not share it.
fn named_claims<'p>(p: &'p Pending<'_>) -> (&'p str, &'p [String]) {
    use UnschedulableReason::*;
    let counted = matches!(p.reason, Fragmented | Exhausted | Excluded | NodesDown) && agrees(p);
    if counted || p.pod.claims.is_empty() { ("", &[]) } else { (&p.pod.namespace, &p.pod.claims) }
}

/// What was found of the first of its kind, about this pod.
fn as_of(world: &World, p: &Pending<'_>, (first, like): (&Pending<'_>, &Finding)) -> Finding {
    let of_first = 1 + usize::from(first.pod.owner.is_some());
    let mut finding = base(world, p, like.cause, like.confidence)
        .about(like.subjects.iter().skip(of_first).cloned())
        .leading_to(like.chain.iter().cloned());
    if let Some(last) = finding.chain.last_mut() {
        *last = pending_link(p);
    }
    let at = |e: &Evidence| if e.at == first.pod.at { p.pod.at } else { e.at };
    finding.evidence = like.evidence.iter().map(|e| Evidence { at: at(e), ..e.clone() }).collect();
    finding
}

/// For how long a pod without a node must be so; nothing where others tell of it. Where our own count and the scheduler
/// differ, what the scheduler says has to last.
fn patience(p: &Pending<'_>) -> Option<f64> {
    use UnschedulableReason::*;
    let agrees = agrees(p);
    let patience = match p.reason {
        Excluded if p.open().next().is_some() => 2.0,
        Fragmented | Exhausted | Excluded | NodesDown => PROVEN,
        Blocked(_) => 2.0,
        // The volume's own story is told by its rule.
        VolumeElsewhere if agrees => return None,
        VolumeElsewhere | InMotion | Unclear => STUCK,
        NoClaim | UnboundClaim => return None,
    };
    Some(if agrees { patience } else { STUCK })
}

/// Whether the scheduler says what our own count says, or nothing.
fn agrees(p: &Pending<'_>) -> bool {
    use UnschedulableReason::*;
    let causes: &[Cause] = match p.reason {
        Blocked(ObstacleKind::OncePerPod) => &[Cause::AttachOrMountFailed],
        Blocked(ObstacleKind::VolumeLimit) => &[Cause::VolumeLimit],
        Blocked(_) => &[Cause::PlacementConstraint],
        InMotion | Unclear => &[],
        _ => placement::COUNTED,
    };
    // Other nodes may be closed for what is always counted.
    let beside: &[Cause] = if matches!(p.reason, Blocked(_)) { placement::COUNTED } else { &[] };
    text::scheduler_agrees(placement::message(p.pod), causes, beside)
}

fn unplaced(world: &World, p: &Pending<'_>) -> Option<Finding> {
    let agrees = agrees(p);
    let finding = match p.reason {
        UnschedulableReason::Fragmented if agrees => fragmented(world, p),
        UnschedulableReason::Exhausted if agrees => exhausted(world, p),
        UnschedulableReason::Excluded if agrees => excluded(world, p),
        UnschedulableReason::NodesDown if agrees => all_down(world, p),
        UnschedulableReason::Blocked(kind) if agrees => blocked(world, p, kind),
        _ if placement::message(p.pod).is_empty() => return None,
        _ => in_the_scheduler_s_words(world, p),
    };
    let has_room_closed =
        matches!(p.reason, UnschedulableReason::Fragmented | UnschedulableReason::Exhausted);
    let closed = p.rooms.iter().filter_map(|r| closed_link(r.predicate, &r.node.name));
    let mut chain: Vec<ChainLink> = closed.take(if has_room_closed { MOST_LINKS } else { 0 }).collect();
    if !chain.is_empty() {
        chain.push(pending_link(p));
    }
    Some(finding.leading_to(chain))
}

/// Closed nodes that are told of in one chain.
pub(crate) const MOST_LINKS: usize = 12;

/// Seconds after which a pod without a node is stuck, whatever our own count says.
const STUCK: f64 = 120.0;

/// Seconds that a cloud may take to make a node.
const NODE_COMES: f64 = 240.0;

/// Whether an autoscaler says that it is making a node for the pod: it is late, and not stuck.
fn is_helped(world: &World, pod: &Pod) -> bool {
    let helps = |e: &&SeenEvent| !e.warning && matches!(e.reason.as_str(), "TriggeredScaleUp" | "Nominated");
    world.events.about(&pod.uid).filter(helps).any(|e| world.is_recent(e, NODE_COMES))
}

/// Adds why an autoscaler does not help, in its own words.
fn without_help(world: &World, finding: Finding, p: &Pending<'_>) -> Finding {
    let refuses = |e: &&SeenEvent| {
        e.reason == "NotTriggerScaleUp" || e.reason == "FailedScheduling" && e.component == "karpenter"
    };
    match world.events.about(&p.pod.uid).filter(refuses).max_by_key(|e| (world.event_last(e), e.at)) {
        Some(e) => finding.proven_by(e.reason.clone(), excerpt(&e.message), e.at, &Source::api("events")),
        None => finding,
    }
}

/// What the scheduler says, where our count finds otherwise: it may count what we do not, so this is weak. Words that
/// nobody knows are told as they are.
fn in_the_scheduler_s_words(world: &World, p: &Pending<'_>) -> Finding {
    let said = text::scheduling_failure(placement::message(p.pod));
    let confidence = match said {
        Some(said) if said.weight >= Weight::Strong => 0.6,
        Some(_) => 0.45,
        None => 0.4,
    };
    let cause = said.and_then(|s| s.cause).unwrap_or(Cause::PlacementConstraint);
    let claims = p.pod.claims.iter().filter(|_| cause.control_loop() == Loop::Storage);
    let claims = claims.map(|c| Subject::new("PersistentVolumeClaim", &p.pod.namespace, c));
    in_its_words(base(world, p, cause, confidence).about(claims), p)
}

/// Nodes have room, and what is there already keeps the pod off.
fn blocked(world: &World, p: &Pending<'_>, kind: ObstacleKind) -> Finding {
    let rooms: Vec<_> = p.open().filter_map(|r| Some((r, r.obstacle?))).collect();
    let mut kinds: Vec<ObstacleKind> = rooms.iter().map(|(_, o)| o.kind).collect();
    kinds.sort_unstable();
    let counts = kinds.chunk_by(PartialEq::eq).map(|same| format!("{} {}", same.len(), same[0].words()));
    let value = format!("of {} nodes: {}", p.rooms.len(), counts.collect::<Vec<_>>().join(", "));
    let agreed = !placement::message(p.pod).is_empty();
    let mut finding = base(world, p, kind.cause(), if agreed { 0.92 } else { 0.75 });
    if kind.cause().control_loop() == Loop::Storage {
        let claim = |c: &String| Subject::new("PersistentVolumeClaim", &p.pod.namespace, c);
        finding = finding.about(p.pod.claims.iter().map(claim));
    }
    let decisive = || rooms.iter().filter(|(_, o)| o.kind == kind);
    let finding = finding
        .about(decisive().filter_map(|(_, o)| o.holder).map(|h| pod_subject(h)))
        .about(decisive().map(|(r, _)| node_subject(&r.node.name)))
        .proven_by("nodes closed by what is there", value, p.pod.at, &Source::api("nodes"));
    in_its_words(finding, p)
}

/// What a closed node adds to the story of a pod without a place.
pub(crate) fn closed_link(predicate: Option<NodePredicate>, node: &str) -> Option<ChainLink> {
    match predicate {
        Some(NodePredicate::Down) => {
            Some(link(Cause::NodeDown, "the node is down", vec![node_subject(node)]))
        }
        Some(NodePredicate::Cordoned) => {
            Some(link(Cause::PlacementConstraint, "the node is cordoned", vec![node_subject(node)]))
        }
        _ => None,
    }
}

/// The end of every such story.
pub(crate) fn pending_link(p: &Pending<'_>) -> ChainLink {
    link(Cause::PlacementConstraint, "the pod is Pending", vec![pod_subject(p.pod)])
}

fn base(world: &World, p: &Pending<'_>, cause: Cause, confidence: f64) -> Finding {
    let pod = p.pod;
    let since = world.since(pod, &Fact::Unscheduled);
    let mut finding = Finding::new(cause, confidence, since).about([pod_subject(pod)]);
    finding.subjects.extend(pod.owner.clone());
    finding
}

/// Adds for which node others were to give way, where they are still there.
fn not_given_way(world: &World, finding: Finding, pod: &Seen<Pod>) -> Finding {
    let Some(node) = &pod.constraints.nominated else { return finding };
    let stays = |p: &&Seen<Pod>| p.node.as_ref() == Some(node);
    let stay: Vec<_> = world.pods.by(&Key::Leaving).filter(stays).collect();
    let Some(first) = stay.first() else { return finding };
    let value = format!("{} pods on {node} are being deleted and do not go", stay.len());
    finding.about(stay.iter().map(|p| pod_subject(p))).about([node_subject(node)]).proven_by(
        "nominated node",
        value,
        first.since(&Fact::Deleting),
        &Source::api("pods"),
    )
}

/// Adds what the scheduler said, as the last of the evidence.
fn in_its_words(finding: Finding, p: &Pending<'_>) -> Finding {
    let said = excerpt(placement::message(p.pod));
    finding.proven_by("PodScheduled=False", said, p.pod.at, &Source::api("pods"))
}

/// How an evidence names what pods may still ask for, node by node.
const FREE: &str = "free requests by node";

fn use_of(node: &str) -> String {
    format!("real use of {node}")
}

/// The number that the evidence of that name is about, in a finding about these subjects.
pub(crate) fn measure(world: &World, signal: &str, source: &Source, about: &[Subject]) -> Option<Measure> {
    if signal == FREE {
        return free(world, about);
    }
    let node = source.as_str().strip_prefix("metrics:kubelet/").filter(|node| signal == use_of(node))?;
    used(world, node).map(|(share, _)| Measure::new("share of its CPU", "%", share))
}

/// The CPU that is free on the emptiest of these nodes, held to what the waiting pod asks for; nothing where it is another
/// resource that the pod lacks.
fn free(world: &World, about: &[Subject]) -> Option<Measure> {
    let free = |node: &Seen<Node>| {
        let none = Resources::default();
        node.allocatable.clone().minus(world.pods.load(&node.name).unwrap_or(&none))
    };
    let nodes = about.iter().filter(|s| s.kind == "Node").filter_map(|s| world.nodes.find("", &s.name));
    let rooms: Vec<Resources> = nodes.map(free).collect();
    let most = rooms.iter().map(|r| r.cpu_millis).max()?;
    let measure = Measure::new("free CPU on the emptiest", "m", float(most));
    let pods = about.iter().filter(|s| s.kind == "Pod");
    let mut waiting =
        pods.filter_map(|s| world.pods.find(&s.namespace, &s.name)).filter(|p| p.node.is_none());
    let Some(wanted) = waiting.next().map(|p| &p.requests) else { return Some(measure) };
    let lacks_other = most >= wanted.cpu_millis && !rooms.iter().any(|r| r.covers(wanted));
    (!lacks_other).then(|| measure.held_to(float(wanted.cpu_millis)))
}

fn fragmented(world: &World, p: &Pending<'_>) -> Finding {
    let usable: Vec<_> = p.open().filter(|r| r.volumes_here).collect();
    let sum: Resources = usable.iter().map(|r| &*r.free).sum();
    let (wanted, none) = (&p.pod.requests, Resources::default());
    let emptiest = usable.iter().map(|r| &*r.free).max_by_key(|f| share(f, wanted)).unwrap_or(&none);
    let value = format!(
        "wanted {}; free in sum {}, on the emptiest node {}",
        amount(wanted, wanted),
        amount(&sum, wanted),
        amount(emptiest, wanted)
    );
    let says = text::says_insufficient(placement::message(p.pod));
    let confidence = if says { 0.96 } else { 0.8 };
    let mut finding = base(world, p, Cause::Fragmentation, confidence)
        .about(usable.iter().map(|r| node_subject(&r.node.name)))
        .proven_by(FREE, value, p.pod.at, &Source::api("nodes"));
    for room in usable.iter().take(MOST_LINKS) {
        if let Some((used, source)) = used(world, &room.node.name) {
            let signal = use_of(&room.node.name);
            let (asked, real) = (asked_share(room.node, &room.free), used);
            let value = format!("{asked:.0} % of CPU requested, {real:.0} % used");
            finding = finding.proven_by(signal, value, world.now(), &source);
        }
    }
    in_its_words(finding, p)
}

/// How much of what is wanted is there, in thousandths, of the scarcest resource.
fn share(free: &Resources, wanted: &Resources) -> u64 {
    let part = |(name, want): (&str, u64)| free.get(name).saturating_mul(1000).checked_div(want);
    wanted.iter().filter_map(part).min().unwrap_or(u64::MAX)
}

fn asked_share(node: &Node, free: &Resources) -> f64 {
    let all = node.allocatable.cpu_millis.max(1);
    100.0 - 100.0 * float(free.cpu_millis) / float(all)
}

/// Percent of the node's CPU that is really used.
fn used(world: &World, node: &str) -> Option<(f64, Source)> {
    let (at, usage) = world.telemetry.usage.get(node)?.last()?;
    let all = world.nodes.find("", node)?.allocatable.cpu_millis.max(1);
    (world.age(*at) < 120.0)
        .then(|| (100.0 * float(usage.cpu_millis) / float(all), Source::metrics(&format!("kubelet/{node}"))))
}

fn exhausted(world: &World, p: &Pending<'_>) -> Finding {
    let wanted = &p.pod.requests;
    let usable: Vec<_> = p.open().filter(|r| r.volumes_here).collect();
    let sum: Resources = usable.iter().map(|r| &*r.free).sum();
    let value = format!("wanted {}; free in sum {}", amount(wanted, wanted), amount(&sum, wanted));
    let finding = base(world, p, Cause::Exhaustion, 0.9)
        .about(usable.iter().map(|r| node_subject(&r.node.name)))
        .proven_by(FREE, value, world.now().min(p.pod.at), &Source::api("nodes"));
    in_its_words(finding, p)
}

fn excluded(world: &World, p: &Pending<'_>) -> Finding {
    let mut counts = [0_usize; 4];
    for room in p.rooms.iter() {
        match room.predicate {
            Some(NodePredicate::Unwanted) => counts[0] += 1,
            Some(NodePredicate::Tainted) => counts[1] += 1,
            Some(NodePredicate::Cordoned) => counts[2] += 1,
            Some(NodePredicate::Down | NodePredicate::Starting) => counts[3] += 1,
            None => {}
        }
    }
    let [unwanted, tainted, cordoned, down] = counts;
    let value = format!(
        "of {} nodes: {unwanted} by selector or affinity, {tainted} by taint, {cordoned} cordoned, {down} not ready",
        p.rooms.len()
    );
    let peers = p.open().next().is_some();
    let mut finding = base(world, p, Cause::PlacementConstraint, if peers { 0.8 } else { 0.92 }).proven_by(
        "nodes excluded",
        value,
        world.now().min(p.pod.at),
        &Source::api("nodes"),
    );
    for room in p.rooms.iter().filter(|r| r.predicate == Some(NodePredicate::Cordoned)) {
        finding.add_subject(node_subject(&room.node.name));
    }
    in_its_words(finding, p)
}

fn all_down(world: &World, p: &Pending<'_>) -> Finding {
    let down: Vec<_> = p.rooms.iter().filter(|r| r.predicate == Some(NodePredicate::Down)).collect();
    let names: Vec<_> = down.iter().map(|r| node_subject(&r.node.name)).collect();
    let mut finding = base(world, p, Cause::NodeDown, 0.9).about(names);
    if let Some(first) = down.first() {
        let (value, at) =
            (format!("Ready={}", first.node.ready), world.since(first.node, &Fact::NodeNotReady));
        finding = finding.proven_by(format!("node {}", first.node.name), value, at, &Source::api("nodes"));
    }
    in_its_words(finding, p)
}
