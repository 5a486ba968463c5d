//! etcd: whether a member waits for its disk, now and since when.

use super::{SLOW_REQUEST, api_latency, p99_of, with_api};
use crate::{
    finding::{Finding, link, node_subject},
    world::{Gain, HistogramSeries, World, age, float},
};
use loopdrill_model::{Cause, ChainLink, Measure, Source, Subject, Timestamp, metrics};
use std::{collections::BTreeMap, time::Duration};

/// etcd's own threshold for trouble.
const SLOW_FSYNC: f64 = 0.1;
/// Seconds over which fsyncs are judged: long enough for a few of them, short enough to clear soon.
pub(crate) const WINDOW: u64 = 5;
/// Seconds within which a disk that has just become the bottleneck shows.
const SHORT: u64 = 3;
/// Share of the window that must have been spent waiting for the disk.
const BUSY: f64 = 0.4;
/// A disk that is the bottleneck makes most fsyncs slow and is waited for most of the time. One that is shared
/// with a busy neighbour does so for moments: that counts when it lasts.
const BOUND: f64 = 0.6;
/// Seconds for which lesser slowness must last.
const LASTING: f64 = 15.0;
/// Seconds of pause within which slowness goes on.
const PAUSE: f64 = 6.0;
/// Seconds without any fsync that are a stall, where there were some all the time before.
const STALL: f64 = 5.0;

/// A write to etcd that takes longer has waited for its disk, or for others to agree.
const LATE_WRITE: f64 = 0.5;
/// So many writes decide.
const WRITES: u64 = 5;

/// One member of etcd, as its log's fsyncs show it.
pub(super) struct Member<'w> {
    source: &'w Source,
    /// How slow it is now, and since when, when it is.
    pub(super) now: Option<(Slow, Timestamp)>,
}

/// A time within which a member was slow.
type Episode = (Timestamp, Timestamp);

/// Why a member is called slow.
pub(super) enum Slow {
    /// 99 % of the fsyncs of the window are below this; so many were slower than the limit; share of time.
    Fsyncs { p99: f64, slow: u64, all: u64, busy: f64, window: u64 },
    /// Nothing was written for so long, and requests wait.
    Stalled { seconds: f64, before: f64, waiting: Option<f64> },
}

impl Slow {
    fn is_bound(&self) -> bool {
        match self {
            Slow::Fsyncs { slow, all, busy, .. } => *busy >= BOUND && float(*slow) >= BOUND * float(*all),
            Slow::Stalled { .. } => true,
        }
    }
}

pub(super) fn members(world: &World) -> Vec<Member<'_>> {
    let histograms = world.telemetry.histogram(&metrics::WAL_FSYNC);
    let fresh = histograms.filter(|(_, h)| h.series.last().is_some_and(|(t, _)| world.age(*t) < 60.0));
    fresh.map(|(key, h)| member(world, &key.source, h)).collect()
}

fn member<'w>(world: &World, source: &'w Source, h: &HistogramSeries) -> Member<'w> {
    let now = world.now();
    let began = |episodes: Vec<Episode>| {
        episodes.last().filter(|(_, to)| world.age(*to) < PAUSE).map_or(now, |(from, _)| *from)
    };
    let lasting = || {
        let (from, to) = lesser_episodes(h).pop()?;
        let lasts = world.age(to) < 3.0 && age(to, from) >= LASTING;
        slow(h, now, WINDOW).filter(|_| lasts).map(|slow| (slow, from))
    };
    let now = bound(h, now)
        .map(|slow| (slow, began(bound_episodes(h))))
        .or_else(lasting)
        .or_else(|| stalled(world, source, h));
    Member { source, now }
}

fn back(t: Timestamp, seconds: u64) -> Timestamp {
    t.checked_sub(Duration::from_secs(seconds)).unwrap_or(t)
}

fn slow(h: &HistogramSeries, at: Timestamp, window: u64) -> Option<Slow> {
    let gain = h.gain(back(at, window), at);
    let (p99, slow) = (gain.quantile(0.99)?, gain.above(SLOW_FSYNC));
    let busy = gain.sum / float(window);
    (p99 > SLOW_FSYNC && slow >= 2 && busy >= BUSY).then_some(Slow::Fsyncs {
        p99,
        slow,
        all: gain.count,
        busy,
        window,
    })
}

fn stalled(world: &World, source: &Source, h: &HistogramSeries) -> Option<(Slow, Timestamp)> {
    let (latest, _) = h.series.last()?;
    let progress = h.last_progress()?;
    let seconds = age(*latest, progress);
    if world.age(*latest) > 10.0 || seconds < STALL {
        return None;
    }
    let before =
        float(h.gain(back(progress, 60), progress).count) / age(progress, h.series.born_at).clamp(1.0, 60.0);
    let mut pending =
        world.telemetry.metric(&metrics::PENDING_PROPOSALS).filter(|(k, _)| k.source == *source);
    let waiting = pending.next().and_then(|(_, s)| s.last()).map(|(_, v)| *v);
    let waits = match waiting {
        Some(n) => n > 0.0,
        None => api_latency(world).is_some_and(|p99| p99 > SLOW_REQUEST),
    };
    (waits && before >= 1.0).then_some((Slow::Stalled { seconds, before, waiting }, progress))
}

/// The disk is the bottleneck at that time.
fn bound(h: &HistogramSeries, at: Timestamp) -> Option<Slow> {
    [SHORT, WINDOW].into_iter().find_map(|seconds| slow(h, at, seconds).filter(Slow::is_bound))
}

/// When `is` held, by all samples that are kept. Pauses of up to `pause` seconds join.
fn episodes(h: &HistogramSeries, is: impl Fn(Timestamp) -> bool, pause: f64) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    for (at, _) in h.series.iter().filter(|(at, _)| is(*at)) {
        match episodes.last_mut() {
            Some(last) if age(*at, last.1) <= pause => last.1 = *at,
            _ => episodes.push((*at, *at)),
        }
    }
    episodes
}

fn bound_episodes(h: &HistogramSeries) -> Vec<Episode> {
    episodes(h, |at| bound(h, at).is_some(), PAUSE)
}

fn lesser_episodes(h: &HistogramSeries) -> Vec<Episode> {
    episodes(h, |at| slow(h, at, WINDOW).is_some(), LASTING)
}

/// Times within which etcd was slow for more than a moment, a little widened: what went wrong then is
/// explained by that.
pub(crate) fn slow_times(world: &World) -> Vec<Episode> {
    let of = |h: &HistogramSeries| {
        let long = |(from, to): &Episode| age(*to, *from) >= PAUSE;
        let lesser = lesser_episodes(h).into_iter().filter(long);
        lesser.chain(bound_episodes(h)).collect::<Vec<_>>()
    };
    let episodes = world.telemetry.histogram(&metrics::WAL_FSYNC).flat_map(|(_, h)| of(h));
    episodes.map(|(from, to)| (back(from, 10), to)).collect()
}

pub(super) fn disk_bound(world: &World, member: &Member<'_>) -> Option<Finding> {
    let (slow, since) = member.now.as_ref()?;
    let (confidence, value) = match slow {
        Slow::Fsyncs { p99, slow, all, busy, window } => (
            0.95,
            format!(
                "{:.0} ms over {window} s; {slow} of {all} above 100 ms, {:.0} % of the time",
                p99 * 1000.0,
                busy * 100.0
            ),
        ),
        Slow::Stalled { seconds, before, waiting } => (
            0.85,
            format!(
                "none for {seconds:.0} s after {before:.1}/s{}",
                waiting.map_or(String::new(), |n| format!(", {n:.0} proposals wait"))
            ),
        ),
    };
    let mut finding = Finding::new(Cause::EtcdDiskBound, confidence, *since)
        .about([Subject::new("Component", "", "etcd"), Subject::new("Component", "", "kube-apiserver")])
        .about(node_of(member.source).map(node_subject))
        .proven_by(p99_of(&metrics::WAL_FSYNC), value, world.now(), member.source);
    if let Some(p99) = commits(world) {
        let value = format!("{:.0} ms", p99 * 1000.0);
        finding = finding.proven_by(p99_of(&metrics::BACKEND_COMMIT), value, world.now(), member.source);
    }
    finding = with_api(world, finding);
    Some(finding.leading_to(chain(world, *since)))
}

/// How late the API server's own writes to etcd come, where most of them do: that is seen where etcd itself is hidden, too.
pub(super) fn late_writes(world: &World) -> Option<String> {
    // A server that waits for etcd writes more rarely.
    let (seconds, gain) = [10, 20]
        .map(|seconds| (seconds, writes(world, seconds)))
        .into_iter()
        .find(|(_, g)| g.count >= WRITES)?;
    let late = gain.above(LATE_WRITE);
    let p99 = gain.quantile(0.99).filter(|_| 2 * late >= gain.count)?;
    Some(format!("{:.0} ms over {seconds} s; {late} of {} writes above 500 ms", p99 * 1000.0, gain.count))
}

fn writes(world: &World, seconds: u64) -> Gain {
    let is_write = |labels: &BTreeMap<String, String>| {
        matches!(labels.get("operation").map(String::as_str), Some("create" | "update" | "delete"))
    };
    world.telemetry.gain(&metrics::ETCD_REQUESTS, is_write, world.ago(seconds), world.now())
}

/// 99 % of the commits of the window took less.
fn commits(world: &World) -> Option<f64> {
    let commits = world.telemetry.gain(&metrics::BACKEND_COMMIT, |_| true, world.ago(WINDOW), world.now());
    commits.quantile(0.99)
}

/// The number that the evidence of that name and source is about.
pub(super) fn measure(world: &World, signal: &str, source: &Source) -> Option<Measure> {
    if signal == p99_of(&metrics::WAL_FSYNC) {
        let (_, h) = world.telemetry.histogram(&metrics::WAL_FSYNC).find(|(key, _)| key.source == *source)?;
        let p99 = h.gain(world.ago(SHORT), world.now()).quantile(0.99)?;
        return Some(Measure::new("over 3 s", "ms", p99 * 1000.0).held_to(SLOW_FSYNC * 1000.0));
    }
    if signal == p99_of(&metrics::ETCD_REQUESTS) {
        let p99 = writes(world, 10).quantile(0.99)?;
        return Some(Measure::new("over 10 s", "ms", p99 * 1000.0).held_to(LATE_WRITE * 1000.0));
    }
    if signal == p99_of(&metrics::BACKEND_COMMIT) {
        return Some(Measure::new("over 5 s", "ms", commits(world)? * 1000.0));
    }
    None
}

/// The node after the slash of `metrics:etcd/NODE`.
fn node_of(source: &Source) -> Option<&str> {
    source.as_str().split_once('/').map(|(_, node)| node)
}

/// What slow etcd did to others, as far as the API shows it.
fn chain(world: &World, since: Timestamp) -> Vec<ChainLink> {
    let lost: Vec<_> = world
        .handovers
        .iter()
        .filter(|(at, _)| age(*at, since) >= 0.0)
        .map(|(_, lease)| lease.clone())
        .collect();
    if lost.is_empty() {
        return Vec::new();
    }
    let root =
        link(Cause::EtcdDiskBound, "etcd waits for its disk", vec![Subject::new("Component", "", "etcd")]);
    vec![root, link(Cause::EtcdDiskBound, "leader-elected controllers lose their leases", lost)]
}
