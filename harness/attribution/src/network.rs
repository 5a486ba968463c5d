//! Network: what the ways between nodes lose, of which size, and where it is counted.

mod counters;
mod measures;
mod ways;

use crate::{
    finding::{Finding, Findings, PROVEN, node_subject},
    world::{Series, World, age, float},
};
use counters::{counted, counted_black_holes};
use loopdrill_model::{Cause, Source, Subject, Timestamp, signal::*};
use measures::{FEW, LOSSY};
use std::collections::BTreeSet;
use ways::{Fate, Way, judged, turns_since, way};

pub(crate) use measures::measure;

pub(crate) fn look(world: &World, found: &mut Findings<'_>) {
    let ways: Vec<_> = world.probes.paths().map(|(path, sizes)| way(world, path, sizes)).collect();
    black_holes(world, &ways, found);
    lossy(world, &ways, found);
    filtered(world, &ways, found);
    unresolved(world, &ways, found);
    if ways.iter().all(|w| w.all(|f| f == Fate::Unknown)) {
        counted_black_holes(world, found);
    }
    // What was lost once may be the first of many.
    if ways.iter().any(Way::may_become) || world.watched_for() < BEGINNING && are_awaited(&ways) {
        found.hold_back();
    }
}

/// Seconds after which nobody waits any more for ways that were not answered for: there are clusters that have none.
const BEGINNING: f64 = 30.0;

/// Whether probers have begun to ask each other, and not all of it is answered or given up: a packet that vanishes is known
/// to be lost later than another one has passed.
fn are_awaited(ways: &[Way<'_>]) -> bool {
    let of = |path: ProbePath| ways.iter().filter(move |w| w.path.path == path && w.path.from != w.path.to);
    let mut between = of(ProbePath::Overlay).peekable();
    if between.peek().is_none() {
        let askers: BTreeSet<_> = of(ProbePath::Dns).map(|w| &w.path.from).collect();
        return askers.len() > 1;
    }
    between.any(|w| w.fates.len() < SIZES)
}

fn black_holes(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    let mut nodes = BTreeSet::new();
    let mut finding: Option<Finding> = None;
    for way in ways.iter().filter(|w| judged(world, ways, w, ProbePath::Overlay)) {
        let Some((passes, vanishes, since)) = way.black_hole() else { continue };
        nodes.extend([way.path.from.clone(), way.path.to.clone()]);
        let base = finding.take().unwrap_or_else(|| Finding::new(Cause::OverlayMtu, 0.9, since));
        let base = Finding { since: base.since.min(since), ..base };
        finding = Some(base.proven_by(
            measures::of_sizes(way.path),
            format!("{passes} bytes pass, {vanishes} bytes vanish without an answer"),
            since,
            &Source::probe(&way.path.from),
        ));
    }
    if let Some(finding) = finding {
        found.add("overlay", counted(world, finding, &nodes));
    }
}

fn lossy(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    for way in ways.iter().filter(|w| w.path.path != ProbePath::Dns && w.path.from != w.path.to) {
        let (share, asked) = way.loss;
        let partial = asked >= FEW && (LOSSY..0.95).contains(&share);
        if !partial || way.black_hole().is_some() || !judged(world, ways, way, way.path.path) {
            continue;
        }
        let Some(since) = turns_since(world, way) else { continue };
        let nodes = [node_subject(&way.path.from), node_subject(&way.path.to)];
        let finding = Finding::new(Cause::PacketLoss, 0.8, since).about(nodes).proven_by(
            measures::of_loss(way.path),
            format!("{:.0} % of {asked} lost, small ones too", share * 100.0),
            world.now(),
            &Source::probe(&way.path.from),
        );
        found.add("loss", finding);
    }
}

/// Everything vanishes between pods of two nodes whose own addresses reach each other.
fn filtered(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    for way in ways.iter().filter(|w| judged(world, ways, w, ProbePath::Overlay)) {
        let vanishes = |f: Fate| matches!(f, Fate::Vanishes(..));
        let Fate::Vanishes(since, _) = way.smallest() else { continue };
        if !way.all(vanishes) {
            continue;
        }
        let beneath = ways.iter().find(|w| {
            w.path.path == ProbePath::Underlay && w.path.from == way.path.from && w.path.to == way.path.to
        });
        // When the node's own address is silent, too, the node may be dying: its status will tell.
        let reachable = match beneath {
            Some(way) => way.passes_after(since),
            None => [&way.path.from, &way.path.to].iter().all(|n| is_heard_of(world, n, since)),
        };
        let patience = if reachable { PROVEN } else { 60.0 };
        let settled = [&way.path.from, &way.path.to].iter().all(|n| world.ready_for(n) > 30.0);
        if !settled || !is_awake(world, &way.path.to, since) || !found.lasts(since, patience) {
            continue;
        }
        let nodes = [node_subject(&way.path.from), node_subject(&way.path.to)];
        let finding = Finding::new(Cause::TrafficFiltered, if reachable { 0.88 } else { 0.7 }, since)
            .about(nodes)
            .proven_by(
                measures::of_pods(way.path),
                "every size vanishes",
                since,
                &Source::probe(&way.path.from),
            )
            .proven_by(
                measures::of_nodes(way.path),
                if reachable { "the nodes themselves answer" } else { "vanishes or unknown" },
                world.now(),
                &Source::probe(&way.path.from),
            );
        found.add("filter", finding);
    }
}

/// Whether the node was heard of well after pods there fell silent: its kubelet was read, or passed on what its own
/// prober found. So the node itself is within reach.
fn is_heard_of(world: &World, node: &str, since: Timestamp) -> bool {
    let later = |at: Option<&Timestamp>| at.is_some_and(|at| age(*at, since) > 0.5);
    let read = world.telemetry.usage.get(node).and_then(Series::last);
    let own = world.probes.paths().filter(|(path, _)| path.from == node);
    let mut told = own.flat_map(|(_, sizes)| sizes.values().filter_map(Series::last));
    later(read.map(|(at, _)| at)) || told.any(|(at, _)| later(Some(at)))
}

/// Seconds in which a prober that tells what it finds also answers who asks it.
const AWAKE: f64 = 1.0;

/// Whether whoever answers there had the time to: the node's own prober has told what it found since then, and went on with
/// it. On a machine that has too much to do it stands still, and answers nobody. Where a node has none nobody knows.
fn is_awake(world: &World, node: &str, since: Timestamp) -> bool {
    let own = world.probes.paths().filter(|(p, _)| p.path == ProbePath::Overlay && p.from == node);
    let told: Vec<_> =
        own.flat_map(|(_, sizes)| sizes.values()).flat_map(Series::iter).map(|t| t.0).collect();
    let after = || told.iter().copied().filter(|at| *at > since);
    let (first, last) = (after().min(), after().max());
    told.is_empty() || first.zip(last).is_some_and(|(first, last)| age(last, first) >= AWAKE)
}

fn unresolved(world: &World, ways: &[Way<'_>], found: &mut Findings<'_>) {
    let known: Vec<_> = answering_ways(ways).collect();
    if known.is_empty() {
        return unserved(world, found);
    }
    let failing = silent_ways(world, ways);
    let Some(since) = failing.iter().map(|(_, s)| *s).min() else { return };
    let deserted = without_servers(world);
    if deserted.is_none() && world.watched_for() < 20.0 || !found.lasts(since, patience(world)) {
        return;
    }
    let share = float(failing.len() as u64) / float(known.len().max(1) as u64);
    let cause = cause_of_silence(world, ways, &failing);
    // Where all of them fall silent one does so first.
    if cause == Cause::NodeDnsFailure && !found.lasts(since, ALONE) {
        return;
    }
    let confidence = if cause == Cause::NodeDnsFailure { 0.85 } else { 0.8 + 0.1 * share };
    let mut finding =
        Finding::new(cause, confidence, since).about(failing.iter().map(|(w, _)| node_subject(&w.path.from)));
    if let Some(at) = deserted {
        let source = Source::api("endpointslices");
        finding =
            finding.proven_by("endpoints of the cluster's DNS", "none, and no pod is to come", at, &source);
    }
    for (w, at) in &failing {
        let source = Source::probe(&w.path.from);
        finding = finding.proven_by(measures::of_dns(w.path), "no answer", *at, &source);
    }
    if cause == Cause::NodeDnsFailure {
        for w in known.iter().filter(|w| !failing.iter().any(|(f, _)| f.path == w.path)).take(2) {
            let (at, source) = (world.now(), Source::probe(&w.path.from));
            finding = finding.proven_by(measures::of_dns(w.path), "answers", at, &source);
        }
    }
    found.add(DNS_GROUP, finding);
}

/// Each pod of a peer is asked at so many sizes.
const SIZES: usize = 3;

/// The group of all that the probes of the DNS show.
pub(crate) const DNS_GROUP: &str = "dns";

/// Ways to the DNS of which it is known how they fare.
fn answering_ways<'a>(ways: &'a [Way<'a>]) -> impl Iterator<Item = &'a Way<'a>> {
    ways.iter().filter(|w| w.path.path == ProbePath::Dns && w.smallest() != Fate::Unknown)
}

/// Ways to the DNS on which no answer comes, and since when.
fn silent_ways<'a>(world: &World, ways: &'a [Way<'a>]) -> Vec<(&'a Way<'a>, Timestamp)> {
    let settled = answering_ways(ways).filter(|w| world.ready_for(&w.path.from) > 30.0);
    settled.filter_map(|w| Some((w, silent_since(world, w)?))).collect()
}

/// Seconds for which other nodes must get their answers while one gets none.
const ALONE: f64 = 9.0;

/// Of nodes that get no answer the DNS itself is not to blame where the others get theirs meanwhile, and where the silent
/// ones reach all others: what stands between them and the DNS is then their own.
fn cause_of_silence(world: &World, ways: &[Way<'_>], failing: &[(&Way<'_>, Timestamp)]) -> Cause {
    let is_silent = |w: &Way<'_>| failing.iter().any(|(f, _)| f.path == w.path);
    let begun = failing.iter().map(|(_, since)| *since).max();
    let mut others = answering_ways(ways).filter(|w| !is_silent(w)).peekable();
    let served =
        others.peek().is_some() && others.all(|w| begun.is_some_and(|since| is_served(world, w, since)));
    let reaches = |from: &str| {
        let mut out = ways
            .iter()
            .filter(|w| w.path.path == ProbePath::Overlay && w.path.from == from && w.path.to != from)
            .peekable();
        out.peek().is_some() && out.all(|w| w.smallest() == Fate::Passes)
    };
    let well =
        without_servers(world).is_none() && served && failing.iter().all(|(w, _)| reaches(&w.path.from));
    if well { Cause::NodeDnsFailure } else { Cause::DnsFailure }
}

/// Whether each answer that the way has had since then is one.
fn is_served(world: &World, way: &Way<'_>, since: Timestamp) -> bool {
    let sizes = world.probes.paths().find(|(p, _)| *p == way.path).map(|(_, sizes)| sizes);
    let answers = sizes.and_then(|s| s.values().next());
    let passed = |a: &ProbeResult| matches!(a, ProbeResult::Passed { .. });
    way.passes_after(since)
        && answers.is_some_and(|s| s.iter().filter(|(at, _)| *at >= since).all(|(_, answer)| passed(answer)))
}

/// Why no name resolves on the node, and since when, where probes of the DNS show it.
pub(crate) fn names_fail_on(world: &World, node: &str) -> Option<(Cause, Timestamp)> {
    let ways: Vec<_> = world.probes.paths().map(|(path, sizes)| way(world, path, sizes)).collect();
    let failing = silent_ways(world, &ways);
    let (_, since) = failing.iter().find(|(w, _)| w.path.from == node)?;
    let cause = cause_of_silence(world, &ways, &failing);
    let patience = if cause == Cause::NodeDnsFailure { ALONE } else { patience(world) };
    (world.age(*since) >= patience).then_some((cause, *since))
}

/// How an evidence names what the DNS says to a node.
pub(crate) fn asked_from(node: &str) -> String {
    measures::asked_from(node)
}

/// For how long the DNS must not answer, in seconds. A server that is moved to another node does not answer for some
/// seconds, so a few lost probes prove nothing. Without any server, and without a pod that is about to become one, waiting
/// would not change the answer.
fn patience(world: &World) -> f64 {
    if without_servers(world).is_some() { PROVEN } else { 4.0 }
}

/// Since when the DNS gives no answer, or refuses.
fn silent_since(world: &World, way: &Way<'_>) -> Option<Timestamp> {
    match way.smallest() {
        Fate::Vanishes(since, _) => Some(since),
        Fate::Answered => refused_since(world, way),
        _ => None,
    }
}

/// The cluster's DNS has no server and is not about to get one: that nobody asked it changes nothing.
fn unserved(world: &World, found: &mut Findings<'_>) {
    if !world.listed(&["pods", "services", "endpointslices"]) {
        return;
    }
    let Some(seen) = without_servers(world) else { return };
    let service = world.services.find("kube-system", "kube-dns");
    let since = world.began(seen, service.and_then(|s| s.created_at));
    if found.lasts(since, PROVEN) {
        let source = Source::api("endpointslices");
        let finding = Finding::new(Cause::DnsFailure, 0.8, since)
            .about([Subject::new("Service", "kube-system", "kube-dns")])
            .proven_by("endpoints of the cluster's DNS", "none, and no pod is to come", seen, &source);
        found.add("dns", finding);
    }
}

/// Since when the cluster's DNS has no server and is not about to get one. Kubernetes fixes the Service's name.
pub(crate) fn without_servers(world: &World) -> Option<Timestamp> {
    const SYSTEM: &str = "kube-system";
    let endpoints = world.endpoints.get(&(SYSTEM.to_owned(), "kube-dns".to_owned()))?;
    let service = world.services.find(SYSTEM, "kube-dns")?;
    let mut serving = world.pods_selected(SYSTEM, &service.selector).filter(|p| !p.deleting);
    let deserted = endpoints.value.ready == 0 && serving.next().is_none();
    deserted.then_some(endpoints.since)
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
