//! The control plane's own processes. A controller manager or scheduler that cannot renew its lease in time ends
//! itself and is started anew, by design. When that happens again and again, the control plane is starved.

use super::{api_latency, link, p99_of};
use crate::{
    crash::Crash,
    finding::{Finding, Findings, pod_subject},
    unwell::Unwell,
    world::{Fact, Seen, World},
};
use loopdrill_model::{Cause, Source, metrics, signal::*};

/// Ends in a streak that are more than bad luck.
const ENDS: u32 = 3;
/// Seconds for which a running component may be unready.
const PATIENCE: f64 = 45.0;

pub(super) fn look(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    let ends = unwell.crashes.iter().filter(|c| world.is_control_plane(c.pod));
    for crash in ends.filter(|c| c.deaths >= ENDS && !c.out_of_memory() && !c.with_its_node(world)) {
        found.add("components", ending(world, crash));
    }
    let unready =
        |p: &Seen<Pod>| !p.ready && !p.deleting && p.phase == "Running" && world.is_control_plane(p);
    for pod in unwell.that(unready) {
        let runs = pod.containers.iter().all(|c| matches!(c.state, ContainerState::Running { .. }));
        if runs && found.lasts(pod.since(&Fact::Unready), PATIENCE) {
            found.add("components", silent(world, pod));
        }
    }
}

fn ending(world: &World, crash: &Crash<'_>) -> Finding {
    let finding = Finding::new(Cause::ControlPlaneStarved, 0.65, crash.since).about([pod_subject(crash.pod)]);
    latency(world, crash.prove(finding))
}

fn silent(world: &World, pod: &Seen<Pod>) -> Finding {
    let since = pod.since(&Fact::Unready);
    let value = format!("for {:.0} s", world.age(since));
    let finding = Finding::new(Cause::ControlPlaneStarved, 0.6, since).about([pod_subject(pod)]).proven_by(
        "component runs and is not ready",
        value,
        pod.at,
        &Source::api("pods"),
    );
    latency(world, finding)
}

fn latency(world: &World, finding: Finding) -> Finding {
    let Some(p99) = api_latency(world) else { return finding };
    let value = format!("{:.0} ms over 10 s", p99 * 1000.0);
    let source = Source::metrics("apiserver");
    let subjects = finding.subjects.clone();
    let lost: Vec<_> = world.handovers.iter().map(|(_, lease)| lease.clone()).collect();
    let finding = finding.proven_by(p99_of(&metrics::REQUEST_DURATION), value, world.now(), &source);
    if lost.is_empty() {
        return finding;
    }
    finding.leading_to([
        link(Cause::ControlPlaneStarved, "leases are not renewed in time", lost),
        link(Cause::ControlPlaneStarved, "their holders end and start anew", subjects),
    ])
}
