//! Whom a pod asks for names: a server of its own choice, one of its node alone, the cluster's DNS; and why none of them
//! answers it.
//!
//! A server of the node is told by what leads there: a Service that stays on the node, or a pod that runs and is wired as a
//! cache. What they are called says nothing.

use super::{
    route::{Ended, allows_out, policies, policy_subject, selected, subject},
    weigh::Verdict,
};
use crate::{
    finding::{node_subject, pod_subject},
    network,
    world::{Key, Seen, World},
};
use loopdrill_model::{Cause, Source, signal::*};

/// The DNS' port.
const DNS: u16 = 53;

/// Why the pod gets no address for the name of a Service.
pub(super) fn unserved(world: &World, pod: &Seen<Pod>, service: &Service, ended: Ended) -> Option<Verdict> {
    node_without_cache(world, pod, service)
        .or_else(|| asks_elsewhere(world, pod, service))
        .or_else(|| cut_off_from_dns(world, pod, ended))
}

/// No answer comes to the node, by the probes of the DNS.
pub(super) fn silent_node(world: &World, pod: &Seen<Pod>) -> Option<Verdict> {
    let node = pod.node.as_deref()?;
    let usual = pod.ways.dns.as_ref().is_none_or(|dns| dns.policy.starts_with("ClusterFirst"));
    let (cause, since) = network::names_fail_on(world, node).filter(|_| usual)?;
    let mut verdict = Verdict::confirmed(cause, 0.85, pod).about([node_subject(node)]);
    verdict.group = network::DNS_GROUP.into();
    Some(verdict.by(&network::asked_from(node), "no answer", since, Source::probe(node)))
}

/// The first server that the pod asks, where it is a Service of the cluster.
fn own_server<'w>(world: &'w World, pod: &Pod) -> Option<&'w Seen<Service>> {
    let dns = pod.ways.dns.as_ref().filter(|dns| dns.policy == "None")?;
    world.services.by(&Key::Address(dns.servers.first()?.clone())).next()
}

/// What answers for names on the pod's node alone is not there, and on other nodes it is.
fn node_without_cache(world: &World, pod: &Seen<Pod>, service: &Service) -> Option<Verdict> {
    let node = pod.node.as_deref()?;
    let is_here = |p: &&Seen<Pod>| p.node.as_deref() == Some(node);
    let (caches, what): (Vec<_>, _) = match own_server(world, pod) {
        Some(server) if server.local_only => (selected(world, server).collect(), Some(subject(server))),
        Some(_) => return None,
        None => (caches_like_that_of(world, node), None),
    };
    if caches.iter().copied().filter(is_here).any(|p| p.ready) {
        return None;
    }
    let elsewhere = caches.iter().filter(|p| p.ready).count();
    if elsewhere == 0 {
        return None;
    }
    let here: Vec<_> = caches.iter().copied().filter(is_here).collect();
    let value = match here.len() {
        0 => format!("none on {node}; {elsewhere} ready on other nodes"),
        n => format!("{n} on {node}, not ready; {elsewhere} ready on other nodes"),
    };
    let at = here.first().map_or(pod.at, |p| p.at);
    let verdict = Verdict::confirmed(Cause::NodeDnsFailure, 0.85, pod)
        .about([node_subject(node)])
        .about(here.into_iter().map(|p| pod_subject(p)))
        .about(what)
        .about([subject(service)]);
    Some(verdict.by("what answers for names on the pod's node", value, at, Source::api("pods")))
}

/// The pod that caches names on the node, and its like on other nodes.
fn caches_like_that_of<'w>(world: &'w World, node: &str) -> Vec<&'w Seen<Pod>> {
    let is_cache = |p: &&Seen<Pod>| p.ways.serves == Some(NetworkRole::DnsCache) && !p.deleting;
    let here = world.pods_on(node).find(is_cache);
    let owner = here.and_then(|p| p.owner.as_ref());
    owner.map(|owner| world.pods_of(owner).filter(is_cache).collect()).unwrap_or_default()
}

fn cluster_dns(world: &World) -> Option<&Seen<Service>> {
    world.services.find("kube-system", "kube-dns").filter(|s| !s.addresses.is_empty())
}

/// A pod that asks a server for the Service's name that is not the cluster's.
fn asks_elsewhere(world: &World, pod: &Seen<Pod>, service: &Service) -> Option<Verdict> {
    let dns = pod.ways.dns.as_ref()?;
    let cluster = cluster_dns(world)?;
    // A cache on the node has an address of its own there.
    let knows = |s: &String| cluster.addresses.contains(s) || s.starts_with("169.254.20.");
    // A Service that has somebody to answer is a way to the DNS like any other.
    if let Some(own) = own_server(world, pod)
        && selected(world, own).any(|p| p.ready)
    {
        return None;
    }
    let value = match dns.policy.as_str() {
        "Default" if !dns.servers.iter().any(knows) => {
            "dnsPolicy Default (or the node's network): it asks its node's servers".to_owned()
        }
        "None" if !dns.servers.iter().any(knows) => {
            format!("dnsPolicy None with {}", dns.servers.join(", "))
        }
        _ => return None,
    };
    let verdict = Verdict::confirmed(Cause::DnsFailure, 0.8, pod).about([subject(service)]);
    Some(verdict.by("servers that the pod asks for names", value, pod.at, Source::api("pods")))
}

/// A policy that lets the pod ask no DNS.
fn cut_off_from_dns(world: &World, pod: &Seen<Pod>, ended: Ended) -> Option<Verdict> {
    let cluster = cluster_dns(world)?;
    let servers: Vec<_> = selected(world, cluster).collect();
    let free = |policy: &&Seen<NetworkPolicy>| policy.egress.is_none();
    let asked = |server: &&Seen<Pod>| {
        ["UDP", "TCP"].iter().any(|protocol| allows_out(world, pod, server, protocol, Some(DNS)))
    };
    if servers.is_empty() || servers.iter().any(asked) || policies(world, pod).all(|p| free(&p)) {
        return None;
    }
    let confidence = if ended == Ended::Unknown { 0.6 } else { 0.85 };
    let policy = policies(world, pod).find(|p| p.egress.is_some())?;
    let verdict = Verdict::confirmed(Cause::TrafficFiltered, confidence, pod).about([policy_subject(policy)]);
    let value = format!("port {DNS} of the cluster's DNS is not among what {} lets out", policy.name);
    Some(verdict.by("NetworkPolicy", value, policy.at, Source::api("networkpolicies")))
}
