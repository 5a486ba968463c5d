//! Compute: no node has room, none is allowed, a quota refuses, a node is down, memory is not enough.

mod unplaced;

pub(crate) use unplaced::{MOST_LINKS, closed_link, measure, pending_link};

use crate::{
    finding::{Finding, Findings, PROVEN, excerpt, node_subject, pod_subject},
    placement::{self, Pending},
    text,
    unwell::Unwell,
    world::{Fact, Key, Seen, SeenEvent, World},
};
use loopdrill_model::{Cause, Source, Subject, Timestamp, signal::*};

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, pending: &[Pending<'_>], found: &mut Findings<'_>) {
    unplaced::look(world, pending, found);
    nodes_down(world, found);
    refused_pods(world, found);
    out_of_memory(unwell, found);
}

/// The group of all that the network plugin fails to do: it is one, wherever it shows.
pub(crate) const CNI: &str = "cni";

fn nodes_down(world: &World, found: &mut Findings<'_>) {
    let unready = |n: &&Seen<Node>| n.ready != "True" && !placement::is_starting(world, n);
    for node in world.nodes.by(&Key::Unwell).filter(unready) {
        let since = world.since(node, &Fact::NodeNotReady);
        if is_taken_away(node) && world.age(since) < LEAVES {
            continue;
        }
        // A kubelet that restarts says False for some seconds; one that is silent is past all grace.
        let silent = node.ready == "Unknown";
        if !silent && !found.lasts(since, 15.0) {
            continue;
        }
        let here = |p: &&Seen<Pod>| p.phase != "Succeeded";
        let said = if silent { None } else { text::not_ready(&node.ready_message) };
        let value = match node.ready_message.as_str() {
            "" => format!("Ready={} ({})", node.ready, node.ready_reason),
            words => format!("Ready={} ({}): {}", node.ready, node.ready_reason, excerpt(words)),
        };
        let unanswered = if silent { unanswered_probes(world, &node.name) } else { None };
        let confidence = match (silent, unanswered) {
            (true, Some(_)) => 0.97,
            (true, None) => 0.93,
            (false, _) if said.is_some() => 0.9,
            (false, _) => 0.6,
        };
        let mut finding = Finding::new(said.unwrap_or(Cause::NodeDown), confidence, since)
            .about([node_subject(&node.name)])
            .about(world.pods_on(&node.name).filter(here).map(|p| pod_subject(p)))
            .proven_by(format!("node {}", node.name), value, node.at, &Source::api("nodes"));
        if let Some(asked) = unanswered {
            finding.gone = true;
            let source = Source::other("probes");
            let value = format!("none of {asked} within {SILENCE} s or more");
            finding = finding.proven_by("probes that the machine answers", value, world.now(), &source);
        } else if silent && world.is_out_of_reach(&node.name) && !is_probed(world, &node.name) {
            finding.gone = true;
            let (source, value) = (Source::node(&node.name), "none, and to other nodes there is one");
            finding =
                finding.proven_by("a way to the machine, beside its kubelet", value, world.now(), &source);
        }
        found.add(
            if said == Some(Cause::CniFailed) { CNI.into() } else { format!("node/{}", node.name) },
            finding,
        );
    }
}

/// Seconds that a node's object may outlive its machine.
const LEAVES: f64 = 300.0;

/// Whether an autoscaler says that it takes the node away.
fn is_taken_away(node: &Node) -> bool {
    const TAINTS: &[&str] =
        &["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"];
    node.taints.iter().any(|t| TAINTS.contains(&t.key.as_str()))
}

/// Whether other nodes know a pod there that answers probes.
fn is_probed(world: &World, node: &str) -> bool {
    world.probes.paths().any(|(path, _)| path.to == node && path.from != node)
}

/// How many probes of healthy nodes the node left without answer lately; nothing when it answered one. A node that
/// answers none is gone as a machine; otherwise only its kubelet may be silent.
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
    for controller in world.controllers.by(&Key::Unwell).filter(|c| c.ready < c.desired) {
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
        finding.said_why = text::is_of_a_certificate(&message);
        if cause == Cause::QuotaExceeded {
            let quotas = world.quotas.by(&Key::Namespace(controller.namespace.clone()));
            finding = finding.about(quotas.map(|q| Subject::new("ResourceQuota", &q.namespace, &q.name)));
        }
        found.add(format!("{}/refused", controller.namespace), finding);
    }
}

type Refusal = (Cause, String, Timestamp, Timestamp);

fn refusal(world: &World, controller: &Seen<Controller>) -> Option<Refusal> {
    let trouble = controller.troubles.iter().find(|(_, reason, _)| reason == "FailedCreate");
    if let Some((kind, reason, message)) = trouble {
        let cause = text::create_failure(message)?;
        let seen = controller.since(&Fact::trouble(kind, reason));
        // The condition has no time here, but the events of it have.
        let own = refusals(world, controller).filter_map(|e| e.event.first_at).min();
        let since = if seen == controller.first_at { world.began(seen, own) } else { seen };
        return Some((cause, message.clone(), since, controller.at));
    }
    let fresh = refusals(world, controller).filter(|e| is_unanswered(world, controller, e));
    let latest = fresh.max_by_key(|e| (world.event_last(e), e.at))?;
    Some((
        text::create_failure(&latest.message)?,
        latest.message.clone(),
        world.event_began(latest),
        latest.at,
    ))
}

fn refusals<'w>(world: &'w World, controller: &'w Controller) -> impl Iterator<Item = &'w SeenEvent> {
    world.events.about(&controller.uid).filter(|e| e.reason == "FailedCreate")
}

/// Seconds for which a refusal counts that was not followed by a pod: controllers pause for up to a quarter of an hour.
const CONTROLLER_PAUSE: f64 = 1000.0;

/// Whether the refusal is fresh, or the last that was heard: no pod of the controller has come into being since.
fn is_unanswered(world: &World, controller: &Controller, refusal: &SeenEvent) -> bool {
    let last = world.event_last(refusal);
    let itself = Subject::new(&controller.kind, &controller.namespace, &controller.name);
    let answered = || world.pods_of(&itself).any(|p| world.local(p.created_at) > last);
    world.is_recent(refusal, 60.0) || world.is_recent(refusal, CONTROLLER_PAUSE) && !answered()
}

/// Whether the namespace has a quota at all now: its refusals outlive it in texts.
fn quota_stands(world: &World, namespace: &str) -> bool {
    !world.listed(&["resourcequotas"]) || world.quotas.count(&Key::Namespace(namespace.to_owned())) > 0
}

fn out_of_memory(unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for crash in unwell.crashes.iter().filter(|c| c.out_of_memory()) {
        let limit = crash.container.memory_limit_bytes;
        let value = match limit {
            Some(bytes) => format!("OOMKilled at a limit of {} MiB, {}", bytes >> 20, crash.times()),
            None => format!("OOMKilled without a limit of its own, {}", crash.times()),
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
