//! Control plane: etcd waits for its disk, or clients ask too much, or there is too little CPU.

mod components;

use crate::{
    finding::{Finding, Findings, link, node_subject},
    text,
    world::{HistogramSeries, World, age, float, has_control_plane},
};
use loopdrill_model::{Cause, ChainLink, Source, Subject, Timestamp};
use std::{collections::BTreeMap, time::Duration};

/// How long etcd's log waits for the disk.
const FSYNC: &str = "etcd_disk_wal_fsync_duration_seconds";
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
/// Latency of the API server that nobody should see, in seconds.
const SLOW_REQUEST: f64 = 1.0;

/// Requests a second that are worth to be called many.
const MANY: f64 = 50.0;
/// Requests in the API server's queues that are more than a burst.
const QUEUED: f64 = 20.0;
/// How long what could run in a Go program waits for a CPU.
const SCHEDULING: &str = "go_sched_latencies_seconds";
/// Seconds that what could run waits for a CPU, one time in a hundred, that are long.
const LONG_WAIT: f64 = 0.1;
/// Seconds of such waiting in a second, over all that waits. A slow disk or a busy machine came to one in twenty.
const MUCH_WAITING: f64 = 0.15;

pub(crate) fn look(world: &World, found: &mut Findings<'_>) {
    let members = members(world);
    for member in &members {
        if let Some(finding) = disk_bound(world, member) {
            found.add("etcd", finding);
        }
    }
    let healthy = !members.is_empty() && members.iter().all(|m| m.now.is_none());
    let hidden = world.telemetry.histogram(FSYNC).next().is_none();
    api(world, hidden, healthy, found);
    webhooks(world, found);
    components::look(world, found);
}

/// One member of etcd, as its log's fsyncs show it.
struct Member<'w> {
    source: &'w Source,
    /// How slow it is now, and since when, when it is.
    now: Option<(Slow, Timestamp)>,
}

/// A time within which a member was slow.
type Episode = (Timestamp, Timestamp);

/// Why a member is called slow.
enum Slow {
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

fn members(world: &World) -> Vec<Member<'_>> {
    let histograms = world.telemetry.histogram(FSYNC);
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
        world.telemetry.metric("etcd_server_proposals_pending").filter(|(k, _)| k.source == *source);
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
    let episodes = world.telemetry.histogram(FSYNC).flat_map(|(_, h)| of(h));
    episodes.map(|(from, to)| (back(from, 10), to)).collect()
}

fn disk_bound(world: &World, member: &Member<'_>) -> Option<Finding> {
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
        .proven_by("etcd_disk_wal_fsync_duration_seconds p99", value, world.now(), member.source);
    let commits = world.telemetry.gain(
        "etcd_disk_backend_commit_duration_seconds",
        |_| true,
        world.ago(WINDOW),
        world.now(),
    );
    if let Some(p99) = commits.quantile(0.99) {
        let value = format!("{:.0} ms", p99 * 1000.0);
        finding = finding.proven_by(
            "etcd_disk_backend_commit_duration_seconds p99",
            value,
            world.now(),
            member.source,
        );
    }
    finding = with_api(world, finding);
    Some(finding.leading_to(chain(world, *since)))
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

fn with_api(world: &World, mut finding: Finding) -> Finding {
    let source = Source::metrics("apiserver");
    if let Some(p99) = api_latency(world) {
        if p99 > SLOW_REQUEST {
            finding.confidence += 0.02;
        }
        let value = format!("{:.0} ms over 10 s", p99 * 1000.0);
        finding = finding.proven_by("apiserver_request_duration_seconds p99", value, world.now(), &source);
    }
    if let Some((now, before)) = traffic(world) {
        let value = format!("{now:.0}/s, before {before:.0}/s");
        finding = finding.proven_by("apiserver_request_total", value, world.now(), &source);
    }
    finding
}

/// Requests that end by themselves: neither watches nor streams, nor lists of unknown length.
fn is_short(labels: &BTreeMap<String, String>) -> bool {
    !matches!(
        labels.get("verb").map(String::as_str),
        Some("WATCH" | "WATCHLIST" | "CONNECT" | "LIST" | "PROXY")
    ) && !matches!(
        labels.get("subresource").map(String::as_str),
        Some("log" | "exec" | "attach" | "portforward" | "proxy")
    )
}

/// 99 % of the short requests of the last seconds took less.
fn api_latency(world: &World) -> Option<f64> {
    // A server that hardly answers is asked more rarely.
    [10, 20].into_iter().find_map(|seconds| {
        let (from, to) = (world.ago(seconds), world.now());
        let gain = world.telemetry.gain("apiserver_request_duration_seconds", is_short, from, to);
        gain.quantile(0.99).filter(|_| gain.count >= 5)
    })
}

/// Times of the past, in seconds ago, of which the quietest says what is usual.
const QUIET_TIMES: &[(u64, u64)] =
    &[(50, 20), (80, 50), (110, 80), (140, 110), (170, 140), (200, 170), (230, 200), (260, 230), (290, 260)];

/// The first seconds of watching are such a time, too.
const FIRST: Duration = Duration::from_secs(8);

/// Requests a second: in the last ten seconds, and what was usual before.
fn traffic(world: &World) -> Option<(f64, f64)> {
    let all = |_: &BTreeMap<String, String>| true;
    let born = world.telemetry.metric("apiserver_request_total").map(|(_, s)| s.born_at).min()?;
    let known = (world.age(born) - 10.0).min(120.0);
    if known < 15.0 {
        return None;
    }
    let now = world.telemetry.increase("apiserver_request_total", all, world.ago(10), world.now()) / 10.0;
    let before =
        world.telemetry.increase("apiserver_request_total", all, world.ago(130), world.ago(10)) / known;
    // What has lasted for minutes is still more than what was usual before.
    let past = QUIET_TIMES.iter().filter(|(from, _)| float(*from) <= world.age(born));
    let past = past.map(|(from, to)| (world.ago(*from), world.ago(*to)));
    let first = (born, born.checked_add(FIRST).unwrap_or(born));
    let usual = past.chain([first]).map(|(from, to)| {
        world.telemetry.increase("apiserver_request_total", all, from, to) / age(to, from).max(1.0)
    });
    Some((now, usual.filter(|rate| *rate > 1.0).fold(before, f64::min)))
}

/// The API server's own view, where etcd is hidden or healthy.
fn api(world: &World, hidden: bool, healthy: bool, found: &mut Findings<'_>) {
    let Some((now, before)) = traffic(world) else { return };
    let grown = now > MANY && now > 3.0 * before;
    let p99 = api_latency(world);
    let is_slow = p99.is_some_and(|p| p > SLOW_REQUEST);
    let latency = p99.map_or("unknown".to_owned(), |p| format!("{:.0} ms over 10 s", p * 1000.0));
    let rate = format!("{now:.0}/s, before {before:.0}/s");
    let source = Source::metrics("apiserver");
    let base = |cause, confidence| {
        Finding::new(cause, confidence, scraped(world))
            .about([Subject::new("Component", "", "kube-apiserver")])
            .proven_by("apiserver_request_duration_seconds p99", latency.clone(), world.now(), &source)
            .proven_by("apiserver_request_total", rate.clone(), world.now(), &source)
    };
    let (refused, queued) = (rejected(world), queued(world));
    // A moment of half that is a machine with much to do.
    let half = SLOW_REQUEST / 2.0;
    let slows = is_slow || p99.is_some_and(|p| p > half) && slow_before(world, half);
    let waits = waits_for_cpu(world, if grown { 10 } else { 20 });
    let suffers = slows || refused >= 5.0 || queued >= QUEUED || waits.is_some();
    if grown && suffers {
        let mut finding = base(Cause::ApiOverload, if healthy { 0.88 } else { 0.7 });
        if refused > 0.0 {
            let value = format!("+{refused:.0} in 10 s");
            let signal = "apiserver_flowcontrol_rejected_requests_total";
            finding = finding.proven_by(signal, value, world.now(), &source);
        }
        if queued > 0.0 {
            let signal = "apiserver_flowcontrol_current_inqueue_requests";
            finding = finding.proven_by(signal, format!("{queued:.0}"), world.now(), &source);
        }
        if let Some(value) = waits {
            finding = finding.proven_by(SCHEDULING, value, world.now(), &source);
        }
        found.add("api", finding);
    } else if hidden && is_slow && !grown && world.watched_for() > 60.0 && slow_before(world, SLOW_REQUEST) {
        found.add("etcd", base(Cause::EtcdDiskBound, 0.62).about([Subject::new("Component", "", "etcd")]));
    } else if healthy && is_slow && !grown {
        let finding = base(Cause::ControlPlaneStarved, 0.6);
        match waits {
            Some(value) => {
                let finding = Finding { confidence: 0.88, ..finding };
                found.add("api", finding.proven_by(SCHEDULING, value, world.now(), &source));
            }
            None if p99.is_some_and(|p| p > 2.0 * SLOW_REQUEST) => starved(world, finding, found),
            None => {}
        }
    }
}

/// When the API server told its metrics last. What a window of them proves is true from then on, and not before.
fn scraped(world: &World) -> Timestamp {
    let series = world.telemetry.metric("apiserver_request_total");
    series.filter_map(|(_, s)| s.last()).map(|(at, _)| *at).max().unwrap_or_else(|| world.now())
}

/// How what could run in the API server waits for a CPU: 99 % of it less, and for how long in sum. A quota lets most of it
/// run at once and the rest wait for long; a busy machine makes much of it wait for a moment.
fn waits_for_cpu(world: &World, seconds: u64) -> Option<String> {
    let gain = world.telemetry.gain(SCHEDULING, |_| true, world.ago(seconds), world.now());
    let much = MUCH_WAITING * float(seconds);
    let waits = |p99: &f64| *p99 > LONG_WAIT && gain.sum > much && gain.count >= 20;
    let tell = |p99| format!("p99 {:.0} ms, {:.0} s of waiting in {seconds} s", p99 * 1000.0, gain.sum);
    gain.quantile(0.99).filter(waits).map(tell)
}

/// Requests that wait in the API server for their turn.
fn queued(world: &World) -> f64 {
    let queues = world.telemetry.metric("apiserver_flowcontrol_current_inqueue_requests");
    queues.filter_map(|(_, s)| s.last().filter(|(at, _)| world.age(*at) < 10.0)).map(|(_, n)| *n).sum()
}

fn rejected(world: &World) -> f64 {
    let (from, to) = (world.ago(10), world.now());
    let rejected =
        world.telemetry.increase("apiserver_flowcontrol_rejected_requests_total", |_| true, from, to);
    let too_many = |l: &BTreeMap<String, String>| l.get("code").is_some_and(|c| c == "429");
    rejected.max(world.telemetry.increase("apiserver_request_total", too_many, from, to))
}

/// Whether the short requests of the ten seconds before these were slow, too, and have been ever since: what was over in
/// between is another story.
fn slow_before(world: &World, limit: f64) -> bool {
    let is_slow = |from, to| {
        let (from, to) = (world.ago(from), world.ago(to));
        let gain = world.telemetry.gain("apiserver_request_duration_seconds", is_short, from, to);
        gain.quantile(0.99).filter(|_| gain.count >= 5).map(|p| p > limit)
    };
    is_slow(20, 10) == Some(true)
        && [(15, 10), (10, 5), (5, 0)].iter().all(|(f, t)| is_slow(*f, *t) != Some(false))
}

/// Slow without traffic, with a healthy disk: is there CPU at all where the control plane runs?
fn starved(world: &World, finding: Finding, found: &mut Findings<'_>) {
    if world.watched_for() < 60.0 || !slow_before(world, SLOW_REQUEST) {
        return;
    }
    for node in world.nodes.iter().filter(|n| has_control_plane(n)) {
        let Some(series) = world.telemetry.usage.get(&node.name) else { continue };
        let all = float(node.allocatable.cpu_millis.max(1));
        let recent: Vec<_> = series.iter().rev().take_while(|(t, _)| world.age(*t) < 60.0).collect();
        if recent.len() < 4 || recent.iter().any(|(_, u)| float(u.cpu_millis) < 0.95 * all) {
            continue;
        }
        let source = Source::metrics(&format!("kubelet/{}", node.name));
        let value = format!("{:.0} % for a minute", 100.0 * float(recent[0].1.cpu_millis) / all);
        let finding = finding.clone().about([node_subject(&node.name)]).proven_by(
            format!("CPU of {}", node.name),
            value,
            recent[0].0,
            &source,
        );
        found.add("api", finding);
    }
}

/// Webhooks that the API server cannot call.
fn webhooks(world: &World, found: &mut Findings<'_>) {
    let failed =
        |l: &BTreeMap<String, String>| l.get("error_type").is_some_and(|e| e == "calling_webhook_error");
    let name = "apiserver_admission_webhook_rejection_count";
    let more = world.telemetry.increase(name, failed, world.ago(30), world.now());
    // A controller that was refused says so itself, and about what.
    let told = world.events.iter().any(|e| {
        e.reason == "FailedCreate"
            && world.age(e.at) < 60.0
            && text::create_failure(&e.message) == Some(Cause::WebhookBlocked)
    });
    // Whoever was refused once and says so a moment later is no reason to speak of it twice.
    let before = world.telemetry.increase(name, failed, world.ago(45), world.ago(12));
    let still = world.telemetry.increase(name, failed, world.ago(12), world.now());
    if before < 1.0 || still < 1.0 || told {
        return;
    }
    let source = Source::metrics("apiserver");
    let finding = Finding::new(Cause::WebhookBlocked, 0.85, scraped(world))
        .about([Subject::new("Component", "", "kube-apiserver")])
        .proven_by(name, format!("+{more:.0} in 30 s, the webhook cannot be called"), world.now(), &source);
    found.add("webhook", finding);
}
