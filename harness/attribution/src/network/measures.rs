//! How the evidence of this loop is named, and the numbers behind it.

use super::{
    counters::{failures_of, packets_of},
    patience, silent_since,
    ways::{Fate, Way, way},
};
use crate::world::{Path, World};
use loopdrill_model::{
    Measure, Source,
    signal::{LinkKind, ProbePath},
};

/// Probes that are too few to speak of a share that is lost.
pub(super) const FEW: u32 = 10;
/// A share of probes that is lost, and is more than bad luck.
pub(super) const LOSSY: f64 = 0.12;

pub(super) fn of_sizes(path: &Path) -> String {
    format!("probe {} → {}, pod to pod, don't fragment", path.from, path.to)
}

pub(super) fn of_pods(path: &Path) -> String {
    format!("probe {} → {}, pod to pod", path.from, path.to)
}

pub(super) fn of_nodes(path: &Path) -> String {
    format!("probe {} → {}, node to node", path.from, path.to)
}

pub(super) fn of_loss(path: &Path) -> String {
    format!("probe {} → {}", path.from, path.to)
}

pub(super) fn of_dns(path: &Path) -> String {
    asked_from(&path.from)
}

pub(super) fn asked_from(node: &str) -> String {
    format!("DNS asked from {node}")
}

pub(super) fn of_drops(link: &str, node: &str) -> String {
    format!("tx_dropped of {link} (overlay) on {node}")
}

pub(super) fn of_fragments(node: &str) -> String {
    format!("FragFails on {node}")
}

/// The number that the evidence of that name and source is about.
pub(crate) fn measure(world: &World, signal: &str, source: &Source) -> Option<Measure> {
    if let Some(node) = source.as_str().strip_prefix("node:") {
        return counted(world, signal, node);
    }
    let from = source.as_str().strip_prefix("probe:")?;
    world.probes.paths().filter(|(path, _)| path.from == from).find_map(|(path, sizes)| {
        let way = || way(world, path, sizes);
        match path.path {
            ProbePath::Overlay if signal == of_sizes(path) || signal == of_pods(path) => passing(&way()),
            ProbePath::Underlay if signal == of_nodes(path) => passing(&way()),
            ProbePath::Dns if signal == of_dns(path) => unanswered(world, &way()),
            ProbePath::Overlay | ProbePath::Underlay if signal == of_loss(path) => lost(&way()),
            _ => None,
        }
    })
}

/// The largest size up to which all pass.
fn passing(way: &Way<'_>) -> Option<Measure> {
    if way.all(|f| f == Fate::Unknown) {
        return None;
    }
    let passes = way.fates.iter().take_while(|f| f.1 == Fate::Passes).last();
    Some(Measure::new("largest that passes", "bytes", passes.map_or(0.0, |f| f64::from(f.0))))
}

fn lost(way: &Way<'_>) -> Option<Measure> {
    let (share, asked) = way.loss;
    let measure = Measure::new("lost of the last 30 s", "%", share * 100.0).held_to(LOSSY * 100.0);
    (asked >= FEW).then_some(measure)
}

fn unanswered(world: &World, way: &Way<'_>) -> Option<Measure> {
    let seconds = match way.smallest() {
        Fate::Unknown => return None,
        _ => silent_since(world, way).map_or(0.0, |since| world.age(since)),
    };
    Some(Measure::new("time without an answer", "s", seconds).held_to(patience(world)))
}

fn counted(world: &World, signal: &str, node: &str) -> Option<Measure> {
    if signal == of_fragments(node) {
        world.telemetry.stacks.get(node)?;
        return Some(Measure::new("packets in 15 s", "", failures_of(world, node)));
    }
    let links = world.telemetry.links.iter().filter(|((n, _), _)| n == node);
    let mut overlay = links.filter(|(_, s)| s.last().is_some_and(|(_, i)| i.kind == LinkKind::Overlay));
    let ((_, link), _) = overlay.find(|((_, link), _)| signal == of_drops(link, node))?;
    Some(Measure::new("in 15 s", "packets", packets_of(world, node, link)))
}
