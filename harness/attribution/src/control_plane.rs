//! Control plane: etcd waits for its disk, or clients ask too much, or there is too little CPU, or requests wait for a webhook
//! or for their turn.

mod aggregated;
mod components;
mod etcd;
mod levels;
mod webhooks;

pub(crate) use etcd::{WINDOW, slow_times};

use crate::{
    finding::{Finding, Findings, link, node_subject},
    unwell::Unwell,
    world::{Gain, Key, World, age, float},
};
use loopdrill_model::{
    Cause, Measure, Source, Subject, Timestamp,
    metrics::{self, Family},
};
use std::{collections::BTreeMap, time::Duration};

/// Latency of the API server that nobody should see, in seconds.
const SLOW_REQUEST: f64 = 1.0;

/// Seconds after which an answer is late: that of a webhook, and that to a request that waits for it or for its turn.
const LATE: f64 = 0.5;
/// So many slow requests for each that waited so have another reason.
const MORE: u64 = 2;

/// Requests a second that are worth to be called many.
const MANY: f64 = 50.0;
/// Requests a second from which lasting half-slowness is laid to them: above what a crowd of new workloads asks for.
const VERY_MANY: f64 = 300.0;
/// So many times what was usual before is more than it was.
const GROWN: f64 = 3.0;
/// Requests that are turned away within ten seconds, and are more than a burst.
const REFUSED: f64 = 5.0;
/// Requests in the API server's queues that are more than a burst.
const QUEUED: f64 = 20.0;
/// Seconds that what could run waits for a CPU, one time in a hundred, that are long.
const LONG_WAIT: f64 = 0.1;
/// Seconds of such waiting in a second, over all that waits. A slow disk or a busy machine came to one in twenty.
const MUCH_WAITING: f64 = 0.15;

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    let members = etcd::members(world);
    for member in &members {
        if let Some(finding) = etcd::disk_bound(world, member) {
            found.add("etcd", finding);
        }
    }
    let healthy = !members.is_empty() && members.iter().all(|m| m.now.is_none());
    let hidden = world.telemetry.histogram(&metrics::WAL_FSYNC).next().is_none();
    api(world, hidden, healthy, found);
    webhooks::look(world, found);
    levels::look(world, found);
    aggregated::look(world, found);
    components::look(world, unwell, found);
}

/// How an evidence names 99 % of a histogram.
fn p99_of(family: &Family) -> String {
    format!("{} p99", family.name)
}

/// Requests a second.
struct Traffic {
    /// In the last ten seconds.
    now: f64,
    /// What was usual before; nothing for who has just been called in.
    before: Option<f64>,
}

impl Traffic {
    /// More than this are too many. Who does not know what is usual goes by what is much anywhere.
    fn too_many(&self) -> f64 {
        self.before.map_or(VERY_MANY, too_many)
    }

    fn words(&self) -> String {
        let before = self.before.map(|before| format!(", before {before:.0}/s")).unwrap_or_default();
        format!("{:.0}/s{before}", self.now)
    }
}

/// More requests a second than this are too many where so many were usual.
fn too_many(before: f64) -> f64 {
    MANY.max(GROWN * before)
}

/// The number that the evidence of that name and source is about.
pub(crate) fn measure(world: &World, signal: &str, source: &Source) -> Option<Measure> {
    if signal == p99_of(&metrics::REQUEST_DURATION) {
        let p99 = api_latency(world)?;
        return Some(Measure::new("over 10 s", "ms", p99 * 1000.0).held_to(SLOW_REQUEST * 1000.0));
    }
    if signal == metrics::REQUESTS.name {
        let asked = traffic(world)?;
        return Some(Measure::new("over 10 s", "/s", asked.now).held_to(asked.too_many()));
    }
    if signal == metrics::REJECTED_REQUESTS.name {
        return Some(Measure::new("in 10 s", "", rejected(world)).held_to(REFUSED));
    }
    if signal == metrics::DISPATCHED_REQUESTS.name {
        return most_asking(world).map(|(_, share)| Measure::new("of the largest kind in 10 s", "%", share));
    }
    if signal == metrics::QUEUED_REQUESTS.name {
        return Some(Measure::new("now", "", queued(world)).held_to(QUEUED));
    }
    if signal == metrics::SCHEDULING.name {
        let p99 = waiting(world, 10, 0).quantile(0.99)?;
        return Some(Measure::new("p99 over 10 s", "ms", p99 * 1000.0).held_to(LONG_WAIT * 1000.0));
    }
    if let Some(measure) = webhooks::measure(world, signal).or_else(|| levels::measure(world, signal)) {
        return Some(measure);
    }
    let node = source.as_str().strip_prefix("metrics:kubelet/").filter(|node| signal == cpu_of(node));
    node.and_then(|node| busy(world, node)).or_else(|| etcd::measure(world, signal, source))
}

fn with_api(world: &World, mut finding: Finding) -> Finding {
    let source = Source::metrics("apiserver");
    if let Some(p99) = api_latency(world) {
        if p99 > SLOW_REQUEST {
            finding.confidence += 0.02;
        }
        let value = format!("{:.0} ms over 10 s", p99 * 1000.0);
        finding = finding.proven_by(p99_of(&metrics::REQUEST_DURATION), value, world.now(), &source);
    }
    if let Some(asked) = traffic(world).filter(|asked| asked.before.is_some()) {
        finding = finding.proven_by(metrics::REQUESTS.name, asked.words(), world.now(), &source);
    }
    finding
}

/// Requests that end by themselves: neither watches nor streams, nor lists of unknown length.
fn is_short(labels: &BTreeMap<String, String>) -> bool {
    !matches!(
        labels.get("verb").map(String::as_str),
        Some("WATCH" | "WATCHLIST" | "CONNECT" | "LIST" | "PROXY")
    )
}

/// 99 % of the short requests of the last seconds took less.
fn api_latency(world: &World) -> Option<f64> {
    // A server that hardly answers is asked more rarely.
    [10, 20].into_iter().find_map(|seconds| {
        let (from, to) = (world.ago(seconds), world.now());
        let gain = world.telemetry.gain(&metrics::REQUEST_DURATION, is_short, from, to);
        gain.quantile(0.99).filter(|_| gain.count >= 5)
    })
}

/// Times of the past, in seconds ago, of which the quietest says what is usual.
const QUIET_TIMES: &[(u64, u64)] =
    &[(50, 20), (80, 50), (110, 80), (140, 110), (170, 140), (200, 170), (230, 200), (260, 230), (290, 260)];

/// The first seconds of watching are such a time, too.
const FIRST: Duration = Duration::from_secs(8);

/// What is asked of the API server; nothing before it has told twice.
fn traffic(world: &World) -> Option<Traffic> {
    let all = |_: &BTreeMap<String, String>| true;
    let born = world.telemetry.metric(&metrics::REQUESTS).map(|(_, s)| s.born_at).min()?;
    let span = age(scraped(world), born).min(10.0);
    if span < 2.0 {
        return None;
    }
    let now = world.telemetry.increase(&metrics::REQUESTS, all, world.ago(10), world.now()) / span;
    let known = (world.age(born) - 10.0).min(120.0);
    if known < 15.0 {
        return Some(Traffic { now, before: None });
    }
    let before = world.telemetry.increase(&metrics::REQUESTS, all, world.ago(130), world.ago(10)) / known;
    // What has lasted for minutes is still more than what was usual before.
    let past = QUIET_TIMES.iter().filter(|(from, _)| float(*from) <= world.age(born));
    let past = past.map(|(from, to)| (world.ago(*from), world.ago(*to)));
    let first = (born, born.checked_add(FIRST).unwrap_or(born));
    let usual = past.chain([first]).map(|(from, to)| {
        world.telemetry.increase(&metrics::REQUESTS, all, from, to) / age(to, from).max(1.0)
    });
    let before = usual.filter(|rate| *rate > 1.0).fold(before, f64::min);
    Some(Traffic { now, before: Some(before) })
}

/// What shows that requests are too many: those that are turned away and those that wait, for what, and whose they are.
fn overload(world: &World, mut finding: Finding, waits: Option<String>) -> Finding {
    let (refused, queued) = (rejected(world), queued(world));
    let told = [
        (metrics::REJECTED_REQUESTS.name, (refused > 0.0).then(|| format!("+{refused:.0} in 10 s"))),
        (metrics::QUEUED_REQUESTS.name, (queued > 0.0).then(|| format!("{queued:.0}"))),
        (metrics::SCHEDULING.name, waits),
        (
            metrics::DISPATCHED_REQUESTS.name,
            most_asking(world).map(|(schema, share)| format!("{share:.0} % of them of flow schema {schema}")),
        ),
    ];
    for (signal, value) in told {
        if let Some(value) = value {
            finding = finding.proven_by(signal, value, world.now(), &Source::metrics("apiserver"));
        }
    }
    finding
}

/// An API server with so much to do that it has told its metrics only once: how many wait is a number without a past.
fn crowded(world: &World, healthy: bool, found: &mut Findings<'_>) {
    let Some(taken) = levels::taken(world).filter(|_| healthy && queued(world) >= QUEUED) else { return };
    let finding = Finding::new(Cause::ApiOverload, 0.65, scraped(world))
        .about([Subject::new("Component", "", "kube-apiserver")])
        .proven_by(metrics::EXECUTING_SEATS.name, taken, world.now(), &Source::metrics("apiserver"));
    found.add("api", overload(world, finding, None));
}

/// The API server's own view, where etcd is hidden or healthy.
fn api(world: &World, hidden: bool, healthy: bool, found: &mut Findings<'_>) {
    let Some(asked) = traffic(world) else { return crowded(world, healthy, found) };
    let grown = asked.now > asked.too_many();
    let p99 = api_latency(world);
    // What waits for a webhook or for its turn is late in a quick API server, too.
    let waits_for_others = waits_for_others(world);
    let slow = |limit| !waits_for_others && p99.is_some_and(|p| p > limit);
    let is_slow = slow(SLOW_REQUEST);
    let latency = p99.map_or("unknown".to_owned(), |p| format!("{:.0} ms over 10 s", p * 1000.0));
    let source = Source::metrics("apiserver");
    let base = |cause, confidence| {
        Finding::new(cause, confidence, scraped(world))
            .about([Subject::new("Component", "", "kube-apiserver")])
            .proven_by(p99_of(&metrics::REQUEST_DURATION), latency.clone(), world.now(), &source)
            .proven_by(metrics::REQUESTS.name, asked.words(), world.now(), &source)
    };
    // Half of that is a machine with much to do, unless it lasts and the requests are very many. A crowd of fewer is not what
    // keeps a machine busy for a moment, either.
    let very_many = asked.now > VERY_MANY;
    let lasts = |limit| slow(limit) && slow_before(world, limit);
    let slows = if very_many { is_slow || lasts(SLOW_REQUEST / 2.0) } else { lasts(SLOW_REQUEST) };
    let waits = waits_for_cpu(world, 10, 0).filter(|_| very_many);
    let turned_away = rejected(world) >= REFUSED || queued(world) >= QUEUED;
    // A slow etcd that nobody sees makes much traffic wait, too: then only the lack of CPU is the traffic's own doing.
    let unseen = hidden && asked.before.is_none();
    // More than one level takes is not more than the API server can serve.
    let suffers = waits.is_some() || !unseen && (slows || turned_away) && !levels::stand_alone(world);
    if grown && suffers {
        let sure = (if healthy { 0.88 } else { 0.7 }) - if asked.before.is_some() { 0.0 } else { 0.15 };
        found.add("api", overload(world, base(Cause::ApiOverload, sure), waits));
    } else if let Some(writes) =
        etcd::late_writes(world).filter(|_| hidden && waits_for_cpu(world, 10, 0).is_none())
    {
        let finding = base(Cause::EtcdDiskBound, 0.8).about([Subject::new("Component", "", "etcd")]);
        found.add("etcd", finding.proven_by(p99_of(&metrics::ETCD_REQUESTS), writes, world.now(), &source));
    } else if asked.before.is_none() {
        // Whether it is slow without more traffic than is usual, only who has watched for a while can say.
    } else if hidden && is_slow && !grown && world.watched_for() > 60.0 && slow_before(world, SLOW_REQUEST) {
        found.add("etcd", base(Cause::EtcdDiskBound, 0.62).about([Subject::new("Component", "", "etcd")]));
    } else if healthy && is_slow && !grown && !had_grown(world, &asked) {
        let finding = base(Cause::ControlPlaneStarved, 0.6);
        // A quota lasts. A machine that starts something else is busy for a moment.
        match waits_for_cpu(world, 20, 0).filter(|_| waits_for_cpu(world, 40, 20).is_some()) {
            Some(value) => {
                let finding = Finding { confidence: 0.88, ..finding };
                found.add("api", finding.proven_by(metrics::SCHEDULING.name, value, world.now(), &source));
            }
            None if p99.is_some_and(|p| p > 2.0 * SLOW_REQUEST) => starved(world, finding, found),
            None => {}
        }
    }
}

/// Whether more is asked of the API server than is usual.
fn has_grown(world: &World) -> bool {
    traffic(world).is_some_and(|asked| asked.now > asked.too_many())
}

/// Whether too much was asked in ten of the last forty seconds: what lacks a CPU since then may be left of that.
fn had_grown(world: &World, asked: &Traffic) -> bool {
    let all = |_: &BTreeMap<String, String>| true;
    [10, 20, 30].into_iter().any(|ago| {
        let (from, to) = (world.ago(ago + 10), world.ago(ago));
        world.telemetry.increase(&metrics::REQUESTS, all, from, to) / 10.0 > asked.too_many()
    })
}

/// Whether it is a webhook, or their turn in an API server that has seats, that slow requests wait for: hardly more of them are
/// slow than waited so, and the API server does not wait for a CPU, which would make all of them slow.
fn waits_for_others(world: &World) -> bool {
    let late = webhooks::held_up(world) + levels::held_up(world);
    let slow = world.telemetry.gain(&metrics::REQUEST_DURATION, is_short, world.ago(10), world.now());
    late > 0 && slow.above(LATE) <= MORE * late && waits_for_cpu(world, 20, 0).is_none()
}

/// When the API server told its metrics last. What a window of them proves is true from then on, and not before.
fn scraped(world: &World) -> Timestamp {
    let series = world.telemetry.metric(&metrics::REQUESTS);
    series.filter_map(|(_, s)| s.last()).map(|(at, _)| *at).max().unwrap_or_else(|| world.now())
}

/// How what could run in the API server waits for a CPU: 99 % of it less, and for how long in sum. A quota lets most of it
/// run at once and the rest wait for long; a busy machine makes much of it wait for a moment. Between so many seconds ago
/// and so many.
fn waits_for_cpu(world: &World, from: u64, to: u64) -> Option<String> {
    let gain = waiting(world, from, to);
    let seconds = from - to;
    let much = MUCH_WAITING * float(seconds);
    let waits = |p99: &f64| *p99 > LONG_WAIT && gain.sum > much && gain.count >= 20;
    let tell = |p99| format!("p99 {:.0} ms, {:.0} s of waiting in {seconds} s", p99 * 1000.0, gain.sum);
    gain.quantile(0.99).filter(waits).map(tell)
}

fn waiting(world: &World, from: u64, to: u64) -> Gain {
    world.telemetry.gain(&metrics::SCHEDULING, |_| true, world.ago(from), world.ago(to))
}

/// Requests that wait in the API server for their turn.
fn queued(world: &World) -> f64 {
    let queues = world.telemetry.metric(&metrics::QUEUED_REQUESTS);
    queues.filter_map(|(_, s)| s.last().filter(|(at, _)| world.age(*at) < 10.0)).map(|(_, n)| *n).sum()
}

/// Of which kind most of the requests are that were let through lately, as priority and fairness sorts them, and how many of
/// a hundred.
fn most_asking(world: &World) -> Option<(&str, f64)> {
    let (from, to) = (world.ago(10), world.now());
    let mut by_schema = BTreeMap::<&str, f64>::new();
    for (key, series) in world.telemetry.metric(&metrics::DISPATCHED_REQUESTS) {
        let schema = key.labels.get("flow_schema").map_or("", String::as_str);
        *by_schema.entry(schema).or_default() += series.increase(from, to);
    }
    let all: f64 = by_schema.values().sum();
    let (schema, most) = by_schema.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (most > 0.0).then(|| (schema, 100.0 * most / all))
}

fn rejected(world: &World) -> f64 {
    let (from, to) = (world.ago(10), world.now());
    let rejected = world.telemetry.increase(&metrics::REJECTED_REQUESTS, |_| true, from, to);
    let too_many = |l: &BTreeMap<String, String>| l.get("code").is_some_and(|c| c == "429");
    rejected.max(world.telemetry.increase(&metrics::REQUESTS, too_many, from, to))
}

/// Whether the short requests were slow in the ten seconds before the last ten, too, and in every five seconds since:
/// slowness that stopped in between is not the same slowness.
fn slow_before(world: &World, limit: f64) -> bool {
    let is_slow = |from, to| {
        let (from, to) = (world.ago(from), world.ago(to));
        let gain = world.telemetry.gain(&metrics::REQUEST_DURATION, is_short, from, to);
        gain.quantile(0.99).filter(|_| gain.count >= 5).map(|p| p > limit)
    };
    is_slow(20, 10) == Some(true)
        && [(15, 10), (10, 5), (5, 0)].iter().all(|(f, t)| is_slow(*f, *t) != Some(false))
}

/// A share of a node's CPU that leaves nothing.
const FULL: f64 = 0.95;

fn cpu_of(node: &str) -> String {
    format!("CPU of {node}")
}

/// How much of the node's CPU is used.
fn busy(world: &World, node: &str) -> Option<Measure> {
    let all = world.nodes.find("", node)?.allocatable.cpu_millis.max(1);
    let (_, usage) = world.telemetry.usage.get(node)?.last()?;
    let share = 100.0 * float(usage.cpu_millis) / float(all);
    Some(Measure::new("share that is used", "%", share).held_to(100.0 * FULL))
}

/// Slow without traffic, with a healthy disk: is there CPU at all where the control plane runs?
fn starved(world: &World, finding: Finding, found: &mut Findings<'_>) {
    if world.watched_for() < 60.0 || !slow_before(world, SLOW_REQUEST) {
        return;
    }
    for node in world.nodes.by(&Key::ControlPlane) {
        let Some(series) = world.telemetry.usage.get(&node.name) else { continue };
        let all = float(node.allocatable.cpu_millis.max(1));
        let recent: Vec<_> = series.iter().rev().take_while(|(t, _)| world.age(*t) < 60.0).collect();
        if recent.len() < 4 || recent.iter().any(|(_, u)| float(u.cpu_millis) < FULL * all) {
            continue;
        }
        let source = Source::metrics(&format!("kubelet/{}", node.name));
        let value = format!("{:.0} % for a minute", 100.0 * float(recent[0].1.cpu_millis) / all);
        let finding = finding.clone().about([node_subject(&node.name)]).proven_by(
            cpu_of(&node.name),
            value,
            recent[0].0,
            &source,
        );
        found.add("api", finding);
    }
}
