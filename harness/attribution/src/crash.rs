//! Containers that end when they should not.

use crate::{
    finding::Finding,
    world::{OUT_OF_MEMORY, Seen, Streak, World, age, never_ran},
};
use loopdrill_model::{Source, Timestamp, signal::*};

/// Seconds by which a crash may seem to precede the loss that caused it: the cluster's clock counts whole
/// seconds, and a watch needs its time.
pub(crate) const ROUNDING: f64 = 2.0;
/// Seconds after a right came back in which a process may still die of having lacked it.
pub(crate) const AFTERMATH: f64 = 5.0;

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
    /// An end of this row was for lack of memory.
    lacked_memory: bool,
    /// How many ends of this row were starts that failed.
    pub(crate) failed_starts: u32,
}

/// Seconds for which a container that runs again is still remembered as crashing.
const RECENT: f64 = 30.0;
/// Seconds for which all ends of a pod's containers count as one row.
const YOUNG: f64 = 300.0;
/// Seconds after which a node that came up is no excuse any more.
const SETTLED: f64 = 60.0;

impl Crash<'_> {
    /// It ended because it used too much memory. The kernel's word does not always reach the kubelet, so that of two ends
    /// in a row one may only be called a kill.
    pub(crate) fn out_of_memory(&self) -> bool {
        self.end.reason == OUT_OF_MEMORY || self.end.exit_code == 137 && self.lacked_memory
    }

    /// It never ran: the runtime could not start it.
    pub(crate) fn never_ran(&self) -> bool {
        never_ran(self.end)
    }

    /// It was killed from outside.
    pub(crate) fn killed(&self) -> bool {
        matches!(self.end.exit_code, 137 | 143)
    }

    /// Its node went down or came up at that time: that ended it, or kept it from starting.
    pub(crate) fn with_its_node(&self, world: &World) -> bool {
        self.end.reason == "ContainerStatusUnknown"
            || self.end.exit_code == 255 && node_moved(world, self.pod, self.ended_at)
            || world.rose_with_its_node(self.pod, SETTLED) && !self.looped_before_silence(world)
    }

    /// Its node is silent now, and before that its kubelet had started it again and told that it ended again: so the node was
    /// well enough.
    fn looped_before_silence(&self, world: &World) -> bool {
        let node = self.pod.node.as_deref().and_then(|n| world.nodes.find("", n));
        let silent_since = node.filter(|n| n.ready == "Unknown").and_then(|n| n.ready_since);
        self.deaths > 1
            && !self.killed()
            && silent_since.is_some_and(|t| age(world.local(t), self.ended_at) > 0.0)
    }

    /// `exit 1 (Error), 3 times`.
    pub(crate) fn describe(&self) -> String {
        format!("exit {} ({}), {}", self.end.exit_code, self.end.reason, self.times())
    }

    /// `once`, `3 times`.
    pub(crate) fn times(&self) -> String {
        if self.deaths == 1 { "once".into() } else { format!("{} times", self.deaths) }
    }

    /// Adds the container's end to the evidence.
    pub(crate) fn prove(&self, finding: Finding) -> Finding {
        let signal = format!("container {} terminated", self.container.name);
        finding.proven_by(signal, self.describe(), self.ended_at, &Source::api("pods"))
    }
}

/// Seconds within which containers end together when their node falls.
const TOGETHER: f64 = 30.0;

/// Whether the pod's node is not ready, or came up after the container had ended, or others ended there in that way at
/// that time: 255 is the kubelet's word for an end that nobody saw, but also a code of programs' own.
fn node_moved(world: &World, pod: &Pod, ended_at: Timestamp) -> bool {
    let Some(node) = pod.node.as_deref().and_then(|n| world.nodes.find("", n)) else { return true };
    let up_since = node.ready_since.map(|t| world.local(t));
    let lost = |t: &Terminated| {
        t.exit_code == 255 && t.finished_at.is_some_and(|f| age(world.local(f), ended_at).abs() < TOGETHER)
    };
    let ends = |c: &Container| match &c.state {
        ContainerState::Terminated(t) if lost(t) => true,
        _ => c.last.as_ref().is_some_and(lost),
    };
    let beside = |p: &&Seen<Pod>| p.uid != pod.uid && p.owner != pod.owner;
    node.ready != "True"
        || up_since.is_some_and(|up| age(up, ended_at) > -TOGETHER)
        || world.pods_on(&node.name).filter(beside).any(|p| p.containers.iter().any(ends))
}

/// All containers that are down by themselves, or came back so recently that it may be a loop.
pub(crate) fn crashes(world: &World) -> Vec<Crash<'_>> {
    // Whom the kubelet gave up, it ended itself.
    let alive = |p: &&Seen<Pod>| !p.deleting && p.phase != "Succeeded" && p.given_up.is_none();
    let pods = world.pods_that_may_crash().into_iter().filter(alive);
    pods.flat_map(|pod| pod.object.containers.iter().filter_map(|c| crash(world, pod, c))).collect()
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
    if !down && world.age(streak.last_at) > RECENT && !is_between_ends(world, pod, c, &streak) {
        return None;
    }
    // Who backs off has ended more than once, also before anybody looked.
    let backs_off = matches!(&c.state, ContainerState::Waiting { reason, .. } if reason == "CrashLoopBackOff")
        || backed_off(world, pod, c, &streak);
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
        lacked_memory: streak.out_of_memory,
        failed_starts: streak.never_ran,
        loops_since: if backs_off && streak.goes_back {
            streak.since
        } else {
            streak.again_at.unwrap_or(streak.since)
        },
    })
}

/// Seconds between two ends of a container that is in a loop: a back-off grows to five minutes.
const BACK_OFF: f64 = 400.0;

/// Whether the kubelet told of a pause for this container, more than once, and around its last end. Only that makes a
/// row of ends that nobody saw: a restart count has no time.
fn backed_off(world: &World, pod: &Pod, c: &Container, streak: &Streak) -> bool {
    let of_it = |message: &str| pod.containers.len() == 1 || message.contains(&c.name);
    streak.goes_back
        && c.restarts >= 2
        && world.events.about(&pod.uid).any(|e| {
            e.reason == "BackOff"
                && e.warning
                && e.count >= 2
                && of_it(&e.message)
                && age(world.event_last(e), streak.last_at).abs() < BACK_OFF
        })
}

/// Whether the container, first seen running, only runs until it ends again: it has not yet lived longer than before.
fn is_between_ends(world: &World, pod: &Seen<Pod>, c: &Container, streak: &Streak) -> bool {
    let Some(last) = &c.last else { return false };
    let Some((began, ended)) = last.started_at.zip(last.finished_at) else { return false };
    let before_us = streak.last_at < pod.first_at;
    let patience = (1.5 * age(ended, began) + RECENT).min(BACK_OFF);
    before_us && backed_off(world, pod, c, streak) && world.age(streak.last_at) < patience + BACK_OFF && {
        match &c.state {
            ContainerState::Running { since: Some(since) } => world.age(world.local(*since)) < patience,
            _ => false,
        }
    }
}
