//! Admission webhooks: those that cannot be called, and those that answer late.
//!
//! A webhook is late when most of its own calls are. That writes are slow says nothing of it: an API server without CPU and
//! a slow etcd make them slow, too, and then far more requests are slow than were shown to a webhook.

use super::{LATE, SLOW_REQUEST, api_latency, p99_of, scraped, waits_for_others};
use crate::{
    finding::{Finding, Findings, PROVEN},
    text,
    world::{Gain, World, float},
};
use loopdrill_model::{Cause, Measure, Source, Subject, metrics};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds within which calls are counted; where they are few, the longer time.
const WINDOWS: [u64; 2] = [10, 30];
/// Calls that are enough to speak of most of them.
const CALLS: u64 = 4;

/// A webhook most of whose calls take long: Kubernetes wants them to take milliseconds.
struct Late {
    name: String,
    gain: Gain,
    /// Seconds of the window.
    window: u64,
    /// Calls that failed, and whose requests were refused for it.
    refused: f64,
    /// Calls that failed, and whose requests were let through.
    let_through: f64,
}

impl Late {
    fn mean(&self) -> f64 {
        self.gain.sum / float(self.gain.count.max(1))
    }

    /// Whether most of the calls are like that.
    fn are_most(&self, calls: f64) -> bool {
        2.0 * calls >= float(self.gain.count)
    }
}

pub(super) fn look(world: &World, found: &mut Findings<'_>) {
    uncallable(world, found);
    late(world, found);
}

/// The number that the evidence of that name is about.
pub(super) fn measure(world: &World, signal: &str) -> Option<Measure> {
    if signal == metrics::WEBHOOK_REJECTIONS.name {
        return Some(Measure::new("calls that failed in 30 s", "", uncalled(world)));
    }
    if signal == metrics::WEBHOOK_FAIL_OPEN.name {
        let (from, to) = (world.ago(30), world.now());
        let more = world.telemetry.increase(&metrics::WEBHOOK_FAIL_OPEN, |_| true, from, to);
        return Some(Measure::new("calls that failed in 30 s", "", more));
    }
    if signal == mean_of_calls() {
        let slowest = late_webhooks(world).into_iter().map(|w| w.mean()).reduce(f64::max);
        let mean = slowest.or_else(|| {
            let all = world.telemetry.gain(&metrics::WEBHOOK_DURATION, |_| true, world.ago(10), world.now());
            (all.count > 0).then(|| all.sum / float(all.count))
        })?;
        return Some(Measure::new("over 10 s", "ms", mean * 1000.0).held_to(LATE * 1000.0));
    }
    None
}

/// How an evidence names the time that calls take.
fn mean_of_calls() -> String {
    format!("{} mean", metrics::WEBHOOK_DURATION.name)
}

/// What the webhook of that name gained in the window.
fn calls_of(world: &World, name: &str, seconds: u64) -> Gain {
    let named = |labels: &BTreeMap<String, String>| name_of(labels) == name;
    world.telemetry.gain(&metrics::WEBHOOK_DURATION, named, world.ago(seconds), world.now())
}

fn name_of(labels: &BTreeMap<String, String>) -> &str {
    labels.get("name").map(String::as_str).unwrap_or_default()
}

fn are_mostly_late(gain: &Gain) -> bool {
    2 * gain.above(LATE) > gain.count
}

/// All webhooks whose calls were told.
fn names(world: &World) -> BTreeSet<&str> {
    world.telemetry.histogram(&metrics::WEBHOOK_DURATION).map(|(key, _)| name_of(&key.labels)).collect()
}

/// The webhooks most of whose calls are late, also in the last seconds, and often enough.
fn late_webhooks(world: &World) -> Vec<Late> {
    let late = |name: &str| {
        are_mostly_late(&calls_of(world, name, WINDOWS[0])).then_some(())?;
        let mut windows = WINDOWS.iter().map(|seconds| (*seconds, calls_of(world, name, *seconds)));
        let (window, gain) =
            windows.find(|(_, gain)| gain.count >= CALLS).filter(|(_, gain)| are_mostly_late(gain))?;
        let (from, to) = (world.ago(window), world.now());
        let same = |labels: &BTreeMap<String, String>| name_of(labels) == name;
        let refused = |labels: &BTreeMap<String, String>| same(labels) && is_uncallable(labels);
        Some(Late {
            name: name.to_owned(),
            gain,
            window,
            refused: world.telemetry.increase(&metrics::WEBHOOK_REJECTIONS, refused, from, to),
            let_through: world.telemetry.increase(&metrics::WEBHOOK_FAIL_OPEN, same, from, to),
        })
    };
    names(world).into_iter().filter_map(late).collect()
}

/// Late calls of webhooks that are late.
pub(super) fn held_up(world: &World) -> u64 {
    late_webhooks(world).iter().map(|w| calls_of(world, &w.name, WINDOWS[0]).above(LATE)).sum()
}

/// Webhooks that answer, and late. Nothing is refused for it.
fn late(world: &World, found: &mut Findings<'_>) {
    let webhooks = late_webhooks(world);
    if webhooks.is_empty() {
        // A few calls are late: more of them will tell.
        if names(world).iter().any(|name| are_mostly_late(&calls_of(world, name, WINDOWS[0]))) {
            found.lasts(world.now(), PROVEN);
        }
        return;
    }
    if !waits_for_others(world) {
        return;
    }
    for webhook in webhooks.iter().filter(|w| !w.are_most(w.refused)) {
        found.add("webhook", finding(world, webhook));
    }
}

/// Who is not answered before its time is up, and lets requests through then, cannot be called.
fn finding(world: &World, webhook: &Late) -> Finding {
    let source = Source::metrics("apiserver");
    let (calls, window) = (webhook.gain.count, webhook.window);
    let unanswered = webhook.are_most(webhook.let_through);
    let (cause, confidence, does) = match unanswered {
        true => (Cause::WebhookBlocked, 0.8, "cannot be called"),
        false => (Cause::WebhookSlow, 0.88, "answers late"),
    };
    let value = format!(
        "{:.0} ms over {window} s; {} of {calls} calls above {:.0} ms: {} {does}",
        webhook.mean() * 1000.0,
        webhook.gain.above(LATE),
        LATE * 1000.0,
        webhook.name,
    );
    let mut finding = Finding::new(cause, confidence, scraped(world))
        .about([Subject::new("Component", "", "kube-apiserver")])
        .proven_by(mean_of_calls(), value, world.now(), &source);
    let failed = match unanswered {
        true => (&metrics::WEBHOOK_FAIL_OPEN, webhook.let_through, "not answered, and let through"),
        false => (&metrics::WEBHOOK_REJECTIONS, webhook.refused, "failed"),
    };
    let value = format!("+{:.0} in {window} s {}", failed.1, failed.2);
    finding = finding.proven_by(failed.0.name, value, world.now(), &source);
    if let Some(p99) = api_latency(world).filter(|p99| *p99 > SLOW_REQUEST) {
        let value = format!("{:.0} ms over 10 s", p99 * 1000.0);
        finding = finding.proven_by(p99_of(&metrics::REQUEST_DURATION), value, world.now(), &source);
    }
    finding
}

/// Calls that failed before anybody looked, and that are more than the hiccups of a webhook that was started anew.
const OFTEN: f64 = 3.0;

fn is_uncallable(labels: &BTreeMap<String, String>) -> bool {
    labels.get("error_type").is_some_and(|e| e == "calling_webhook_error")
}

/// Calls of webhooks that had failed when the API server was first asked.
fn counted_at_first(world: &World) -> f64 {
    let series = world.telemetry.metric(&metrics::WEBHOOK_REJECTIONS);
    let failed = series.filter(|(key, _)| is_uncallable(&key.labels));
    failed.filter_map(|(_, series)| series.iter().next()).map(|(_, n)| *n).sum()
}

/// The webhooks of which a call failed lately, by name where that is told.
fn failing_webhooks(world: &World) -> String {
    let (from, to) = (world.ago(30), world.now());
    let series = world.telemetry.metric(&metrics::WEBHOOK_REJECTIONS);
    let lately = series.filter(|(key, s)| is_uncallable(&key.labels) && s.increase(from, to) > 0.0);
    let names: BTreeSet<_> = lately.filter_map(|(key, _)| key.labels.get("name")).take(3).collect();
    match names.is_empty() {
        true => "the webhook".into(),
        false => names.into_iter().cloned().collect::<Vec<_>>().join(", "),
    }
}

/// Calls of webhooks that failed lately.
fn uncalled(world: &World) -> f64 {
    world.telemetry.increase(&metrics::WEBHOOK_REJECTIONS, is_uncallable, world.ago(30), world.now())
}

/// Webhooks that the API server cannot call.
fn uncallable(world: &World, found: &mut Findings<'_>) {
    let (of, failed) = (&metrics::WEBHOOK_REJECTIONS, is_uncallable);
    let more = uncalled(world);
    // A controller that was refused says so itself, and about what.
    let told = world
        .events
        .told_of(&["FailedCreate"])
        .any(|e| world.age(e.at) < 60.0 && text::create_failure(&e.message) == Some(Cause::WebhookBlocked));
    // Whoever was refused once and says so a moment later is no reason to speak of it twice.
    let watched = world.telemetry.increase(of, failed, world.ago(45), world.ago(12));
    let still = world.telemetry.increase(of, failed, world.ago(12), world.now());
    let (before, confidence) = match watched >= 1.0 {
        true => (watched, 0.85),
        // Who has just been called in knows what had been counted by then.
        false if world.watched_for() < 45.0 => (counted_at_first(world) / OFTEN, 0.6),
        false => (watched, 0.85),
    };
    if before < 1.0 || still < 1.0 || told {
        return;
    }
    let source = Source::metrics("apiserver");
    let value = format!("+{more:.0} in 30 s, {} cannot be called", failing_webhooks(world));
    let finding = Finding::new(Cause::WebhookBlocked, confidence, scraped(world))
        .about([Subject::new("Component", "", "kube-apiserver")])
        .proven_by(of.name, value, world.now(), &source);
    found.add("webhook", finding);
}
