//! The score: what each detector made of what was really wrong. A pure fold over cases, so that a live run and a
//! replayed recording are scored by the same lines.

mod text;

use loopdrill_model::{DetectorResult, DrillReport, Expectation, FaultId, Loop, Outcome, RunReport};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;

/// What may be wrong, and what may be blamed, in the order of the matrix. `None` is "nothing".
pub const ANSWERS: [Option<Loop>; 7] = [
    Some(Loop::Identity),
    Some(Loop::Compute),
    Some(Loop::Network),
    Some(Loop::Storage),
    Some(Loop::ControlPlane),
    Some(Loop::Workload),
    None,
];

/// The name of an answer.
#[must_use]
pub fn answer_name(answer: Option<Loop>) -> &'static str {
    answer.map_or("none", Loop::name)
}

/// One question that a detector was asked, and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Who was asked.
    pub detector: String,
    /// Which drill it was.
    pub id: FaultId,
    /// The loop of the root cause.
    pub expected: Option<Loop>,
    /// The loop of the finding on top; with several roots, of the one that is right where one is.
    pub blamed: Option<Loop>,
    /// Whether loop and cause, and whatever else was expected, were right.
    pub right: bool,
    /// Seconds from the first evidence to the diagnosis.
    pub lag: Option<f64>,
    /// Seconds from the first evidence to the victim's symptom.
    pub lead: Option<f64>,
    /// Seconds from the injection to the diagnosis.
    pub since_injection: Option<f64>,
    /// Seconds that its look took, where it was called in for one.
    pub took: Option<f64>,
}

impl Case {
    /// A detector's answer to a drill.
    #[must_use]
    pub fn of(id: FaultId, expectation: &Expectation, result: &DetectorResult) -> Self {
        let expected = expectation.control_loop();
        let mut blamed = result.findings().map(|d| d.control_loop);
        let top = blamed.clone().next();
        let right = blamed.find(|l| result.attributed.ok && Some(*l) == expected);
        Case {
            detector: result.name.clone(),
            id,
            expected,
            blamed: right.or(top),
            right: result.detected.ok && result.attributed.ok,
            lag: result.lag,
            lead: result.lead,
            since_injection: result.since_injection,
            took: result.took,
        }
    }
}

/// Expected → blamed → how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion(BTreeMap<(usize, usize), usize>);

fn place(answer: Option<Loop>) -> usize {
    ANSWERS.iter().position(|a| *a == answer).unwrap_or(ANSWERS.len() - 1)
}

impl Confusion {
    fn add(&mut self, expected: Option<Loop>, blamed: Option<Loop>) {
        *self.0.entry((place(expected), place(blamed))).or_default() += 1;
    }

    /// How often `blamed` was blamed where `expected` was right.
    #[must_use]
    pub fn count(&self, expected: Option<Loop>, blamed: Option<Loop>) -> usize {
        self.0.get(&(place(expected), place(blamed))).copied().unwrap_or_default()
    }

    /// How often `expected` was right.
    #[must_use]
    pub fn asked(&self, expected: Option<Loop>) -> usize {
        ANSWERS.iter().map(|blamed| self.count(expected, *blamed)).sum()
    }
}

impl Serialize for Confusion {
    /// `{"identity": {"identity": 2, "workload": 1}, …}`: rows that were asked for, cells that are not zero.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_map(None)?;
        for expected in ANSWERS.into_iter().filter(|e| self.asked(*e) > 0) {
            let cells = ANSWERS.into_iter().filter(|b| self.count(expected, *b) > 0);
            let row: BTreeMap<_, _> = cells.map(|b| (answer_name(b), self.count(expected, b))).collect();
            rows.serialize_entry(answer_name(expected), &row)?;
        }
        rows.end()
    }
}

/// The middle and the end of several durations, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of them are no longer.
    pub median: f64,
    /// None is longer.
    pub worst: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let worst = *values.last()?;
        Some(Spread { median: values[(values.len() - 1) / 2], worst })
    }
}

/// What one detector is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectorScore {
    /// Its name.
    pub detector: String,
    /// Questions that it was asked: drills whose symptom showed, and healthy clusters.
    pub asked: usize,
    /// Of these, those in which something was wrong.
    pub faults: usize,
    /// Faults of which it noticed anything.
    pub detected: usize,
    /// Faults that it named rightly: loop, cause, and chain where one is told.
    pub attributed: usize,
    /// Healthy clusters and decoys of silence in which it said nothing.
    pub silent: usize,
    /// Findings that belong to no drill.
    pub false_alarms: usize,
    /// From the first evidence to the diagnosis.
    pub lag: Option<Spread>,
    /// The same by the loop that was really to blame: some loops are watched, others are measured at intervals.
    pub lag_by_loop: BTreeMap<&'static str, Spread>,
    /// From the first evidence to the victim's symptom; the worst is the shortest notice.
    pub lead: Option<Spread>,
    /// From the injection to the diagnosis.
    pub since_injection: Option<Spread>,
    /// How long its looks took, where it was called in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<Spread>,
    /// Which loop was blamed for which.
    pub confusion: Confusion,
    /// Why it ended before the run did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl DetectorScore {
    fn of(detector: &str, cases: &[&Case], false_alarms: usize, error: Option<String>) -> Self {
        let faults = cases.iter().filter(|c| c.expected.is_some());
        let silences = cases.iter().filter(|c| c.expected.is_none());
        let mut confusion = Confusion::default();
        cases.iter().for_each(|c| confusion.add(c.expected, c.blamed));
        let lag_of = |really: Option<Loop>| {
            Spread::of(cases.iter().filter(|c| c.expected == really).filter_map(|c| c.lag))
        };
        let loops = ANSWERS.into_iter().filter(Option::is_some);
        let lag_by_loop = loops.filter_map(|l| Some((answer_name(l), lag_of(l)?))).collect();
        let lead = Spread::of(faults.clone().filter_map(|c| c.lead).map(|l| -l));
        DetectorScore {
            detector: detector.into(),
            asked: cases.len(),
            faults: faults.clone().count(),
            detected: faults.clone().filter(|c| c.blamed.is_some()).count(),
            attributed: faults.clone().filter(|c| c.right).count(),
            silent: silences.filter(|c| c.blamed.is_none()).count(),
            false_alarms,
            lag: Spread::of(faults.clone().filter_map(|c| c.lag)),
            lag_by_loop,
            lead: lead.map(|s| Spread { median: -s.median, worst: -s.worst }),
            since_injection: Spread::of(faults.filter_map(|c| c.since_injection)),
            took: Spread::of(cases.iter().filter_map(|c| c.took)),
            confusion,
            error,
        }
    }
}

/// The scores of all detectors, in the order in which they were asked first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Score {
    /// One entry a detector.
    pub detectors: Vec<DetectorScore>,
    /// What it was made of.
    #[serde(skip)]
    pub cases: Vec<Case>,
}

impl Score {
    /// The score of one detector's answers, of whatever source, with its findings that belong to no drill.
    #[must_use]
    pub fn of(cases: Vec<Case>, false_alarms: usize) -> Self {
        Self::with_strays(cases, |_| (false_alarms, None))
    }

    fn with_strays(cases: Vec<Case>, false_alarms: impl Fn(&str) -> (usize, Option<String>)) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for case in &cases {
            if !names.contains(&case.detector.as_str()) {
                names.push(&case.detector);
            }
        }
        let detectors = names.into_iter().map(|name| {
            let mine: Vec<_> = cases.iter().filter(|c| c.detector == name).collect();
            let (false_alarms, error) = false_alarms(name);
            DetectorScore::of(name, &mine, false_alarms, error)
        });
        Score { detectors: detectors.collect(), cases }
    }
}

impl From<&RunReport> for Score {
    fn from(report: &RunReport) -> Self {
        let asked = report.drills.iter().filter(|d| is_asked(d));
        let cases =
            asked.flat_map(|d| d.detectors.iter().map(|r| Case::of(d.id(), &d.expectation, r))).collect();
        Self::with_strays(cases, |name| {
            if name == report.detector {
                return (report.false_alarms.len(), None);
            }
            let rival = report.rivals.iter().find(|r| r.name == name);
            rival.map_or((0, None), |r| (r.false_alarms.len(), r.error.clone()))
        })
    }
}

/// Only what was really in force and showed its symptom is a question.
fn is_asked(drill: &DrillReport) -> bool {
    drill.gates.injected.ok
        && drill.gates.manifested.ok
        && !matches!(drill.outcome, Outcome::Errored | Outcome::Interrupted | Outcome::NotInjected)
}

#[cfg(test)]
mod tests;
