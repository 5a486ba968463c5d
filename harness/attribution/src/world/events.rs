//! Kubernetes' own events, by the object they are about. Only recent ones prove anything.

use loopdrill_model::{Timestamp, signal::KubeEvent};
use std::collections::BTreeMap;

/// An event with the time at which its newest version was seen.
#[derive(Debug, Clone)]
pub(crate) struct SeenEvent {
    pub(crate) event: KubeEvent,
    pub(crate) at: Timestamp,
    /// When it was first seen.
    pub(crate) first_at: Timestamp,
    /// When each count was seen, of the first few.
    counts: BTreeMap<u32, Timestamp>,
}

/// Counts of one event whose times are remembered.
const MOST_COUNTS: usize = 8;

impl SeenEvent {
    fn new(event: KubeEvent, at: Timestamp) -> Self {
        let counts = BTreeMap::from([(event.count, at)]);
        Self { event, at, first_at: at, counts }
    }

    /// When it was seen to have happened so many times; nothing when it has not.
    pub(crate) fn counted_to(&self, count: u32) -> Option<Timestamp> {
        self.counts.range(count..).map(|(_, at)| *at).min()
    }

    fn note_count(&mut self, count: u32, at: Timestamp) {
        let seen = self.counts.entry(count).or_insert(at);
        *seen = at.min(*seen);
        // The newest goes: what is asked for is when it began to be many.
        while self.counts.len() > MOST_COUNTS {
            self.counts.pop_last();
        }
    }
}

impl std::ops::Deref for SeenEvent {
    type Target = KubeEvent;
    fn deref(&self) -> &KubeEvent {
        &self.event
    }
}

/// Events by object, then by their own uid.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events {
    by_object: BTreeMap<String, BTreeMap<String, SeenEvent>>,
    total: usize,
}

/// A flood of events beyond this is cut.
const MOST: usize = 5_000;

impl Events {
    pub(crate) fn put(&mut self, event: KubeEvent, at: Timestamp) {
        let object = object_key(&event);
        let events = self.by_object.entry(object).or_default();
        if let Some(known) = events.get_mut(&event.uid) {
            known.first_at = known.first_at.min(at);
            known.note_count(event.count, at);
            if (event.version, event.count) > (known.version, known.count) {
                known.event = event;
                known.at = at;
            }
        } else if self.total < MOST {
            self.total += 1;
            events.insert(event.uid.clone(), SeenEvent::new(event, at));
        }
    }

    pub(crate) fn prune(&mut self, before: Timestamp) {
        for events in self.by_object.values_mut() {
            events.retain(|_, e| e.at >= before);
        }
        self.by_object.retain(|_, events| !events.is_empty());
        self.total = self.by_object.values().map(BTreeMap::len).sum();
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SeenEvent> {
        self.by_object.values().flat_map(BTreeMap::values)
    }

    /// Events about the object with this uid.
    pub(crate) fn about(&self, uid: &str) -> impl Iterator<Item = &SeenEvent> {
        self.by_object.get(uid).into_iter().flat_map(BTreeMap::values)
    }
}

fn object_key(event: &KubeEvent) -> String {
    match event.object_uid.as_str() {
        "" => event.object.to_string(),
        uid => uid.to_owned(),
    }
}
