//! Network: what the ways between nodes lose, of which size, and where it is counted.

use crate::{
    finding::{Finding, Findings, link, node_subject, pod_subject},
    world::{Path, World, float},
};
use loopdrill_model::{Cause, Source, Subject, Timestamp, signal::*};
use std::collections::{BTreeMap, BTreeSet};

/// How one size fares on one way, by the latest answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Passes now.
    Passes,
    /// Lost at least twice in a row, since then.
    Vanishes(Timestamp),
    /// Some pass and some are lost.
    Mixed,
    /// Refused with a reason: no black hole.
    Answered,
    /// Nothing recent is known.
    Unknown,
}

/// Seconds after which an answer says nothing about now.
const FRESH: f64 = 8.0;

/// A way with the fate of each size.
struct Way<'w> {
    path: &'w Path,
    fates: Vec<(u32, Fate)>,
    /// Share lost of the last answers at all sizes, and their number.
    loss: (f64, u32),
}

impl Way<'_> {
    fn smallest(&self) -> Fate {
        self.fates.first().map_or(Fate::Unknown, |f| f.1)
    }

    fn all(&self, wanted: impl Fn(Fate) -> bool) -> bool {
        !self.fates.is_empty() && self.fates.iter().all(|f| wanted(f.1))
    }

    /// The first size that vanishes although all smaller ones pass.
    fn black_hole(&self) -> Option<(u32, u32, Timestamp)> {
        let first = self.fates.iter().position(|f| f.1 != Fate::Passes)?;
        let passes = self.fates.get(first.checked_sub(1)?)?.0;
        match self.fates[first] {
            (bytes, Fate::Vanishes(since)) => {
                let above = |f: &(u32, Fate)| matches!(f.1, Fate::Vanishes(_) | Fate::Unknown);
                self.fates[first..].iter().all(above).then_some((passes, bytes, since))
            }
            _ => None,
        }
    }
}

pub(crate) fn look(world: &World, found: &mut Findings<'_>) {
    let ways: Vec<_> = world.probes.paths().map(|(path, sizes)| way(world, path, sizes)).collect();
    black_holes(world, &ways, found);
    lossy(world, &ways, found);
    filtered(world, &ways, found);
    unresolved(world, &ways, found);
    if ways.iter().all(|w| w.all(|f| f == Fate::Unknown)) {
        counted_black_holes(world, found);
    }
}

fn way<'w>(
    world: &World,
    path: &'w Path,
    sizes: &'w BTreeMap<u32, crate::world::Series<ProbeResult>>,
) -> Way<'w> {
    let fates = sizes.iter().map(|(bytes, answers)| (*bytes, fate(world, answers))).collect();
    let recent = sizes.values().flat_map(|s| s.iter().rev().filter(|(t, _)| world.age(*t) < 30.0));
    let (mut lost, mut asked) = (0_u32, 0_u32);
    for (_, answer) in recent {
        match answer {
            ProbeResult::Lost => (lost, asked) = (lost + 1, asked + 1),
            ProbeResult::Passed { .. } => asked += 1,
            _ => {}
        }
    }
    Way { path, fates, loss: (f64::from(lost) / f64::from(asked.max(1)), asked) }
}

fn fate(world: &World, answers: &crate::world::Series<ProbeResult>) -> Fate {
    let mut latest = answers.iter().rev().take_while(|(t, _)| world.age(*t) < 30.0).peekable();
    if latest.peek().is_none_or(|(t, _)| world.age(*t) >= FRESH) {
        return Fate::Unknown;
    }
    let latest: Vec<_> = latest.collect();
    let lost = |a: &ProbeResult| matches!(a, ProbeResult::Lost);
    let run = latest.iter().take_while(|(_, a)| lost(a)).count();
    match (&latest[0].1, run) {
        (ProbeResult::Lost, 1) => Fate::Mixed,
        (ProbeResult::Lost, _) => Fate::Vanishes(latest[run - 1].0),
        (ProbeResult::Passed { .. }, _) => {
            // One that gets through among lost ones is luck, not health.
            let luck = latest.iter().take(3).skip(1).any(|(_, a)| lost(a))
                && latest.iter().skip(3).take(8).any(|(_, a)| matches!(a, ProbeResult::Passed { .. }))
                && latest.iter().skip(3).take(8).any(|(_, a)| lost(a));
            if luck { Fate::Mixed } else { Fate::Passes }
        }
        _ => Fate::Answered,
    }
}

fn ready(world: &World, node: &str) -> bool {
    world.nodes.find("", node).is_none_or(|n| n.ready == "True")
}

/// A way between two nodes that both report, whose far end answers within its own node.
fn judged<'a>(world: &World, ways: &'a [Way<'a>], way: &Way<'_>, path: ProbePath) -> bool {
    let (from, to) = (&way.path.from, &way.path.to);
    let deaf = |w: &&Way<'_>| {
        w.path.path == ProbePath::Overlay
            && w.path.from == *to
            && w.path.to == *to
            && matches!(w.smallest(), Fate::Vanishes(_) | Fate::Answered)
    };
    way.path.path == path
        && from != to
        && ready(world, from)
        && ready(world, to)
        && !ways.iter().any(|w| deaf(&w))
}

fn black_holes(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    let mut nodes = BTreeSet::new();
    let mut finding: Option<Finding> = None;
    for way in ways.iter().filter(|w| judged(world, ways, w, ProbePath::Overlay)) {
        let Some((passes, vanishes, since)) = way.black_hole() else { continue };
        // Random loss can look like this for a moment.
        if loses_small(way) {
            continue;
        }
        nodes.extend([way.path.from.clone(), way.path.to.clone()]);
        let base = finding.take().unwrap_or_else(|| Finding::new(Cause::OverlayMtu, 0.9, since));
        let base = Finding { since: base.since.min(since), ..base };
        finding = Some(base.proven_by(
            format!("probe {} → {}, pod to pod, don't fragment", way.path.from, way.path.to),
            format!("{passes} bytes pass, {vanishes} bytes vanish without an answer"),
            since,
            &Source::probe(&way.path.from),
        ));
    }
    if let Some(finding) = finding {
        found.add("overlay", counted(world, finding, &nodes));
    }
}

/// Whether packets of the smallest size were lost, too, within the last half minute.
fn loses_small(way: &Way<'_>) -> bool {
    matches!(way.smallest(), Fate::Mixed | Fate::Vanishes(_))
}

/// Adds where the nodes count what vanished, the links as subjects, and the pods that suffer.
fn counted(world: &World, mut finding: Finding, nodes: &BTreeSet<String>) -> Finding {
    let mut places = 0;
    for drop in overlay_drops(world).into_iter().filter(|d| nodes.contains(&d.node)) {
        places += 1;
        finding.add_subject(Subject::new("Interface", "", format!("{}/{}", drop.node, drop.link)));
        finding = finding.proven_by(
            format!("tx_dropped of {} (overlay) on {}", drop.link, drop.node),
            format!("+{} in 15 s; underlay +{}", drop.packets, drop.underlay),
            drop.at,
            &Source::node(&drop.node),
        );
    }
    for (node, packets, at) in fragmentation_failures(world).into_iter().filter(|f| nodes.contains(&f.0)) {
        places += 1;
        finding = finding.proven_by(
            format!("FragFails on {node}"),
            format!("+{packets} in 15 s"),
            at,
            &Source::node(&node),
        );
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
        .filter(|p| crate::world::age(p.since("unready"), since) > -5.0)
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

/// Overlay links whose `tx_dropped` went up in the last 15 s.
fn overlay_drops(world: &World) -> Vec<Drops> {
    let (from, to) = (world.ago(15), world.now());
    let drops = |s: &crate::world::Series<Interface>, of: fn(&Interface) -> u64| {
        s.fold(from, to, (0_u64, 0_u32), |sum, a, b| {
            let more = crate::world::rise(of(a), of(b));
            *sum = (sum.0 + more, sum.1 + u32::from(more > 0));
        })
    };
    let mut all = Vec::new();
    for ((node, name), series) in &world.telemetry.links {
        let Some((at, link)) = series.last() else { continue };
        let (packets, steps) = drops(series, |i| i.tx_dropped);
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
        let more =
            series.fold(from, to, 0, |sum, a, b| *sum += crate::world::rise(a.frag_fails, b.frag_fails));
        (more > 0).then(|| (node.clone(), more, series.last().map_or(to, |(t, _)| *t)))
    });
    nodes.collect()
}

/// Without any probe: an overlay link that drops what it should send, again and again, while its underlay is
/// clean. A few drops when a link comes up are normal.
fn counted_black_holes(world: &World, found: &mut Findings<'_>) {
    for drop in overlay_drops(world).into_iter().filter(|d| d.packets >= 5 && d.steps >= 3 && d.underlay == 0)
    {
        let nodes = BTreeSet::from([drop.node.clone()]);
        let finding = Finding::new(Cause::OverlayMtu, 0.68, world.ago(15).max(drop.at.min(world.now())));
        found.add("overlay", counted(world, finding, &nodes));
    }
}

fn lossy(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    for way in ways.iter().filter(|w| w.path.path != ProbePath::Dns && w.path.from != w.path.to) {
        let (share, asked) = way.loss;
        let partial = asked >= 10 && (0.08..0.95).contains(&share);
        if !partial
            || !turns(world, way)
            || way.black_hole().is_some()
            || !judged(world, ways, way, way.path.path)
        {
            continue;
        }
        let nodes = [node_subject(&way.path.from), node_subject(&way.path.to)];
        let finding = Finding::new(Cause::PacketLoss, 0.8, world.ago(15)).about(nodes).proven_by(
            format!("probe {} → {}", way.path.from, way.path.to),
            format!("{:.0} % of {asked} lost, small ones too", share * 100.0),
            world.now(),
            &Source::probe(&way.path.from),
        );
        found.add("loss", finding);
    }
}

/// Small ones get lost and through by turns, also in the last seconds. A way that was cut and is silent, or
/// that is whole again, turned once.
fn turns(world: &World, way: &Way<'_>) -> bool {
    let sizes = world.probes.paths().find(|(p, _)| *p == way.path).map(|(_, s)| s);
    let Some(small) = sizes.and_then(|s| s.values().next()) else { return false };
    let lost: Vec<_> = small
        .iter()
        .filter(|(t, _)| world.age(*t) < 30.0)
        .map(|(t, a)| (*t, matches!(a, ProbeResult::Lost)))
        .collect();
    let turns = lost.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    turns >= 3 && lost.iter().any(|(t, lost)| *lost && world.age(*t) < 8.0)
}

/// Everything vanishes between pods of two nodes whose own addresses reach each other.
fn filtered(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    for way in ways.iter().filter(|w| judged(world, ways, w, ProbePath::Overlay)) {
        let vanishes = |f: Fate| matches!(f, Fate::Vanishes(_));
        let Fate::Vanishes(since) = way.smallest() else { continue };
        if !way.all(vanishes) {
            continue;
        }
        let beneath = ways.iter().find(|w| {
            w.path.path == ProbePath::Underlay && w.path.from == way.path.from && w.path.to == way.path.to
        });
        // When the node's own address is silent, too, the node may be dying: its status will tell.
        let reachable = beneath.is_some_and(|w| w.smallest() == Fate::Passes);
        let patience = if reachable { 5.0 } else { 60.0 };
        let settled = [&way.path.from, &way.path.to].iter().all(|n| world.ready_for(n) > 30.0);
        if !settled || !found.lasts(since, patience) {
            continue;
        }
        let nodes = [node_subject(&way.path.from), node_subject(&way.path.to)];
        let finding = Finding::new(Cause::TrafficFiltered, if reachable { 0.88 } else { 0.7 }, since)
            .about(nodes)
            .proven_by(
                format!("probe {} → {}, pod to pod", way.path.from, way.path.to),
                "every size vanishes",
                since,
                &Source::probe(&way.path.from),
            )
            .proven_by(
                format!("probe {} → {}, node to node", way.path.from, way.path.to),
                if reachable { "passes" } else { "vanishes or unknown" },
                world.now(),
                &Source::probe(&way.path.from),
            );
        found.add("filter", finding);
    }
}

fn unresolved(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    let dns: Vec<_> = ways.iter().filter(|w| w.path.path == ProbePath::Dns).collect();
    let known: Vec<_> = dns.iter().filter(|w| w.smallest() != Fate::Unknown).collect();
    let failing: Vec<_> = known
        .iter()
        .filter(|w| world.ready_for(&w.path.from) > 30.0)
        .filter_map(|w| match w.smallest() {
            Fate::Vanishes(since) => Some((w, since)),
            Fate::Answered => Some((w, refused_since(world, w)?)),
            _ => None,
        })
        .collect();
    let Some(since) = failing.iter().map(|(_, s)| *s).min() else { return };
    if world.watched_for() < 20.0 || !found.lasts(since, 2.0) {
        return;
    }
    let share = float(failing.len() as u64) / float(known.len().max(1) as u64);
    let mut finding = Finding::new(Cause::DnsFailure, 0.8 + 0.1 * share, since)
        .about(failing.iter().map(|(w, _)| node_subject(&w.path.from)));
    for (w, at) in &failing {
        let source = Source::probe(&w.path.from);
        finding = finding.proven_by(format!("DNS asked from {}", w.path.from), "no answer", *at, &source);
    }
    found.add("dns", finding);
}

/// Since when the DNS refuses or errs without a break; at least twice.
fn refused_since(world: &World, way: &Way<'_>) -> Option<Timestamp> {
    let (_, sizes) = world.probes.paths().find(|(p, _)| *p == way.path)?;
    let answers = sizes.values().next()?;
    let run: Vec<_> = answers
        .iter()
        .rev()
        .take_while(|(_, a)| matches!(a, ProbeResult::Refused(_) | ProbeResult::Lost))
        .collect();
    (run.len() >= 2).then(|| run[run.len() - 1].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clean_split_by_size_is_a_black_hole() {
        let t = Timestamp::UNIX_EPOCH;
        let path = Path { from: "a".into(), to: "b".into(), path: ProbePath::Overlay };
        let way = |fates: &[Fate]| Way {
            path: &path,
            fates: fates
                .iter()
                .enumerate()
                .map(|(i, f)| (u32::try_from(i).expect("few") * 100, *f))
                .collect(),
            loss: (0.0, 0),
        };
        use Fate::*;
        assert_eq!(way(&[Passes, Vanishes(t)]).black_hole(), Some((0, 100, t)));
        assert_eq!(way(&[Passes, Passes, Vanishes(t), Vanishes(t)]).black_hole(), Some((100, 200, t)));
        assert_eq!(way(&[Passes, Answered]).black_hole(), None);
        assert_eq!(way(&[Vanishes(t), Vanishes(t)]).black_hole(), None);
        assert_eq!(way(&[Passes, Vanishes(t), Passes]).black_hole(), None);
        assert_eq!(way(&[Passes, Passes]).black_hole(), None);
        assert_eq!(way(&[Unknown, Vanishes(t)]).black_hole(), None);
    }
}
