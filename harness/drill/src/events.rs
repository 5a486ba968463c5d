//! The one event stream of a run.

use loopdrill_model::{Event, EventKind, Timestamp};
use tokio::sync::mpsc;

/// The receiving end: whoever folds events into reports.
pub type EventStream = mpsc::UnboundedReceiver<Event>;

/// The sending end. A closed receiver is no error: the run and its undo matter more than its reports.
#[derive(Debug, Clone)]
pub struct EventSender(mpsc::UnboundedSender<Event>);

/// A new stream.
#[must_use]
pub fn event_stream() -> (EventSender, EventStream) {
    let (tx, rx) = mpsc::unbounded_channel();
    (EventSender(tx), rx)
}

impl EventSender {
    /// An event of the whole run. Those of a drill go through its session, where marks are derived from them.
    pub fn run(&self, kind: EventKind) {
        self.send(Event { at: Timestamp::now(), drill: None, kind });
    }

    /// Something that takes a while, for people.
    pub fn progress(&self, message: impl Into<String>) {
        self.run(EventKind::Progress { message: message.into() });
    }

    pub(crate) fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}
