//! What keeps a pod from a node that it may use and that has room: ports, other pods, volumes.

use super::load::{self, Load, volumes_of};
use crate::world::Seen;
use loopdrill_model::{Cause, signal::*};
use std::collections::BTreeMap;

/// What it is, in the order in which it is told where nodes have different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObstacleKind {
    /// A claim that only one pod may use is used.
    OncePerPod,
    /// The node's driver attaches no more volumes.
    VolumeLimit,
    /// A port of the node is taken.
    HostPort,
    /// A pod there, or the pod itself, wants them apart.
    Apart,
    /// No pod is there that it wants near.
    Near,
    /// One more would be too many in that place.
    Spread,
}

/// An obstacle, with the pod that is in the way where one is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Obstacle<'w> {
    pub(crate) kind: ObstacleKind,
    pub(crate) holder: Option<&'w Seen<Pod>>,
}

impl ObstacleKind {
    pub(crate) fn cause(self) -> Cause {
        match self {
            Self::OncePerPod => Cause::AttachOrMountFailed,
            Self::VolumeLimit => Cause::VolumeLimit,
            Self::HostPort | Self::Apart | Self::Near | Self::Spread => Cause::PlacementConstraint,
        }
    }

    /// For people, after a number of nodes.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::OncePerPod => "by a ReadWriteOncePod claim that another pod uses",
            Self::VolumeLimit => "by the number of volumes that their driver attaches",
            Self::HostPort => "by a host port that is taken",
            Self::Apart => "by anti-affinity to pods there",
            Self::Near => "by affinity to pods that are not there",
            Self::Spread => "by topology spread",
        }
    }
}

/// What may keep a pod off nodes beside what they offer, as far as it is the same on all of them.
pub(super) struct Hindrance<'w> {
    pod: &'w Pod,
    /// Who uses a claim of the pod that only one pod may use.
    claim_holder: Option<&'w Seen<Pod>>,
    /// The pod's volumes by driver, where drivers have limits at all.
    volumes: BTreeMap<String, Vec<String>>,
}

impl<'w> Hindrance<'w> {
    /// Nothing where no node can have an obstacle for the pod.
    pub(super) fn of(load: &Load<'w>, pod: &'w Pod) -> Option<Self> {
        let mut volumes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if load.world.drivers.len() > 0 {
            volumes_of(load.world, pod)
                .for_each(|(driver, volume)| volumes.entry(driver).or_default().push(volume));
        }
        let claim_holder = claim_holder(load, pod);
        let constrained = !pod.constraints.are_none() || load.apart().next().is_some();
        (constrained || claim_holder.is_some() || !volumes.is_empty()).then_some(Self {
            pod,
            claim_holder,
            volumes,
        })
    }

    /// The first obstacle on `node`, which the pod may use as far as the node goes.
    pub(super) fn on(&self, load: &Load<'w>, node: &'w Seen<Node>) -> Option<Obstacle<'w>> {
        let pod = self.pod;
        let by = |kind, holder: Option<&'w Seen<Pod>>| holder.map(|h| Obstacle { kind, holder: Some(h) });
        let bare = |kind, is: bool| is.then_some(Obstacle { kind, holder: None });
        by(ObstacleKind::OncePerPod, self.claim_holder)
            .or_else(|| bare(ObstacleKind::VolumeLimit, has_no_slot(load, &self.volumes, node)))
            .or_else(|| by(ObstacleKind::HostPort, port_holder(load, pod, node)))
            .or_else(|| by(ObstacleKind::Apart, kept_apart(load, pod, node)))
            .or_else(|| bare(ObstacleKind::Near, is_lonely(load, pod, node)))
            .or_else(|| bare(ObstacleKind::Spread, is_crowded(load, pod, node)))
    }
}

fn claim_holder<'w>(load: &Load<'w>, pod: &Pod) -> Option<&'w Seen<Pod>> {
    let once = |name: &&String| load.world.claims.find(&pod.namespace, name).is_some_and(|c| c.once_per_pod);
    pod.claims.iter().filter(once).find_map(|name| load.user_of(&pod.namespace, name))
}

/// Whether volumes, by driver, are more than the node's drivers have left.
fn has_no_slot<'w>(load: &Load<'w>, wanted: &BTreeMap<String, Vec<String>>, node: &'w Seen<Node>) -> bool {
    let limits = if wanted.is_empty() { None } else { load.world.drivers.find("", &node.name) };
    let Some(limits) = limits else { return false };
    wanted.iter().any(|(driver, volumes)| {
        let Some(Some(limit)) = limits.drivers.get(driver) else { return false };
        let used = load.volumes(&node.object.name, driver);
        let new = volumes.iter().filter(|v| !used.contains(*v)).count();
        new > 0 && used.len() + new > *limit as usize
    })
}

fn port_holder<'w>(load: &Load<'w>, pod: &Pod, node: &Node) -> Option<&'w Seen<Pod>> {
    let wanted = &pod.constraints.host_ports;
    if wanted.is_empty() {
        return None;
    }
    load.on(&node.name)
        .find(|p| wanted.iter().any(|w| p.constraints.host_ports.iter().any(|held| held.conflicts(w))))
}

/// A pod whom the pod wants apart, or who wants the pod apart, in the same place.
fn kept_apart<'w>(load: &Load<'w>, pod: &Pod, node: &Node) -> Option<&'w Seen<Pod>> {
    let own = pod.constraints.apart.iter().find_map(|term| {
        let place = node.labels.get(&term.topology_key)?;
        load.places(&pod.namespace, std::slice::from_ref(term)).get(place).map(|(_, holder)| *holder)
    });
    own.or_else(|| load.apart().find(|other| repels(load, other, pod, node)))
}

fn repels(load: &Load<'_>, other: &Pod, pod: &Pod, node: &Node) -> bool {
    let there = other.node.as_deref().unwrap_or_default();
    other.constraints.apart.iter().any(|term| {
        let here = node.labels.get(&term.topology_key).map(String::as_str);
        here.is_some()
            && here == load.place(there, &term.topology_key)
            && term.selects(&other.namespace, &load.view(pod))
    })
}

/// Whether nobody is in the node's places whom the pod wants near. The first of those who want each other may go anywhere.
fn is_lonely(load: &Load<'_>, pod: &Pod, node: &Node) -> bool {
    let terms = &pod.constraints.near;
    if terms.is_empty() {
        return false;
    }
    let placed = terms.iter().all(|t| node.labels.contains_key(&t.topology_key));
    let met = |term: &PodTerm| {
        let mut asked = vec![term.clone()];
        asked.extend(terms.iter().filter(|t| *t != term).cloned());
        let places = load.places(&pod.namespace, &asked);
        node.labels.get(&term.topology_key).is_some_and(|place| places.contains_key(place))
    };
    if placed && terms.iter().all(met) {
        return false;
    }
    let itself = terms.iter().all(|t| t.selects(&pod.namespace, &load.view(pod)));
    let first = itself && load.places(&pod.namespace, terms).is_empty();
    !(placed && first)
}

/// Whether one more pod in the node's places would be too many there.
fn is_crowded(load: &Load<'_>, pod: &Pod, node: &Node) -> bool {
    pod.constraints.spread.iter().any(|spread| {
        let Some(here) = node.labels.get(&spread.topology_key) else { return true };
        let term = load::counted(spread);
        let itself = term.selects(&pod.namespace, &load.view(pod));
        let here = load.places(&pod.namespace, &[term]).get(here).map_or(0, |(n, _)| *n);
        let (places, least) = load.emptiest(pod, spread);
        !spread.allows(here, itself, places, least)
    })
}
