//! Kubernetes' own events, by the object they are about. Only recent ones prove anything.

use loopdrill_model::{Timestamp, signal::KubeEvent};
use std::collections::{BTreeMap, BTreeSet};

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

    /// Where it stands among all events, by when it last happened.
    fn place(&self, object: &str) -> (Timestamp, String, String) {
        (self.event.last_at.unwrap_or(self.at), object.to_owned(), self.uid.clone())
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
    by_object: BTreeMap<String, BTreeMap<String, Box<SeenEvent>>>,
    /// Objects of which an event of this reason was told, as long as one may be remembered.
    by_reason: BTreeMap<String, BTreeSet<String>>,
    warnings: Crowd,
    others: Crowd,
}

/// Events by when they last happened.
type Crowd = BTreeSet<(Timestamp, String, String)>;

/// A flood of warnings beyond this is cut: the oldest go.
const MOST_WARNINGS: usize = 10_000;
/// The same for all others, of which a busy cluster has many more.
const MOST_OTHERS: usize = 5_000;

impl Events {
    pub(crate) fn put(&mut self, event: KubeEvent, at: Timestamp) {
        let object = object_key(&event);
        let events = self.by_object.entry(object.clone()).or_default();
        let Some(known) = events.get_mut(&event.uid) else {
            self.note_reason(&event.reason, &object);
            self.insert(object, SeenEvent::new(event, at));
            return;
        };
        known.first_at = known.first_at.min(at);
        known.note_count(event.count, at);
        if (event.version, event.count) > (known.version, known.count) {
            let (before, reason) = (known.place(&object), event.reason.clone());
            let warned = std::mem::replace(&mut known.event, event).warning;
            known.at = at;
            let (now, warns) = (known.place(&object), known.warning);
            self.crowd(warned).remove(&before);
            self.crowd(warns).insert(now);
            self.note_reason(&reason, &object);
        }
    }

    fn insert(&mut self, object: String, event: SeenEvent) {
        let crowd = if event.warning { &mut self.warnings } else { &mut self.others };
        crowd.insert(event.place(&object));
        let most = if event.warning { MOST_WARNINGS } else { MOST_OTHERS };
        let cut = if crowd.len() > most { crowd.pop_first() } else { None };
        self.by_object.entry(object).or_default().insert(event.uid.clone(), Box::new(event));
        if let Some((_, object, uid)) = cut {
            self.drop_one(&object, &uid);
        }
    }

    fn drop_one(&mut self, object: &String, uid: &str) {
        let Some(events) = self.by_object.get_mut(object) else { return };
        let gone = events.remove(uid);
        if events.is_empty() {
            self.by_object.remove(object);
        }
        if let Some(gone) = gone {
            self.forget_reason(&gone.event.reason, object);
        }
    }

    fn note_reason(&mut self, reason: &str, object: &str) {
        match self.by_reason.get_mut(reason) {
            Some(objects) => _ = objects.insert(object.to_owned()),
            None => _ = self.by_reason.insert(reason.to_owned(), BTreeSet::from([object.to_owned()])),
        }
    }

    fn crowd(&mut self, warning: bool) -> &mut Crowd {
        if warning { &mut self.warnings } else { &mut self.others }
    }

    pub(crate) fn prune(&mut self, before: Timestamp) {
        let old = |(object, e): (&String, &SeenEvent)| {
            (e.at < before).then(|| (object.clone(), e.place(object), e.warning))
        };
        let all =
            self.by_object.iter().flat_map(|(object, events)| events.values().map(move |e| (object, &**e)));
        for (object, place, warning) in all.filter_map(old).collect::<Vec<_>>() {
            self.crowd(warning).remove(&place);
            self.drop_one(&object, &place.2);
        }
    }

    /// Forgets that the object was told of for this reason, unless it still is.
    fn forget_reason(&mut self, reason: &str, object: &String) {
        let still = self.about(object).any(|e| e.reason == reason);
        if let Some(objects) = self.by_reason.get_mut(reason).filter(|_| !still) {
            objects.remove(object);
            if objects.is_empty() {
                self.by_reason.remove(reason);
            }
        }
    }

    /// Those of any of these reasons, by object and then by their own uid.
    pub(crate) fn told_of<'e>(&'e self, reasons: &'e [&str]) -> impl Iterator<Item = &'e SeenEvent> {
        let objects: BTreeSet<_> = reasons.iter().flat_map(|reason| self.objects_told_of(reason)).collect();
        let events = objects.into_iter().flat_map(|object| self.about(object));
        events.filter(|event| reasons.contains(&event.reason.as_str()))
    }

    /// Events about the object with this uid.
    pub(crate) fn about(&self, uid: &str) -> impl Iterator<Item = &SeenEvent> {
        self.by_object.get(uid).into_iter().flat_map(BTreeMap::values).map(|event| &**event)
    }

    /// Uids of the objects of which an event of this reason was told.
    pub(crate) fn objects_told_of<'e>(&'e self, reason: &str) -> impl Iterator<Item = &'e String> + use<'e> {
        self.by_reason.get(reason).into_iter().flatten()
    }
}

fn object_key(event: &KubeEvent) -> String {
    match event.object_uid.as_str() {
        "" => event.object.to_string(),
        uid => uid.to_owned(),
    }
}
