//! Since when something is so: by when we saw it begin, or by the cluster's own times, where it is older than our watch.
//!
//! # Invariants
//! - What began while we watched is timed by us: the cluster's clock has whole seconds, and may be wrong.
//! - What was so when we first saw it, and by its own time had been for longer than it takes to tell us, is as old as
//!   it says. So who is called in afterwards judges as one who has watched.

use super::{Fact, Seen, World, age, events::SeenEvent, objects::Timed};
use loopdrill_model::Timestamp;

/// Seconds after something happened within which the news of it is fresh.
pub(super) const FRESH: f64 = 5.0;

impl World {
    /// Since when the fact holds; the time of this version when it doesn't.
    pub(crate) fn since<T: Timed>(&self, seen: &Seen<T>, fact: &Fact) -> Timestamp {
        let held = seen.since(fact);
        if held == seen.first_at { self.began(held, seen.object.own_time(fact)) } else { held }
    }

    /// When that began which was so when first seen, where the cluster has a time of its own for it.
    pub(crate) fn began(&self, seen_at: Timestamp, own: Option<Timestamp>) -> Timestamp {
        match own.map(|t| self.local(t)) {
            Some(own) if age(seen_at, own) > FRESH => own,
            _ => seen_at,
        }
    }

    /// When the first of an event's occurrences was.
    pub(crate) fn event_began(&self, event: &SeenEvent) -> Timestamp {
        self.began(event.first_at, event.event.first_at)
    }

    /// When the last of an event's occurrences was.
    pub(crate) fn event_last(&self, event: &SeenEvent) -> Timestamp {
        event.last_at.map_or(event.at, |t| self.local(t))
    }

    /// Whether the last of an event's occurrences was less than so many seconds ago.
    pub(crate) fn is_recent(&self, event: &SeenEvent, seconds: f64) -> bool {
        self.age(self.event_last(event)) < seconds
    }

    /// When the event had happened so many times; nothing when it has not.
    pub(crate) fn counted_to(&self, event: &SeenEvent, count: u32) -> Option<Timestamp> {
        let seen = event.counted_to(count)?;
        Some(if seen == event.first_at { self.event_began(event) } else { seen })
    }
}
