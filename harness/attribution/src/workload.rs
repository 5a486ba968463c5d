//! Workload: the application itself is to blame, or what was written about it.

use crate::{
    cloud,
    crash::{Crash, crashes},
    finding::{Finding, Findings, PROVEN, excerpt, pod_subject},
    identity, text,
    world::{Seen, World, age, selector_fact, waiting_fact},
};
use loopdrill_model::{Cause, Source, Subject, Timestamp, signal::*};
use std::collections::BTreeMap;

pub(crate) fn look(world: &World, found: &mut Findings<'_>) {
    bad_configuration(world, found);
    exits(world, found);
    unready(world, found);
    slow_backends(world, found);
    empty_services(world, found);
}

fn bad_configuration(world: &World, found: &mut Findings<'_>) {
    for pod in world.pods.iter().filter(|p| !p.deleting) {
        for c in &pod.containers {
            let ContainerState::Waiting { reason, message } = &c.state else { continue };
            let since = pod.since(&waiting_fact(&c.name, reason));
            if is_configuration(reason) && found.lasts(since, PROVEN) {
                let finding =
                    Finding::new(Cause::BadConfiguration, 0.94, since).about([pod_subject(pod)]).proven_by(
                        format!("container {} {reason}", c.name),
                        excerpt(message),
                        pod.at,
                        &Source::api("pods"),
                    );
                found.add(format!("{}/configuration", pod.namespace), finding);
            }
        }
    }
    for crash in crashes(world).iter().filter(|c| c.never_ran()) {
        let finding = Finding::new(Cause::BadConfiguration, 0.92, crash.since)
            .about([pod_subject(crash.pod)])
            .proven_by(
                format!("container {} could not be started", crash.container.name),
                crash.describe(),
                crash.ended_at,
                &Source::api("pods"),
            );
        found.add(format!("{}/configuration", crash.pod.namespace), finding);
    }
}

fn is_configuration(reason: &str) -> bool {
    matches!(reason, "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError")
}

/// Containers that end again and again, for no reason that another loop explains.
fn exits(world: &World, found: &mut Findings<'_>) {
    for crash in crashes(world) {
        let other = crash.out_of_memory()
            || crash.never_ran()
            || crash.with_its_node(world)
            || world.is_control_plane(crash.pod);
        if other || identity::explained_by_past_denial(world, &crash) || !repeats(world, &crash) {
            continue;
        }
        let probe = killed_by_probe(world, &crash);
        let patience = if probe.is_some() || stands_alone(world, &crash) { PROVEN } else { UNSURE };
        if !found.lasts(crash.loops_since, patience) {
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
        let signal = format!("container {} terminated", crash.container.name);
        finding = finding.proven_by(signal, crash.describe(), crash.ended_at, &Source::api("pods"));
        found.add(format!("{}/exits", crash.pod.namespace), finding);
    }
}

/// Seconds that whoever else may be to blame for a crash loop gets to show it.
const UNSURE: f64 = 5.0;

/// Nobody else can still turn out to be to blame: it has no token, or the API server has told since then whether it
/// refused one; it has no cloud, or that was asked since then and lets it in.
fn stands_alone(world: &World, crash: &Crash<'_>) -> bool {
    let mut told = world.telemetry.metric("authentication_attempts").filter_map(|(_, series)| series.last());
    let (pod, since) = (crash.pod, crash.loops_since);
    match pod.cloud {
        Some(_) => cloud::clears(world, pod, since),
        None => pod.tokens.is_empty() || told.any(|(at, _)| *at > since),
    }
}

/// It ended more than once; or it failed for good, alone or with others of its Job.
fn repeats(world: &World, crash: &Crash<'_>) -> bool {
    if crash.pod.phase == "Failed" {
        return match &crash.pod.owner {
            None => crash.end.exit_code != 0 && !crash.killed(),
            Some(owner) => {
                let failed = |p: &&Seen<Pod>| p.phase == "Failed" && p.owner.as_ref() == Some(owner);
                crash.end.exit_code != 0 && world.pods.iter().filter(failed).count() >= 2
            }
        };
    }
    crash.deaths >= 2
}

/// The kubelet says that a liveness or startup probe failed shortly before.
fn killed_by_probe(world: &World, crash: &Crash<'_>) -> Option<(String, Timestamp)> {
    let says = |message: &str| {
        let m = message.to_lowercase();
        m.contains("liveness probe") || m.contains("startup probe")
    };
    let events = world.events.about(&crash.pod.uid);
    let told = events.filter(|e| matches!(e.reason.as_str(), "Unhealthy" | "Killing") && says(&e.message));
    let fresh = told.filter(|e| world.age(e.last_at.map_or(e.at, |t| world.local(t))) < 120.0);
    fresh.max_by_key(|e| e.at).map(|e| (excerpt(&e.message), e.at))
}

/// Seconds that a container may take from its start until it is ready.
const WARM_UP: f64 = 40.0;

/// Containers that run, and whose readiness probe fails for long.
fn unready(world: &World, found: &mut Findings<'_>) {
    let unready = |p: &&Seen<Pod>| !p.deleting && p.phase == "Running" && !p.ready;
    // A node that comes back takes its time to say that its pods are well.
    let settled = |p: &&Seen<Pod>| {
        p.node.as_deref().is_some_and(|n| world.ready_for(n) > WARM_UP) && !world.is_control_plane(p)
    };
    for pod in world.pods.iter().filter(unready).filter(settled) {
        for c in pod.containers.iter().filter(|c| !c.init && !c.ready && c.has_readiness_probe) {
            let ContainerState::Running { since: started } = &c.state else { continue };
            let running = started.map_or_else(|| world.age(pod.first_at), |t| world.api_age(t));
            let since = pod.since("unready");
            if running < WARM_UP || !found.lasts(since, 10.0) {
                continue;
            }
            let told = world
                .events
                .about(&pod.uid)
                .filter(|e| e.reason == "Unhealthy" && e.message.to_lowercase().contains("readiness probe"))
                .max_by_key(|e| e.at);
            let mut finding =
                Finding::new(Cause::ProbeFailing, if told.is_some() { 0.85 } else { 0.6 }, since)
                    .about([pod_subject(pod)])
                    .proven_by(
                        format!("container {} runs and is not ready", c.name),
                        format!("for {:.0} s", world.age(since)),
                        pod.at,
                        &Source::api("pods"),
                    );
            // That is no answer in time rather than a wrong one.
            if told.is_some_and(|e| text::probe_waited(&e.message)) {
                continue;
            }
            if let Some(e) = told {
                finding = finding.proven_by("Unhealthy", excerpt(&e.message), e.at, &Source::api("events"));
            }
            found.add(format!("{}/readiness", pod.namespace), finding);
        }
    }
}

/// Probes without an answer that are more than a hiccup.
const UNANSWERED: u32 = 3;

/// Containers that run and accept connections, and do not answer their own kubelet in time: there is no network
/// between the two that could be to blame. Only those count that a Service sends requests to.
fn slow_backends(world: &World, found: &mut Findings<'_>) {
    let serves = |pod: &Pod| {
        let selects = |s: &Seen<Service>| {
            s.namespace == pod.namespace
                && !s.selector.is_empty()
                && s.selector.iter().all(|(k, v)| pod.labels.get(k) == Some(v))
        };
        world.services.iter().any(selects)
    };
    let running = |p: &&Seen<Pod>| {
        !p.deleting
            && p.phase == "Running"
            && !world.is_control_plane(p)
            && p.node.as_deref().is_some_and(|n| world.ready_for(n) > WARM_UP)
    };
    for pod in world.pods.iter().filter(running).filter(|p| serves(p)) {
        let waited = world.events.about(&pod.uid).filter(|e| {
            e.reason == "Unhealthy"
                && text::probe_waited(&e.message)
                && world.age(e.last_at.map_or(e.at, |t| world.local(t))) < 15.0
        });
        let Some(event) = waited.max_by_key(|e| (e.count, e.at)) else { continue };
        // A hiccup ends by itself.
        let Some(since) = event.counted_to(UNANSWERED).filter(|t| found.lasts(*t, 0.4)) else { continue };
        let source = Source::api("events");
        let finding = Finding::new(Cause::BackendSlow, 0.85, since)
            .about([pod_subject(pod)])
            .about(pod.owner.clone())
            .proven_by("Unhealthy", excerpt(&event.message), event.at, &source)
            .proven_by("probes without an answer", format!("{} of them", event.count), event.at, &source);
        found.add(format!("{}/slow", pod.namespace), finding);
    }
}

/// Seconds for which a Service may be without endpoints while it or its pods are being replaced.
const EMPTY: f64 = 12.0;
/// Seconds between a change of a Service's selector and the endpoints that it costs.
const AT_ONCE: f64 = 3.0;

/// Services whose selector no pod matches, although pods run beside them and no controller is idle or
/// still at work.
fn empty_services(world: &World, found: &mut Findings<'_>) {
    if !world.listed(&["pods", "services", "endpointslices"]) {
        return;
    }
    for service in world.services.iter().filter(|s| !s.selector.is_empty()) {
        let key = (service.namespace.clone(), service.name.clone());
        let Some(endpoints) = world.endpoints.get(&key).filter(|e| e.value.ready + e.value.not_ready == 0)
        else {
            continue;
        };
        let beside = |p: &&Seen<Pod>| p.namespace == service.namespace && p.phase == "Running" && !p.deleting;
        let matches = |p: &Seen<Pod>| service.selector.iter().all(|(k, v)| p.labels.get(k) == Some(v));
        // Scaled to zero, or its pods are still to come.
        let idle = world.controllers.iter().any(|c| {
            c.namespace == service.namespace
                && c.kind != "Job"
                && (c.ready < c.desired || c.desired == 0 && c.owner.is_none())
        });
        let mut pods = world.pods.iter().filter(beside).peekable();
        if idle || pods.peek().is_none() || pods.any(matches) {
            continue;
        }
        let since = endpoints.since.max(service.first_at);
        // Pods come and go by themselves; a selector is changed by somebody, and the pods that it left still run.
        let changed_at = service.since(&selector_fact(service));
        let turned_away = changed_at > service.first_at && age(since, changed_at).abs() < AT_ONCE;
        if !found.lasts(since, if turned_away { PROVEN } else { EMPTY }) {
            continue;
        }
        let finding = Finding::new(Cause::NoReadyEndpoints, if turned_away { 0.9 } else { 0.6 }, since)
            .about([Subject::new("Service", &service.namespace, &service.name)])
            .proven_by(
                "endpoints",
                "none, and no pod matches the selector",
                endpoints.at,
                &Source::api("endpointslices"),
            );
        let finding = match turned_away {
            true => finding.proven_by(
                "selector changed",
                words(&service.selector),
                changed_at,
                &Source::api("services"),
            ),
            false => finding,
        };
        found.add(format!("{}/{}", service.namespace, service.name), finding);
    }
}

/// `a=b,c=d`, as `kubectl get --selector` takes it.
fn words(selector: &BTreeMap<String, String>) -> String {
    selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}
