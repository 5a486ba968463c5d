//! Priority and fairness: a level whose requests wait for a seat, or are turned away, in an API server that has seats enough.
//!
//! Each level of the API server's priority and fairness has seats of its own. Where more is asked of it than they take, its
//! callers wait, and nobody else does. That tells it from an overload, a lack of CPU and a slow etcd: those make requests
//! slow that waited for no seat, or take most of the seats.

use super::{
    LATE, REFUSED, api_latency, has_grown, p99_of, scraped, traffic, waits_for_cpu, waits_for_others,
};
use crate::{
    finding::{Finding, Findings, PROVEN},
    world::{Gain, World, float},
};
use loopdrill_model::{
    Cause, Measure, Source, Subject,
    metrics::{self, Family},
};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds within which waits are counted; where they are few, the longer time.
const WINDOWS: [u64; 2] = [10, 30];
/// Requests that waited for long, and are more than a hiccup.
const WAITS: u64 = 3;
/// One of so many requests at least waits for long where a level is full; fewer are a burst, unless they go on.
const SHARE: u64 = 4;
/// An API server of whose seats no more than this share is taken is no busy one. The largest level that Kubernetes comes with
/// has more.
const IDLE: f64 = 0.25;

/// A level that lets its callers wait or go.
struct Full {
    name: String,
    /// Requests that waited for long for a seat.
    late: u64,
    /// All of its requests.
    all: u64,
    /// Seconds of the window.
    window: u64,
    /// How long its requests waited, on average.
    mean: f64,
    /// Requests that were turned away within ten seconds.
    refused: f64,
    /// Requests that wait now.
    queued: f64,
}

/// Seats of the API server.
struct Seats {
    taken: f64,
    all: f64,
}

pub(super) fn look(world: &World, found: &mut Findings<'_>) {
    let levels = full_levels(world);
    if levels.is_empty() {
        // A request or two waited for long: more of them will tell.
        if names(world).iter().any(|name| late(world, name, WINDOWS[0]) > 0) {
            found.lasts(world.now(), PROVEN);
        }
        return;
    }
    if !is_idle(world) {
        return;
    }
    for level in &levels {
        found.add(format!("level {}", level.name), finding(world, level));
    }
}

/// The number that the evidence of that name is about.
pub(super) fn measure(world: &World, signal: &str) -> Option<Measure> {
    if signal == metrics::REQUEST_WAIT.name {
        let most = names(world).iter().map(|name| late(world, name, WINDOWS[0])).max()?;
        return Some(Measure::new("longer than 500 ms in 10 s", "", float(most)).held_to(float(WAITS)));
    }
    if signal == metrics::EXECUTING_SEATS.name {
        let seats = seats(world)?;
        return Some(Measure::new("seats that are taken", "", seats.taken).held_to(IDLE * seats.all));
    }
    None
}

/// Requests that waited for long for a seat in the last seconds, in an API server that has some.
pub(super) fn held_up(world: &World) -> u64 {
    if !has_seats(world) {
        return 0;
    }
    names(world).iter().map(|name| late(world, name, WINDOWS[0])).sum()
}

fn level_of(labels: &BTreeMap<String, String>) -> &str {
    labels.get("priority_level").map(String::as_str).unwrap_or_default()
}

/// All levels of which waits or refusals were told.
fn names(world: &World) -> BTreeSet<&str> {
    let waits = world.telemetry.histogram(&metrics::REQUEST_WAIT).map(|(key, _)| level_of(&key.labels));
    let refusals = world.telemetry.metric(&metrics::REJECTED_REQUESTS).map(|(key, _)| level_of(&key.labels));
    // Who tells no level tells nothing of one.
    waits.chain(refusals).filter(|name| !name.is_empty()).collect()
}

fn late(world: &World, name: &str, seconds: u64) -> u64 {
    waits(world, name, seconds, 0).above(LATE)
}

/// How long the level's requests waited between so many seconds ago.
fn waits(world: &World, name: &str, from: u64, to: u64) -> Gain {
    let mine = |labels: &BTreeMap<String, String>| level_of(labels) == name;
    world.telemetry.gain(&metrics::REQUEST_WAIT, mine, world.ago(from), world.ago(to))
}

/// Whether so many of the level's requests wait for long that it is no burst, or whether that goes on.
fn is_no_burst(world: &World, name: &str, window: u64) -> bool {
    let gain = waits(world, name, window, 0);
    let goes_on = || {
        [(5, 0), (10, 5), (15, 10), (20, 15)]
            .iter()
            .all(|(from, to)| waits(world, name, *from, *to).above(LATE) > 0)
    };
    SHARE * gain.above(LATE) >= gain.count || goes_on()
}

/// What a gauge of that level, or of all, says now.
fn now(world: &World, of: &Family, level: Option<&str>) -> Option<f64> {
    let series = world.telemetry.metric(of);
    let wanted = series.filter(|(key, _)| level.is_none_or(|name| level_of(&key.labels) == name));
    let fresh = wanted.filter_map(|(_, s)| s.last().filter(|(at, _)| world.age(*at) < 10.0));
    fresh.map(|(_, n)| *n).reduce(|sum, n| sum + n)
}

fn seats(world: &World) -> Option<Seats> {
    let of_all = |family| now(world, family, None);
    Some(Seats { taken: of_all(&metrics::EXECUTING_SEATS)?, all: of_all(&metrics::NOMINAL_SEATS)? })
}

/// The levels whose requests waited for long, also in the last seconds, and often enough; or were turned away.
fn full_levels(world: &World) -> Vec<Full> {
    let full = |name: &str| {
        let mine = |labels: &BTreeMap<String, String>| level_of(labels) == name;
        let refused = world.telemetry.increase(&metrics::REJECTED_REQUESTS, mine, world.ago(10), world.now());
        let still = late(world, name, WINDOWS[0]) > 0;
        let waited = WINDOWS.iter().find(|seconds| still && late(world, name, **seconds) >= WAITS);
        let waited = waited.filter(|seconds| is_no_burst(world, name, **seconds));
        if waited.is_none() && refused < REFUSED {
            return None;
        }
        let window = *waited.unwrap_or(&WINDOWS[0]);
        let gain = waits(world, name, window, 0);
        Some(Full {
            name: name.to_owned(),
            late: gain.above(LATE),
            all: gain.count,
            window,
            mean: gain.sum / float(gain.count.max(1)),
            refused,
            queued: now(world, &metrics::QUEUED_REQUESTS, Some(name)).unwrap_or_default(),
        })
    };
    names(world).into_iter().filter_map(full).collect()
}

/// Whether the API server has seats enough. Where it does not tell, one that is asked for no more than is usual has.
/// How many seats are taken, where that is more than an idle API server has taken.
pub(super) fn taken(world: &World) -> Option<String> {
    let seats = seats(world).filter(|seats| seats.taken > IDLE * seats.all)?;
    Some(format!("{:.0} of {:.0}", seats.taken, seats.all))
}

fn has_seats(world: &World) -> bool {
    match seats(world) {
        Some(seats) => seats.taken <= IDLE * seats.all,
        None => !has_grown(world),
    }
}

/// Whether the API server as a whole has nothing to do with it: it has seats and CPU, and hardly more requests are slow than
/// waited for a seat or for a webhook.
fn is_idle(world: &World) -> bool {
    // Where nobody waited, those that were turned away were quick, and nothing may be slow.
    let swift = || api_latency(world).is_none_or(|p99| p99 <= LATE);
    let others_are_swift = if held_up(world) > 0 { waits_for_others(world) } else { swift() };
    others_are_swift && has_seats(world) && traffic(world).is_some() && waits_for_cpu(world, 20, 0).is_none()
}

/// Whether there is a full level, and the API server is known to have seats for more.
pub(super) fn stand_alone(world: &World) -> bool {
    !full_levels(world).is_empty() && seats(world).is_some() && is_idle(world)
}

fn finding(world: &World, level: &Full) -> Finding {
    let seats = seats(world);
    let source = Source::metrics("apiserver");
    let name = &level.name;
    // Without its seats nobody knows how busy the API server is.
    let confidence = if seats.is_some() { 0.88 } else { 0.7 };
    let value = format!(
        "{} of {} requests of level {name} waited longer than {:.0} ms in {} s, {:.0} ms on average",
        level.late,
        level.all,
        LATE * 1000.0,
        level.window,
        level.mean * 1000.0,
    );
    let own = now(world, &metrics::NOMINAL_SEATS, Some(name));
    let of_seats = seats.as_ref().zip(own).map(|(seats, own)| {
        format!(
            "{:.0} of {:.0} seats are taken in all; {own:.0} are those of level {name}",
            seats.taken, seats.all
        )
    });
    let slow = api_latency(world).filter(|p99| *p99 > super::SLOW_REQUEST);
    let told = [
        (metrics::REQUEST_WAIT.name.to_owned(), (level.late > 0).then_some(value)),
        (
            metrics::REJECTED_REQUESTS.name.to_owned(),
            (level.refused > 0.0).then(|| format!("+{:.0} in 10 s, of level {name}", level.refused)),
        ),
        (
            metrics::QUEUED_REQUESTS.name.to_owned(),
            (level.queued > 0.0).then(|| format!("{:.0} of level {name}", level.queued)),
        ),
        (metrics::EXECUTING_SEATS.name.to_owned(), of_seats),
        (p99_of(&metrics::REQUEST_DURATION), slow.map(|p99| format!("{:.0} ms over 10 s", p99 * 1000.0))),
    ];
    let about = [
        Subject::new("PriorityLevelConfiguration", "", name.clone()),
        Subject::new("Component", "", "kube-apiserver"),
    ];
    let finding = Finding::new(Cause::PriorityLevelFull, confidence, scraped(world)).about(about);
    told.into_iter().fold(finding, |finding, (signal, value)| match value {
        Some(value) => finding.proven_by(signal, value, world.now(), &source),
        None => finding,
    })
}
