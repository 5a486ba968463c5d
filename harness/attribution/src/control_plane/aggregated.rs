//! APIs that the API server passes on, such as those of metrics, and that nobody answers. Then whoever lists all APIs is late
//! or fails: no namespace can be deleted, and no autoscaler learns what pods use.

use crate::{
    finding::{Finding, Findings, pod_subject},
    world::{Fact, Seen, World},
};
use loopdrill_model::{Cause, Source, Subject, signal::*};

/// Seconds for which the pods behind it may be replaced.
const PATIENCE: f64 = 60.0;
/// Pods behind it that are named.
const NAMED: usize = 8;

pub(super) fn look(world: &World, found: &mut Findings<'_>) {
    for api in world.aggregated_apis.iter() {
        let (Some(service), Some(why)) = (&api.service, &api.unavailable) else { continue };
        if found.lasts(world.since(api, &Fact::Unavailable), PATIENCE) {
            found.add(&api.name, down(world, api, service, why));
        }
    }
}

fn down(world: &World, api: &Seen<AggregatedApi>, service: &Subject, why: &Condition) -> Finding {
    let since = world.since(api, &Fact::Unavailable);
    let behind = world.services.find(&service.namespace, &service.name);
    let pods = behind.into_iter().filter(|s| !s.selector.is_empty());
    let pods = pods.flat_map(|s| world.pods_selected(&s.namespace, &s.selector)).take(NAMED);
    let finding = Finding::new(Cause::AggregatedApiDown, 0.8, since)
        .about([Subject::new("APIService", "", &api.name), service.clone()])
        .about(pods.map(|p| pod_subject(p)))
        .proven_by(
            format!("APIService {} not available", api.name),
            format!("{}: {}", why.reason, why.message),
            api.at,
            &Source::api("apiservices"),
        );
    match behind {
        Some(_) => finding,
        None if world.listed(&["services"]) => finding.proven_by(
            "its Service",
            format!("there is no {}/{}", service.namespace, service.name),
            api.at,
            &Source::api("services"),
        ),
        None => finding,
    }
}
