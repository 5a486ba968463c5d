//! What kubelets say: of sandboxes that they cannot make, of pods that they give up, and of nodes that run short.

use crate::{
    compute::CNI,
    finding::{Finding, Findings, excerpt, node_subject, pod_subject},
    text::{self, Said},
    unwell::Unwell,
    world::{Key, Seen, SeenEvent, World, age},
};
use loopdrill_model::{Cause, Loop, Source, Subject, Timestamp, signal::*};

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    sandboxes(world, unwell, found);
    unkilled(world, found);
    given_up(world, unwell, found);
    conditions(world, found);
}

/// Whether the pod has a node and none of its containers has come further than to wait.
pub(crate) fn is_being_created(pod: &Pod) -> bool {
    pod.node.is_some()
        && !pod.deleting
        && pod.phase == "Pending"
        && !pod.containers.is_empty()
        && pod.containers.iter().all(|c| matches!(c.state, ContainerState::Waiting { .. }))
}

/// Seconds for which what a kubelet says of a pod counts: it pauses for two minutes between tries, and where it has said
/// the same often it says so again after five.
const KUBELET_PAUSE: f64 = 400.0;

/// When an event of such a reason last happened to the pod.
pub(crate) fn last_of(world: &World, pod: &Pod, is: impl Fn(&str) -> bool) -> Option<Timestamp> {
    world.events.about(&pod.uid).filter(|e| is(&e.reason)).map(|e| world.event_last(e)).max()
}

/// The events of such reasons about the pod that stand: they are recent, and the pod has come no further since.
pub(crate) fn standing<'w>(
    world: &'w World,
    pod: &Pod,
    is: impl Fn(&str) -> bool + 'w,
) -> impl Iterator<Item = &'w SeenEvent> {
    let further = last_of(world, pod, |r| matches!(r, "Pulling" | "Pulled" | "Created" | "Started"));
    world.events.about(&pod.uid).filter(move |e| {
        is(&e.reason)
            && world.is_recent(e, KUBELET_PAUSE)
            && further.is_none_or(|at| at <= world.event_last(e))
    })
}

/// Since when it is as `event` says: since one of the others, where that is well before it. A kubelet tells of some tries
/// in one event that is counted, and of others each in its own.
pub(crate) fn troubled_since<'w>(
    world: &World,
    event: &SeenEvent,
    others: impl Iterator<Item = &'w SeenEvent>,
) -> Timestamp {
    let since = world.event_began(event);
    let first = others.map(|e| world.event_began(e)).min().unwrap_or(since);
    if age(since, first) > AT_ONCE { first } else { since }
}

/// Seconds within which events are of one try.
const AT_ONCE: f64 = 5.0;

/// Seconds for which sandboxes must fail: a network plugin that starts takes as long.
const STARTING: f64 = 30.0;

fn is_sandbox(reason: &str) -> bool {
    matches!(reason, "FailedCreatePodSandBox" | "FailedCreatePodSandbox" | "NetworkNotReady")
}

/// Pods whose sandbox or network is not made, again and again.
fn sandboxes(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for pod in unwell.that(|p| is_being_created(p)) {
        let tries: u32 = standing(world, pod, is_sandbox).map(|e| e.count).sum();
        let told = standing(world, pod, is_sandbox)
            .filter_map(|e| Some((text::sandbox_failure(&e.reason, &e.message)?, e)))
            .max_by_key(|((_, said), e)| (*said, world.event_last(e), e.at));
        let Some(((cause, said), event)) = told.filter(|_| tries >= 2) else { continue };
        let since = troubled_since(world, event, standing(world, pod, is_sandbox));
        let patience = if said == Said::Clearly { STARTING } else { 2.0 * STARTING };
        let node = pod.node.as_deref().unwrap_or_default();
        if !found.lasts(since, patience) || world.ready_for(node) < STARTING {
            continue;
        }
        let confidence = match said {
            Said::Clearly => 0.92,
            Said::InPassing => 0.75,
            Said::Vaguely => 0.55,
        };
        let finding = Finding::new(cause, confidence, since)
            .about([pod_subject(pod), node_subject(node)])
            .proven_by(event.reason.clone(), excerpt(&event.message), event.at, &Source::api("events"));
        found.add(group(cause, node), finding);
    }
}

/// The network plugin is one, and so is its account; a runtime and a disk are one a node.
fn group(cause: Cause, node: &str) -> String {
    match cause.control_loop() {
        Loop::Compute => format!("node/{node}"),
        _ => CNI.into(),
    }
}

/// Seconds for which a pod must refuse to end: its containers may take their time.
const LINGERING: f64 = 120.0;

/// Pods that are deleted and whose sandbox or containers cannot be ended.
fn unkilled(world: &World, found: &mut Findings<'_>) {
    const KILLING: &str = "FailedKillPod";
    for pod in world.pods_told_of(KILLING).filter(|p| p.deleting) {
        let told = world.events.about(&pod.uid).filter(|e| e.reason == KILLING && e.count >= 3);
        let Some(event) = told.max_by_key(|e| (world.event_last(e), e.at)) else { continue };
        let since = world.event_began(event);
        if !world.is_recent(event, KUBELET_PAUSE) || !found.lasts(since, LINGERING) {
            continue;
        }
        let known = text::sandbox_failure(KILLING, &event.message);
        let (cause, said) = known.unwrap_or((Cause::RuntimeFailing, Said::Vaguely));
        let node = pod.node.as_deref().unwrap_or_default();
        let finding = Finding::new(cause, if said == Said::Clearly { 0.85 } else { 0.6 }, since)
            .about([pod_subject(pod), node_subject(node)])
            .proven_by(KILLING, excerpt(&event.message), event.at, &Source::api("events"));
        found.add(group(cause, node), finding);
    }
}

/// Seconds for which a pod that was given up counts.
const GIVEN_UP: f64 = 600.0;

/// Pods that their kubelet gave up, where that goes on: the node is still short, or it happens again, or the pod is missed.
fn given_up(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    let over = |p: &'_ Seen<Pod>| {
        let why = p.given_up.as_ref().filter(|_| p.phase == "Failed" && !p.deleting)?;
        let cause = text::giving_up(&why.reason, &why.message)?;
        let at = given_up_at(world, p, &why.reason);
        (world.age(at) < GIVEN_UP).then_some((cause, at))
    };
    let all: Vec<_> = unwell.pods.iter().filter_map(|p| Some((*p, over(p)?))).collect();
    for (pod, (cause, at)) in &all {
        let again = || all.iter().filter(|(p, (c, _))| c == cause && same_root(*cause, p, pod)).count() >= 2;
        let short =
            || *cause == Cause::NodePressure && pod.node.as_deref().is_some_and(|n| is_short(world, n));
        if !(short() || again() || is_missed(world, pod)) {
            continue;
        }
        let why = pod.given_up.as_ref().map(|w| (w.reason.clone(), excerpt(&w.message))).unwrap_or_default();
        let node = pod.node.as_deref().unwrap_or_default();
        let finding = Finding::new(*cause, 0.9, *at)
            .about([pod_subject(pod)])
            .about(pod.owner.clone())
            .about((!node.is_empty()).then(|| node_subject(node)))
            .proven_by(format!("pod {}", why.0), why.1, *at, &Source::api("pods"));
        let group =
            if is_of_node(*cause) { format!("node/{node}") } else { format!("{}/given-up", pod.namespace) };
        found.add(group, finding);
    }
}

fn is_of_node(cause: Cause) -> bool {
    matches!(cause, Cause::NodePressure | Cause::DeviceUnavailable)
}

/// Two pods that were given up for one reason: on one node, or of one owner.
fn same_root(cause: Cause, a: &Pod, b: &Pod) -> bool {
    if is_of_node(cause) { a.node == b.node } else { a.owner.is_some() && a.owner == b.owner }
}

/// When the pod was given up: by its event, or by its own last change, or at the earliest when it was made.
fn given_up_at(world: &World, pod: &Seen<Pod>, reason: &str) -> Timestamp {
    let told = last_of(world, pod, |r| r == reason);
    let own = pod.unready_since.unwrap_or(pod.created_at);
    told.unwrap_or_else(|| world.began(pod.first_at, Some(own)))
}

fn is_short(world: &World, node: &str) -> bool {
    world.nodes.find("", node).is_some_and(|n| n.troubles.iter().any(|t| t.kind.ends_with("Pressure")))
}

/// Whether nobody has taken the pod's place: it has no owner, or that one has fewer pods than it wants.
fn is_missed(world: &World, pod: &Pod) -> bool {
    let Some(owner) = &pod.owner else { return true };
    world.controller_of(pod, owner).is_some_and(|c| c.ready < c.desired)
}

/// Seconds for which a node must be short: a kubelet that frees space does so in less.
const SHORT: f64 = 15.0;

/// Conditions of nodes that say something is wrong, of the kubelet and of the node problem detector.
fn conditions(world: &World, found: &mut Findings<'_>) {
    for node in world.nodes.by(&Key::Unwell) {
        for trouble in &node.troubles {
            let Some(cause) = condition_cause(&trouble.kind) else { continue };
            let since = world.began(node.first_at, trouble.since);
            // A cloud that has just made a node has not made its routes yet.
            let patience = if cause == Cause::CniFailed { 4.0 * SHORT } else { SHORT };
            if !found.lasts(since, patience) {
                continue;
            }
            let value = format!("{} ({})", trouble.reason, excerpt(&trouble.message));
            let signal = format!("node {} {}", node.name, trouble.kind);
            let finding = Finding::new(cause, 0.85, since)
                .about([Subject::new("Node", "", &node.name)])
                .proven_by(signal, value, node.at, &Source::api("nodes"));
            found.add(
                if cause == Cause::CniFailed { CNI.into() } else { format!("node/{}", node.name) },
                finding,
            );
        }
    }
}

fn condition_cause(kind: &str) -> Option<Cause> {
    match kind {
        "DiskPressure" | "MemoryPressure" | "PIDPressure" => Some(Cause::NodePressure),
        "NetworkUnavailable" => Some(Cause::CniFailed),
        "KernelDeadlock" | "ReadonlyFilesystem" => Some(Cause::RuntimeFailing),
        _ => None,
    }
}
