//! Where the nodes themselves count what vanishes.

use super::measures::{of_drops, of_fragments};
use crate::{
    finding::{Finding, Findings, link, node_subject, pod_subject},
    world::{Fact, Series, World, age, float, rise},
};
use loopdrill_model::{Cause, Source, Subject, Timestamp, signal::*};
use std::collections::BTreeSet;

/// Adds where the nodes count what vanished, the links as subjects, and the pods that suffer.
pub(super) fn counted(world: &World, mut finding: Finding, nodes: &BTreeSet<String>) -> Finding {
    let mut places = 0;
    for drop in overlay_drops(world).into_iter().filter(|d| nodes.contains(&d.node)) {
        places += 1;
        finding = finding.proven_by(
            of_drops(&drop.link, &drop.node),
            format!("+{} in 15 s; underlay +{}", drop.packets, drop.underlay),
            drop.at,
            &Source::node(&drop.node),
        );
    }
    for (node, packets, at) in fragmentation_failures(world).into_iter().filter(|f| nodes.contains(&f.0)) {
        places += 1;
        finding =
            finding.proven_by(of_fragments(&node), format!("+{packets} in 15 s"), at, &Source::node(&node));
    }
    for ((node, name), series) in world.telemetry.links.iter().filter(|((n, _), _)| nodes.contains(n)) {
        if series.last().is_some_and(|(_, i)| i.kind == LinkKind::Overlay) {
            finding.add_subject(Subject::new("Interface", "", format!("{node}/{name}")));
        }
    }
    finding.confidence += if places > 0 { 0.07 } else { 0.0 };
    let suffering: Vec<_> = suffering(world, nodes, finding.since);
    let finding = finding.about(nodes.iter().map(|n| node_subject(n))).about(suffering.clone());
    if suffering.is_empty() {
        return finding;
    }
    let links = nodes.iter().map(|n| node_subject(n)).collect();
    finding.leading_to([
        link(Cause::OverlayMtu, "large packets vanish between the nodes", links),
        link(Cause::ProbeFailing, "pods there are not ready", suffering),
    ])
}

/// Pods on these nodes that became unready since then.
fn suffering(world: &World, nodes: &BTreeSet<String>, since: Timestamp) -> Vec<Subject> {
    world
        .pods
        .iter()
        .filter(|p| !p.deleting && !p.ready && p.phase == "Running")
        .filter(|p| p.node.as_ref().is_some_and(|n| nodes.contains(n)))
        .filter(|p| age(p.since(&Fact::Unready), since) > -5.0)
        .map(|p| pod_subject(p))
        .take(8)
        .collect()
}

struct Drops {
    node: String,
    link: String,
    packets: u64,
    underlay: u64,
    /// In how many samples the counter went up.
    steps: u32,
    at: Timestamp,
}

/// Overlay links that did not send what they should in the last 15 s: over IPv4 the kernel counts that as `tx_dropped`, over IPv6
/// as `tx_errors`.
fn overlay_drops(world: &World) -> Vec<Drops> {
    let (from, to) = (world.ago(15), world.now());
    let drops = |s: &Series<Interface>, of: fn(&Interface) -> u64| {
        s.fold(from, to, (0_u64, 0_u32), |sum, a, b| {
            let more = rise(of(a), of(b));
            *sum = (sum.0 + more, sum.1 + u32::from(more > 0));
        })
    };
    let mut all = Vec::new();
    for ((node, name), series) in &world.telemetry.links {
        let Some((at, link)) = series.last() else { continue };
        let (packets, steps) = drops(series, |i| i.tx_dropped + i.tx_errors);
        if link.kind != LinkKind::Overlay || packets == 0 {
            continue;
        }
        let beside =
            world.telemetry.links.iter().filter(|((n, _), s)| {
                n == node && s.last().is_some_and(|(_, i)| i.kind == LinkKind::Underlay)
            });
        let underlay = beside.map(|(_, s)| drops(s, |i| i.tx_dropped + i.rx_dropped + i.tx_errors).0).sum();
        all.push(Drops { node: node.clone(), link: name.clone(), packets, underlay, steps, at: *at });
    }
    all
}

/// Nodes whose kernel refused to fragment in the last 15 s.
fn fragmentation_failures(world: &World) -> Vec<(String, u64, Timestamp)> {
    let (from, to) = (world.ago(15), world.now());
    let nodes = world.telemetry.stacks.iter().filter_map(|(node, series)| {
        let more = series.fold(from, to, 0, |sum, a, b| *sum += rise(a.frag_fails, b.frag_fails));
        (more > 0).then(|| (node.clone(), more, series.last().map_or(to, |(t, _)| *t)))
    });
    nodes.collect()
}

/// Packets that the overlay link dropped in the last 15 s.
pub(super) fn packets_of(world: &World, node: &str, link: &str) -> f64 {
    let drops = overlay_drops(world).into_iter().find(|d| d.node == node && d.link == link);
    drops.map_or(0.0, |d| float(d.packets))
}

/// Packets that the node's kernel refused to fragment in the last 15 s.
pub(super) fn failures_of(world: &World, node: &str) -> f64 {
    let failures = fragmentation_failures(world).into_iter().find(|f| f.0 == node);
    failures.map_or(0.0, |(_, packets, _)| float(packets))
}

/// Without any probe: an overlay link that drops what it should send, again and again, while its underlay is
/// clean. A few drops when a link comes up are normal.
pub(super) fn counted_black_holes(world: &World, found: &mut Findings<'_>) {
    for drop in overlay_drops(world).into_iter().filter(|d| d.packets >= 5 && d.steps >= 3 && d.underlay == 0)
    {
        let nodes = BTreeSet::from([drop.node.clone()]);
        let finding = Finding::new(Cause::OverlayMtu, 0.68, world.ago(15).max(drop.at.min(world.now())));
        found.add("overlay", counted(world, finding, &nodes));
    }
}
