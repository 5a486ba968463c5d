//! Whom a clue speaks of: a Service, one that is not there, a pod, or somebody outside of the cluster.

use crate::world::{Key, Seen, World};
use loopdrill_model::signal::*;
use std::net::IpAddr;

/// Who is meant by a host.
#[derive(Debug)]
pub(crate) enum Target<'w> {
    Service(&'w Seen<Service>),
    /// A Service that does not exist: namespace and name.
    Missing(String, String),
    /// The pod itself.
    Own,
    /// Another pod by its address, or somebody whom the cluster does not know.
    Other,
}

/// Who `host` is for a pod of this namespace. An empty one was not said.
pub(crate) fn target<'w>(world: &'w World, pod: &Pod, host: &str) -> Target<'w> {
    if host.is_empty() {
        return Target::Other;
    }
    if host == "localhost" {
        return Target::Own;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return by_address(world, address, host);
    }
    let Some((namespace, name)) = service_name(world, &pod.namespace, host) else { return Target::Other };
    match world.services.find(&namespace, &name) {
        Some(service) => Target::Service(service),
        None if world.listed(&["services"]) => Target::Missing(namespace, name),
        None => Target::Other,
    }
}

fn by_address<'w>(world: &'w World, address: IpAddr, host: &str) -> Target<'w> {
    if address.is_loopback() || address.is_unspecified() {
        return Target::Own;
    }
    let service = world.services.by(&Key::Address(host.to_owned())).next();
    service.map_or(Target::Other, Target::Service)
}

/// Namespace and name of the Service, when the host can be nothing else: `x`, `x.NAMESPACE`, `x.y.svc` and longer ones.
/// A host of one label may be an alias of the pod's own; a search path makes it a Service first.
fn service_name(world: &World, own: &str, host: &str) -> Option<(String, String)> {
    let labels: Vec<_> = host.split('.').collect();
    let pair = |namespace: &str, name: &str| Some((namespace.to_owned(), name.to_owned()));
    if let Some(svc) = labels.iter().position(|l| *l == "svc").filter(|at| (2..=3).contains(at)) {
        return pair(labels[svc - 1], labels[svc - 2]);
    }
    match labels[..] {
        [name] => pair(own, name),
        [name, namespace] if knows(world, namespace) => pair(namespace, name),
        _ => None,
    }
}

/// Whether there is anything in this namespace.
fn knows(world: &World, namespace: &str) -> bool {
    world.is_inhabited(namespace)
}

/// Ready and unready endpoints of a Service, as far as they are told.
pub(crate) fn endpoints<'w>(world: &'w World, service: &Service) -> Option<&'w Endpoints> {
    let key = (service.namespace.clone(), service.name.clone());
    world.endpoints.get(&key).map(|e| &e.value)
}
