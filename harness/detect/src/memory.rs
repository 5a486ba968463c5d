//! Since when a finding is there. Attribution has no memory of its own answers; a detector must have one, so
//! that a finding keeps the time of its first diagnosis for as long as it lasts.

use loopdrill_model::{Diagnosis, Timestamp};

/// Seconds for which a finding may be absent and still be the same one.
const GAP: f64 = 3.0;

/// The findings of the last seconds.
#[derive(Debug)]
pub(crate) struct Memory {
    known: Vec<Known>,
    gap: f64,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_gap(GAP)
    }
}

#[derive(Debug)]
struct Known {
    finding: Diagnosis,
    seen_at: Timestamp,
}

impl Memory {
    /// A memory that bridges gaps of so many seconds.
    pub(crate) fn with_gap(gap: f64) -> Self {
        Self { known: Vec::new(), gap }
    }

    /// Gives each finding the times at which it was first seen and diagnosed.
    pub(crate) fn stamp(&mut self, mut present: Vec<Diagnosis>, now: Timestamp) -> Vec<Diagnosis> {
        for finding in &mut present {
            finding.diagnosed_at = now;
            if let Some(known) = self.known.iter().find(|k| k.finding.is_same_finding(finding)) {
                finding.diagnosed_at = known.finding.diagnosed_at;
                finding.first_evidence_at = finding.first_evidence_at.min(known.finding.first_evidence_at);
            }
        }
        let gap = self.gap;
        let absent = |k: &Known| {
            now.duration_since(k.seen_at).as_secs_f64() < gap
                && !present.iter().any(|p| k.finding.is_same_finding(p))
        };
        self.known.retain(absent);
        self.known.extend(present.iter().map(|p| Known { finding: p.clone(), seen_at: now }));
        present
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Cause, Loop, Subject};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn finding(names: &[&str], first: i64) -> Diagnosis {
        Diagnosis {
            control_loop: Loop::Compute,
            cause: Some(Cause::Fragmentation),
            subjects: names.iter().map(|n| Subject::new("Pod", "n", *n)).collect(),
            confidence: 0.9,
            evidence: Vec::new(),
            chain: Vec::new(),
            first_evidence_at: at(first),
            diagnosed_at: at(first),
        }
    }

    #[test]
    fn a_finding_keeps_its_times_while_it_lasts_and_grows() {
        let mut memory = Memory::default();
        memory.stamp(vec![finding(&["a"], 0)], at(1));
        let now = memory.stamp(vec![finding(&["a", "b"], 5)], at(6));
        assert_eq!((now[0].diagnosed_at, now[0].first_evidence_at), (at(1), at(0)));
    }

    #[test]
    fn a_short_gap_is_bridged_and_a_long_one_is_not() {
        let mut memory = Memory::default();
        memory.stamp(vec![finding(&["a"], 0)], at(1));
        memory.stamp(vec![], at(2));
        assert_eq!(memory.stamp(vec![finding(&["a"], 2)], at(3))[0].diagnosed_at, at(1));
        memory.stamp(vec![], at(10));
        assert_eq!(memory.stamp(vec![finding(&["a"], 11)], at(12))[0].diagnosed_at, at(12));
    }

    #[test]
    fn another_subject_is_another_finding() {
        let mut memory = Memory::default();
        memory.stamp(vec![finding(&["a"], 0)], at(1));
        assert_eq!(memory.stamp(vec![finding(&["b"], 5)], at(6))[0].diagnosed_at, at(6));
    }
}
