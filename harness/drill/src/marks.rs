//! What a drill tells, told to all that must know: the event stream, and, as the mark that follows from it, the scorers
//! of the detectors and the run's recording. There is no other way to place a mark.

use crate::Session;
use loopdrill_model::{Event, EventKind, FaultId, Mark, Timestamp};
use loopdrill_observe::record::Entry;

impl Session {
    /// Tells what a drill has done just now. Detectors never see it.
    pub(crate) fn tell(&self, drill: &FaultId, kind: EventKind) {
        let event = Event { at: Timestamp::now(), drill: Some(drill.clone()), kind };
        if let Some(mark) = Mark::of(&event) {
            self.detectors.mark(&mark);
            if let Some(recording) = &self.recording {
                recording.say(Entry::Mark(mark));
            }
        }
        self.events.send(event);
    }
}
