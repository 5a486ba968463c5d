//! Compute: no node has room, none is allowed, a quota refuses, a node is down, memory is not enough.

use crate::{
    crash::crashes,
    finding::{Finding, Findings, PROVEN, excerpt, link, node_subject, pod_subject},
    placement::{self, Barrier, Hindrance, Pending, amount},
    text,
    world::{Seen, World, float},
};
use loopdrill_model::{Cause, ChainLink, Source, Subject, Timestamp, signal::*};

pub(crate) fn look(world: &World, pending: &[Pending<'_>], found: &mut Findings<'_>) {
    for p in pending {
        unplaced(world, p, found);
    }
    nodes_down(world, found);
    refused_pods(world, found);
    out_of_memory(world, found);
}

fn unplaced(world: &World, p: &Pending<'_>, found: &mut Findings<'_>) {
    let since = p.pod.since("unscheduled");
    let finding = match p.hindrance {
        Hindrance::Fragmented if found.lasts(since, PROVEN) => fragmented(world, p),
        Hindrance::Exhausted if found.lasts(since, PROVEN) => exhausted(world, p),
        Hindrance::Excluded if found.lasts(since, if p.open().next().is_some() { 2.0 } else { PROVEN }) => {
            excluded(world, p)
        }
        Hindrance::NodesDown if found.lasts(since, PROVEN) => all_down(p),
        Hindrance::InMotion | Hindrance::Unclear => {
            found.lasts(since, 60.0);
            return;
        }
        _ => return,
    };
    let chain = p.rooms.iter().filter_map(|r| closed_link(r.barrier, &r.node.name));
    let has_room_closed = matches!(p.hindrance, Hindrance::Fragmented | Hindrance::Exhausted);
    let mut chain: Vec<ChainLink> = if has_room_closed { chain.collect() } else { Vec::new() };
    if !chain.is_empty() {
        chain.push(pending_link(p));
    }
    found.add(format!("{}/unplaced", p.pod.namespace), finding.leading_to(chain));
}

/// What a closed node adds to the story of a pod without a place.
pub(crate) fn closed_link(barrier: Option<Barrier>, node: &str) -> Option<ChainLink> {
    match barrier {
        Some(Barrier::Down) => Some(link(Cause::NodeDown, "the node is down", vec![node_subject(node)])),
        Some(Barrier::Cordoned) => {
            Some(link(Cause::PlacementConstraint, "the node is cordoned", vec![node_subject(node)]))
        }
        _ => None,
    }
}

/// The end of every such story.
pub(crate) fn pending_link(p: &Pending<'_>) -> ChainLink {
    link(Cause::PlacementConstraint, "the pod is Pending", vec![pod_subject(p.pod)])
}

fn base(p: &Pending<'_>, cause: Cause, confidence: f64) -> Finding {
    let pod = p.pod;
    let mut finding = Finding::new(cause, confidence, pod.since("unscheduled")).about([pod_subject(pod)]);
    finding.subjects.extend(pod.owner.clone());
    finding
}

/// Adds what the scheduler said, as the last of the evidence.
fn in_its_words(finding: Finding, p: &Pending<'_>) -> Finding {
    let said = excerpt(placement::message(p.pod));
    finding.proven_by("PodScheduled=False", said, p.pod.at, &Source::api("pods"))
}

fn fragmented(world: &World, p: &Pending<'_>) -> Finding {
    let usable: Vec<_> = p.open().filter(|r| r.volumes_here).collect();
    let sum = usable.iter().fold(Resources::default(), |sum, r| placement::plus(sum, r.free));
    let wanted = p.pod.requests;
    let tightest = usable.iter().map(|r| r.free).max_by_key(|f| share(*f, wanted)).unwrap_or_default();
    let value = format!(
        "wanted {}; free in sum {}, on the emptiest node {}",
        amount(wanted),
        amount(sum),
        amount(tightest)
    );
    let says = text::says_insufficient(placement::message(p.pod));
    let confidence = if says { 0.96 } else { 0.8 };
    let mut finding = base(p, Cause::Fragmentation, confidence)
        .about(usable.iter().map(|r| node_subject(&r.node.name)))
        .proven_by("free requests by node", value, p.pod.at, &Source::api("nodes"));
    for room in &usable {
        if let Some((used, source)) = used(world, &room.node.name) {
            let signal = format!("real use of {}", room.node.name);
            let (asked, real) = (asked_share(room.node, room.free), used);
            let value = format!("{asked:.0} % of CPU requested, {real:.0} % used");
            finding = finding.proven_by(signal, value, world.now(), &source);
        }
    }
    in_its_words(finding, p)
}

/// How much of what is wanted is there, in thousandths, of the scarcest resource.
fn share(free: Resources, wanted: Resources) -> u64 {
    let part = |have: u64, want: u64| have.saturating_mul(1000).checked_div(want).unwrap_or(u64::MAX);
    part(free.cpu_millis, wanted.cpu_millis).min(part(free.memory_bytes, wanted.memory_bytes))
}

fn asked_share(node: &Node, free: Resources) -> f64 {
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
    let usable: Vec<_> = p.open().filter(|r| r.volumes_here).collect();
    let sum = usable.iter().fold(Resources::default(), |sum, r| placement::plus(sum, r.free));
    let value = format!("wanted {}; free in sum {}", amount(p.pod.requests), amount(sum));
    let finding = base(p, Cause::Exhaustion, 0.9)
        .about(usable.iter().map(|r| node_subject(&r.node.name)))
        .proven_by("free requests by node", value, world.now().min(p.pod.at), &Source::api("nodes"));
    in_its_words(finding, p)
}

fn excluded(world: &World, p: &Pending<'_>) -> Finding {
    let mut counts = [0_usize; 4];
    for room in &p.rooms {
        match room.barrier {
            Some(Barrier::Unwanted) => counts[0] += 1,
            Some(Barrier::Tainted) => counts[1] += 1,
            Some(Barrier::Cordoned) => counts[2] += 1,
            Some(Barrier::Down | Barrier::Starting) => counts[3] += 1,
            None => {}
        }
    }
    let [unwanted, tainted, cordoned, down] = counts;
    let value = format!(
        "of {} nodes: {unwanted} by selector or affinity, {tainted} by taint, {cordoned} cordoned, {down} not ready",
        p.rooms.len()
    );
    let peers = p.open().next().is_some();
    let mut finding = base(p, Cause::PlacementConstraint, if peers { 0.8 } else { 0.92 }).proven_by(
        "nodes excluded",
        value,
        world.now().min(p.pod.at),
        &Source::api("nodes"),
    );
    for room in p.rooms.iter().filter(|r| r.barrier == Some(Barrier::Cordoned)) {
        finding.add_subject(node_subject(&room.node.name));
    }
    in_its_words(finding, p)
}

fn all_down(p: &Pending<'_>) -> Finding {
    let down: Vec<_> = p.rooms.iter().filter(|r| r.barrier == Some(Barrier::Down)).collect();
    let names: Vec<_> = down.iter().map(|r| node_subject(&r.node.name)).collect();
    let mut finding = base(p, Cause::NodeDown, 0.9).about(names);
    if let Some(first) = down.first() {
        let (value, at) = (format!("Ready={}", first.node.ready), first.node.since("down"));
        finding = finding.proven_by(format!("node {}", first.node.name), value, at, &Source::api("nodes"));
    }
    in_its_words(finding, p)
}

fn nodes_down(world: &World, found: &mut Findings<'_>) {
    for node in world.nodes.iter().filter(|n| n.ready != "True" && !placement::is_starting(world, n)) {
        let since = node.since("down");
        // A kubelet that restarts says False for some seconds; one that is silent is past all grace.
        let silent = node.ready == "Unknown";
        if !silent && !found.lasts(since, 15.0) {
            continue;
        }
        let here = |p: &&Seen<Pod>| p.node.as_ref() == Some(&node.name) && p.phase != "Succeeded";
        let value = format!("Ready={} ({})", node.ready, node.ready_reason);
        let unanswered = if silent { unanswered_probes(world, &node.name) } else { None };
        let confidence = match (silent, unanswered) {
            (true, Some(_)) => 0.97,
            (true, None) => 0.93,
            (false, _) => 0.6,
        };
        let mut finding = Finding::new(Cause::NodeDown, confidence, since)
            .about([node_subject(&node.name)])
            .about(world.pods.iter().filter(here).map(|p| pod_subject(p)))
            .proven_by(format!("node {}", node.name), value, node.at, &Source::api("nodes"));
        if let Some(asked) = unanswered {
            finding.gone = true;
            let source = Source::other("probes");
            let value = format!("none of {asked} within {SILENCE} s or more");
            finding = finding.proven_by("probes that the machine answers", value, world.now(), &source);
        }
        found.add(format!("node/{}", node.name), finding);
    }
}

/// How often the node was asked lately by others that are well, when it never answered: then its machine is gone,
/// and not only its kubelet silent.
fn unanswered_probes(world: &World, node: &str) -> Option<usize> {
    let paths = world.probes.paths().filter(|(path, _)| {
        path.to == node
            && path.from != node
            && path.path != ProbePath::Dns
            && world.ready_for(&path.from) > 0.0
    });
    let lately = |at: Timestamp| world.age(at) < 3.0 * SILENCE;
    let answers =
        paths.flat_map(|(_, sizes)| sizes.values()).flat_map(|s| s.iter()).filter(|(at, _)| lately(*at));
    let (passed, missed): (Vec<_>, Vec<_>) =
        answers.partition(|(_, answer)| matches!(answer, ProbeResult::Passed { .. }));
    let heard = passed.iter().map(|(at, _)| *at).max();
    if heard.is_some_and(|at| world.age(at) < SILENCE) {
        return None;
    }
    // When we were slow to ask, its silence has not ended.
    let asked = missed.iter().filter(|(at, _)| heard.is_none_or(|heard| *at > heard)).count();
    (asked >= 3).then_some(asked)
}

/// Seconds without any answer after which a machine counts as gone.
const SILENCE: f64 = 10.0;

/// Pods that a controller could not even create: the refusal's text says whose fault that is.
fn refused_pods(world: &World, found: &mut Findings<'_>) {
    for controller in world.controllers.iter().filter(|c| c.ready < c.desired) {
        let Some((cause, message, since, at)) = refusal(world, controller) else { continue };
        if cause == Cause::QuotaExceeded && !quota_stands(world, &controller.namespace) {
            continue;
        }
        if !found.lasts(since, PROVEN) {
            continue;
        }
        let confidence = if cause == Cause::BadConfiguration { 0.8 } else { 0.94 };
        let source = Source::api("events");
        let mut finding = Finding::new(cause, confidence, since)
            .about([Subject::new(&controller.kind, &controller.namespace, &controller.name)])
            .about(controller.owner.clone())
            .proven_by(format!("{} FailedCreate", controller.kind), excerpt(&message), at, &source);
        if cause == Cause::QuotaExceeded {
            let quotas = world.quotas.iter().filter(|q| q.namespace == controller.namespace);
            finding = finding.about(quotas.map(|q| Subject::new("ResourceQuota", &q.namespace, &q.name)));
        }
        found.add(format!("{}/refused", controller.namespace), finding);
    }
}

type Refusal = (Cause, String, loopdrill_model::Timestamp, loopdrill_model::Timestamp);

fn refusal(world: &World, controller: &Seen<Controller>) -> Option<Refusal> {
    let trouble = controller.troubles.iter().find(|(_, reason, _)| reason == "FailedCreate");
    if let Some((kind, reason, message)) = trouble {
        let cause = text::create_failure(message)?;
        return Some((cause, message.clone(), controller.since(&format!("{kind}/{reason}")), controller.at));
    }
    let recent = |at: loopdrill_model::Timestamp| world.age(at) < 60.0;
    let events = world.events.about(&controller.uid).filter(|e| e.reason == "FailedCreate");
    let fresh = events.filter(|e| recent(e.last_at.map_or(e.at, |t| world.local(t))));
    let latest = fresh.max_by_key(|e| e.at)?;
    Some((text::create_failure(&latest.message)?, latest.message.clone(), latest.first_at, latest.at))
}

/// Whether the namespace has a quota at all now: its refusals outlive it in texts.
fn quota_stands(world: &World, namespace: &str) -> bool {
    !world.listed(&["resourcequotas"]) || world.quotas.iter().any(|q| q.namespace == namespace)
}

fn out_of_memory(world: &World, found: &mut Findings<'_>) {
    for crash in crashes(world).iter().filter(|c| c.out_of_memory()) {
        let limit = crash.container.memory_limit_bytes;
        let value = match limit {
            Some(bytes) => format!("OOMKilled at a limit of {} MiB, {} times", bytes >> 20, crash.deaths),
            None => format!("OOMKilled without a limit of its own, {} times", crash.deaths),
        };
        // The kernel's word does not always reach the kubelet: an end before may have been called an error.
        let told_before = crash.container.last.as_ref().is_none_or(|last| last.reason == crash.end.reason);
        let since = if told_before { crash.since } else { crash.ended_at };
        let finding =
            Finding::new(Cause::OutOfMemory, 0.97, since).about([pod_subject(crash.pod)]).proven_by(
                format!("container {} terminated", crash.container.name),
                value,
                crash.ended_at,
                &Source::api("pods"),
            );
        found.add(format!("{}/memory", crash.pod.namespace), finding);
    }
}
