//! Which findings are only the symptoms of another: those become steps of its chain.

use crate::{
    control_plane,
    finding::{Finding, link},
    world::{World, age},
};
use loopdrill_model::{Cause, ChainLink, Diagnosis, Subject, Timestamp};
use std::time::Duration;

/// What etcd's slowness brings about by itself: whatever needs the API server in time.
const NEEDS_API: &[Cause] = &[
    Cause::ApiOverload,
    Cause::ApplicationExit,
    Cause::AttachOrMountFailed,
    Cause::ControlPlaneStarved,
    Cause::DnsFailure,
    Cause::NodeDown,
    Cause::ProbeFailing,
    Cause::ProvisioningFailed,
    Cause::TokenInvalid,
    Cause::WebhookBlocked,
];

/// What is only another view of a slow etcd, however long it has been seen.
const OF_ETCD: &[Cause] = &[Cause::ApiOverload, Cause::ControlPlaneStarved];

/// What a broken network brings about for the pods on its nodes.
const NEEDS_NETWORK: &[Cause] = &[
    Cause::ApplicationExit,
    Cause::BackendSlow,
    Cause::DnsFailure,
    Cause::NoReadyEndpoints,
    Cause::ProbeFailing,
    Cause::RegistryUnreachable,
];

/// What a node that is gone brings about for what runs on it.
const NEEDS_NODE: &[Cause] = &[
    Cause::ApplicationExit,
    Cause::DnsFailure,
    Cause::NoReadyEndpoints,
    Cause::PacketLoss,
    Cause::ProbeFailing,
    Cause::TrafficFiltered,
];

/// What a machine that is gone brings about for volumes that cannot leave it.
const NEEDS_VOLUME: &[Cause] = &[Cause::VolumeZoneMismatch, Cause::AttachOrMountFailed];

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
    let roots: Vec<Option<usize>> = (0..kept.len()).map(|i| root_of(&kept, i, &past)).collect();
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
    kept.into_iter().map(|f| f.into_diagnosis(world.now())).collect()
}

/// Whether a slow etcd may have brought it about. A node whose heartbeats nobody could write down looks lost, but one
/// that does not answer its neighbours either is gone, whatever etcd does.
fn needs_api(f: &Finding) -> bool {
    NEEDS_API.contains(&f.cause) && !f.gone
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
fn root_of(all: &[Finding], i: usize, past: &dyn Fn(&Finding) -> bool) -> Option<usize> {
    let symptom = &all[i];
    let explains = |root: &Finding| match root.cause {
        Cause::EtcdDiskBound => {
            OF_ETCD.contains(&symptom.cause) || needs_api(symptom) && (later(root, symptom) || past(symptom))
        }
        // A node may go down whatever the control plane does.
        Cause::ControlPlaneStarved => {
            !OF_ETCD.contains(&symptom.cause)
                && symptom.cause != Cause::NodeDown
                && needs_api(symptom)
                && later(root, symptom)
        }
        Cause::VolumeZoneMismatch | Cause::AttachOrMountFailed => {
            !symptom.gone && names_as_link(root, symptom)
        }
        Cause::OverlayMtu | Cause::PacketLoss | Cause::TrafficFiltered => {
            NEEDS_NETWORK.contains(&symptom.cause) && later(root, symptom) && meets(root, symptom)
        }
        // Whose DNS pod was on the node cannot be seen from whom it leaves without answer.
        Cause::NodeDown => {
            NEEDS_NODE.contains(&symptom.cause)
                && (meets(root, symptom) || symptom.cause == Cause::DnsFailure && later(root, symptom))
                || root.gone && NEEDS_VOLUME.contains(&symptom.cause) && names_as_link(symptom, root)
        }
        Cause::RbacDenied
        | Cause::TokenInvalid
        | Cause::PullUnauthorized
        | Cause::ImageNotFound
        | Cause::RegistryUnreachable
        | Cause::OutOfMemory
        | Cause::BadConfiguration => same_pods(root, symptom),
        _ => false,
    };
    let mut roots = (0..all.len()).filter(|j| *j != i && explains(&all[*j]));
    roots.next()
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

/// The same pods, exiting or failing their probes.
fn same_pods(root: &Finding, symptom: &Finding) -> bool {
    matches!(symptom.cause, Cause::ApplicationExit | Cause::ProbeFailing)
        && symptom.subjects.iter().filter(|s| s.kind == "Pod").all(|s| root.has(s))
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
