//! How the signals that decided a drill went, from a recording: each number as the rules saw it at each judgement, with
//! their own windows and thresholds, and of what is no number the moments.

use crate::{builtin::BUILTIN, core::Core};
use loopdrill_attribution::measure;
use loopdrill_model::{
    Course, Diagnosis, DrillReport, Evidence, FaultId, LookMode, Measure, Timestamp, Trace,
};
use loopdrill_observe::record::{Entry, ReplayError};
use std::{collections::BTreeSet, time::Duration};

/// From how long before the injection on.
const BEFORE: Duration = Duration::from_secs(5);
/// Into how many parts the time is cut. Of each part a line keeps its lowest and its highest value, and of moments one is
/// kept, so that a line has at most twice as many points, however long the drill was.
const PARTS: usize = 80;
/// Signals of one drill.
const MOST: usize = 5;
/// Signals of one drill of which the same is measured, such as the ways between nodes.
const ALIKE: usize = 2;

/// How the signals went that the built-in detector's diagnosis of each of these drills names. Of a recording that breaks
/// off, what is there counts.
#[must_use]
pub fn traces(
    entries: impl IntoIterator<Item = Result<Entry, ReplayError>>,
    drills: &[DrillReport],
) -> Vec<(FaultId, Vec<Trace>)> {
    let mut followed: Vec<_> = drills.iter().filter_map(Followed::of).collect();
    if followed.is_empty() {
        return Vec::new();
    }
    let mut core = Core::default();
    for entry in entries.into_iter().map_while(Result::ok) {
        match entry {
            Entry::Seen(observation) => core.take(&observation),
            Entry::Judged(judged) => {
                let mut here: Vec<_> = followed.iter_mut().filter(|f| f.lasts(judged.at)).collect();
                if here.is_empty() {
                    core.pass(judged.at);
                    continue;
                }
                let found = core.judge(judged.at, judged.partial).document;
                let found = found.map_or_else(Vec::new, |document| document.diagnoses);
                here.iter_mut().for_each(|f| f.look(&core, judged.at, &found));
            }
            Entry::Mark(_) => {}
        }
    }
    followed.into_iter().map(Followed::finish).filter(|(_, traces)| !traces.is_empty()).collect()
}

/// A drill of which the deciding signals are followed.
struct Followed<'r> {
    drill: FaultId,
    diagnosis: &'r Diagnosis,
    from: Timestamp,
    diagnosed_at: Timestamp,
    to: Timestamp,
    signals: Vec<Gathered<'r>>,
}

/// What is gathered of one signal.
struct Gathered<'r> {
    evidence: &'r Evidence,
    /// What is measured of it; absent as long as it was no number.
    measured: Option<Measure>,
    threshold: Option<f64>,
    pieces: Vec<Vec<(Timestamp, f64)>>,
    is_broken: bool,
    moments: BTreeSet<Timestamp>,
}

impl<'r> Followed<'r> {
    fn of(drill: &'r DrillReport) -> Option<Self> {
        // Reports of builds before there were rivals name their one detector nowhere.
        let builtin = |name: &str| name == BUILTIN || name.is_empty();
        let own = drill.detectors.iter().find(|d| builtin(&d.name) && d.look == LookMode::Live)?;
        let diagnosis = own.diagnosis.as_ref()?;
        let injected_at = drill.injected_at()?;
        let recovered = drill.gates.recovered.at.filter(|_| drill.gates.recovered.ok);
        let ends = [recovered, drill.undone_at, own.detected.at, Some(injected_at)];
        let mut signals: Vec<Gathered<'r>> = Vec::new();
        for evidence in &diagnosis.evidence {
            if !signals.iter().any(|s| is_same(s.evidence, evidence)) {
                signals.push(Gathered::of(evidence));
            }
        }
        Some(Self {
            drill: drill.id(),
            diagnosis,
            from: injected_at.checked_sub(BEFORE).unwrap_or(injected_at),
            diagnosed_at: own.detected.at.unwrap_or(diagnosis.diagnosed_at),
            to: ends.into_iter().flatten().max().unwrap_or(injected_at),
            signals,
        })
    }

    fn lasts(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }

    fn look(&mut self, core: &Core, at: Timestamp, found: &[Diagnosis]) {
        let same = found.iter().filter(|d| d.is_same_finding(self.diagnosis));
        let shown: Vec<_> = same.flat_map(|d| &d.evidence).collect();
        for signal in &mut self.signals {
            let now = measure(core.world(), self.diagnosis, signal.evidence);
            signal.take(at, now, at <= self.diagnosed_at);
            let evidence = signal.evidence;
            let moments = shown.iter().filter(|e| is_same(evidence, e)).map(|e| e.at);
            signal.moments.extend(moments.filter(|at| (self.from..=self.to).contains(at)));
        }
    }

    fn finish(self) -> (FaultId, Vec<Trace>) {
        let part = (self.to.duration_since(self.from).as_secs_f64() / PARTS as f64).max(f64::MIN_POSITIVE);
        let part_of = |at: Timestamp| (at.duration_since(self.from).as_secs_f64() / part).floor();
        let mut traces: Vec<Trace> = Vec::new();
        for trace in self.signals.into_iter().filter_map(|s| s.finish(&part_of)) {
            let alike = traces.iter().filter(|t| is_alike(&t.course, &trace.course)).count();
            if traces.len() < MOST && alike < ALIKE {
                traces.push(trace);
            }
        }
        (self.drill, traces)
    }
}

/// Whether both are of the same signal.
fn is_same(a: &Evidence, b: &Evidence) -> bool {
    a.signal == b.signal && a.source == b.source
}

/// Whether the same is measured of both. Moments differ by what they are of.
fn is_alike(a: &Course, b: &Course) -> bool {
    matches!((a, b), (Course::Line { what: a, .. }, Course::Line { what: b, .. }) if a == b)
}

impl<'r> Gathered<'r> {
    fn of(evidence: &'r Evidence) -> Self {
        Self {
            evidence,
            measured: None,
            threshold: None,
            pieces: Vec::new(),
            is_broken: true,
            moments: BTreeSet::new(),
        }
    }

    /// Takes in what it is now. The threshold is that of the diagnosis, or the first one after it.
    fn take(&mut self, at: Timestamp, now: Option<Measure>, is_before: bool) {
        let Some(now) = now else {
            self.is_broken = true;
            return;
        };
        self.measured.get_or_insert(now);
        if is_before || self.threshold.is_none() {
            self.threshold = now.threshold.or(self.threshold);
        }
        match self.pieces.last_mut() {
            Some(piece) if !self.is_broken => piece.push((at, now.value)),
            _ => self.pieces.push(vec![(at, now.value)]),
        }
        self.is_broken = false;
    }

    fn finish(self, part_of: &impl Fn(Timestamp) -> f64) -> Option<Trace> {
        let course = match self.measured {
            Some(Measure { what, unit, .. }) => {
                let pieces = joined(self.pieces, part_of).iter().map(|p| thinned(p, part_of)).collect();
                Course::Line { what, unit, threshold: self.threshold, pieces }
            }
            None => {
                let mut moments: Vec<_> = self.moments.into_iter().collect();
                moments.dedup_by_key(|at| part_of(*at));
                if moments.is_empty() {
                    return None;
                }
                Course::Moments(moments)
            }
        };
        Some(Trace { signal: self.evidence.signal.clone(), source: self.evidence.source.clone(), course })
    }
}

type Piece = Vec<(Timestamp, f64)>;

/// Gaps that are within one part of the time are none: so there are no more pieces than parts.
fn joined(pieces: Vec<Piece>, part_of: &impl Fn(Timestamp) -> f64) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        let part = |sample: Option<&(Timestamp, f64)>| sample.map(|(at, _)| part_of(*at));
        match joined.last_mut() {
            Some(last) if part(last.last()) == part(piece.first()) => last.extend(piece),
            _ => joined.push(piece),
        }
    }
    joined
}

/// Of each part of the time the lowest and the highest value, where they were.
fn thinned(piece: &[(Timestamp, f64)], part_of: &impl Fn(Timestamp) -> f64) -> Piece {
    let mut thin = Piece::new();
    for samples in piece.chunk_by(|a, b| part_of(a.0) == part_of(b.0)) {
        let by_value = |a: &&(Timestamp, f64), b: &&(Timestamp, f64)| a.1.total_cmp(&b.1);
        let ends = [samples.iter().min_by(by_value), samples.iter().max_by(by_value)];
        let mut ends: Vec<_> = ends.into_iter().flatten().copied().collect();
        ends.sort_by_key(|(at, _)| *at);
        ends.dedup_by_key(|(at, _)| *at);
        thin.extend(ends);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).expect("in range")
    }

    /// A part is a second.
    fn second_of(at: Timestamp) -> f64 {
        (at.as_millisecond() / 1000) as f64
    }

    #[test]
    fn a_line_keeps_its_peaks() {
        let piece: Vec<_> = (0..1000).map(|n| (at(n * 10), if n == 555 { 9.0 } else { 1.0 })).collect();
        let thin = thinned(&piece, &second_of);
        assert!(thin.len() <= 20, "{}", thin.len());
        assert!(thin.contains(&(at(5550), 9.0)));
        assert!(thin.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn gaps_within_a_part_of_the_time_are_none() {
        let pieces = vec![vec![(at(0), 1.0)], vec![(at(100), 2.0)], vec![(at(2000), 3.0)]];
        let joined = joined(pieces, &second_of);
        assert_eq!(joined, [vec![(at(0), 1.0), (at(100), 2.0)], vec![(at(2000), 3.0)]]);
    }

    #[test]
    fn the_threshold_is_that_of_the_diagnosis() {
        let evidence = Evidence::new("s", "v", at(0), loopdrill_model::Source::other("x"));
        let mut signal = Gathered::of(&evidence);
        for (n, threshold, is_before) in [(0, 1.0, true), (1, 2.0, true), (2, 3.0, false)] {
            signal.take(at(n), Some(Measure::new("w", "u", 0.5).held_to(threshold)), is_before);
        }
        assert_eq!(signal.threshold, Some(2.0));
    }
}
