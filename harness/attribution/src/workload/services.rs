//! Services without endpoints whose selector matches nothing.

use crate::{
    finding::{Finding, Findings, PROVEN},
    world::{Fact, Key, Seen, World, age},
};
use loopdrill_model::{Cause, Source, Subject, Timestamp, signal::*};
use std::collections::BTreeMap;

/// Seconds for which a Service may be without endpoints while it or its pods are being replaced.
const EMPTY: f64 = 12.0;
/// Seconds between a change of a Service's selector and the endpoints that it costs.
const AT_ONCE: f64 = 3.0;

/// Services whose selector no pod matches, although pods run beside them and no controller is idle or
/// still at work.
pub(super) fn empty(world: &World, found: &mut Findings<'_>) {
    if !world.listed(&["pods", "services", "endpointslices"]) {
        return;
    }
    let mut newest = BTreeMap::new();
    for service in world.services_without_endpoints() {
        let (namespace, selector) = (&service.namespace, &service.selector);
        let Some(endpoints) = world.endpoints.get(&(namespace.clone(), service.name.clone())) else {
            continue;
        };
        // Scaled to zero, or its pods are still to come.
        let idle = world.controllers.count(&Key::Idle(namespace.clone())) > 0;
        if selector.is_empty() || idle || world.pods_selected(namespace, selector).any(runs) {
            continue;
        }
        let newest = *newest.entry(namespace).or_insert_with(|| newest_running(world, namespace));
        if newest.is_none() {
            continue;
        }
        // Endpoints have no time of their own, but those that could be among them have, and the Service has.
        let settled = service.created_at.zip(newest).map(|(made, newest)| made.max(newest));
        let since = world.began(endpoints.since.max(service.first_at), settled);
        // Pods come and go without any fault. A changed selector is a deliberate act, and pods that it no longer
        // matches still run: so a Service that loses its endpoints at that moment lost them to the selector.
        let changed_at = service.since(&Fact::selects(service));
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

fn runs(pod: &Seen<Pod>) -> bool {
    pod.phase == "Running" && !pod.deleting
}

/// When the newest pod that runs in the namespace came into being; nothing where none runs.
fn newest_running(world: &World, namespace: &str) -> Option<Timestamp> {
    let running = world.pods.by(&Key::Namespace(namespace.to_owned())).filter(|p| runs(p));
    running.map(|p| world.local(p.created_at)).max()
}

/// `a=b,c=d`, as `kubectl get --selector` takes it.
fn words(selector: &BTreeMap<String, String>) -> String {
    selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}
