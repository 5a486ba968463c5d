//! What a drill does, written to the run's recording. Detectors never see it.

use crate::{Session, findings::Scope};
use loopdrill_model::{Expectation, FaultId, Timestamp};
use loopdrill_observe::record::{Did, Entry, Mark};

impl Session {
    /// Notes in the recording, where there is one, what a drill has done just now.
    pub(crate) fn mark(&self, drill: &FaultId, what: impl FnOnce() -> Did) {
        if let Some(tape) = &self.tape {
            tape.say(Entry::Mark(Mark { at: Timestamp::now(), drill: drill.clone(), what: what() }));
        }
    }
}

/// That a drill began.
pub(crate) fn start(expected: Expectation, scope: &Scope) -> Did {
    Did::Start { expected, scope: scope.reach() }
}
