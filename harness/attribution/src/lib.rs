//! Attribution: signals in, diagnosis out.
//!
//! [`World`] folds [`Observation`](loopdrill_model::Observation)s into what is known of a cluster;
//! [`judge`] reads it and says which control loop is to blame for what is broken. There is no clock and
//! no I/O in here: time is the time of the newest observation, so the same observations give the same
//! answer, today or from a recording.
//!
//! | module | what it proves |
//! |---|---|
//! | [`identity`] | an account lost what it needs; a registry rejects a credential |
//! | [`cloud`] | a cloud's role was revoked, or the cloud does not take a token |
//! | [`compute`] | no node has room, none is allowed, a node is down, a container outgrew its memory |
//! | [`kubelet`] | no sandbox or network is made, a pod was given up, a node runs short |
//! | [`balancer`] | a load balancer is not made |
//! | [`network`] | what the links between nodes lose, and of which size |
//! | [`storage`] | a volume is where the pod may not go, or is not there at all |
//! | [`control_plane`] | etcd waits for its disk; the API server drowns; requests wait for a webhook or for their turn |
//! | [`clues`] | what failing containers said, as far as the cluster confirms it |
//! | [`workload`] | the application itself is to blame |
//! | [`rank`] | which findings are only the symptoms of another |
//!
//! # Invariants
//! - Only mechanisms count: no rule looks at what somebody named a pod, a node or a namespace.
//! - Rules are independent of each other and of the order of observations within a window; only [`rank`]
//!   compares findings.
//! - A rule needs evidence to speak. Missing signals lower a confidence or silence a rule.

mod balancer;
mod cloud;
mod clues;
mod compute;
mod control_plane;
mod crash;
mod finding;
mod identity;
mod kubelet;
mod network;
mod phrases;
mod placement;
mod rank;
mod storage;
mod text;
mod unwell;
mod workload;
mod world;

pub use world::World;

use finding::Findings;
use loopdrill_model::{Diagnosis, Evidence, Measure};
use std::time::Duration;
use unwell::Unwell;

/// What a world amounts to at its own time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// The findings, by falling confidence, with symptoms folded into their causes.
    pub diagnoses: Vec<Diagnosis>,
    /// Something looks wrong and is too young to be called so: judge again soon, even if nothing else
    /// is observed.
    pub unsettled: bool,
}

/// Judges the world at its own time.
#[must_use]
pub fn judge(world: &World) -> Judgement {
    let mut found = Findings::new(world);
    let unwell = Unwell::of(world);
    let pending = placement::pending_pods(world, &unwell);
    identity::look(world, &unwell, &mut found);
    cloud::look(world, &unwell, &mut found);
    compute::look(world, &unwell, &pending, &mut found);
    kubelet::look(world, &unwell, &mut found);
    network::look(world, &mut found);
    balancer::look(world, &mut found);
    storage::look(world, &unwell, &pending, &mut found);
    control_plane::look(world, &unwell, &mut found);
    clues::look(world, &unwell, &mut found);
    workload::look(world, &unwell, &mut found);
    let unsettled = found.held_back();
    Judgement { diagnoses: rank::rank(world, found.into_vec()), unsettled }
}

/// The number behind an evidence, as it is now, and what its rule holds it to. `about` is the diagnosis that the evidence
/// belongs to. Nothing where the evidence is no number, or it is not known now.
#[must_use]
pub fn measure(world: &World, about: &Diagnosis, evidence: &Evidence) -> Option<Measure> {
    let (signal, source) = (evidence.signal.as_str(), &evidence.source);
    control_plane::measure(world, signal, source)
        .or_else(|| network::measure(world, signal, source))
        .or_else(|| compute::measure(world, signal, source, &about.subjects))
        .or_else(|| identity::measure(world, signal))
}

/// For how long to rest after a judgement that took so long, while observations pour in: judging takes an eighth of a core
/// at most, however large the cluster.
#[must_use]
pub fn rest_after(took: Duration) -> Duration {
    const DEBOUNCE: Duration = Duration::from_millis(60);
    took.saturating_mul(7).clamp(DEBOUNCE, Duration::from_secs(5))
}

/// The findings of [`judge`] alone.
#[must_use]
pub fn diagnose(world: &World) -> Vec<Diagnosis> {
    judge(world).diagnoses
}
