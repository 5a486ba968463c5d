//! Samples over time: increments over a window, whatever is missing or was reset in between.

use loopdrill_model::Timestamp;
use std::collections::VecDeque;

/// Samples in the order of time, of the last few minutes only.
#[derive(Debug, Clone)]
pub(crate) struct Series<T> {
    samples: VecDeque<(Timestamp, T)>,
    /// Time of the first sample ever.
    pub(crate) born_at: Timestamp,
}

/// Samples kept of one series, whatever their age.
const MOST: usize = 400;

impl<T> Series<T> {
    pub(crate) fn new(at: Timestamp, sample: T) -> Self {
        Self { samples: VecDeque::from([(at, sample)]), born_at: at }
    }

    /// Adds a sample where its time belongs. A second one of the same time is dropped.
    pub(crate) fn push(&mut self, at: Timestamp, sample: T) {
        self.born_at = self.born_at.min(at);
        match self.samples.binary_search_by(|(t, _)| t.cmp(&at)) {
            Ok(_) => {}
            Err(place) => self.samples.insert(place, (at, sample)),
        }
        if self.samples.len() > MOST {
            self.samples.pop_front();
        }
    }

    pub(crate) fn prune(&mut self, before: Timestamp) {
        while self.samples.len() > 1 && self.samples[1].0 < before {
            self.samples.pop_front();
        }
    }

    pub(crate) fn last(&self) -> Option<&(Timestamp, T)> {
        self.samples.back()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &(Timestamp, T)> {
        self.samples.iter()
    }

    /// The samples in `(from, to]`, and before them the last one at or before `from`, where there is one.
    pub(crate) fn window(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &(Timestamp, T)> {
        let start = self.samples.partition_point(|(t, _)| *t <= from).saturating_sub(1);
        let end = self.samples.partition_point(|(t, _)| *t <= to).max(start);
        self.samples.range(start..end)
    }

    /// Sums what `step` says of each pair of neighbours in the window.
    pub(crate) fn fold<A>(
        &self,
        from: Timestamp,
        to: Timestamp,
        mut sum: A,
        mut step: impl FnMut(&mut A, &T, &T),
    ) -> A {
        let mut window = self.window(from, to);
        let Some((_, mut before)) = window.next().map(|(t, v)| (t, v)) else { return sum };
        for (_, after) in window {
            step(&mut sum, before, after);
            before = after;
        }
        sum
    }
}

/// By how much a counter went up. After a reset it counts from zero.
pub(crate) fn rise(before: u64, after: u64) -> u64 {
    if after >= before { after - before } else { after }
}

impl Series<f64> {
    /// By how much the counter went up in the window.
    pub(crate) fn increase(&self, from: Timestamp, to: Timestamp) -> f64 {
        self.fold(from, to, 0.0, |sum, a, b| *sum += if b >= a { b - a } else { *b })
    }
}

/// One sample of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Buckets {
    /// Cumulative counts in the order of `Bounds`, without `+Inf`.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

/// What a histogram gained in a window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Gain {
    /// Upper bound and cumulative count.
    pub(crate) buckets: Vec<(f64, u64)>,
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

impl Gain {
    pub(crate) fn merge(&mut self, other: &Gain) {
        if self.buckets.is_empty() {
            self.buckets = other.buckets.iter().map(|(bound, _)| (*bound, 0)).collect();
        }
        if self.buckets.len() == other.buckets.len() {
            for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
                mine.1 += theirs.1;
            }
            self.sum += other.sum;
            self.count += other.count;
        }
    }

    /// The quantile as Prometheus estimates it: linear inside its bucket, the last bound above that.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let wanted = q * float(self.count);
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, n) in &self.buckets {
            let n = float(*n);
            if n >= wanted && n > below {
                return Some(lower + (bound - lower) * (wanted - below) / (n - below));
            }
            (lower, below) = (*bound, n);
        }
        self.buckets.last().map(|(bound, _)| *bound)
    }

    /// How many certainly took longer than `limit`: those above the first bound that is no lower.
    pub(crate) fn above(&self, limit: f64) -> u64 {
        let below = self.buckets.iter().find(|(b, _)| *b >= limit).map_or(self.count, |(_, n)| *n);
        self.count.saturating_sub(below)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few minutes")]
pub(crate) fn float(n: u64) -> f64 {
    n as f64
}

/// A histogram over time. Its bounds do not change; a sample with others starts it anew.
#[derive(Debug, Clone)]
pub(crate) struct HistogramSeries {
    pub(crate) bounds: Vec<f64>,
    pub(crate) series: Series<Buckets>,
}

impl HistogramSeries {
    pub(crate) fn gain(&self, from: Timestamp, to: Timestamp) -> Gain {
        let empty = Gain { buckets: self.bounds.iter().map(|b| (*b, 0)).collect(), sum: 0.0, count: 0 };
        self.series.fold(from, to, empty, |gain, a, b| {
            let reset = b.count < a.count;
            for (i, bucket) in gain.buckets.iter_mut().enumerate() {
                let now = b.counts.get(i).copied().unwrap_or(b.count);
                let then = if reset { 0 } else { a.counts.get(i).copied().unwrap_or(a.count) };
                bucket.1 += now.saturating_sub(then);
            }
            gain.sum += if reset { b.sum } else { (b.sum - a.sum).max(0.0) };
            gain.count += rise(a.count, b.count);
        })
    }

    /// Time of the last sample at which the count had gone up.
    pub(crate) fn last_progress(&self) -> Option<Timestamp> {
        let mut later: Option<&(Timestamp, Buckets)> = None;
        for sample in self.series.iter().rev() {
            if let Some(l) = later
                && l.1.count != sample.1.count
            {
                return Some(l.0);
            }
            later = Some(sample);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    #[test]
    fn a_reset_counts_from_zero_and_order_of_arrival_is_irrelevant() {
        let samples = [(0, 10.0), (1, 12.0), (2, 3.0), (3, 4.0)];
        let mut forward = Series::new(at(0), 10.0);
        let mut backward = Series::new(at(3), 4.0);
        for (t, v) in samples {
            forward.push(at(t), v);
        }
        for (t, v) in samples.into_iter().rev() {
            backward.push(at(t), v);
        }
        assert_eq!(forward.increase(at(0), at(3)), 6.0);
        assert_eq!(backward.increase(at(0), at(3)), 6.0);
        assert_eq!(forward.increase(at(2), at(3)), 1.0);
    }

    #[test]
    fn a_window_without_samples_gains_nothing() {
        let series = Series::new(at(0), 5.0);
        assert_eq!(series.increase(at(10), at(20)), 0.0);
        assert_eq!(series.increase(at(-20), at(-10)), 0.0);
    }

    #[test]
    fn quantiles_are_estimated_as_prometheus_does() {
        let gain = Gain { buckets: vec![(0.1, 90), (1.0, 98)], sum: 12.0, count: 100 };
        assert_eq!(gain.quantile(0.45), Some(0.05));
        assert_eq!(gain.quantile(0.98), Some(1.0));
        assert_eq!(gain.quantile(0.999), Some(1.0));
        assert_eq!((gain.above(0.1), gain.above(0.2), gain.above(2.0)), (10, 2, 0));
        assert_eq!(Gain::default().quantile(0.99), None);
    }

    #[test]
    fn old_samples_go_and_the_base_of_the_window_stays() {
        let mut series = Series::new(at(0), 0.0);
        (1..10).for_each(|t| series.push(at(t), f64::from(i32::try_from(t).expect("small"))));
        series.prune(at(5));
        assert_eq!(series.iter().next().map(|s| s.0), Some(at(4)));
        assert_eq!(series.increase(at(5), at(9)), 4.0);
    }
}
