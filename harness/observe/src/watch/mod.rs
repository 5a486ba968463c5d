//! Watches of API resources: each a task of its own that survives whatever happens to the API server.

mod endpoints;
mod plan;
mod rbac;
mod roster;
#[cfg(test)]
mod tests;

pub(crate) use plan::{WHAT_THERE_IS, Watched, everywhere, in_namespaces, watch_all, watched};
pub(crate) use roster::{NodeEntry, Roster};

use crate::backoff::Backoff;
use crate::reason::reason;
use crate::sink::{NobodyListens, Sink};
use futures::{StreamExt, stream::BoxStream};
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use loopdrill_model::signal::Deleted;
use loopdrill_model::{Signal, Source, Subject};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

/// Namespaces that hold observers: what they do is no sign of the cluster.
pub(crate) const OWN_NAMESPACE: &str = "loopdrill-observer";

/// Seconds after which a watch is renewed. A connection that died silently is noticed 5 s later.
const RENEW: u32 = 60;

/// What is not allowed is hardly allowed a second later.
const REFUSED: Duration = Duration::from_secs(10);

/// Which object, in the watched set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    fn of(object: &impl ResourceExt) -> Self {
        Self { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
    }

    fn is_own(&self) -> bool {
        self.namespace.starts_with(OWN_NAMESPACE)
    }
}

/// Turns changes of one resource into signals.
pub(crate) trait Handler<K>: Send + 'static {
    /// `object` is new or changed.
    fn applied(&mut self, object: &K, signals: &mut Vec<Signal>);
    /// The object is gone.
    fn gone(&mut self, key: &Key, uid: &str, signals: &mut Vec<Signal>);
}

/// A handler without memory: one signal an object.
pub(crate) struct Reduce<F>(pub(crate) F);

impl<K, F, S> Handler<K> for Reduce<F>
where
    K: Resource<DynamicType = ()>,
    F: Fn(&K) -> S + Send + 'static,
    S: Into<Signal>,
{
    fn applied(&mut self, object: &K, signals: &mut Vec<Signal>) {
        signals.push((self.0)(object).into());
    }

    fn gone(&mut self, key: &Key, uid: &str, signals: &mut Vec<Signal>) {
        signals.push(gone(&K::kind(&()), key, uid));
    }
}

/// The signal that an object is gone.
pub(crate) fn gone(kind: &str, key: &Key, uid: &str) -> Signal {
    Signal::Deleted(Deleted { object: Subject::new(kind, &key.namespace, &key.name), uid: uid.into() })
}

/// What is known of the watched set, so that a relist tells what vanished in between.
#[derive(Default)]
struct Known {
    objects: HashMap<Key, Entry>,
    list: u64,
}

struct Entry {
    uid: String,
    list: u64,
}

impl Known {
    /// Turns one event of the watch into signals.
    fn take<K: Resource>(
        &mut self,
        event: Event<K>,
        handler: &mut impl Handler<K>,
        signals: &mut Vec<Signal>,
    ) {
        match event {
            Event::Init => self.list += 1,
            Event::InitApply(object) | Event::Apply(object) => self.apply(&object, handler, signals),
            Event::Delete(object) => self.delete(&Key::of(&object), handler, signals),
            Event::InitDone => self.sweep(handler, signals),
        }
    }

    fn apply<K: Resource>(&mut self, object: &K, handler: &mut impl Handler<K>, signals: &mut Vec<Signal>) {
        let key = Key::of(object);
        if key.is_own() {
            return;
        }
        let entry = Entry { uid: object.uid().unwrap_or_default(), list: self.list };
        let uid = entry.uid.clone();
        if let Some(before) = self.objects.insert(key.clone(), entry).filter(|before| before.uid != uid) {
            handler.gone(&key, &before.uid, signals);
        }
        handler.applied(object, signals);
    }

    fn delete<K>(&mut self, key: &Key, handler: &mut impl Handler<K>, signals: &mut Vec<Signal>) {
        if let Some(entry) = self.objects.remove(key) {
            handler.gone(key, &entry.uid, signals);
        }
    }

    fn sweep<K>(&mut self, handler: &mut impl Handler<K>, signals: &mut Vec<Signal>) {
        let list = self.list;
        for (key, entry) in self.objects.extract_if(|_, entry| entry.list < list) {
            handler.gone(&key, &entry.uid, signals);
        }
    }
}

/// What to watch.
pub(crate) struct Watch<K> {
    pub(crate) api: Api<K>,
    /// What to watch when the account may not watch the resource in all namespaces: it in one namespace.
    pub(crate) instead: Option<(String, Api<K>)>,
    pub(crate) resource: String,
    /// Field selector; empty for everything.
    pub(crate) fields: &'static str,
}

/// Watches until nobody listens any more.
pub(crate) async fn watch<K>(
    what: Watch<K>,
    handler: impl Handler<K>,
    sink: Sink,
) -> Result<(), NobodyListens>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let large = is_large(&what.api).await;
    let mut events = events(&what, large);
    let mut progress = Progress::new(what, handler, sink);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = readable(&progress.what.api), if progress.lost => {
                progress.works().await?;
                continue;
            }
        };
        match event {
            Some(Ok(event)) => progress.take(event).await?,
            Some(Err(error)) if progress.narrows(&error).await? => {
                events = self::events(&progress.what, large);
            }
            Some(Err(error)) => progress.failed(&error).await?,
            // Never so today: after an error the stream resumes, and after a 410 it lists again.
            None => return Ok(()),
        }
    }
}

/// How far a watch is.
struct Progress<K, H> {
    what: Watch<K>,
    handler: H,
    sink: Sink,
    source: Source,
    known: Known,
    backoff: Backoff,
    /// It failed, and nothing was heard since.
    lost: bool,
    /// It worked once, so the account may watch.
    allowed: bool,
}

impl<K: Resource, H: Handler<K>> Progress<K, H> {
    fn new(what: Watch<K>, handler: H, sink: Sink) -> Self {
        let source = Source::api(&what.resource);
        let (known, backoff) = (Known::default(), Backoff::default());
        Self { what, handler, sink, source, known, backoff, lost: false, allowed: false }
    }

    async fn works(&mut self) -> Result<(), NobodyListens> {
        self.lost = false;
        self.sink.works(&self.source).await
    }

    async fn take(&mut self, event: Event<K>) -> Result<(), NobodyListens> {
        let proof = matches!(event, Event::InitDone | Event::Apply(_) | Event::Delete(_));
        let mut signals = Vec::new();
        self.known.take(event, &mut self.handler, &mut signals);
        for signal in signals {
            self.sink.send(&self.source, signal).await?;
        }
        if proof {
            (self.allowed, self.backoff) = (true, Backoff::default());
            self.works().await?;
        }
        Ok(())
    }

    /// Goes on with one namespace where the account may not watch all of them.
    async fn narrows(&mut self, error: &watcher::Error) -> Result<bool, NobodyListens> {
        if self.allowed || !refused(error) {
            return Ok(false);
        }
        let Some((namespace, api)) = self.what.instead.take() else { return Ok(false) };
        self.sink.lost(&self.source, reason(error)).await?;
        self.source = Source::api(&format!("{}/{namespace}", self.what.resource));
        self.what.api = api;
        Ok(true)
    }

    async fn failed(&mut self, error: &watcher::Error) -> Result<(), NobodyListens> {
        tracing::debug!(resource = %self.what.resource, %error, "watch failed, trying again");
        if !expired(error) {
            self.lost = true;
            self.sink.lost(&self.source, reason(error)).await?;
        }
        // An API server that starts refuses everybody for a moment.
        if !self.allowed && refused(error) {
            tokio::time::sleep(REFUSED).await;
        } else {
            self.backoff.wait().await;
        }
        Ok(())
    }
}

/// Objects from which on there are too many to be listed at once.
const MANY: i64 = 5_000;

/// Whether there are too many of them for one list: asked for its cache's, an API server gives all at once, and a hundred
/// thousand pods are a gigabyte.
async fn is_large<K>(api: &Api<K>) -> bool
where
    K: Clone + DeserializeOwned + Debug,
{
    let one = ListParams::default().limit(1);
    let asked = tokio::time::timeout(Duration::from_secs(1), api.list_metadata(&one)).await;
    matches!(asked, Ok(Ok(list)) if list.metadata.remaining_item_count.is_some_and(|n| n > MANY))
}

/// The changes of what is watched; of a `large` set the beginning comes in pages, which etcd has to give.
fn events<K>(what: &Watch<K>, large: bool) -> BoxStream<'static, watcher::Result<Event<K>>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut config = watcher::Config::default().timeout(RENEW);
    if !large {
        // With a limit the client leaves out that any version will do, and etcd has to answer.
        config = watcher::Config { page_size: None, ..config.any_semantic() };
    }
    if !what.fields.is_empty() {
        config = config.fields(what.fields);
    }
    watcher(what.api.clone(), config).boxed()
}

/// Returns when the resource can be read. A watch that was resumed says nothing until something changes.
async fn readable<K>(api: &Api<K>)
where
    K: Clone + DeserializeOwned + Debug,
{
    let one = ListParams::default().limit(1).match_any();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Ok(Ok(_)) = tokio::time::timeout(Duration::from_secs(2), api.list_metadata(&one)).await {
            return;
        }
    }
}

/// 410: the API server forgot the version we were at. Listing again is all that is needed.
fn expired(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == 410)
}

/// 401 or 403: this kubeconfig may not watch the resource.
fn refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => matches!(status.code, 401 | 403),
        _ => false,
    }
}
