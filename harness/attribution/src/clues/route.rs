//! The way of a pod's requests to a Service: the first place at which, by the cluster's own objects, it cannot go on.
//!
//! Invariants:
//! - Only a pod that fails is followed, and only to whom its own spec or its last words name.
//! - What a policy denies counts only where no answer came: some network plugins enforce none.

use super::{
    names,
    peer::{Target, endpoints, target},
    weigh::Verdict,
};
use crate::world::{Key, Seen, World};
use loopdrill_kubernetes::{Destination, Endpoint, Labels, PolicyRule, service_selects};
use loopdrill_model::{Cause, Source, Subject, signal::*};
use std::{collections::BTreeMap, net::IpAddr};

/// How a request ended, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The name did not resolve.
    Unresolved,
    /// Nobody listened.
    Refused,
    /// No answer came.
    Unanswered,
    /// The pod names it, and fails without saying why.
    Unknown,
}

/// Why a request of `pod` to `peer` cannot arrive.
pub(super) fn broken(world: &World, pod: &Seen<Pod>, peer: &Peer, ended: Ended) -> Option<Verdict> {
    let Target::Service(service) = target(world, pod, &peer.host) else { return None };
    let by_name = peer.host.parse::<IpAddr>().is_err();
    if by_name
        && ended != Ended::Refused
        && let Some(verdict) = names::unserved(world, pod, service, ended)
    {
        return Some(verdict);
    }
    if ended == Ended::Unresolved || service.external {
        return None;
    }
    no_endpoint(world, pod, service)
        .or_else(|| lost_target(world, pod, service, peer))
        .or_else(|| none_on_its_node(world, pod, service))
        .or_else(|| denied(world, pod, service, peer).filter(|_| ended == Ended::Unanswered))
        .or_else(|| no_proxy(world, pod, service))
}

pub(super) fn subject(service: &Service) -> Subject {
    Subject::new("Service", &service.namespace, &service.name)
}

/// The pods that a Service selects and that are not on their way out.
pub(super) fn selected<'w>(world: &'w World, service: &'w Service) -> impl Iterator<Item = &'w Seen<Pod>> {
    world.pods_selected(&service.namespace, &service.selector).filter(|p| !p.deleting)
}

/// A Service without any endpoint: its pods were scaled away, or it selects none.
fn no_endpoint(world: &World, pod: &Seen<Pod>, service: &Seen<Service>) -> Option<Verdict> {
    let told = endpoints(world, service).filter(|_| world.listed(&["endpointslices", "pods"]))?;
    if service.selector.is_empty()
        || told.ready + told.not_ready > 0
        || selected(world, service).next().is_some()
    {
        return None;
    }
    let idle = |c: &&Seen<Controller>| c.desired == 0 && c.owner.is_none();
    let mut beside = world.controllers.by(&Key::Namespace(service.namespace.clone())).filter(idle);
    let idle = beside.find(|c| service_selects(&service.selector, &c.template));
    let value = match idle {
        Some(c) => format!("none: {}/{} is scaled to zero", c.kind, c.name),
        None => "none, and no pod matches the selector".to_owned(),
    };
    let mut verdict = Verdict::confirmed(Cause::NoReadyEndpoints, 0.85, pod)
        .about([subject(service)])
        .about(idle.map(|c| Subject::new(&c.kind, &c.namespace, &c.name)));
    // As the rule that watches selectors names its findings.
    verdict.group = format!("{}/{}", service.namespace, service.name);
    Some(verdict.by("endpoints", value, service.at, Source::api("endpointslices")))
}

/// A port of the Service that leads to a port which its pods do not have.
fn lost_target(world: &World, pod: &Seen<Pod>, service: &Seen<Service>, peer: &Peer) -> Option<Verdict> {
    let meant = |t: &&ServicePort| peer.port.is_none_or(|port| t.port == port);
    let mut lost = service.targets.iter().filter(meant).filter(|t| !leads(world, service, t)).peekable();
    let first = *lost.peek()?;
    if lost.count() < service.targets.iter().filter(meant).count() {
        return None;
    }
    let by_name = first.target.is_none();
    let to = first.target.map_or_else(|| format!("port {:?}", first.target_name), |n| format!("port {n}"));
    let value = format!("port {} leads to {to}, which no container of its pods declares", first.port);
    let confidence = if by_name { 0.9 } else { 0.7 };
    let verdict = Verdict::confirmed(Cause::BadConfiguration, confidence, pod).about([subject(service)]);
    Some(verdict.by("targetPort of the Service", value, service.at, Source::api("services")))
}

/// Whether a port of the Service leads to one that a container declares. Without any pod nothing is known, and a number
/// needs no declaration: only where all of its pods declare others it is lost.
fn leads(world: &World, service: &Service, target: &ServicePort) -> bool {
    let mut pods = selected(world, service).filter(|p| !p.containers.is_empty()).peekable();
    if pods.peek().is_none() || service.selector.is_empty() {
        return true;
    }
    let declares = |p: &Pod| {
        let mut ports = p.containers.iter().flat_map(|c| &c.ports).peekable();
        let silent = target.target.is_some() && ports.peek().is_none();
        silent
            || ports.any(|c| {
                c.protocol == target.protocol
                    && target.target.map_or(c.name == target.target_name, |n| c.number == n)
            })
    };
    pods.any(|p| declares(p))
}

/// A Service that only serves pods of the same node, and has none on this one.
fn none_on_its_node(world: &World, pod: &Seen<Pod>, service: &Seen<Service>) -> Option<Verdict> {
    let here = selected(world, service).any(|p| p.ready && p.node == pod.node);
    let elsewhere = selected(world, service).any(|p| p.ready);
    if !service.local_only || here || !elsewhere {
        return None;
    }
    let node = pod.node.clone().unwrap_or_default();
    let value = format!("Local, and none of its endpoints is on {node}");
    let verdict = Verdict::confirmed(Cause::NoReadyEndpoints, 0.85, pod)
        .about([subject(service), Subject::new("Node", "", node)]);
    Some(verdict.by("internalTrafficPolicy", value, service.at, Source::api("services")))
}

pub(super) fn policy_subject(policy: &NetworkPolicy) -> Subject {
    Subject::new("NetworkPolicy", &policy.namespace, &policy.name)
}

/// The policies that select a pod.
pub(super) fn policies<'w>(world: &'w World, pod: &'w Pod) -> impl Iterator<Item = &'w Seen<NetworkPolicy>> {
    let beside = world.policies.by(&Key::Namespace(pod.namespace.clone()));
    beside.filter(|p| p.pods.matches(&pod.labels))
}

fn end<'a>(world: &'a World, pod: &'a Pod) -> Endpoint<'a> {
    let namespace = world.namespaces.find("", &pod.namespace);
    let namespace_labels: Option<&Labels> = namespace.map(|n| &n.labels);
    Endpoint { namespace: &pod.namespace, namespace_labels, labels: &pod.labels, address: None }
}

type Rules = fn(&NetworkPolicy) -> Option<&Vec<PolicyRule>>;

/// Whether the policies of `one` let through what goes to `to` with `other` on the other side.
fn allows(world: &World, one: &Pod, other: &Pod, to: &Destination<'_>, rules: Rules) -> bool {
    let mut about = policies(world, one).filter_map(|p| Some((p, rules(p)?))).peekable();
    about.peek().is_none()
        || about.any(|(p, rules)| rules.iter().any(|r| r.allows(&p.namespace, &end(world, other), to)))
}

pub(super) fn allows_out(world: &World, from: &Pod, to: &Pod, protocol: &str, port: Option<u16>) -> bool {
    let names = names_of(to, port);
    allows(world, from, to, &Destination { protocol, port, names: &names }, |p| p.egress.as_ref())
}

fn names_of(pod: &Pod, port: Option<u16>) -> Vec<String> {
    let ports = pod.containers.iter().flat_map(|c| &c.ports).filter(|p| Some(p.number) == port);
    ports.map(|p| p.name.clone()).filter(|n| !n.is_empty()).collect()
}

/// A policy on either side that lets no request from the pod to any endpoint through.
fn denied(world: &World, pod: &Seen<Pod>, service: &Seen<Service>, peer: &Peer) -> Option<Verdict> {
    let target = service.targets.iter().find(|t| peer.port.is_none_or(|port| t.port == port));
    let protocol = target.map_or("TCP", |t| t.protocol.as_str());
    let servers: Vec<_> = selected(world, service).filter(|p| !p.host_network).collect();
    let port_of = |server: &Pod| {
        let named = server.containers.iter().flat_map(|c| &c.ports);
        let named =
            || named.clone().find(|c| target.is_some_and(|t| c.name == t.target_name)).map(|c| c.number);
        target.and_then(|t| t.target.or_else(named))
    };
    let out = |server: &&Seen<Pod>| allows_out(world, pod, server, protocol, port_of(server));
    let into = |server: &&Seen<Pod>| {
        let (port, names) = (port_of(server), names_of(server, port_of(server)));
        allows(world, server, pod, &Destination { protocol, port, names: &names }, |p| p.ingress.as_ref())
    };
    if servers.is_empty() || pod.host_network {
        return None;
    }
    let policy = if !servers.iter().any(out) {
        policies(world, pod).find(|p| p.egress.is_some())?
    } else if !servers.iter().any(into) {
        policies(world, servers[0]).find(|p| p.ingress.is_some())?
    } else {
        return None;
    };
    let value = format!("{}/{} does not let the pod's requests through", policy.namespace, policy.name);
    let verdict = Verdict::confirmed(Cause::TrafficFiltered, 0.85, pod)
        .about([policy_subject(policy), subject(service)]);
    Some(verdict.by("NetworkPolicy", value, policy.at, Source::api("networkpolicies")))
}

/// The node on which the pod runs has a proxy for Services, and it does not run.
fn no_proxy(world: &World, pod: &Seen<Pod>, service: &Service) -> Option<Verdict> {
    let is_proxy = |p: &&Seen<Pod>| p.ways.serves == Some(NetworkRole::Proxy);
    let proxies: BTreeMap<&str, &Seen<Pod>> =
        world.pods_on(pod.node.as_deref()?).filter(is_proxy).map(|p| (p.uid.as_str(), p)).collect();
    let broken = proxies.values().find(|p| !p.ready)?;
    if proxies.values().any(|p| p.ready) {
        return None;
    }
    let about = Subject::new("Pod", &broken.namespace, &broken.name);
    let node = pod.node.as_ref().map(|n| Subject::new("Node", "", n));
    let verdict = Verdict::confirmed(Cause::TrafficFiltered, 0.85, pod).about([about]).about(node);
    let value = format!("the proxy that leads to {} is not ready", service.name);
    Some(verdict.by("proxy of the pod's node", value, broken.at, Source::api("pods")))
}
