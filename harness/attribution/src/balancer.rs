//! Load balancers that are not made, as events on Services and Ingresses tell.

use crate::{
    finding::{Finding, Findings, excerpt},
    text::{self, Said},
    world::{SeenEvent, World},
};
use loopdrill_model::{Source, Timestamp};

/// Seconds for which a failure counts: controllers pause for up to five minutes.
const CONTROLLER_PAUSE: f64 = 400.0;
/// Seconds for which it must fail: what a cloud has just made is not yet there for all of it.
const LASTING: f64 = 30.0;

pub(crate) fn look(world: &World, found: &mut Findings<'_>) {
    let reasons = [FAILED, OF_GKE, OF_TARGETS].concat();
    for event in world.events.told_of(&reasons).filter(|e| is_failure(e) && stands(world, e)) {
        let since = world.event_began(event);
        if event.count < 2 || !found.lasts(since, LASTING) {
            continue;
        }
        let (cause, said) = text::balancer_failure(&event.message);
        let confidence = if said == Said::Clearly { 0.9 } else { 0.7 };
        let finding = Finding::new(cause, confidence, since).about([event.object.clone()]).proven_by(
            event.reason.clone(),
            excerpt(&event.message),
            event.at,
            &Source::api("events"),
        );
        found.add(format!("{}/balancer", event.object.namespace), finding);
    }
}

const FAILED: &[&str] = &[
    "SyncLoadBalancerFailed",
    "CreatingLoadBalancerFailed",
    "UpdateLoadBalancerFailed",
    "LoadBalancerUpdateFailed",
    "AllocationFailed",
    "FailedBuildModel",
    "FailedDeployModel",
    NO_NODES,
];
/// GKE's controller names the step that failed.
const OF_GKE: &[&str] = &["Sync", "Translate"];
/// Of bindings of target groups.
const OF_TARGETS: &[&str] = &["FailedNetworkReconcile"];

fn is_failure(event: &SeenEvent) -> bool {
    let (kind, reason) = (event.object.kind.as_str(), event.reason.as_str());
    event.warning
        && (matches!(kind, "Service" | "Ingress") && FAILED.contains(&reason)
            || kind == "TargetGroupBinding" && OF_TARGETS.contains(&reason)
            || kind == "Ingress" && OF_GKE.contains(&reason))
}

/// There is a load balancer, and no node that it could send anything to.
const NO_NODES: &str = "UnAvailableLoadBalancer";

/// Whether it still fails: it did so lately, and neither another event nor the Service itself says that it is there.
fn stands(world: &World, event: &SeenEvent) -> bool {
    let last = world.event_last(event);
    let service = world.services.find(&event.object.namespace, &event.object.name);
    let has_one = event.object.kind == "Service"
        && !event.reason.contains("Update")
        && event.reason != NO_NODES
        && service.is_some_and(|s| s.created_at.is_some() && !s.awaits_load_balancer);
    world.is_recent(event, CONTROLLER_PAUSE) && !has_one && made_at(world, event).is_none_or(|at| at <= last)
}

fn made_at(world: &World, failure: &SeenEvent) -> Option<Timestamp> {
    const MADE: &[&str] =
        &["EnsuredLoadBalancer", "UpdatedLoadBalancer", "IPAllocated", "SuccessfullyReconciled"];
    let about = world.events.about(&failure.object_uid);
    about.filter(|e| MADE.contains(&e.reason.as_str())).map(|e| world.event_last(e)).max()
}
