//! What the built-in detector knows and how it judges, live and in a replay alike: no clock, no I/O.

use crate::memory::Memory;
use loopdrill_attribution::{World, judge};
use loopdrill_model::{Diagnoses, Examined, Observation, Signal, Source, Timestamp};
use std::collections::BTreeSet;

/// The built-in detector's core: observations come in, documents go out.
#[derive(Debug, Default)]
pub(crate) struct Core {
    world: World,
    memory: Memory,
    /// Resources of which it was told whether they can be listed.
    told: BTreeSet<String>,
}

/// What one look at the world gave.
pub(crate) struct Looked {
    /// The document to publish; absent as long as the cluster has not been listed.
    pub(crate) document: Option<Diagnoses>,
    /// Whether to look again soon, even if nothing else is observed.
    pub(crate) unsettled: bool,
}

impl Core {
    /// Whether the cluster has been listed.
    pub(crate) fn is_oriented(&self) -> bool {
        self.world.is_oriented()
    }

    /// Whether it is known of everything that most rules need whether it can be listed.
    pub(crate) fn is_told(&self) -> bool {
        World::NEEDED.iter().all(|needed| self.told.contains(*needed))
    }

    /// Whether the observation is of a list that is not complete yet, of what most rules need.
    pub(crate) fn is_listing(&self, observation: &Observation) -> bool {
        let resource = observation.source.as_str().strip_prefix("api:").and_then(|r| r.split('/').next());
        resource.is_some_and(|r| World::NEEDED.contains(&r) && !self.told.contains(r))
    }

    /// What has been looked at.
    pub(crate) fn examined(&self) -> Examined {
        self.world.examined()
    }

    /// Takes one observation in.
    pub(crate) fn take(&mut self, observation: &Observation) {
        if let Signal::SourceState(state) = &observation.signal
            && let Some(resource) = state.name.as_str().strip_prefix("api:")
        {
            // `api:pods/shop` tells of pods, too.
            self.told.insert(resource.split('/').next().unwrap_or_default().into());
        }
        self.world.apply(observation);
    }

    /// What is known.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Lets time pass to `now`.
    pub(crate) fn pass(&mut self, now: Timestamp) {
        self.take(&Observation { at: now, source: Source::other("clock"), signal: Signal::Tick });
    }

    /// Lets time pass to `now` and judges; with `partial` also while not all has been listed that a sound silence
    /// needs.
    pub(crate) fn judge(&mut self, now: Timestamp, partial: bool) -> Looked {
        self.pass(now);
        if !partial && !self.world.is_oriented() {
            return Looked { document: None, unsettled: false };
        }
        let judgement = judge(&self.world);
        let diagnoses = self.memory.stamp(judgement.diagnoses, now);
        let document = Diagnoses { diagnoses, as_of: Some(now), trouble: Vec::new() };
        Looked { document: Some(document), unsettled: judgement.unsettled }
    }
}

/// CRC-32 of the document as JSON: two documents with the same one are the same, byte for byte.
pub(crate) fn digest(document: &Diagnoses) -> u32 {
    // Plain data with text keys always has a JSON form.
    crc32fast::hash(&serde_json::to_vec(document).unwrap_or_default())
}
