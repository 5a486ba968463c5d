//! Whom most rules look at, looked for once a judgement.

use crate::{
    crash::{Crash, crashes},
    world::{Seen, World},
};
use loopdrill_model::signal::Pod;

/// What is not as it should be.
pub(crate) struct Unwell<'w> {
    /// Pods that are not as they should be, or on their way there. Of any other pod no rule has anything to say.
    pub(crate) pods: Vec<&'w Seen<Pod>>,
    /// All containers that are down by themselves, or came back so recently that it may be a loop.
    pub(crate) crashes: Vec<Crash<'w>>,
}

impl<'w> Unwell<'w> {
    pub(crate) fn of(world: &'w World) -> Self {
        Self { pods: world.unwell_pods().collect(), crashes: crashes(world) }
    }

    /// The pods of which this is so.
    pub(crate) fn that(&self, is: impl Fn(&Seen<Pod>) -> bool) -> impl Iterator<Item = &'w Seen<Pod>> {
        self.pods.iter().copied().filter(move |pod| is(pod))
    }
}
