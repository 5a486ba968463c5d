//! Recordings with noise in them, or out of order.

use loopdrill_model::signal::{Endpoints, KubeEvent, Metric, SourceState};
use loopdrill_model::{Observation, Signal, Source, Subject};
use loopdrill_observe::record::Entry;

/// A small generator: the same seed gives the same recording.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Observations of things that have nothing to do with any fault, strewn in.
pub(crate) fn with_noise(entries: &[Entry], seed: u64) -> Vec<Entry> {
    let mut random = Random(seed | 1);
    let mut noisy = Vec::with_capacity(entries.len() * 2);
    for entry in entries {
        noisy.push(entry.clone());
        let Entry::Seen(seen) = entry else { continue };
        let n = random.next();
        if n.is_multiple_of(2) {
            let signal = noise(n / 2, seen);
            noisy.push(Entry::Seen(Observation { at: seen.at, source: Source::other("noise"), signal }));
        }
    }
    noisy
}

fn noise(n: u64, beside: &Observation) -> Signal {
    match n % 5 {
        0 => Signal::Event(KubeEvent {
            uid: format!("noise-{n}"),
            version: n,
            object: Subject::new("Pod", "elsewhere", "bystander"),
            object_uid: "bystander".into(),
            warning: true,
            reason: "Unhealthy".into(),
            message: "Readiness probe failed: 401 Unauthorized".into(),
            count: 1,
            component: "kubelet".into(),
            first_at: Some(beside.at),
            last_at: Some(beside.at),
        }),
        1 => Signal::Metric(Metric { name: "up".into(), labels: Default::default(), value: 1.0 }),
        2 => Signal::Endpoints(Endpoints {
            namespace: "elsewhere".into(),
            service: "other".into(),
            ready: 1,
            not_ready: 0,
        }),
        3 => Signal::SourceState(SourceState { name: Source::other("x"), lost: Some("gone".into()) }),
        _ => Signal::Tick,
    }
}

/// What came between two judgements and within a tenth of a second, in another order.
pub(crate) fn shuffled(entries: &[Entry], seed: u64) -> Vec<Entry> {
    let mut random = Random(seed | 1);
    let mut all = Vec::with_capacity(entries.len());
    let mut window: Vec<(u64, Entry)> = Vec::new();
    let mut begun = None;
    for entry in entries {
        let at = match entry {
            Entry::Seen(seen) => Some(seen.at.as_millisecond() / 100),
            Entry::Judged(_) | Entry::Mark(_) => None,
        };
        if at.is_none() || at != begun {
            close(&mut window, &mut all);
            begun = at;
        }
        match at {
            Some(_) => window.push((random.next(), entry.clone())),
            None => all.push(entry.clone()),
        }
    }
    close(&mut window, &mut all);
    all
}

fn close(window: &mut Vec<(u64, Entry)>, all: &mut Vec<Entry>) {
    window.sort_by_key(|(key, _)| *key);
    all.extend(window.drain(..).map(|(_, entry)| entry));
}
