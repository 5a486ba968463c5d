//! Storage: a volume is pinned where the pod may not go, or it does not come into being, or does not attach.

use crate::{
    compute::{closed_link, pending_link},
    finding::{Finding, Findings, PROVEN, excerpt, link, node_subject, pod_subject},
    placement::{self, Barrier, Hindrance, Pending, amount},
    text,
    world::{Seen, World},
};
use loopdrill_model::{Cause, ChainLink, Loop, Source, Subject, Timestamp, signal::*};

/// The well-known label that says in which zone a node is.
const ZONE: &str = "topology.kubernetes.io/zone";

pub(crate) fn look(world: &World, pending: &[Pending<'_>], found: &mut Findings<'_>) {
    for p in pending {
        match p.hindrance {
            Hindrance::VolumeElsewhere if found.lasts(p.pod.since("unscheduled"), PROVEN) => {
                found.add(format!("{}/zone", p.pod.namespace), volume_elsewhere(world, p));
            }
            Hindrance::NoClaim => no_claim(world, p, found),
            _ => {}
        }
    }
    unbound_claims(world, found);
    unmounted_volumes(world, found);
}

fn claim_subject(claim: &Claim) -> Subject {
    Subject::new("PersistentVolumeClaim", &claim.namespace, &claim.name)
}

fn volume_elsewhere(world: &World, p: &Pending<'_>) -> Finding {
    let since = p.pod.since("unscheduled");
    let said = placement::message(p.pod);
    let confidence = if text::says_volume_elsewhere(said) { 0.96 } else { 0.85 };
    let claims = p.pod.claims.iter().filter_map(|name| world.claims.find(&p.pod.namespace, name));
    let mut finding = Finding::new(Cause::VolumeZoneMismatch, confidence, since)
        .about([pod_subject(p.pod)])
        .about(claims.map(|c| claim_subject(c)))
        .about(p.pinned.iter().map(|v| Subject::new("PersistentVolume", "", &v.name)));
    for volume in &p.pinned {
        let source = Source::api("persistentvolumes");
        finding = finding.proven_by(
            format!("node affinity of volume {}", volume.name),
            places(&volume.node_affinity),
            volume.at,
            &source,
        );
    }
    let elsewhere: Vec<_> = p.open().filter(|r| !r.volumes_here).map(|r| place(r.node)).collect();
    finding = finding.proven_by(
        "nodes open to the pod, without the volume",
        format!("{}; it wants {}", elsewhere.join(", "), amount(p.pod.requests)),
        p.pod.at,
        &Source::api("nodes"),
    );
    finding = finding.proven_by("PodScheduled=False", excerpt(said), p.pod.at, &Source::api("pods"));
    let homes: Vec<_> = p.rooms.iter().filter(|r| r.volumes_here).collect();
    let mut chain: Vec<ChainLink> =
        homes.iter().filter_map(|r| closed_link(r.barrier, &r.node.name)).collect();
    let full: Vec<_> = homes.iter().filter(|r| r.barrier.is_none() && !r.fits(p.pod.requests)).collect();
    if !full.is_empty() {
        let nodes = full.iter().map(|r| node_subject(&r.node.name)).collect();
        chain.push(link(Cause::Exhaustion, "the volume's nodes have too little room left", nodes));
    }
    for volume in &p.pinned {
        let attached = world.attachments.iter().find(|a| a.volume == volume.name && a.attached);
        if let Some(a) = attached {
            let (value, source) = (format!("to {}", a.node), Source::api("volumeattachments"));
            finding = finding.proven_by(format!("{} attached", volume.name), value, a.at, &source);
        }
        let what = format!("the volume is pinned to {}", places(&volume.node_affinity));
        chain.push(link(
            Cause::VolumeZoneMismatch,
            what,
            vec![Subject::new("PersistentVolume", "", &volume.name)],
        ));
    }
    chain.push(pending_link(p));
    chain.extend(deserted_services(world, p.pod));
    let closed = homes.iter().filter(|r| matches!(r.barrier, Some(Barrier::Down | Barrier::Cordoned)));
    finding.about(closed.map(|r| node_subject(&r.node.name))).leading_to(chain)
}

/// The Services that would lead to the pod, and lead to nobody now.
fn deserted_services(world: &World, pod: &Pod) -> Option<ChainLink> {
    let selects = |s: &&Seen<Service>| {
        s.namespace == pod.namespace
            && !s.selector.is_empty()
            && s.selector.iter().all(|(k, v)| pod.labels.get(k) == Some(v))
    };
    let empty = |s: &&Seen<Service>| {
        world.endpoints.get(&(s.namespace.clone(), s.name.clone())).is_some_and(|e| e.value.ready == 0)
    };
    let services = world.services.iter().filter(selects).filter(empty);
    let services: Vec<_> = services.map(|s| Subject::new("Service", &s.namespace, &s.name)).collect();
    let what = "connections to the Service find no endpoint".to_owned();
    (!services.is_empty()).then_some(ChainLink { control_loop: Loop::Network, what, subjects: services })
}

/// `topology.kubernetes.io/zone in (a)`, for people.
fn places(terms: &[Vec<NodeRequirement>]) -> String {
    let requirement = |r: &NodeRequirement| format!("{} {:?} ({})", r.key, r.operator, r.values.join(", "));
    let term = |t: &Vec<NodeRequirement>| t.iter().map(requirement).collect::<Vec<_>>().join(" and ");
    terms.iter().map(term).collect::<Vec<_>>().join(" or ")
}

fn place(node: &Node) -> String {
    match node.labels.get(ZONE) {
        Some(zone) => format!("{} (zone {zone})", node.name),
        None => node.name.clone(),
    }
}

fn no_claim(world: &World, p: &Pending<'_>, found: &mut Findings<'_>) {
    let namespace = &p.pod.namespace;
    let missing = p.pod.claims.iter().filter(|name| world.claims.find(namespace, name).is_none());
    let gone_at = missing.clone().filter_map(|name| world.claims.gone_at(namespace, name)).max();
    let since = p.pod.since("unscheduled").max(gone_at.unwrap_or(p.pod.first_at));
    // Whoever deletes the claim may be about to delete the pod.
    if !found.lasts(since, if gone_at.is_some() { 3.0 } else { PROVEN }) {
        return;
    }
    let missing: Vec<_> =
        missing.map(|name| Subject::new("PersistentVolumeClaim", namespace, name)).collect();
    let value = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let finding = Finding::new(Cause::ClaimOrClassMissing, 0.93, since)
        .about([pod_subject(p.pod)])
        .about(missing)
        .proven_by("claim does not exist", value, p.pod.at, &Source::api("persistentvolumeclaims"))
        .proven_by("PodScheduled=False", excerpt(placement::message(p.pod)), p.pod.at, &Source::api("pods"));
    found.add(format!("{}/claim", p.pod.namespace), finding);
}

/// Claims that are not bound: the reason is in their class or in their own events.
fn unbound_claims(world: &World, found: &mut Findings<'_>) {
    if !world.listed(&["persistentvolumeclaims", "storageclasses", "pods"]) {
        return;
    }
    for claim in world.claims.iter().filter(|c| c.phase != "Bound" && c.volume.is_none() && !c.deleting) {
        let users: Vec<_> = users(world, claim).collect();
        let Some((cause, confidence, signal, value, since)) = claim_trouble(world, claim, !users.is_empty())
        else {
            continue;
        };
        // A provisioner that has just started fails once or twice; what it cannot do it says at once.
        let fleeting = cause == Cause::ProvisioningFailed && !text::is_final(&value);
        let patience = if fleeting { 2.0 } else { PROVEN };
        if !found.lasts(since, patience) {
            continue;
        }
        let finding = Finding::new(cause, confidence, since)
            .about(users.iter().map(|p| pod_subject(p)))
            .about([claim_subject(claim)])
            .proven_by(signal, value, claim.at.max(since), &Source::api("persistentvolumeclaims"));
        found.add(format!("{}/claim", claim.namespace), finding);
    }
}

fn users<'w>(world: &'w World, claim: &'w Claim) -> impl Iterator<Item = &'w Seen<Pod>> {
    world
        .pods
        .iter()
        .filter(|p| p.namespace == claim.namespace && !p.deleting && p.claims.contains(&claim.name))
}

type Trouble = (Cause, f64, String, String, Timestamp);

/// Seconds for which a claim's last failure counts: provisioners pause for up to five minutes.
const PROVISIONER_PAUSE: f64 = 400.0;

fn claim_trouble(world: &World, claim: &Seen<Claim>, used: bool) -> Option<Trouble> {
    if let Some(name) = claim.class.as_deref().filter(|c| !c.is_empty())
        && world.classes.find("", name).is_none()
    {
        let signal = "class of the claim does not exist".to_owned();
        return Some((Cause::ClaimOrClassMissing, 0.95, signal, name.to_owned(), claim.first_at));
    }
    let recent = |at: Timestamp| world.age(at) < PROVISIONER_PAUSE;
    let told = world
        .events
        .about(&claim.uid)
        .filter(|e| recent(e.last_at.map_or(e.at, |t| world.local(t))))
        .filter_map(|e| Some((text::claim_failure(&e.reason, &e.message)?, e)))
        .max_by_key(|(_, e)| e.at);
    if let Some((cause, event)) = told {
        // A claim without a class that nobody uses waits for a volume made by hand.
        let waits = event.reason == "FailedBinding" && !used;
        let value = excerpt(&event.message);
        return (!waits).then(|| (cause, 0.92, event.reason.clone(), value, event.first_at));
    }
    let idle = placement::waits_for_consumer(world, claim) && claim.selected_node.is_none();
    if idle || !used || claim.class.is_none() || world.age(claim.first_at) < 60.0 {
        return None;
    }
    let signal = "claim Pending, and nobody says why".to_owned();
    let value = format!("for {:.0} s", world.age(claim.first_at));
    Some((Cause::ProvisioningFailed, 0.55, signal, value, claim.first_at))
}

/// Pods that have a node and wait for their volumes there.
fn unmounted_volumes(world: &World, found: &mut Findings<'_>) {
    let waits = |p: &&Seen<Pod>| {
        p.node.is_some()
            && !p.deleting
            && p.phase == "Pending"
            && !p.containers.is_empty()
            && p.containers.iter().all(|c| matches!(c.state, ContainerState::Waiting { .. }))
    };
    for pod in world.pods.iter().filter(waits) {
        let failed = |r: &str| matches!(r, "FailedMount" | "FailedAttachVolume" | "FailedMapVolume");
        let events = world.events.about(&pod.uid).filter(|e| failed(&e.reason));
        let fresh = events.filter(|e| world.age(e.last_at.map_or(e.at, |t| world.local(t))) < 180.0);
        let told =
            fresh.filter_map(|e| Some((text::mount_failure(&e.message)?, e))).max_by_key(|(_, e)| e.at);
        if let Some((cause, event)) = told {
            let patience = if cause == Cause::BadConfiguration { PROVEN } else { 10.0 };
            if !found.lasts(event.first_at, patience) {
                continue;
            }
            let finding = unmounted(world, pod, cause, event.first_at).proven_by(
                event.reason.clone(),
                excerpt(&event.message),
                event.at,
                &Source::api("events"),
            );
            found.add(format!("{}/mount", pod.namespace), finding);
        }
    }
}

fn unmounted(world: &World, pod: &Seen<Pod>, cause: Cause, since: Timestamp) -> Finding {
    let volumes: Vec<_> = pod
        .claims
        .iter()
        .filter_map(|name| world.claims.find(&pod.namespace, name))
        .filter_map(|c| Some((c, world.volumes.find("", c.volume.as_deref()?)?)))
        .collect();
    let node = pod.node.as_deref().and_then(|n| world.nodes.find("", n));
    let out_of_place = |v: &Volume| node.is_some_and(|n| !placement::matches_any(&v.node_affinity, n));
    let mismatch = cause == Cause::AttachOrMountFailed && volumes.iter().any(|(_, v)| out_of_place(v));
    let (cause, confidence) = match (mismatch, cause) {
        (true, _) => (Cause::VolumeZoneMismatch, 0.94),
        (false, Cause::BadConfiguration) => (cause, 0.93),
        (false, _) => (cause, 0.88),
    };
    let mut finding = Finding::new(cause, confidence, since).about([pod_subject(pod)]);
    if cause == Cause::BadConfiguration {
        return finding;
    }
    for (claim, volume) in volumes {
        finding.add_subject(claim_subject(claim));
        finding.add_subject(Subject::new("PersistentVolume", "", &volume.name));
        let holder = world
            .attachments
            .iter()
            .find(|a| a.volume == volume.name && a.attached && Some(a.node.as_str()) != pod.node.as_deref());
        let Some(holder) = holder else { continue };
        let (value, source) = (format!("to {}", holder.node), Source::api("volumeattachments"));
        finding = finding.proven_by(format!("{} attached", volume.name), value, holder.at, &source);
        if world.nodes.find("", &holder.node).is_none_or(|n| n.ready != "True") {
            let held = link(cause, "the volume is still attached to it", vec![pod_subject(pod)]);
            let down = link(Cause::NodeDown, "the node is down", vec![node_subject(&holder.node)]);
            finding = finding.about([node_subject(&holder.node)]).leading_to([down, held]);
        }
    }
    finding
}
