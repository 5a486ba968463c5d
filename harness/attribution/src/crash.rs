//! Containers that end when they should not.

use crate::world::{Seen, World};
use loopdrill_model::{Timestamp, signal::*};

/// A container whose last end was no success, or that ends again and again.
#[derive(Debug, Clone)]
pub(crate) struct Crash<'w> {
    pub(crate) pod: &'w Seen<Pod>,
    pub(crate) container: &'w Container,
    pub(crate) end: &'w Terminated,
    /// How often it has ended lately.
    pub(crate) deaths: u32,
    /// When it last ended, in the observer's time.
    pub(crate) ended_at: Timestamp,
    /// When the first of these ends was seen.
    pub(crate) since: Timestamp,
    /// When it was seen to end again: once is no loop. The first end, where earlier ones were not seen.
    pub(crate) loops_since: Timestamp,
}

/// Seconds for which a container that runs again is still remembered as crashing.
const RECENT: f64 = 30.0;
/// Seconds for which all ends of a pod's containers count as one row.
const YOUNG: f64 = 300.0;
/// Seconds after which a node that came up is no excuse any more.
const SETTLED: f64 = 60.0;

impl Crash<'_> {
    /// It ended because it used too much memory.
    pub(crate) fn out_of_memory(&self) -> bool {
        self.end.reason == "OOMKilled"
    }

    /// It never ran: the runtime could not start it.
    pub(crate) fn never_ran(&self) -> bool {
        matches!(self.end.reason.as_str(), "StartError" | "ContainerCannotRun" | "RunContainerError")
    }

    /// It was killed from outside.
    pub(crate) fn killed(&self) -> bool {
        matches!(self.end.exit_code, 137 | 143)
    }

    /// Its node went down or came up at that time: that ended it, or kept it from starting.
    pub(crate) fn with_its_node(&self, world: &World) -> bool {
        self.end.reason == "ContainerStatusUnknown"
            || self.end.exit_code == 255
            || world.rose_with_its_node(self.pod, SETTLED)
    }

    /// `exit 1 (Error), 3 times`.
    pub(crate) fn describe(&self) -> String {
        let times = if self.deaths == 1 { "once".into() } else { format!("{} times", self.deaths) };
        format!("exit {} ({}), {times}", self.end.exit_code, self.end.reason)
    }
}

/// All containers that are down by themselves, or came back so recently that it may be a loop.
pub(crate) fn crashes(world: &World) -> Vec<Crash<'_>> {
    let alive = |p: &&Seen<Pod>| !p.deleting && p.phase != "Succeeded";
    world
        .pods
        .iter()
        .filter(alive)
        .flat_map(|pod| pod.containers.iter().filter_map(move |c| crash(world, pod, c)))
        .collect()
}

fn crash<'w>(world: &World, pod: &'w Seen<Pod>, c: &'w Container) -> Option<Crash<'w>> {
    let (end, down) = match (&c.state, &c.last) {
        (ContainerState::Terminated(end), _) if !(c.init && end.exit_code == 0) => (end, true),
        (ContainerState::Waiting { .. }, Some(last)) => (last, true),
        (ContainerState::Running { .. }, Some(last)) => (last, false),
        _ => return None,
    };
    // A container of a pod that ends with success is done, not crashed.
    if end.exit_code == 0 && c.restarts == 0 {
        return None;
    }
    let streak = world.streak(&pod.uid, &c.name)?;
    if !down && world.age(streak.last_at) > RECENT {
        return None;
    }
    // Who backs off has ended more than once, also before anybody looked.
    let backs_off =
        matches!(&c.state, ContainerState::Waiting { reason, .. } if reason == "CrashLoopBackOff");
    // A slow API server tells two ends in one; of a young pod all ends are recent.
    let young = world.api_age(pod.created_at) < YOUNG;
    let over = matches!(&c.state, ContainerState::Terminated(_));
    let deaths = match (backs_off, young) {
        (true, _) => streak.ends.max(c.restarts),
        (false, true) => streak.ends.max(c.restarts + u32::from(over)),
        (false, false) => streak.ends,
    };
    Some(Crash {
        pod,
        container: c,
        end,
        deaths,
        ended_at: streak.last_at,
        since: streak.since,
        loops_since: streak.again_at.unwrap_or(streak.since),
    })
}
