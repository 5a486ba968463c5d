//! Findings that nothing explains: false alarms. The one definition, for a live run and for the replay of its recording.

use loopdrill_model::Diagnosis;

/// One detector's false alarms: each finding once.
#[derive(Debug, Default)]
pub(crate) struct FalseAlarms {
    /// Those that were found false, and those that were there before anything was touched, as they were seen last.
    known: Vec<Diagnosis>,
    /// Right when they came up, and there ever since.
    lingering: Vec<Diagnosis>,
    found: Vec<Diagnosis>,
}

impl FalseAlarms {
    /// What was there before anything was touched is the cluster's own trouble.
    pub(crate) fn tolerate(&mut self, present: &[Diagnosis]) {
        for finding in present {
            self.is_new(finding);
        }
    }

    /// Sorts out what nothing explains now. An alarm that was right and has not gone yet is late, and not false; one that
    /// comes back is.
    pub(crate) fn judge(&mut self, present: &[Diagnosis], explained: impl Fn(&Diagnosis) -> bool) {
        let mut lingering = Vec::new();
        for finding in present {
            if explained(finding) || finding.is_among(&self.lingering) {
                lingering.push(finding.clone());
            } else if self.is_new(finding) {
                self.found.push(finding.clone());
            }
        }
        self.lingering = lingering;
    }

    /// The false alarms so far, as they came up.
    pub(crate) fn found(&self) -> &[Diagnosis] {
        &self.found
    }

    /// Whether a finding was not known, and knows it from now on as it is now: it may grow into another one's place.
    fn is_new(&mut self, finding: &Diagnosis) -> bool {
        match self.known.iter_mut().find(|known| known.is_same_finding(finding)) {
            Some(known) => {
                known.clone_from(finding);
                false
            }
            None => {
                self.known.push(finding.clone());
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::{Cause, Loop, Subject, Timestamp};

    fn about(names: &[&str]) -> Diagnosis {
        Diagnosis {
            control_loop: Loop::Network,
            cause: Some(Cause::OverlayMtu),
            subjects: names.iter().map(|name| Subject::new("Pod", "n", *name)).collect(),
            confidence: 0.9,
            evidence: Vec::new(),
            chain: Vec::new(),
            first_evidence_at: Timestamp::UNIX_EPOCH,
            diagnosed_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn names(false_alarms: &FalseAlarms) -> Vec<&str> {
        false_alarms.found().iter().map(|d| d.subjects[0].name.as_str()).collect()
    }

    #[test]
    fn what_nothing_explains_is_false_once_and_what_was_there_before_is_not() {
        let mut false_alarms = FalseAlarms::default();
        false_alarms.tolerate(&[about(&["old"])]);
        let present = ["old", "mine", "new"].map(|name| about(&[name]));
        for _ in 0..2 {
            false_alarms.judge(&present, |d| d.subjects[0].name == "mine");
        }
        assert_eq!(names(&false_alarms), ["new"]);
    }

    #[test]
    fn an_alarm_that_grows_and_shrinks_is_one() {
        let mut false_alarms = FalseAlarms::default();
        for names in [&["a"][..], &["a", "b"], &["b"]] {
            false_alarms.judge(&[about(names)], |_| false);
        }
        assert_eq!(names(&false_alarms), ["a"]);
    }

    #[test]
    fn an_alarm_that_was_right_may_outlive_its_reason_and_not_come_back() {
        let mut false_alarms = FalseAlarms::default();
        let late = [about(&["late"])];
        false_alarms.judge(&[about(&["late", "more"])], |_| true);
        false_alarms.judge(&late, |_| false);
        false_alarms.judge(&late, |_| false);
        assert!(names(&false_alarms).is_empty());
        false_alarms.judge(&[], |_| false);
        false_alarms.judge(&late, |_| false);
        assert_eq!(names(&false_alarms), ["late"]);
    }
}
