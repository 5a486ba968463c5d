//! NetworkPolicies, and the namespaces that they select.

use super::constraints::selector;
use super::{created_at, name, namespace, uid, version};
use crate::watch::{Reduce, WHAT_THERE_IS, Watched, everywhere, in_namespaces};
use k8s_openapi::api::core::v1::Namespace as ApiNamespace;
use k8s_openapi::api::networking::v1 as api;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use loopdrill_kubernetes::{AddressBlock, PolicyPeer, PolicyPort, PolicyRule};
use loopdrill_model::signal::{Namespace, NetworkPolicy};

/// What is watched of policies.
pub(super) fn watched() -> Vec<Watched> {
    vec![
        in_namespaces("who may talk to whom", Reduce(network_policy)),
        everywhere(WHAT_THERE_IS, Reduce(namespace_labels)),
    ]
}

type Ports = Option<Vec<api::NetworkPolicyPort>>;
type Peers = Option<Vec<api::NetworkPolicyPeer>>;

/// A policy as attribution sees it. Without types it is about what comes in, and about what goes out where it has
/// rules of that.
pub(crate) fn network_policy(object: &api::NetworkPolicy) -> NetworkPolicy {
    let meta = &object.metadata;
    let spec = object.spec.clone().unwrap_or_default();
    let about = |direction: &str| match &spec.policy_types {
        Some(types) => types.iter().any(|t| t == direction),
        None => direction == "Ingress" || spec.egress.is_some(),
    };
    let ingress = spec.ingress.iter().flatten().map(|r| rule(&r.ports, &r.from)).collect();
    let egress = spec.egress.iter().flatten().map(|r| rule(&r.ports, &r.to)).collect();
    NetworkPolicy {
        namespace: namespace(meta),
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        created_at: Some(created_at(meta)),
        pods: spec.pod_selector.as_ref().map(selector).unwrap_or_default(),
        ingress: about("Ingress").then_some(ingress),
        egress: about("Egress").then_some(egress),
    }
}

fn rule(ports: &Ports, peers: &Peers) -> PolicyRule {
    PolicyRule {
        ports: ports.iter().flatten().map(port).collect(),
        peers: peers.iter().flatten().map(peer).collect(),
    }
}

fn port(p: &api::NetworkPolicyPort) -> PolicyPort {
    let (port, name) = match &p.port {
        Some(IntOrString::Int(n)) => (u16::try_from(*n).ok(), String::new()),
        Some(IntOrString::String(name)) => (name.parse().ok(), name.clone()),
        None => (None, String::new()),
    };
    PolicyPort {
        protocol: p.protocol.clone().unwrap_or_else(|| "TCP".into()),
        port,
        end: p.end_port.and_then(|n| u16::try_from(n).ok()),
        name,
    }
}

fn peer(p: &api::NetworkPolicyPeer) -> PolicyPeer {
    let block = p.ip_block.as_ref();
    PolicyPeer {
        pods: p.pod_selector.as_ref().map(selector),
        namespaces: p.namespace_selector.as_ref().map(selector),
        block: block
            .map(|b| AddressBlock { cidr: b.cidr.clone(), except: b.except.clone().unwrap_or_default() }),
    }
}

/// A namespace as attribution sees it.
pub(crate) fn namespace_labels(object: &ApiNamespace) -> Namespace {
    let meta = &object.metadata;
    Namespace {
        name: name(meta),
        uid: uid(meta),
        version: version(meta),
        labels: meta.labels.clone().unwrap_or_default(),
    }
}
