//! What fuzzing tries of this crate: whatever clusters, programs and files hand to it.

use crate::{
    clue::{self, Mounts},
    metrics::Parser,
    record::{self, Entry, Recorder},
    redact, reduce,
};
use jiff::Timestamp;
use loopdrill_model::{Observation, Signal, Source, metrics::FAMILIES, signal::ClueKind};
use serde::de::DeserializeOwned;
use std::io::Cursor;

/// A recording of any version, compressed or not: what is read can be written, and is read again as it was.
///
/// # Panics
/// When it is not, or when something follows an error.
pub fn recording(bytes: &[u8]) {
    let Ok(replay) = record::read(Cursor::new(bytes.to_vec())) else { return };
    let look = replay.header().look.clone();
    let lines: Vec<_> = replay.collect();
    let entries: Vec<_> = lines.iter().filter_map(|line| line.as_ref().ok().cloned()).collect();
    let errors = lines.len() - entries.len();
    assert!(errors == 0 || (errors == 1 && lines.last().is_some_and(Result::is_err)), "{lines:?}");
    let mut recorder = Recorder::of(Vec::new(), look).expect("memory");
    entries.iter().for_each(|entry| recorder.write(entry).expect("memory"));
    let written = recorder.finish().expect("memory");
    let again = record::replay(&written[..]).expect("a recording").collect::<Result<Vec<_>, _>>();
    assert_eq!(again.expect("what we write is whole"), entries);
}

/// The answer of a metrics endpoint: the same however it is cut, and all of it can be recorded.
///
/// # Panics
/// When it is not.
pub fn metrics(bytes: &[u8]) {
    let read = |chunk: usize| {
        let mut parser = Parser::new(FAMILIES.to_vec());
        bytes.chunks(chunk.max(1)).try_for_each(|part| parser.feed(part))?;
        parser.finish()
    };
    let whole = read(bytes.len());
    for cut in [1, 7] {
        assert_eq!(format!("{:?}", read(cut)), format!("{whole:?}"), "in pieces of {cut}");
    }
    whole.into_iter().flatten().for_each(|sample| is_recordable(sample.signal));
}

/// An object of the API: what is kept of it can be recorded, and nothing is left to be redacted.
///
/// # Panics
/// When it cannot, or a second look finds a secret that the first one left.
pub fn object(bytes: &[u8]) {
    let Some(mut signal) = reduced(bytes) else { return };
    redact::signal(&mut signal);
    if let Signal::Event(event) = &mut signal {
        // What a probe printed is only counted, and the words for that are no output of it.
        event.reason.clear();
    }
    let mut again = signal.clone();
    redact::signal(&mut again);
    assert_eq!(again, signal, "the first look left something");
    is_recordable(signal);
}

/// What a watch of the object's kind makes of it.
fn reduced(bytes: &[u8]) -> Option<Signal> {
    #[derive(serde::Deserialize)]
    struct Typed {
        kind: String,
    }
    fn of<K: DeserializeOwned>(bytes: &[u8], reduce: impl Fn(&K) -> Signal) -> Option<Signal> {
        serde_json::from_slice(bytes).ok().as_ref().map(reduce)
    }
    let Typed { kind } = serde_json::from_slice(bytes).ok()?;
    match kind.as_str() {
        "Event" => of(bytes, |o| Signal::Event(reduce::event(o))),
        "Pod" => of(bytes, |o| {
            clue::termination_clues(o);
            Signal::Pod(Box::new(reduce::pod(o)))
        }),
        "Node" => of(bytes, |o| Signal::Node(reduce::node(o))),
        "PersistentVolumeClaim" => of(bytes, |o| Signal::Claim(reduce::storage::claim(o))),
        "PersistentVolume" => of(bytes, |o| Signal::Volume(reduce::storage::volume(o))),
        "StorageClass" => of(bytes, |o| Signal::StorageClass(reduce::storage::class(o))),
        "VolumeAttachment" => of(bytes, |o| Signal::Attachment(reduce::storage::attachment(o))),
        "CSINode" => of(bytes, |o| Signal::NodeDrivers(reduce::storage::drivers(o))),
        "Deployment" => of(bytes, |o| Signal::Controller(reduce::workload::deployment(o))),
        "ReplicaSet" => of(bytes, |o| Signal::Controller(reduce::workload::replica_set(o))),
        "StatefulSet" => of(bytes, |o| Signal::Controller(reduce::workload::stateful_set(o))),
        "DaemonSet" => of(bytes, |o| Signal::Controller(reduce::workload::daemon_set(o))),
        "Job" => of(bytes, |o| Signal::Controller(reduce::workload::job(o))),
        "Service" => of(bytes, |o| Signal::Service(reduce::service::service(o))),
        "NetworkPolicy" => of(bytes, |o| Signal::NetworkPolicy(reduce::policy::network_policy(o))),
        "Namespace" => of(bytes, |o| Signal::Namespace(reduce::policy::namespace_labels(o))),
        "Lease" => of(bytes, |o| Signal::Lease(reduce::service::lease(o))),
        "APIService" => of(bytes, |o| Signal::AggregatedApi(reduce::service::aggregated_api(o))),
        "ResourceQuota" => of(bytes, |o| Signal::Quota(reduce::service::quota(o))),
        _ => None,
    }
}

/// The log of a program that failed: few clues, each without a text of the log, and all can be recorded.
///
/// # Panics
/// When a clue cannot be.
pub fn log(bytes: &[u8]) {
    for heard in clue::classify(bytes, &Mounts::default()) {
        let text = serde_json::to_string(&heard.kind).expect("a clue is JSON");
        let again: ClueKind = serde_json::from_str(&text).expect("ours");
        assert_eq!(again, heard.kind);
    }
}

/// What is seen must come back from a recording, or a replay judges something else.
fn is_recordable(signal: Signal) {
    let seen = Entry::Seen(Observation { at: Timestamp::UNIX_EPOCH, source: Source::other("fuzz"), signal });
    let mut recorder = Recorder::new(Vec::new()).expect("memory");
    recorder.write(&seen).expect("memory");
    let written = recorder.finish().expect("memory");
    let again: Vec<_> = record::replay(&written[..]).expect("a recording").collect();
    match &again[..] {
        [Ok(again)] => assert_eq!(*again, seen),
        other => panic!("{seen:?} came back as {other:?}"),
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_of_recordings() {
        replay::replay("recording", recording);
    }

    #[test]
    fn the_corpus_of_metrics() {
        replay::replay("metrics", metrics);
    }

    #[test]
    fn the_corpus_of_objects() {
        replay::replay("object", object);
    }

    #[test]
    fn the_corpus_of_logs() {
        replay::replay("log", log);
    }
}
