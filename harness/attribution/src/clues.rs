//! What failing containers said, weighed against what the cluster shows.
//!
//! # Invariants
//! - A clue alone blames nobody: what can be confirmed in the cluster is, what the cluster contradicts is dropped, and
//!   what nobody confirms stays weak. A weak finding explains no other, and says that it is weak.
//! - Only a container that really fails is listened to: one that ends again and again, or is unready for long.
//! - Whoever writes a log can forge it. So no confidence without a confirmation is above [`CONTEXT`].

mod names;
mod peer;
mod reach;
mod route;
mod weigh;
mod words;

use crate::{
    crash::Crash,
    finding::{Basis, Finding, Findings, PROVEN, pod_subject},
    unwell::Unwell,
    workload,
    world::{Fact, Seen, SeenClue, World},
};
use loopdrill_model::{Evidence, Source, Timestamp, signal::*};
use weigh::{Verdict, weigh};
use words::describe;

/// The most that a clue is believed that fits to what the pod is made for, or with which it ended, and that nothing
/// confirms.
pub(crate) const CONTEXT: f64 = 0.55;
/// The most that a clue is believed to which nothing fits.
pub(crate) const ALONE: f64 = 0.4;

/// A container that really fails.
pub(crate) struct Failing<'w> {
    pub(crate) pod: &'w Seen<Pod>,
    pub(crate) container: &'w Container,
    pub(crate) since: Timestamp,
    /// How it ended, when it did.
    end: Option<String>,
}

impl<'w> Failing<'w> {
    fn crashed(crash: &Crash<'w>) -> Self {
        let (pod, container) = (crash.pod, crash.container);
        Self { pod, container, since: crash.loops_since, end: Some(crash.describe()) }
    }
}

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for failing in failing(world, unwell) {
        let Some((clue, verdict)) = judge(world, &failing) else { continue };
        let since = clue.map_or(failing.since, |c| failing.since.max(c.at));
        if found.lasts(since.min(world.now()), PROVEN) {
            found.add(verdict.group.clone(), finding(&failing, clue, verdict));
        }
    }
}

/// Whether what the container said explains why it ended, so that it is not to blame itself.
pub(crate) fn explains(world: &World, crash: &Crash<'_>) -> bool {
    leads(world, &Failing::crashed(crash))
}

/// Whether what the container said explains why it is not ready.
pub(crate) fn explains_unready(world: &World, pod: &Seen<Pod>, container: &Container) -> bool {
    judge_of(world, pod, container).is_some_and(|(_, verdict)| verdict.basis == Basis::Clue)
}

/// What the container said last of itself.
pub(crate) fn last_words<'w>(world: &'w World, crash: &Crash<'_>) -> Option<&'w SeenClue> {
    let heard = world.clues.of(&crash.pod.uid, &crash.container.name);
    heard.iter().find(|s| !matches!(s.clue.kind, ClueKind::StackTrace)).or(heard.first())
}

fn leads(world: &World, failing: &Failing<'_>) -> bool {
    judge(world, failing).is_some_and(|(_, verdict)| verdict.basis == Basis::Clue)
}

fn judge<'w>(world: &'w World, failing: &Failing<'w>) -> Option<(Option<&'w SeenClue>, Verdict)> {
    judge_of(world, failing.pod, failing.container)
}

/// The clue that weighs most: what leads before what is weak, then the surer, then the later said. Where none leads, whom
/// the pod's own spec names is followed.
fn judge_of<'w>(world: &'w World, pod: &Seen<Pod>, c: &Container) -> Option<(Option<&'w SeenClue>, Verdict)> {
    let heard = world.clues.of(&pod.uid, &c.name);
    let weighed = heard.iter().filter_map(|s| Some((Some(s), weigh(world, pod, c, &s.clue.kind)?)));
    let said = weighed.reduce(|best, next| if next.1.outweighs(&best.1) { next } else { best });
    let leads = said.as_ref().is_some_and(|(_, verdict)| verdict.basis == Basis::Clue);
    let named = if leads { None } else { reach::named(world, pod).map(|v| (None, v)) };
    named.or(said)
}

fn failing<'w>(world: &'w World, unwell: &Unwell<'w>) -> Vec<Failing<'w>> {
    let other = |c: &Crash<'_>| {
        c.end.exit_code == 0
            || c.out_of_memory()
            || c.never_ran()
            || c.with_its_node(world)
            || world.is_control_plane(c.pod)
    };
    let mut all: Vec<_> = unwell
        .crashes
        .iter()
        .filter(|c| !other(c) && workload::repeats(world, c))
        .map(Failing::crashed)
        .collect();
    for (pod, container) in workload::unready_containers(world, unwell) {
        if !all.iter().any(|f| f.pod.uid == pod.uid && f.container.name == container.name) {
            all.push(Failing { pod, container, since: pod.since(&Fact::Unready), end: None });
        }
    }
    all
}

/// What was heard, as evidence.
pub(crate) fn evidence(heard: &SeenClue) -> Evidence {
    let place = match heard.clue.place {
        CluePlace::TerminationMessage => ("termination message of container", Source::api("pods")),
        CluePlace::Log => ("last words of container", Source::api("pods/log")),
    };
    Evidence {
        signal: format!("{} {}", place.0, heard.clue.container),
        value: describe(&heard.clue.kind),
        at: heard.at,
        source: place.1,
    }
}

fn finding(failing: &Failing<'_>, heard: Option<&SeenClue>, verdict: Verdict) -> Finding {
    let pod = failing.pod;
    let mut finding = Finding::new(verdict.cause, verdict.confidence, failing.since)
        .about([pod_subject(pod)])
        .about(verdict.subjects);
    finding.basis = verdict.basis;
    finding.evidence.extend(verdict.proof);
    finding.evidence.extend(heard.map(evidence));
    if let Some(doubt) = verdict.doubt {
        let at = heard.map_or(pod.at, |h| h.at);
        finding = finding.proven_by("not confirmed", doubt, at, &Source::other("clues"));
    }
    let (signal, value) = match &failing.end {
        Some(end) => (format!("container {} terminated", failing.container.name), end.clone()),
        None => (format!("container {}", failing.container.name), "runs and is not ready".into()),
    };
    finding.proven_by(signal, value, pod.at, &Source::api("pods"))
}
