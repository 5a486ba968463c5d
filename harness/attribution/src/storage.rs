//! Storage: a volume is pinned where the pod may not go, or it does not come into being, or does not attach.

use crate::{
    compute::{MOST_LINKS, closed_link, pending_link},
    finding::{Finding, Findings, PROVEN, excerpt, link, node_subject, pod_subject},
    kubelet,
    placement::{self, NodePredicate, Pending, UnschedulableReason, amount},
    text,
    unwell::Unwell,
    world::{Fact, Key, Seen, SeenEvent, World},
};
use loopdrill_kubernetes::well_known;
use loopdrill_model::{Cause, ChainLink, Loop, Source, Subject, Timestamp, signal::*};

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, pending: &[Pending<'_>], found: &mut Findings<'_>) {
    for p in pending {
        match p.reason {
            UnschedulableReason::VolumeElsewhere
                if text::scheduler_agrees(placement::message(p.pod), placement::COUNTED, &[])
                    && found.lasts(world.since(p.pod, &Fact::Unscheduled), PROVEN) =>
            {
                found.add(format!("{}/zone", p.pod.namespace), volume_elsewhere(world, p));
            }
            UnschedulableReason::NoClaim => no_claim(world, p, found),
            _ => {}
        }
    }
    unbound_claims(world, found);
    unmounted_volumes(world, unwell, found);
    unresized_claims(world, found);
}

fn claim_subject(claim: &Claim) -> Subject {
    Subject::new("PersistentVolumeClaim", &claim.namespace, &claim.name)
}

fn volume_elsewhere(world: &World, p: &Pending<'_>) -> Finding {
    let since = world.since(p.pod, &Fact::Unscheduled);
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
    let elsewhere = p.open().filter(|r| !r.volumes_here).map(|r| place(r.node));
    let elsewhere: Vec<_> = elsewhere.take(MOST_LINKS).collect();
    finding = finding.proven_by(
        "nodes open to the pod, without the volume",
        format!("{}; it wants {}", elsewhere.join(", "), amount(&p.pod.requests, &p.pod.requests)),
        p.pod.at,
        &Source::api("nodes"),
    );
    finding = finding.proven_by("PodScheduled=False", excerpt(said), p.pod.at, &Source::api("pods"));
    let homes: Vec<_> = p.rooms.iter().filter(|r| r.volumes_here).collect();
    let mut chain: Vec<ChainLink> =
        homes.iter().filter_map(|r| closed_link(r.predicate, &r.node.name)).take(MOST_LINKS).collect();
    let full: Vec<_> = homes.iter().filter(|r| r.predicate.is_none() && !r.fits(&p.pod.requests)).collect();
    if !full.is_empty() {
        let nodes = full.iter().take(MOST_LINKS).map(|r| node_subject(&r.node.name)).collect();
        chain.push(link(Cause::Exhaustion, "the volume's nodes have too little room left", nodes));
    }
    for volume in &p.pinned {
        let attached = world.attachments.by(&Key::Volume(volume.name.clone())).find(|a| a.attached);
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
    let closed =
        homes.iter().filter(|r| matches!(r.predicate, Some(NodePredicate::Down | NodePredicate::Cordoned)));
    finding.about(closed.map(|r| node_subject(&r.node.name))).leading_to(chain)
}

/// The Services that select the pod and have no ready endpoint now.
fn deserted_services(world: &World, pod: &Pod) -> Option<ChainLink> {
    let empty = |s: &&Seen<Service>| {
        world.endpoints.get(&(s.namespace.clone(), s.name.clone())).is_some_and(|e| e.value.ready == 0)
    };
    let services = world.services_of(pod).filter(empty);
    let services: Vec<_> = services.map(|s| Subject::new("Service", &s.namespace, &s.name)).collect();
    let what = "connections to the Service find no endpoint".to_owned();
    (!services.is_empty()).then_some(ChainLink { control_loop: Loop::Network, what, subjects: services })
}

/// `topology.kubernetes.io/zone in (a)`, for people.
fn places(terms: &[NodeTerm]) -> String {
    let requirement = |r: &Requirement| format!("{} {:?} ({})", r.key, r.operator, r.values.join(", "));
    let term = |t: &NodeTerm| t.requirements().map(requirement).collect::<Vec<_>>().join(" and ");
    terms.iter().map(term).collect::<Vec<_>>().join(" or ")
}

fn place(node: &Node) -> String {
    match well_known::zone(&node.labels) {
        Some(zone) => format!("{} (zone {zone})", node.name),
        None => node.name.clone(),
    }
}

fn no_claim(world: &World, p: &Pending<'_>, found: &mut Findings<'_>) {
    let namespace = &p.pod.namespace;
    let missing = p.pod.claims.iter().filter(|name| world.claims.find(namespace, name).is_none());
    let gone_at = missing.clone().filter_map(|name| world.claims.gone_at(namespace, name)).max();
    let since = world.since(p.pod, &Fact::Unscheduled);
    let since = since.max(gone_at.unwrap_or_else(|| world.began(p.pod.first_at, Some(p.pod.created_at))));
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
    let unbound =
        |c: &&Seen<Claim>| c.phase != "Bound" && (c.volume.is_none() || c.phase == "Lost") && !c.deleting;
    for claim in world.claims.by(&Key::Unwell).filter(unbound) {
        let users: Vec<_> = users(world, claim).collect();
        let Some((cause, confidence, signal, value, since)) = claim_trouble(world, claim, !users.is_empty())
        else {
            continue;
        };
        // A provisioner that has just started fails once or twice; what it cannot do it says at once.
        let is_final = text::is_final(&value);
        let fleeting = cause == Cause::ProvisioningFailed && !is_final;
        let patience = if fleeting { 2.0 } else { PROVEN };
        if !found.lasts(since, patience) {
            continue;
        }
        let mut finding = Finding::new(cause, confidence, since)
            .about(users.iter().map(|p| pod_subject(p)))
            .about([claim_subject(claim)])
            .proven_by(signal, value, claim.at.max(since), &Source::api("persistentvolumeclaims"));
        finding.said_why = is_final;
        found.add(format!("{}/claim", claim.namespace), finding);
    }
}

fn users<'w>(world: &'w World, claim: &'w Claim) -> impl Iterator<Item = &'w Seen<Pod>> {
    let key = Key::Claim(claim.namespace.clone(), claim.name.clone());
    world.pods.by(&key).filter(|p| !p.deleting)
}

type Trouble = (Cause, f64, String, String, Timestamp);

/// Seconds for which a claim's last failure counts: provisioners pause for up to five minutes.
const PROVISIONER_PAUSE: f64 = 400.0;

fn claim_trouble(world: &World, claim: &Seen<Claim>, used: bool) -> Option<Trouble> {
    if claim.phase == "Lost" {
        let value = claim.volume.clone().unwrap_or_default();
        let signal = "claim Lost: its volume does not exist".to_owned();
        return Some((Cause::ClaimOrClassMissing, 0.9, signal, value, claim.at));
    }
    if let Some(name) = claim.class.as_deref().filter(|c| !c.is_empty())
        && world.classes.find("", name).is_none()
    {
        let signal = "class of the claim does not exist".to_owned();
        let since = world.began(claim.first_at, Some(claim.created_at));
        return Some((Cause::ClaimOrClassMissing, 0.95, signal, name.to_owned(), since));
    }
    let since = world.began(claim.first_at, Some(claim.created_at));
    let told = world
        .events
        .about(&claim.uid)
        .filter(|e| world.is_recent(e, PROVISIONER_PAUSE))
        .filter_map(|e| Some((text::claim_failure(&e.reason, &e.message)?, e)))
        .max_by_key(|(_, e)| (world.event_last(e), e.at));
    if let Some((cause, event)) = told {
        // A claim without a class that nobody uses waits for a volume made by hand.
        let waits = event.reason == "FailedBinding" && !used;
        let value = excerpt(&event.message);
        return (!waits).then(|| (cause, 0.92, event.reason.clone(), value, world.event_began(event)));
    }
    let idle = placement::waits_for_consumer(world, claim) && claim.selected_node.is_none();
    if idle || !used || claim.class.is_none() || world.age(since) < 60.0 {
        return None;
    }
    let chosen = claim.selected_node.as_deref().filter(|n| world.nodes.find("", n).is_none());
    if let Some(node) = chosen.filter(|_| world.listed(&["nodes"])) {
        let signal = "node that the volume was to be made for".to_owned();
        return Some((Cause::ProvisioningFailed, 0.85, signal, format!("{node} does not exist"), since));
    }
    let signal = "claim Pending, and nobody says why".to_owned();
    let value = format!("for {:.0} s", world.age(since));
    Some((Cause::ProvisioningFailed, 0.55, signal, value, since))
}

/// Pods that have a node and wait for their volumes there.
fn unmounted_volumes(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for pod in unwell.that(|p| kubelet::is_being_created(p)) {
        let Some((cause, event)) = mount_trouble(world, pod) else { continue };
        let patience = if cause == Cause::BadConfiguration { PROVEN } else { 10.0 };
        let alike = kubelet::standing(world, pod, is_mount)
            .filter(|e| text::mount_failure(&e.message).is_some_and(|(c, _)| c == cause));
        let since = kubelet::troubled_since(world, event, alike);
        if !found.lasts(since, patience) {
            continue;
        }
        let finding = unmounted(world, pod, cause, since).proven_by(
            event.reason.clone(),
            excerpt(&event.message),
            event.at,
            &Source::api("events"),
        );
        found.add(format!("{}/mount", pod.namespace), finding);
    }
}

fn is_mount(reason: &str) -> bool {
    matches!(reason, "FailedMount" | "FailedAttachVolume" | "FailedMapVolume")
}

/// The event that says most clearly why the pod's volumes do not come, and of those the last. A volume that was
/// attached since then, or a container that came further, says that it is over.
fn mount_trouble<'w>(world: &'w World, pod: &Pod) -> Option<(Cause, &'w SeenEvent)> {
    let attached = kubelet::last_of(world, pod, |reason| reason == "SuccessfulAttachVolume");
    let over = |e: &SeenEvent| {
        e.reason == "FailedAttachVolume" && attached.is_some_and(|at| at > world.event_last(e))
    };
    let told = kubelet::standing(world, pod, is_mount).filter(|e| !over(e)).filter_map(|e| {
        let (cause, said) = text::mount_failure(&e.message)?;
        Some((cause, said, e))
    });
    let clearest = told.max_by_key(|(_, said, e)| (*said, world.event_last(e), e.at));
    clearest.map(|(cause, _, e)| (cause, e))
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
    if cause.control_loop() == Loop::Identity {
        return finding.about([Subject::new("ServiceAccount", &pod.namespace, &pod.service_account)]);
    }
    if cause.control_loop() != Loop::Storage {
        let node = pod.node.as_deref().filter(|_| cause.control_loop() == Loop::Compute);
        return finding.about(node.map(node_subject));
    }
    for (claim, volume) in volumes {
        finding.add_subject(claim_subject(claim));
        finding.add_subject(Subject::new("PersistentVolume", "", &volume.name));
        let holder = world
            .attachments
            .by(&Key::Volume(volume.name.clone()))
            .find(|a| a.attached && Some(a.node.as_str()) != pod.node.as_deref());
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

/// Seconds for which a failure to resize counts: resizers pause for up to five minutes.
const RESIZER_PAUSE: f64 = 600.0;
/// Seconds for which resizing must fail: the next try may work.
const RESIZING: f64 = 30.0;

/// Claims that are bound, ask for more, and do not get it.
fn unresized_claims(world: &World, found: &mut Findings<'_>) {
    for claim in world.claims.by(&Key::Unwell).filter(|c| c.grows && !c.deleting) {
        let Some((cause, confidence, signal, value, since)) = resize_trouble(world, claim) else { continue };
        if !found.lasts(since, RESIZING) {
            continue;
        }
        let volume = claim.volume.iter().map(|v| Subject::new("PersistentVolume", "", v));
        let finding = Finding::new(cause, confidence, since)
            .about([claim_subject(claim)])
            .about(volume)
            .about(users(world, claim).map(|p| pod_subject(p)))
            .proven_by(signal, value, claim.at, &Source::api("persistentvolumeclaims"));
        found.add(format!("{}/resize", claim.namespace), finding);
    }
}

fn resize_trouble(world: &World, claim: &Seen<Claim>) -> Option<Trouble> {
    let succeeded =
        |e: &&SeenEvent| matches!(e.reason.as_str(), "VolumeResizeSuccessful" | "FileSystemResizeSuccessful");
    let healed = world.events.about(&claim.uid).filter(succeeded).map(|e| world.event_last(e)).max();
    let failed = world.events.about(&claim.uid).filter(|e| {
        matches!(e.reason.as_str(), "VolumeResizeFailed" | "FileSystemResizeFailed")
            && world.is_recent(e, RESIZER_PAUSE)
            && healed.is_none_or(|at| at < world.event_last(e))
    });
    let told = failed.filter_map(|e| Some((text::claim_failure(&e.reason, &e.message)?, e)));
    if let Some((cause, e)) = told.max_by_key(|(_, e)| (world.event_last(e), e.at)) {
        return Some((cause, 0.9, e.reason.clone(), excerpt(&e.message), world.event_began(e)));
    }
    let refused = |c: &&Condition| matches!(c.kind.as_str(), "ControllerResizeError" | "NodeResizeError");
    let refused = claim.conditions.iter().find(refused).map(|c| (c, 0.9));
    let (condition, confidence) = refused.or_else(|| Some((waits_for_its_pod(world, claim)?, 0.6)))?;
    let cause = text::claim_failure("VolumeResizeFailed", &condition.message)?;
    let since = world.began(claim.first_at, condition.since);
    Some((cause, confidence, condition.kind.clone(), excerpt(&condition.message), since))
}

/// Seconds in which a kubelet lets the file system of a volume grow that a pod uses, where it can be done so.
const GROWING: f64 = 300.0;

/// The volume has grown, and its file system has not for long, although a pod uses it: it grows when that one starts anew.
fn waits_for_its_pod<'w>(world: &World, claim: &'w Seen<Claim>) -> Option<&'w Condition> {
    let pending = claim.conditions.iter().find(|c| c.kind == "FileSystemResizePending")?;
    let since = world.began(claim.first_at, pending.since);
    let used = users(world, claim).any(|p| p.phase == "Running");
    (used && world.age(since) > GROWING).then_some(pending)
}
