//! Whom a failing container says that it cannot reach: is there such a Service, does it have endpoints, and that port?

use super::{
    names,
    peer::{Target, endpoints, target},
    route::{self, Ended},
    weigh::{Verdict, ended_at},
};
use crate::{
    network,
    world::{Key, Seen, SeenClue, World, age},
};
use loopdrill_model::{Cause, Source, Subject, signal::*};

pub(super) fn unresolved(
    world: &World,
    pod: &Seen<Pod>,
    c: &Container,
    peer: &Peer,
    last: bool,
) -> Option<Verdict> {
    if let Some(at) = network::without_servers(world) {
        let proof = "none, and no pod is to come";
        let verdict = Verdict::confirmed(Cause::DnsFailure, 0.85, pod);
        return Some(verdict.by("endpoints of the cluster's DNS", proof, at, Source::api("endpointslices")));
    }
    if let Some(broken) = route::broken(world, pod, peer, Ended::Unresolved) {
        return Some(broken);
    }
    match target(world, pod, &peer.host) {
        Target::Missing(namespace, name) => Some(missing(world, pod, &namespace, &name)),
        // A pod's name below a headless Service resolves when that pod is ready.
        Target::Service(s) if s.addresses.is_empty() && endpoints(world, s).is_none_or(|e| e.ready == 0) => {
            None
        }
        Target::Service(s) => {
            let doubt = "the Service exists, and the DNS was not asked (--probes asks it)";
            let verdict = if last && was_there(world, pod, c, s) { Verdict::fitting } else { Verdict::weak };
            let seen = names::silent_node(world, pod);
            Some(seen.unwrap_or_else(|| verdict(Cause::DnsFailure, pod, doubt)).about([subject(s)]))
        }
        Target::Own => None,
        Target::Other => {
            Some(Verdict::weak(Cause::DnsFailure, pod, "the name is not one of this cluster's Services"))
        }
    }
}

/// Seconds within which a pod and its Services are made together.
const TOGETHER: f64 = 60.0;

/// Whether the Service was there when the container ended: it is older, or it came with the pod, which has ended often since.
fn was_there(world: &World, pod: &Seen<Pod>, c: &Container, service: &Service) -> bool {
    let Some(made) = service.created_at else { return false };
    let older = ended_at(world, c).is_some_and(|end| world.local(made) < end);
    older || age(made, pod.created_at) < TOGETHER && c.restarts >= 3
}

/// The most that is believed of a pod which says nothing of the one whom its spec names, and who cannot be reached.
const NAMED: f64 = 0.6;

/// What is wrong with the way to somebody whom the pod's own spec names, where the pod fails without saying why.
pub(super) fn named(world: &World, pod: &Seen<Pod>) -> Option<Verdict> {
    let broken = pod.ways.names.iter().find_map(|peer| match target(world, pod, &peer.host) {
        // Names of one label may be of anything; one that says that it is a Service's is none.
        Target::Missing(namespace, name)
            if peer.host.contains(".svc") || is_misspelt(world, &namespace, &name) =>
        {
            Some(missing(world, pod, &namespace, &name))
        }
        Target::Service(_) => route::broken(world, pod, peer, Ended::Unknown),
        _ => None,
    })?;
    let doubt = Some("the pod names it in its spec, and does not say that it needs it".into());
    Some(Verdict { confidence: broken.confidence.min(NAMED), doubt, ..broken })
}

/// Whether a Service of the namespace has nearly that name: a letter more, less or another, or two in the other order.
fn is_misspelt(world: &World, namespace: &str, name: &str) -> bool {
    nearly(world, namespace, name).is_some()
}

fn nearly<'w>(world: &'w World, namespace: &str, name: &str) -> Option<&'w Seen<Service>> {
    let mut beside = world.services.by(&Key::Namespace(namespace.to_owned()));
    beside.find(|s| name.len() > 3 && one_slip(name, &s.name))
}

/// Whether two words differ in one place: what they begin with and end with in common leaves at most one letter of each,
/// or two that are swapped.
fn one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let begin = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[begin..], &b[begin..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    a.len().max(b.len()) == 1 || matches!((a, b), ([x, y], [p, q]) if x == q && y == p)
}

fn missing(world: &World, pod: &Pod, namespace: &str, name: &str) -> Verdict {
    let elsewhere = world.services.by(&Key::Name(name.to_owned())).next();
    let like = nearly(world, namespace, name);
    let proof = match (world.services.gone_at(namespace, name), elsewhere) {
        (None, _) if like.is_some() => {
            let like = like.map(|s| s.name.as_str()).unwrap_or_default();
            format!("there is none of that name in {namespace}; there is {like}")
        }
        (Some(_), _) => format!("there is none of that name in {namespace} any more: it was deleted"),
        (None, Some(s)) => {
            format!("there is none of that name in {namespace}; there is one in {}", s.namespace)
        }
        (None, None) => format!("there is none of that name in {namespace}"),
    };
    Verdict::confirmed(Cause::BadConfiguration, 0.85, pod)
        .about([Subject::new("Service", namespace, name)])
        .by("Service", proof, world.now(), Source::api("services"))
}

fn subject(service: &Service) -> Subject {
    Subject::new("Service", &service.namespace, &service.name)
}

/// Nobody listens: the Service has no ready endpoint, or not that port. Where it has both, it was for a moment.
pub(super) fn refused(world: &World, pod: &Seen<Pod>, peer: &Peer) -> Option<Verdict> {
    if let Some(broken) = route::broken(world, pod, peer, Ended::Refused) {
        return Some(broken);
    }
    let Target::Service(service) = target(world, pod, &peer.host) else { return None };
    let told = endpoints(world, service).filter(|_| world.listed(&["endpointslices"]))?;
    let source = Source::api("endpointslices");
    if told.ready == 0 {
        // Pods that are there and unready fail for a reason of their own, which is nearer to the root.
        let confidence = if told.not_ready == 0 { 0.85 } else { 0.6 };
        let value = format!("none ready, {} not ready", told.not_ready);
        let mut verdict = Verdict::confirmed(Cause::NoReadyEndpoints, confidence, pod);
        // As the rule that watches selectors names its findings.
        verdict.group = format!("{}/{}", service.namespace, service.name);
        return Some(verdict.about([subject(service)]).by("endpoints", value, world.now(), source));
    }
    let port = peer.port.filter(|port| !service.ports.is_empty() && !service.ports.contains(port))?;
    let value = format!("it has {} and not {port}", list(&service.ports));
    let verdict = Verdict::confirmed(Cause::BadConfiguration, 0.8, pod).about([subject(service)]);
    Some(verdict.by("ports of the Service", value, world.now(), Source::api("services")))
}

/// Somebody is not reached, and nobody says why: only what is plainly wrong counts. A name of one label may be of anything,
/// and may well have resolved.
pub(super) fn not_reached(world: &World, pod: &Seen<Pod>, peer: &Peer) -> Option<Verdict> {
    match target(world, pod, &peer.host) {
        Target::Missing(namespace, name) => (peer.host.contains(".svc")
            || is_misspelt(world, &namespace, &name))
        .then(|| missing(world, pod, &namespace, &name)),
        _ => refused(world, pod, peer),
    }
}

fn list(ports: &[u16]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Nobody answers whom the cluster has: `cause` then fits to who ended with that.
pub(super) fn unanswered(
    world: &World,
    pod: &Seen<Pod>,
    peer: &Peer,
    cause: Cause,
    last: bool,
) -> Option<Verdict> {
    if is_metadata_server(&peer.host) {
        let doubt = "the cloud's own address on the node was not asked";
        return last.then(|| Verdict::fitting(Cause::CloudUnreachable, pod, doubt));
    }
    let Target::Service(service) = target(world, pod, &peer.host) else { return None };
    if let Some(port) = peer.port.filter(|p| !service.ports.is_empty() && !service.ports.contains(p)) {
        let value = format!("it has {} and not {port}", list(&service.ports));
        let verdict = Verdict::confirmed(Cause::BadConfiguration, 0.7, pod).about([subject(service)]);
        return Some(verdict.by("ports of the Service", value, world.now(), Source::api("services")));
    }
    if let Some(broken) = route::broken(world, pod, peer, Ended::Unanswered) {
        return Some(broken);
    }
    let told = endpoints(world, service)?;
    let doubt = "the Service has ready endpoints; no probe went that way (--probes sends some)";
    let verdict = if last { Verdict::fitting } else { Verdict::weak };
    (told.ready > 0).then(|| verdict(cause, pod, doubt).about([subject(service)]))
}

/// The link-local addresses at which clouds tell a machine or a pod who it is, and their name.
fn is_metadata_server(host: &str) -> bool {
    const METADATA: &[&str] =
        &["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "metadata.google.internal"];
    METADATA.contains(&host)
}

/// Who answers too late may be slow, or the way to it is. Of the API server itself it is known that all clients suffer;
/// where the client could not even connect, that is nearer to the root.
pub(super) fn late(
    world: &World,
    pod: &Seen<Pod>,
    c: &Container,
    peer: &Peer,
    last: bool,
) -> Option<Verdict> {
    let is_api =
        |peer: &Peer| matches!(target(world, pod, &peer.host), Target::Service(s) if is_api_server(s));
    if !is_api(peer) {
        return unanswered(world, pod, peer, Cause::TrafficFiltered, last && is_metadata_server(&peer.host));
    }
    let never_there = |s: &SeenClue| match &s.clue.kind {
        ClueKind::ConnectionTimedOut { peer } | ClueKind::ConnectionRefused { peer } => is_api(peer),
        ClueKind::NameUnresolved { .. } => true,
        _ => false,
    };
    let cut_off = world.clues.of(&pod.uid, &c.name).iter().any(never_there);
    if cut_off { None } else { unanswered(world, pod, peer, Cause::ControlPlaneStarved, last) }
}

/// The Service that Kubernetes itself makes for the API server.
fn is_api_server(service: &Service) -> bool {
    service.namespace == "default" && service.name == "kubernetes"
}
