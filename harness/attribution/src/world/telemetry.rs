//! Counters, histograms and usage over the last minutes. Of metrics those only that the table says the rules read: a
//! recording may hold more.

use super::series::{Buckets, Gain, HistogramSeries, Series};
use loopdrill_model::{
    Source, Timestamp,
    metrics::{FAMILIES, Family, Kind, Reader},
    signal::*,
};
use std::{collections::BTreeMap, time::Duration};

/// How long samples are kept.
const KEPT: Duration = Duration::from_secs(300);
/// Series of one kind; what comes beyond is left out.
const MOST_SERIES: usize = 4_000;

/// A series of a metrics endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) source: Source,
    pub(crate) labels: BTreeMap<String, String>,
}

/// Seconds within which all samples of one scrape arrive; two scrapes are at least a second apart.
const ONE_SCRAPE: f64 = 0.75;

/// Everything that is measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telemetry {
    metrics: BTreeMap<Key, Series<f64>>,
    histograms: BTreeMap<Key, HistogramSeries>,
    scraped_since: BTreeMap<Source, Timestamp>,
    pub(crate) usage: BTreeMap<String, Series<Usage>>,
    pub(crate) links: BTreeMap<(String, String), Series<Interface>>,
    pub(crate) stacks: BTreeMap<String, Series<IpCounters>>,
}

impl Telemetry {
    pub(crate) fn put_usage(&mut self, at: Timestamp, u: &Usage) {
        put(&mut self.usage, u.node.clone(), at, u.clone());
    }

    pub(crate) fn put_link(&mut self, at: Timestamp, i: &Interface) {
        put(&mut self.links, (i.node.clone(), i.name.clone()), at, i.clone());
    }

    pub(crate) fn put_stack(&mut self, at: Timestamp, c: &IpCounters) {
        put(&mut self.stacks, c.node.clone(), at, c.clone());
    }

    fn note_scrape(&mut self, at: Timestamp, source: &Source) {
        match self.scraped_since.get_mut(source) {
            Some(since) => *since = at.min(*since),
            None => {
                self.scraped_since.insert(source.clone(), at);
            }
        }
    }

    pub(crate) fn put_metric(&mut self, at: Timestamp, source: &Source, m: &Metric) {
        let Some(name) = read_by_rules(Kind::Number, &m.name) else { return };
        self.note_scrape(at, source);
        put(&mut self.metrics, Key { name, source: source.clone(), labels: m.labels.clone() }, at, m.value);
    }

    pub(crate) fn put_histogram(&mut self, at: Timestamp, source: &Source, h: &Histogram) {
        let Some(name) = read_by_rules(Kind::Histogram, &h.name) else { return };
        self.note_scrape(at, source);
        let key = Key { name, source: source.clone(), labels: h.labels.clone() };
        let bounds: Vec<f64> = h.buckets.iter().map(|(b, _)| *b).collect();
        let sample =
            Buckets { counts: h.buckets.iter().map(|(_, n)| *n).collect(), sum: h.sum, count: h.count };
        let room = self.histograms.len() < MOST_SERIES;
        match self.histograms.get_mut(&key) {
            Some(known) if known.bounds == bounds => known.series.push(at, sample),
            Some(known) => *known = HistogramSeries { bounds, series: Series::new(at, sample) },
            None if room => {
                self.histograms.insert(key, HistogramSeries { bounds, series: Series::new(at, sample) });
            }
            None => {}
        }
    }

    pub(crate) fn prune(&mut self, now: Timestamp) {
        let Some(before) = super::back(now, KEPT) else { return };
        prune(&mut self.metrics, before);
        prune(&mut self.usage, before);
        prune(&mut self.links, before);
        prune(&mut self.stacks, before);
        self.histograms.retain(|_, h| h.series.last().is_some_and(|(t, _)| *t >= before));
        self.histograms.values_mut().for_each(|h| h.series.prune(before));
    }

    pub(crate) fn forget(&mut self, node: &str) {
        self.usage.remove(node);
        self.stacks.remove(node);
        self.links.retain(|(n, _), _| n != node);
    }

    /// All series of this counter or gauge.
    pub(crate) fn metric(&self, of: &Family) -> impl Iterator<Item = (&Key, &Series<f64>)> {
        let name = of.name;
        self.metrics.iter().filter(move |(key, _)| key.name == name)
    }

    /// All series of this histogram.
    pub(crate) fn histogram(&self, of: &Family) -> impl Iterator<Item = (&Key, &HistogramSeries)> {
        let name = of.name;
        self.histograms.iter().filter(move |(key, _)| key.name == name)
    }

    /// How much the counters of that family, of those labels that are `wanted`, went up in the window. A series
    /// that appeared while its source was watched began at zero.
    pub(crate) fn increase(
        &self,
        of: &Family,
        wanted: impl Fn(&BTreeMap<String, String>) -> bool,
        from: Timestamp,
        to: Timestamp,
    ) -> f64 {
        self.metric(of)
            .filter(|(key, _)| wanted(&key.labels))
            .map(|(key, series)| {
                let since = self.scraped_since.get(&key.source).copied().unwrap_or(series.born_at);
                // The samples of one scrape come one after the other.
                let later = super::age(series.born_at, since) > ONE_SCRAPE;
                let appeared = later && series.born_at > from && series.born_at <= to;
                let first = if appeared { series.iter().next().map_or(0.0, |(_, v)| *v) } else { 0.0 };
                first + series.increase(from, to)
            })
            // The sum of no numbers would be -0, which is told as such.
            .fold(0.0, |sum, more| sum + more)
    }

    /// What the histograms of that family, of those labels that are `wanted`, gained in the window.
    pub(crate) fn gain(
        &self,
        of: &Family,
        wanted: impl Fn(&BTreeMap<String, String>) -> bool,
        from: Timestamp,
        to: Timestamp,
    ) -> Gain {
        let mut sum = Gain::default();
        for (_, h) in self.histogram(of).filter(|(key, _)| wanted(&key.labels)) {
            sum.merge(&h.gain(from, to));
        }
        sum
    }
}

/// The name in the table, where rules read it.
fn read_by_rules(kind: Kind, name: &str) -> Option<&'static str> {
    let family = FAMILIES.iter().find(|f| f.name == name && f.kind == kind)?;
    family.readers.contains(&Reader::Rules).then_some(family.name)
}

fn put<K: Ord, T>(map: &mut BTreeMap<K, Series<T>>, key: K, at: Timestamp, sample: T) {
    let room = map.len() < MOST_SERIES;
    match map.get_mut(&key) {
        Some(series) => series.push(at, sample),
        None if room => {
            map.insert(key, Series::new(at, sample));
        }
        None => {}
    }
}

fn prune<K: Ord, T>(map: &mut BTreeMap<K, Series<T>>, before: Timestamp) {
    map.retain(|_, series| series.last().is_some_and(|(t, _)| *t >= before));
    map.values_mut().for_each(|series| series.prune(before));
}
