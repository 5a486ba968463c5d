//! Which findings are only the symptoms of another: those become steps of its chain.

use crate::{
    clues::CONTEXT,
    control_plane,
    finding::{Basis, Finding, link},
    world::{World, age},
};
use loopdrill_model::{Cause, ChainLink, Diagnosis, Subject, Timestamp};
use std::time::Duration;

/// What etcd's slowness brings about by itself: whatever needs the API server in time.
const NEEDS_API: &[Cause] = &[
    Cause::AggregatedApiDown,
    Cause::ApiOverload,
    Cause::ApplicationExit,
    Cause::AttachOrMountFailed,
    Cause::ControlPlaneStarved,
    Cause::DnsFailure,
    Cause::NodeDnsFailure,
    Cause::NodeDown,
    Cause::PriorityLevelFull,
    Cause::ProbeFailing,
    Cause::ProvisioningFailed,
    Cause::TokenInvalid,
    Cause::WebhookBlocked,
    Cause::WebhookSlow,
];

/// What is only another view of a slow etcd, however long it has been seen.
const OF_ETCD: &[Cause] = &[Cause::ApiOverload, Cause::ControlPlaneStarved];

/// What hurts pods wherever they are.
const SHARED: &[Cause] = &[
    Cause::ApiOverload,
    Cause::CniFailed,
    Cause::ControlPlaneStarved,
    Cause::DnsFailure,
    Cause::EtcdDiskBound,
    Cause::OverlayMtu,
    Cause::PacketLoss,
    Cause::TrafficFiltered,
];

/// What a machine that is gone brings about for volumes that cannot leave it.
const NEEDS_VOLUME: &[Cause] = &[Cause::VolumeZoneMismatch, Cause::AttachOrMountFailed];

/// What may follow from a cause, and by which bond.
enum Explains {
    /// Nothing: it is never a root of others.
    Nothing,
    /// What needs the API server in time, from the moment on at which etcd became slow.
    WhatNeedsEtcd,
    /// What needs the API server in time, but for nodes: those may go down whatever the control plane does.
    WhatNeedsApi,
    /// The node that is down, where the volume's own story tells of it.
    ItsNode,
    /// These, where they came later and touch something in common.
    Meeting(&'static [Cause]),
    /// These on the node, what asks a DNS that may have run there, and volumes that went with the machine.
    OnTheNode(&'static [Cause]),
    /// Exits and failing probes of the same pods.
    OfItsPods,
}

/// One row a cause: whoever adds a cause says here what it explains.
fn explains(cause: Cause) -> Explains {
    match cause {
        Cause::EtcdDiskBound => Explains::WhatNeedsEtcd,
        Cause::ControlPlaneStarved => Explains::WhatNeedsApi,
        Cause::VolumeZoneMismatch | Cause::AttachOrMountFailed => Explains::ItsNode,
        Cause::OverlayMtu | Cause::PacketLoss | Cause::TrafficFiltered => Explains::Meeting(&[
            Cause::ApplicationExit,
            Cause::BackendSlow,
            Cause::DnsFailure,
            Cause::NoReadyEndpoints,
            Cause::NodeDnsFailure,
            Cause::ProbeFailing,
            Cause::RegistryUnreachable,
        ]),
        Cause::NodeDown => Explains::OnTheNode(&[
            Cause::ApplicationExit,
            Cause::DnsFailure,
            Cause::NoReadyEndpoints,
            Cause::NodeDnsFailure,
            Cause::PacketLoss,
            Cause::ProbeFailing,
            Cause::TrafficFiltered,
        ]),
        Cause::RuntimeFailing | Cause::NodePressure | Cause::CniFailed => {
            // A pod without a place sees only that no node is ready.
            Explains::Meeting(&[
                Cause::ApplicationExit,
                Cause::DnsFailure,
                Cause::NoReadyEndpoints,
                Cause::NodeDnsFailure,
                Cause::NodeDown,
                Cause::ProbeFailing,
            ])
        }
        // Who waits for a webhook keeps a seat.
        Cause::WebhookSlow => Explains::Meeting(&[Cause::PriorityLevelFull]),
        Cause::RbacDenied
        | Cause::TokenInvalid
        | Cause::PullUnauthorized
        | Cause::ImageNotFound
        | Cause::RegistryUnreachable
        | Cause::OutOfMemory
        | Cause::BadConfiguration => Explains::OfItsPods,
        Cause::IamDenied
        | Cause::TrustDenied
        | Cause::SessionRevoked
        | Cause::Fragmentation
        | Cause::Exhaustion
        | Cause::PlacementConstraint
        | Cause::QuotaExceeded
        | Cause::DeviceUnavailable
        | Cause::LocalStorageExceeded
        | Cause::DnsFailure
        | Cause::NodeDnsFailure
        | Cause::CloudUnreachable
        | Cause::LoadBalancerFailed
        | Cause::NoReadyEndpoints
        | Cause::BackendSlow
        | Cause::ClaimOrClassMissing
        | Cause::ProvisioningFailed
        | Cause::VolumeLimit
        | Cause::ResizeFailed
        | Cause::VolumeFull
        | Cause::VolumeFaulty
        | Cause::ApiOverload
        | Cause::WebhookBlocked
        | Cause::AggregatedApiDown
        | Cause::PriorityLevelFull
        | Cause::CloudThrottled
        | Cause::ProbeFailing
        | Cause::ApplicationExit => Explains::Nothing,
    }
}

/// Seconds by which a symptom may seem to precede its cause, because it was measured sooner.
const SLACK: f64 = 10.0;
/// Seconds after etcd recovered in which its victims may still fall.
const AFTERMATH: f64 = 25.0;

/// Folds symptoms into their causes and sorts by falling confidence.
pub(crate) fn rank(world: &World, findings: Vec<Finding>) -> Vec<Diagnosis> {
    let concerned = findings.iter().any(needs_api);
    let slow_times = if concerned { control_plane::slow_times(world) } else { Vec::new() };
    let past = |f: &Finding| {
        needs_api(f)
            && slow_times.iter().any(|(from, to)| {
                age(f.since, *from) >= 0.0 && age(f.since, *to) <= AFTERMATH && !is_younger(world, f, *to)
            })
    };
    let etcd_is_slow = findings.iter().any(|f| f.cause == Cause::EtcdDiskBound);
    let mut kept: Vec<Finding> = findings;
    if !etcd_is_slow {
        kept.retain(|f| !past(f));
    }
    without_echoes(&mut kept);
    let roots: Vec<Option<usize>> = (0..kept.len()).map(|i| root_of(world, &kept, i, &past)).collect();
    for i in (0..kept.len()).filter(|i| roots[*i].is_some()) {
        let root = ultimate(&roots, i);
        let (cause, steps) = (kept[i].cause, steps_of(&kept[i]));
        steps.into_iter().for_each(|step| append(&mut kept[root], cause, step));
    }
    let mut index = 0;
    kept.retain(|_| {
        index += 1;
        roots[index - 1].is_none()
    });
    kept.sort_by(order);
    as_one(kept).into_iter().map(|f| f.into_diagnosis(world.now())).collect()
}

/// Findings of one cause from which on they are told as one: nobody reads a list of them.
const MANY: usize = 5;

/// Makes one of many findings of the same cause: the surest, about what all of them are about.
fn as_one(sorted: Vec<Finding>) -> Vec<Finding> {
    let many: Vec<Cause> = Cause::ALL
        .iter()
        .copied()
        .filter(|c| sorted.iter().filter(|f| f.cause == *c).count() >= MANY)
        .collect();
    let mut told: Vec<Finding> = Vec::with_capacity(sorted.len());
    for finding in sorted {
        match told.iter_mut().find(|t| t.cause == finding.cause && many.contains(&t.cause)) {
            Some(first) => first.absorb(finding),
            None => told.push(finding),
        }
    }
    told
}

/// Whether a slow etcd may have brought it about. When etcd is slow, a node's heartbeats are not stored, and the node
/// looks lost; but a node that does not answer the probes of other nodes either is really gone. What is refused for a
/// reason that has nothing to do with time is refused by a quick etcd, too.
fn needs_api(f: &Finding) -> bool {
    NEEDS_API.contains(&f.cause) && !f.gone && !f.said_why
}

/// Whether all pods that it is about came into being after that time: what was over by then did not hurt them. Slowness
/// is seen in a window, so it was over sooner than the last window that holds some of it.
fn is_younger(world: &World, f: &Finding, seen_until: Timestamp) -> bool {
    let than = seen_until.checked_sub(Duration::from_secs(control_plane::WINDOW)).unwrap_or(seen_until);
    let pods = f.subjects.iter().filter(|s| s.kind == "Pod");
    let mut pods = pods.filter_map(|s| world.pods.find(&s.namespace, &s.name)).peekable();
    pods.peek().is_some() && pods.all(|p| age(world.local(p.created_at), than) > 0.0)
}

fn order(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    b.confidence
        .total_cmp(&a.confidence)
        .then_with(|| a.cause.cmp(&b.cause))
        .then_with(|| a.subjects.cmp(&b.subjects))
}

/// The finding that explains finding `i`, if one does.
fn root_of(world: &World, all: &[Finding], i: usize, past: &dyn Fn(&Finding) -> bool) -> Option<usize> {
    let symptom = &all[i];
    let is_root = |root: &Finding| match explains(root.cause) {
        _ if root.basis == Basis::Weak => false,
        _ if echoes(symptom, root) => true,
        // It is down because of whatever is wrong with the pods that answer it.
        _ if is_aggregated(symptom) && root.basis == Basis::Observed && meets(root, symptom) => true,
        _ if root.basis == Basis::Clue && same_pods(root, symptom) => true,
        Explains::Nothing => false,
        Explains::WhatNeedsEtcd => {
            OF_ETCD.contains(&symptom.cause)
                || needs_api(symptom)
                    && (later(root, symptom) || past(symptom) || unwatched(world, root, symptom))
        }
        Explains::WhatNeedsApi => {
            !OF_ETCD.contains(&symptom.cause)
                && symptom.cause != Cause::NodeDown
                && needs_api(symptom)
                && later(root, symptom)
        }
        Explains::ItsNode => !symptom.gone && names_as_link(root, symptom),
        Explains::Meeting(causes) => {
            causes.contains(&symptom.cause) && later(root, symptom) && meets(root, symptom)
        }
        // The nodes that get no answer from DNS say nothing about the node on which the DNS pod ran: time has to do.
        Explains::OnTheNode(causes) => {
            causes.contains(&symptom.cause)
                && (meets(root, symptom) || symptom.cause == Cause::DnsFailure && later(root, symptom))
                || root.gone && NEEDS_VOLUME.contains(&symptom.cause) && names_as_link(symptom, root)
        }
        Explains::OfItsPods => same_pods(root, symptom),
    };
    let mut roots = (0..all.len()).filter(|j| *j != i && is_root(&all[*j]));
    roots.next()
}

/// Whether the symptom is only what a container said, and `root` of the same loop is seen: of the same pods, or where all of
/// them share it.
fn echoes(symptom: &Finding, root: &Finding) -> bool {
    let said = symptom.basis == Basis::Clue && symptom.confidence <= CONTEXT;
    let same = symptom.cause.control_loop() == root.cause.control_loop();
    let seen = root.basis == Basis::Observed && !is_symptom(root.cause);
    said && seen && same && (SHARED.contains(&root.cause) || meets(root, symptom))
}

/// Follows symptoms to the cause that nothing else explains.
fn ultimate(roots: &[Option<usize>], start: usize) -> usize {
    let mut at = start;
    for _ in 0..roots.len() {
        match roots[at] {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

fn later(root: &Finding, symptom: &Finding) -> bool {
    age(symptom.since, root.since) >= -SLACK
}

/// Seconds before the first look in which a slowness that was there at it may have done harm.
const BEFORE: f64 = 120.0;

/// Whether the root was there when the watch began, so that nobody knows since when, and the symptom is not much older. Metrics
/// have no past, and pods have.
fn unwatched(world: &World, root: &Finding, symptom: &Finding) -> bool {
    let began = world.watched_for();
    world.age(root.since) > began - SLACK && world.age(symptom.since) < began + BEFORE
}

/// The node-down `down` is already a step of the chain of `teller`.
fn names_as_link(teller: &Finding, down: &Finding) -> bool {
    let node = |s: &&Subject| s.kind == "Node";
    down.cause == Cause::NodeDown
        && down.subjects.iter().find(node).is_some_and(|n| {
            teller
                .chain
                .iter()
                .any(|l| l.control_loop == Cause::NodeDown.control_loop() && l.subjects.contains(n))
        })
}

fn meets(root: &Finding, symptom: &Finding) -> bool {
    symptom.subjects.iter().any(|s| root.has(s))
}

fn is_aggregated(f: &Finding) -> bool {
    f.cause == Cause::AggregatedApiDown
}

/// What a pod shows, whatever the cause.
fn is_symptom(cause: Cause) -> bool {
    matches!(cause, Cause::ApplicationExit | Cause::ProbeFailing)
}

/// The same pods, exiting or failing their probes.
fn same_pods(root: &Finding, symptom: &Finding) -> bool {
    is_symptom(symptom.cause) && symptom.subjects.iter().filter(|s| s.kind == "Pod").all(|s| root.has(s))
}

/// Drops what pods only said where something that was seen explains those pods already.
fn without_echoes(findings: &mut Vec<Finding>) {
    let pods =
        |f: &Finding| -> Vec<Subject> { f.subjects.iter().filter(|s| s.kind == "Pod").cloned().collect() };
    let seen: Vec<Subject> =
        findings.iter().filter(|f| f.basis != Basis::Weak && !is_symptom(f.cause)).flat_map(pods).collect();
    findings.retain(|f| f.basis != Basis::Weak || pods(f).iter().any(|p| !seen.contains(p)));
}

/// What a symptom adds to the chain: the story that it tells itself, where that speaks of its own loop.
fn steps_of(symptom: &Finding) -> Vec<ChainLink> {
    if symptom.chain.iter().any(|l| l.control_loop == symptom.cause.control_loop()) {
        return symptom.chain.clone();
    }
    let subjects = symptom.subjects.iter().take(8).cloned().collect();
    vec![link(symptom.cause, symptom.cause.title(), subjects)]
}

fn append(root: &mut Finding, cause: Cause, step: ChainLink) {
    if root.chain.is_empty() {
        let own = root.subjects.iter().take(8).cloned().collect();
        root.chain.push(link(root.cause, root.cause.title(), own));
    }
    let told = |l: &ChainLink| step.subjects.first().is_some_and(|s| l.subjects.contains(s));
    let of_nodes = cause == Cause::NodeDown || root.gone;
    let known = of_nodes && root.chain.iter().any(|l| l.control_loop == step.control_loop && told(l));
    if !known {
        root.chain.push(step);
    }
}
