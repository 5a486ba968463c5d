//! The latest answers to active probes, by path and size.

use super::series::Series;
use loopdrill_model::{
    Timestamp,
    signal::{Probe, ProbePath, ProbeResult},
};
use std::collections::BTreeMap;

/// A way between two nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) path: ProbePath,
}

/// Answers by path and payload size.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probes {
    answers: BTreeMap<Path, BTreeMap<u32, Series<ProbeResult>>>,
}

/// How long answers are kept, in seconds.
const KEPT: u64 = 120;

impl Probes {
    pub(crate) fn put(&mut self, at: Timestamp, probe: &Probe) {
        let path = Path { from: probe.from.clone(), to: probe.to.clone(), path: probe.path };
        let sizes = self.answers.entry(path).or_default();
        match sizes.get_mut(&probe.bytes) {
            Some(series) => series.push(at, probe.result.clone()),
            None => {
                sizes.insert(probe.bytes, Series::new(at, probe.result.clone()));
            }
        }
    }

    pub(crate) fn prune(&mut self, now: Timestamp) {
        let Some(before) = super::back(now, std::time::Duration::from_secs(KEPT)) else { return };
        for sizes in self.answers.values_mut() {
            sizes.retain(|_, series| series.last().is_some_and(|(t, _)| *t >= before));
            sizes.values_mut().for_each(|series| series.prune(before));
        }
        self.answers.retain(|_, sizes| !sizes.is_empty());
    }

    pub(crate) fn forget(&mut self, node: &str) {
        self.answers.retain(|path, _| path.from != node && path.to != node);
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = (&Path, &BTreeMap<u32, Series<ProbeResult>>)> {
        self.answers.iter()
    }
}
