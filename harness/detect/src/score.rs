//! Right or wrong: what a detector published, compared with what was really done to the cluster.
//!
//! Works on marks and documents alone, so it scores any detector whose documents are at hand. It judges as the
//! engine does: findings in a drill's reach that were not there before the injection, as they stand when the
//! detector's time is over. A finding in no drill's reach is a false alarm.

use loopdrill_model::{Cause, Diagnoses, Diagnosis, Expectation, FaultId, Loop, Timestamp};
use loopdrill_observe::record::{Did, Mark, Reach};
use std::collections::BTreeSet;

/// Right, or how it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The right answer.
    Right,
    /// Another answer, or an incomplete one.
    Wrong,
    /// No answer where there should be one.
    Missed,
    /// The drill ended before the fault was in force, or the recording before its time was over.
    Unscored,
}

impl Verdict {
    /// Compares the findings, by falling confidence, with the right answer.
    #[must_use]
    pub fn of(expected: &Expectation, found: &[Diagnosis]) -> Self {
        if expected.judge(found).is_ok() {
            Verdict::Right
        } else if found.is_empty() {
            Verdict::Missed
        } else {
            Verdict::Wrong
        }
    }
}

/// A drill, scored.
#[derive(Debug, Clone)]
pub struct Scored {
    /// Which.
    pub drill: FaultId,
    /// The right answer.
    pub expected: Expectation,
    /// What was found, by falling confidence.
    pub found: Vec<Diagnosis>,
    /// Whether that is right.
    pub verdict: Verdict,
    /// When the fault was in force.
    pub injected_at: Option<Timestamp>,
    /// When the victim showed the symptom.
    pub manifested_at: Option<Timestamp>,
    /// When the first evidence of the best answer was true.
    pub first_evidence_at: Option<Timestamp>,
    /// When the best answer was given first.
    pub diagnosed_at: Option<Timestamp>,
}

type Key = (Loop, Option<Cause>, Vec<String>);

fn key(d: &Diagnosis) -> Key {
    (d.control_loop, d.cause, d.subjects.iter().map(ToString::to_string).collect())
}

struct Open {
    scored: Scored,
    reach: Reach,
    before: BTreeSet<Key>,
    /// Every cause and when it was named first, with its first evidence.
    named: Vec<((Loop, Option<Cause>), Timestamp, Timestamp)>,
    concluded: bool,
}

impl Open {
    fn holds(&self, d: &Diagnosis) -> bool {
        self.reach.everything
            || d.subjects.iter().any(|s| {
                let node = s.name.split('/').next().unwrap_or_default();
                s.namespace == self.reach.namespace && !s.namespace.is_empty()
                    || s.namespace.is_empty() && self.reach.nodes.iter().any(|n| n == node)
            })
    }

    fn is_silent(&self) -> bool {
        self.scored.expected.is_silence()
    }

    fn take(&mut self, present: &[Diagnosis], at: Timestamp) {
        let mine = present.iter().filter(|d| self.holds(d));
        if self.scored.injected_at.is_none() {
            // On a healthy cluster there is nothing that may have been there before.
            let none = self.is_silent();
            self.before = mine.filter(|_| !none).map(key).collect();
            return;
        }
        if self.concluded {
            return;
        }
        let mine: Vec<_> = mine.filter(|d| !self.before.contains(&key(d))).cloned().collect();
        for d in &mine {
            let what = (d.control_loop, d.cause);
            if !self.named.iter().any(|(named, ..)| *named == what) {
                self.named.push((what, at, d.first_evidence_at));
            }
        }
        // An answer stays until there is another one; where nothing is wrong, each one counts.
        if self.is_silent() {
            let known: BTreeSet<Key> = self.scored.found.iter().map(key).collect();
            self.scored.found.extend(mine.into_iter().filter(|d| !known.contains(&key(d))));
        } else if !mine.is_empty() {
            self.scored.found = mine;
        }
    }

    fn close(mut self) -> Scored {
        let scored = &mut self.scored;
        let complete = scored.injected_at.is_some() && self.concluded;
        scored.verdict =
            if complete { Verdict::of(&scored.expected, &scored.found) } else { Verdict::Unscored };
        let top = scored.found.first().map(|d| (d.control_loop, d.cause));
        let named = self.named.iter().find(|(what, ..)| Some(*what) == top);
        scored.diagnosed_at = named.map(|(_, at, _)| *at);
        scored.first_evidence_at = named.map(|(.., first)| *first).max(named.and(scored.injected_at));
        self.scored
    }
}

/// Scores the drills of one recording, or of one live run.
#[derive(Default)]
pub struct Scorer {
    open: Vec<Open>,
    done: Vec<Scored>,
    strays: Vec<Diagnosis>,
    known: BTreeSet<Key>,
    marked: bool,
    present: Vec<Diagnosis>,
}

impl Scorer {
    /// Takes in what was done.
    pub fn mark(&mut self, mark: &Mark) {
        self.marked = true;
        match &mark.what {
            Did::Start { expected, scope } => self.open.push(Open {
                scored: Scored {
                    drill: mark.drill.clone(),
                    expected: expected.clone(),
                    found: Vec::new(),
                    verdict: Verdict::Unscored,
                    injected_at: None,
                    manifested_at: None,
                    first_evidence_at: None,
                    diagnosed_at: None,
                },
                reach: scope.clone(),
                before: BTreeSet::new(),
                named: Vec::new(),
                concluded: false,
            }),
            Did::Inject => {
                let present = std::mem::take(&mut self.present);
                if let Some(open) = self.find(mark) {
                    open.take(&present, mark.at);
                    open.scored.injected_at = Some(mark.at);
                }
                self.present = present;
            }
            Did::Manifest => {
                if let Some(open) = self.find(mark) {
                    open.scored.manifested_at = Some(mark.at);
                }
            }
            Did::Conclude => {
                if let Some(open) = self.find(mark) {
                    open.concluded = true;
                }
            }
            Did::Undo => {}
            Did::End { .. } => {
                if let Some(at) = self.open.iter().position(|o| o.scored.drill == mark.drill) {
                    self.done.push(self.open.remove(at).close());
                }
            }
        }
    }

    /// Takes in what the detector published.
    pub fn document(&mut self, document: &Diagnoses, at: Timestamp) {
        for open in &mut self.open {
            open.take(&document.diagnoses, at);
        }
        for d in &document.diagnoses {
            let explained = self.open.iter().any(|o| o.holds(d) || !o.reach.nodes.is_empty());
            // What was there before anything was touched is the cluster's own trouble.
            let own = self
                .open
                .iter()
                .any(|o| o.reach.everything && o.is_silent() && o.scored.injected_at.is_none());
            if own {
                self.known.insert(key(d));
            } else if !explained && self.known.insert(key(d)) {
                self.strays.push(d.clone());
            }
        }
        self.present.clone_from(&document.diagnoses);
    }

    /// The drills in the order of their ends, with those that the recording does not see to their end, and the
    /// false alarms. A recording without marks has neither: nobody knows what was right.
    #[must_use]
    pub fn finish(self) -> (Vec<Scored>, Vec<Diagnosis>) {
        let strays = if self.marked { self.strays } else { Vec::new() };
        (self.done.into_iter().chain(self.open.into_iter().map(Open::close)).collect(), strays)
    }

    fn find(&mut self, mark: &Mark) -> Option<&mut Open> {
        self.open.iter_mut().find(|o| o.scored.drill == mark.drill)
    }
}
