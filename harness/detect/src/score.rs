//! Right or wrong: what a detector published, compared with what was really done to the cluster.
//!
//! Works on marks and documents alone, so it scores any detector whose documents are at hand. It judges as the
//! engine does: findings in a drill's reach that were not there before the injection, as they stand when the
//! detector's time is over. A finding in no drill's reach is a false alarm.

use crate::strays::{Key, Strays, is_role, key};
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

struct Open {
    scored: Scored,
    reach: Reach,
    before: BTreeSet<Key>,
    /// The injection has begun.
    ready: bool,
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
                    || is_role(s, |name| self.reach.roles.iter().any(|r| r == name))
            })
    }

    fn is_silent(&self) -> bool {
        self.scored.expected.is_silence()
    }

    /// The injection begins: what is found now proves nothing. On a healthy cluster there is nothing that may be.
    fn begin(&mut self, present: &[Diagnosis]) {
        self.ready = true;
        if !self.is_silent() {
            self.before = present.iter().filter(|d| self.holds(d)).map(key).collect();
        }
    }

    fn take(&mut self, present: &[Diagnosis], at: Timestamp) {
        if self.scored.injected_at.is_none() || self.concluded {
            return;
        }
        let mine = present.iter().filter(|d| self.holds(d) && !self.before.contains(&key(d)));
        let mine: Vec<_> = mine.cloned().collect();
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
    strays: Strays,
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
                ready: false,
                named: Vec::new(),
                concluded: false,
            }),
            Did::Ready => self.with_present(mark, |open, present| open.begin(present)),
            Did::Inject => self.with_present(mark, |open, present| {
                // Recordings of version 2 do not tell when the injection began.
                if !open.ready {
                    open.begin(present);
                }
                open.scored.injected_at = Some(mark.at);
                open.take(present, mark.at);
            }),
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
        let untouched = |o: &Open| o.reach.everything && o.is_silent() && o.scored.injected_at.is_none();
        if self.open.iter().any(untouched) {
            self.strays.tolerate(&document.diagnoses);
        }
        let open = &self.open;
        self.strays
            .judge(&document.diagnoses, |d| open.iter().any(|o| o.holds(d) || !o.reach.nodes.is_empty()));
        self.present.clone_from(&document.diagnoses);
    }

    /// The drills in the order of their ends, with those that the recording does not see to their end, and the
    /// false alarms. A recording without marks has neither: nobody knows what was right.
    #[must_use]
    pub fn finish(self) -> (Vec<Scored>, Vec<Diagnosis>) {
        let strays = if self.marked { self.strays.found().to_vec() } else { Vec::new() };
        (self.done.into_iter().chain(self.open.into_iter().map(Open::close)).collect(), strays)
    }

    /// What the marked drill makes of the findings as they stand.
    fn with_present(&mut self, mark: &Mark, f: impl FnOnce(&mut Open, &[Diagnosis])) {
        let present = std::mem::take(&mut self.present);
        if let Some(open) = self.find(mark) {
            f(open, &present);
        }
        self.present = present;
    }

    fn find(&mut self, mark: &Mark) -> Option<&mut Open> {
        self.open.iter_mut().find(|o| o.scored.drill == mark.drill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Root, Subject};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn finding(name: &str) -> Diagnosis {
        Diagnosis {
            control_loop: Loop::Network,
            cause: Some(Cause::OverlayMtu),
            subjects: vec![Subject::new("Pod", "n", name)],
            confidence: 0.9,
            evidence: Vec::new(),
            chain: Vec::new(),
            first_evidence_at: at(3),
            diagnosed_at: at(4),
        }
    }

    /// A drill whose injection takes from the second second to the fifth. `found` is found since the fourth, `before`
    /// from the first second on.
    fn score(ready: bool, before: &[Diagnosis], found: &[Diagnosis]) -> Scored {
        let drill = FaultId::new("f", "v");
        let mark = |second, what| Mark { at: at(second), drill: drill.clone(), what };
        let document =
            |diagnoses: &[&[Diagnosis]]| Diagnoses { diagnoses: diagnoses.concat(), ..Default::default() };
        let root = Root { control_loop: Loop::Network, causes: vec![Cause::OverlayMtu] };
        let expected = Expectation { roots: vec![root], ..Expectation::default() };
        let scope = Reach { namespace: "n".into(), ..Reach::default() };
        let mut scorer = Scorer::default();
        scorer.mark(&mark(0, Did::Start { expected, scope }));
        scorer.document(&document(&[before]), at(1));
        if ready {
            scorer.mark(&mark(2, Did::Ready));
        }
        scorer.document(&document(&[before, found]), at(4));
        scorer.mark(&mark(5, Did::Inject));
        scorer.document(&document(&[before, found]), at(6));
        scorer.mark(&mark(7, Did::Conclude));
        scorer.finish().0.remove(0)
    }

    #[test]
    fn what_is_found_during_the_injection_is_an_answer_to_it() {
        let scored = score(true, &[], &[finding("p")]);
        assert_eq!((scored.verdict, scored.diagnosed_at), (Verdict::Right, Some(at(5))));
        assert_eq!(scored.first_evidence_at, Some(at(5)), "before that it was not in force");
    }

    #[test]
    fn what_was_found_before_it_is_none() {
        assert_eq!(score(true, &[finding("p")], &[]).verdict, Verdict::Missed);
    }

    #[test]
    fn a_recording_that_does_not_say_when_it_began_counts_from_its_end() {
        assert_eq!(score(false, &[], &[finding("p")]).verdict, Verdict::Missed);
    }
}
