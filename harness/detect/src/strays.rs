//! Findings that nothing explains: false alarms.

use loopdrill_model::{Cause, Diagnosis, Loop, Subject};
use std::collections::BTreeSet;

/// What makes a finding the same finding.
pub type Key = (Loop, Option<Cause>, Vec<String>);

/// The [`Key`] of a finding.
#[must_use]
pub fn key(d: &Diagnosis) -> Key {
    (d.control_loop, d.cause, d.subjects.iter().map(ToString::to_string).collect())
}

/// Whether it is a cloud role whose name, the last part of its ARN, is one of these.
#[must_use]
pub fn is_role(subject: &Subject, one_of: impl Fn(&str) -> bool) -> bool {
    subject.kind == "CloudRole" && subject.name.rsplit('/').next().is_some_and(one_of)
}

/// One detector's false alarms: each finding once.
#[derive(Debug, Default)]
pub struct Strays {
    known: BTreeSet<Key>,
    /// Right when they came up, and there ever since.
    lingering: BTreeSet<Key>,
    found: Vec<Diagnosis>,
}

impl Strays {
    /// What was there before anything was touched is the cluster's own trouble.
    pub fn tolerate(&mut self, present: &[Diagnosis]) {
        self.known.extend(present.iter().map(key));
    }

    /// Sorts out what nothing explains now. An alarm that was right and has not gone yet is late, and not false; one that
    /// comes back is.
    pub fn judge(&mut self, present: &[Diagnosis], explained: impl Fn(&Diagnosis) -> bool) {
        let mut lingering = BTreeSet::new();
        for d in present {
            let key = key(d);
            if explained(d) || self.lingering.contains(&key) {
                lingering.insert(key);
            } else if self.known.insert(key) {
                self.found.push(d.clone());
            }
        }
        self.lingering = lingering;
    }

    /// The false alarms so far.
    #[must_use]
    pub fn found(&self) -> &[Diagnosis] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::Timestamp;

    fn finding(name: &str) -> Diagnosis {
        Diagnosis {
            control_loop: Loop::Network,
            cause: Some(Cause::OverlayMtu),
            subjects: vec![Subject::new("Pod", "n", name)],
            confidence: 0.9,
            evidence: Vec::new(),
            chain: Vec::new(),
            first_evidence_at: Timestamp::UNIX_EPOCH,
            diagnosed_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn names(strays: &Strays) -> Vec<&str> {
        strays.found().iter().map(|d| d.subjects[0].name.as_str()).collect()
    }

    #[test]
    fn what_nothing_explains_is_a_stray_once_and_what_was_there_before_is_none() {
        let mut strays = Strays::default();
        strays.tolerate(&[finding("old")]);
        let present = ["old", "mine", "new"].map(finding);
        for _ in 0..2 {
            strays.judge(&present, |d| d.subjects[0].name == "mine");
        }
        assert_eq!(names(&strays), ["new"]);
    }

    #[test]
    fn an_alarm_that_was_right_may_outlive_its_reason_and_not_come_back() {
        let mut strays = Strays::default();
        strays.judge(&[finding("late")], |_| true);
        strays.judge(&[finding("late")], |_| false);
        strays.judge(&[finding("late")], |_| false);
        assert!(names(&strays).is_empty());
        strays.judge(&[], |_| false);
        strays.judge(&[finding("late")], |_| false);
        assert_eq!(names(&strays), ["late"]);
    }
}
