//! Workload: the application itself is to blame, or what was written about it.

mod services;

use crate::{
    cloud, clues,
    compute::CNI,
    crash::Crash,
    finding::{Finding, Findings, PROVEN, excerpt, node_subject, pod_subject},
    identity,
    text::{self, Said},
    unwell::Unwell,
    world::{Fact, Seen, SeenEvent, World, age},
};
use loopdrill_model::{Cause, Loop, Source, Subject, Timestamp, metrics, signal::*};

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    bad_configuration(world, unwell, found);
    exits(world, unwell, found);
    unready(world, unwell, found);
    slow_backends(world, found);
    services::empty(world, found);
}

fn bad_configuration(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for pod in unwell.that(|p| !p.deleting) {
        for c in &pod.containers {
            let ContainerState::Waiting { reason, message } = &c.state else { continue };
            if is_configuration(reason) {
                uncreated(world, pod, c, (reason, message), found);
            }
        }
    }
    for crash in unwell.crashes.iter().filter(|c| c.never_ran()) {
        unstarted(world, crash, found);
    }
}

/// A container that could not be started. Its end has a reason without words; the kubelet's event has them.
fn unstarted(world: &World, crash: &Crash<'_>, found: &mut Findings<'_>) {
    let (pod, name) = (crash.pod, &crash.container.name);
    let told = world
        .events
        .about(&pod.uid)
        .filter(|e| e.reason == "Failed" && age(world.event_last(e), crash.ended_at).abs() < AT_ITS_END)
        .map(|e| (text::container_failure(&e.message), e))
        .filter(|((_, said), _)| *said == Said::Clearly)
        .max_by_key(|(_, e)| (world.event_last(e), e.at));
    let cause = told.as_ref().map_or(Cause::BadConfiguration, |((cause, _), _)| *cause);
    // For no reason that is told, or for one of its node's, it may have been the moment's: a runtime that has too much to
    // do. Then it runs by now, or will. Its other ends, as at its node's restarts, are none of that kind.
    let is_clear = told.is_some() && !is_of_the_node(cause);
    let lasts = match &crash.container.state {
        ContainerState::Running { .. } => false,
        _ if crash.failed_starts > 1 => true,
        ContainerState::Waiting { .. } => found.lasts(crash.ended_at, FIRST_BACK_OFF),
        ContainerState::Terminated(_) => found.lasts(crash.ended_at, UNSURE),
    };
    if !is_clear && !lasts {
        return;
    }
    let mut finding = Finding::new(cause, 0.92, crash.since).about([pod_subject(pod)]).proven_by(
        format!("container {name} could not be started"),
        crash.describe(),
        crash.ended_at,
        &Source::api("pods"),
    );
    if let Some((_, e)) = told {
        finding = finding.proven_by("Failed", excerpt(&e.message), e.at, &Source::api("events"));
    }
    match pod.node.as_deref().filter(|_| is_of_the_node(cause)) {
        Some(node) => found.add(format!("node/{node}"), finding.about([node_subject(node)])),
        None => found.add(format!("{}/configuration", pod.namespace), finding),
    }
}

/// Seconds within which a kubelet starts a container again that it could not start once: its first back-off takes ten.
const FIRST_BACK_OFF: f64 = 25.0;

/// Whether the node is to blame for a container that it does not start. A limit of memory is the container's own.
fn is_of_the_node(cause: Cause) -> bool {
    cause.control_loop() == Loop::Compute && cause != Cause::OutOfMemory
}

/// Seconds around a container's end within which what a kubelet tells is about it.
const AT_ITS_END: f64 = 120.0;

/// A container that cannot be made: by what is written about it, where the text does not blame its node or a volume.
fn uncreated(
    world: &World,
    pod: &Seen<Pod>,
    c: &Container,
    (reason, message): (&str, &str),
    found: &mut Findings<'_>,
) {
    let since = world.since(pod, &Fact::waits(&c.name, reason));
    let (cause, said) = text::container_failure(message);
    let own = cause == Cause::BadConfiguration;
    // A runtime that is busy is so for a while.
    let patience = if own { PROVEN } else { UNSURE };
    let patience = if said == Said::InPassing { WARM_UP } else { patience };
    if !found.lasts(since, patience) {
        return;
    }
    let confidence = if said == Said::InPassing { 0.75 } else { 0.94 };
    let finding = Finding::new(cause, confidence, since).about([pod_subject(pod)]).proven_by(
        format!("container {} {reason}", c.name),
        excerpt(message),
        pod.at,
        &Source::api("pods"),
    );
    match pod.node.as_deref().filter(|_| is_of_the_node(cause)) {
        Some(node) => found.add(format!("node/{node}"), finding.about([node_subject(node)])),
        None => found.add(format!("{}/configuration", pod.namespace), finding),
    }
}

fn is_configuration(reason: &str) -> bool {
    matches!(reason, "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError")
}

/// Containers that end again and again, for no reason that another loop explains.
fn exits(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for crash in &unwell.crashes {
        let other = crash.out_of_memory()
            || crash.never_ran()
            || crash.with_its_node(world)
            || world.is_control_plane(crash.pod);
        if other || identity::explained_by_past_denial(world, crash) || !repeats(world, crash) {
            continue;
        }
        let probe = killed_by_probe(world, crash);
        let patience = if probe.is_some() || stands_alone(world, crash) { PROVEN } else { UNSURE };
        // Whom we have just found so has not been listened to yet: its last words may name another.
        let unheard = crash.loops_since < crash.pod.first_at && !found.lasts(crash.pod.first_at, LISTENING);
        if unheard || !found.lasts(crash.loops_since, patience) {
            continue;
        }
        let (cause, confidence) = match (&probe, crash.end.exit_code, crash.container.has_liveness_probe) {
            (Some(_), _, _) => (Cause::ProbeFailing, 0.93),
            (None, 0, true) => (Cause::ProbeFailing, 0.6),
            (None, 0, false) => (Cause::ApplicationExit, 0.6),
            (None, 137 | 143, _) => (Cause::ApplicationExit, 0.55),
            _ => (Cause::ApplicationExit, 0.8),
        };
        let mut finding = Finding::new(cause, confidence, crash.loops_since).about([pod_subject(crash.pod)]);
        finding.subjects.extend(crash.pod.owner.clone());
        if let Some((words, at)) = probe {
            finding = finding.proven_by("Unhealthy", words, at, &Source::api("events"));
        }
        finding = crash.prove(finding);
        let last_words = clues::last_words(world, crash);
        finding.said_why = last_words.is_some_and(|said| said.clue.kind.is_of_its_own_machine());
        finding.evidence.extend(last_words.map(clues::evidence));
        // What something else explains must not be mixed with what nothing does: it becomes a step of that.
        let group = match clues::explains(world, crash) {
            true => format!("{}/explained", crash.pod.uid),
            false => format!("{}/exits", crash.pod.namespace),
        };
        found.add(group, finding);
    }
}

/// Seconds that reading a container's last words takes, and having them confirmed.
const LISTENING: f64 = 3.0;

/// Seconds for which a crash loop is not yet blamed on the application: evidence of another cause may still arrive.
const UNSURE: f64 = 5.0;

/// Whether no evidence of another cause can still arrive. Without a token, or once the API server has told since then
/// whether it refused one, it is not the token; without a cloud, or once the cloud was asked since then and let the
/// account in, it is not the cloud.
fn stands_alone(world: &World, crash: &Crash<'_>) -> bool {
    let mut told = world.telemetry.metric(&metrics::AUTHENTICATIONS).filter_map(|(_, series)| series.last());
    let (pod, since) = (crash.pod, crash.loops_since);
    match pod.cloud {
        Some(_) => cloud::clears(world, pod, since),
        None => pod.tokens.is_empty() || told.any(|(at, _)| *at > since),
    }
}

/// It ended more than once; or it failed for good, alone or with others of its Job.
pub(crate) fn repeats(world: &World, crash: &Crash<'_>) -> bool {
    if crash.pod.phase == "Failed" {
        if world.age(crash.ended_at) > HISTORY
            || crash.pod.owner.as_ref().is_some_and(|o| is_done(world, crash.pod, o))
        {
            return false;
        }
        return match &crash.pod.owner {
            None => crash.end.exit_code != 0 && !crash.killed(),
            Some(owner) => {
                let failed = |p: &&Seen<Pod>| p.phase == "Failed";
                crash.end.exit_code != 0 && world.pods_of(owner).filter(failed).nth(1).is_some()
            }
        };
    }
    crash.deaths >= 2
}

/// Seconds after which a pod that failed for good is history.
const HISTORY: f64 = 3600.0;

/// Whether the Job has what it wanted, whatever failed on the way.
fn is_done(world: &World, pod: &Pod, owner: &Subject) -> bool {
    let job = Some(owner).filter(|o| o.kind == "Job").and_then(|o| world.controller_of(pod, o));
    job.is_some_and(|c| c.desired == 0 && !c.troubles.iter().any(|(kind, ..)| kind.starts_with("Fail")))
}

/// The kubelet says that a liveness or startup probe failed shortly before.
fn killed_by_probe(world: &World, crash: &Crash<'_>) -> Option<(String, Timestamp)> {
    let says = |message: &str| {
        let m = message.to_lowercase();
        m.contains("liveness probe") || m.contains("startup probe")
    };
    let events = world.events.about(&crash.pod.uid);
    let told = events.filter(|e| matches!(e.reason.as_str(), "Unhealthy" | "Killing") && says(&e.message));
    let at_its_end = |e: &SeenEvent| age(world.event_last(e), crash.ended_at).abs() < AT_ITS_END;
    let fresh = told.filter(|e| world.is_recent(e, AT_ITS_END) || at_its_end(e));
    fresh.max_by_key(|e| (world.event_last(e), e.at)).map(|e| (excerpt(&e.message), e.at))
}

/// Seconds that a container may take from its start until it is ready.
const WARM_UP: f64 = 40.0;

/// Containers that run for a while, and that are still not ready.
pub(crate) fn unready_containers<'w>(
    world: &'w World,
    unwell: &Unwell<'w>,
) -> Vec<(&'w Seen<Pod>, &'w Container)> {
    let unready = |p: &Seen<Pod>| !p.deleting && p.phase == "Running" && !p.ready;
    // A node that comes back takes its time to say that its pods are well.
    let settled = |p: &&Seen<Pod>| {
        p.node.as_deref().is_some_and(|n| world.ready_for(n) > WARM_UP) && !world.is_control_plane(p)
    };
    let warm = |pod: &Seen<Pod>, c: &Container| match &c.state {
        ContainerState::Running { since } => {
            since.map_or_else(|| world.age(pod.first_at), |t| world.api_age(t)) >= WARM_UP
        }
        _ => false,
    };
    let pods = unwell.that(unready).filter(settled);
    let containers = pods.flat_map(|p| p.containers.iter().map(move |c| (p, c)));
    containers.filter(|(p, c)| !c.init && !c.ready && c.has_readiness_probe && warm(p, c)).collect()
}

/// Containers that run, and whose readiness probe fails for long.
fn unready(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for (pod, c) in unready_containers(world, unwell) {
        let since = world.since(pod, &Fact::Unready);
        let ContainerState::Running { since: started } = &c.state else { continue };
        let running = started.map_or_else(|| world.age(pod.first_at), |t| world.api_age(t));
        // Whom nobody watched may just be slow to start.
        let grown_up = since >= pod.first_at || running >= STUCK;
        if grown_up && found.lasts(since, 10.0) {
            unready_container(world, pod, c, since, found);
        }
    }
}

/// Seconds after which a pod that does not answer its probes is stuck, whether or not somebody asks it anything.
const STUCK: f64 = 120.0;

fn unready_container(
    world: &World,
    pod: &Seen<Pod>,
    c: &Container,
    since: Timestamp,
    found: &mut Findings<'_>,
) {
    let told = world
        .events
        .about(&pod.uid)
        .filter(|e| e.reason == "Unhealthy" && e.message.to_lowercase().contains("readiness probe"))
        .max_by_key(|e| (world.event_last(e), e.at));
    let waited = told.is_some_and(|e| text::probe_waited(&e.message));
    // That is no answer in time rather than a wrong one.
    if waited && (serves(world, pod) || !found.lasts(since, STUCK)) {
        return;
    }
    // A kubelet that cannot reach a pod of its own node is no application's fault, where that lasts.
    let lost =
        told.filter(|e| text::probe_lost(&e.message) && e.count >= UNANSWERED && world.age(since) > STUCK);
    let (cause, confidence) = match (lost, told) {
        (Some(_), _) => (Cause::CniFailed, 0.6),
        (None, Some(_)) if waited => (Cause::ProbeFailing, 0.6),
        (None, Some(_)) => (Cause::ProbeFailing, 0.85),
        (None, None) => (Cause::ProbeFailing, 0.6),
    };
    let mut finding = Finding::new(cause, confidence, since).about([pod_subject(pod)]).proven_by(
        format!("container {} runs and is not ready", c.name),
        format!("for {:.0} s", world.age(since)),
        pod.at,
        &Source::api("pods"),
    );
    if let Some(e) = told {
        finding = finding.proven_by("Unhealthy", excerpt(&e.message), e.at, &Source::api("events"));
    }
    match pod.node.as_deref().filter(|_| lost.is_some()) {
        Some(node) => found.add(CNI, finding.about([node_subject(node)])),
        None if clues::explains_unready(world, pod, c) => {
            found.add(format!("{}/explained", pod.uid), finding)
        }
        None => found.add(format!("{}/readiness", pod.namespace), finding),
    }
}

/// Whether a Service sends requests to the pod.
fn serves(world: &World, pod: &Pod) -> bool {
    world.services_of(pod).next().is_some()
}

/// Probes without an answer that are more than a hiccup.
const UNANSWERED: u32 = 3;

/// Seconds within which a kubelet tells again of a probe that goes on failing: of many it tells every five minutes.
const PROBE_NEWS: f64 = 330.0;

/// Whether a kubelet that tells seldom has told of it for long.
fn goes_on(world: &World, event: &SeenEvent) -> bool {
    world.is_recent(event, PROBE_NEWS) && world.age(world.event_began(event)) > STUCK
}

/// Containers that run and accept connections, and do not answer their own kubelet in time: there is no network
/// between the two that could be to blame. Only those count that a Service sends requests to.
fn slow_backends(world: &World, found: &mut Findings<'_>) {
    let running = |p: &&Seen<Pod>| {
        !p.deleting
            && p.phase == "Running"
            && !world.is_control_plane(p)
            && p.node.as_deref().is_some_and(|n| world.ready_for(n) > WARM_UP)
    };
    for pod in world.pods_told_of("Unhealthy").filter(running) {
        let waited = world.events.about(&pod.uid).filter(|e| {
            e.reason == "Unhealthy"
                && text::probe_waited(&e.message)
                && (world.is_recent(e, 15.0) || !pod.ready && goes_on(world, e))
        });
        let Some(event) = waited.max_by_key(|e| (e.count, e.at)) else { continue };
        // A hiccup ends by itself.
        let Some(since) = world.counted_to(event, UNANSWERED).filter(|_| serves(world, pod)) else {
            continue;
        };
        if !found.lasts(since, 0.4) {
            continue;
        }
        let source = Source::api("events");
        let finding = Finding::new(Cause::BackendSlow, 0.85, since)
            .about([pod_subject(pod)])
            .about(pod.owner.clone())
            .proven_by("Unhealthy", excerpt(&event.message), event.at, &source)
            .proven_by("probes without an answer", format!("{} of them", event.count), event.at, &source);
        found.add(format!("{}/slow", pod.namespace), finding);
    }
}
