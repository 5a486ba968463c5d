//! Whether a drill ended as somebody wants it: what a suite says of its end, beside how it ended.

use crate::{DrillReport, ExitStatus};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The end that was wanted of a drill, and whether it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The wanted end in words, for example `failed(detected)`.
    pub wanted: String,
    /// Why a failure or a skip is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last day on which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Whether it came.
    pub verdict: Verdict,
}

/// Whether a drill ended as it was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It did: noticed and blamed rightly, resilient, or skipped where nobody insists.
    AsWanted,
    /// It ended badly or was skipped, and that is accepted.
    Accepted,
    /// It ended better than an exception allows; the exception can go.
    Better,
    /// It did not.
    Otherwise,
    /// It ended as an exception allowed, and the exception is over.
    Expired,
}

impl Acceptance {
    /// What is to be said of a drill that ended so; nothing where it ended well and as it was wanted.
    #[must_use]
    pub fn told(&self, outcome: &crate::Outcome) -> Option<String> {
        let because = self.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
        let until = self.until.map(|day| format!(" until {day}")).unwrap_or_default();
        match self.verdict {
            Verdict::AsWanted => None,
            Verdict::Accepted => Some(format!("accepted{until}{because}")),
            Verdict::Better => Some(format!(
                "better than the suite expects ({}): its exception can go{because}",
                self.wanted
            )),
            Verdict::Otherwise => Some(format!("{outcome}, and {} is wanted", self.wanted)),
            Verdict::Expired => Some(format!("its exception is over, it held{until}{because}")),
        }
    }
}

impl DrillReport {
    /// What the drill means for the exit code: its outcome, held against the end that a suite wants where one does.
    #[must_use]
    pub fn exit(&self, require: bool) -> ExitStatus {
        match self.acceptance.as_ref().map(|a| a.verdict) {
            None => self.outcome.exit(require),
            Some(Verdict::AsWanted | Verdict::Accepted | Verdict::Better) => ExitStatus::Ready,
            Some(Verdict::Otherwise | Verdict::Expired) => {
                self.outcome.exit(require).worst(ExitStatus::NotReady)
            }
        }
    }
}

/// Whether drills prove anything: one of them ended well, and it is not the control drill unless that was all.
#[must_use]
pub fn is_proof(drills: &[DrillReport]) -> bool {
    let mut well = drills.iter().filter(|d| d.outcome.is_good());
    let only_control = drills.iter().all(DrillReport::is_control);
    well.any(|d| only_control || !d.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Capability, Expectation, FaultId, Gate, Outcome};

    fn drill(fault: &str, outcome: Outcome) -> DrillReport {
        DrillReport::new(&FaultId::new(fault, "v"), Expectation::default()).ended(outcome, None)
    }

    fn accepted(verdict: Verdict, outcome: Outcome) -> DrillReport {
        let wanted = "failed(detected)".into();
        let acceptance = Some(Acceptance { wanted, reason: None, until: None, verdict });
        DrillReport { acceptance, ..drill("f", outcome) }
    }

    #[test]
    fn an_accepted_end_is_ready_and_an_expired_one_is_not() {
        let gap = || Outcome::Failed(Gate::Detected);
        assert_eq!(accepted(Verdict::Accepted, gap()).exit(true), ExitStatus::Ready);
        assert_eq!(accepted(Verdict::Better, Outcome::Passed).exit(true), ExitStatus::Ready);
        assert_eq!(accepted(Verdict::Expired, gap()).exit(true), ExitStatus::NotReady);
        assert_eq!(accepted(Verdict::Otherwise, Outcome::Passed).exit(true), ExitStatus::NotReady);
        let left = accepted(Verdict::Otherwise, Outcome::CleanupFailed);
        assert_eq!(left.exit(true), ExitStatus::CleanupFailed, "nothing hides what is worse");
        assert_eq!(drill("f", gap()).exit(false), ExitStatus::NotReady);
    }

    #[test]
    fn skips_known_gaps_and_silence_alone_prove_nothing() {
        let skip = || drill("f", Outcome::Skipped(Capability::TwoZones));
        let control = || drill("control", Outcome::Passed);
        assert!(!is_proof(&[]));
        assert!(!is_proof(&[skip(), accepted(Verdict::Accepted, Outcome::Failed(Gate::Detected))]));
        assert!(!is_proof(&[control(), skip()]), "a fault was asked for, and none was drilled");
        assert!(is_proof(&[control()]), "silence was all that was asked for");
        assert!(is_proof(&[skip(), drill("f", Outcome::Resilient)]));
    }

    #[test]
    fn what_is_told_names_date_and_reason() {
        let gap = Acceptance {
            wanted: "failed(detected)".into(),
            reason: Some("no probe yet".into()),
            until: Some(jiff::civil::date(2027, 1, 31)),
            verdict: Verdict::Accepted,
        };
        let told = |verdict, outcome| Acceptance { verdict, ..gap.clone() }.told(&outcome);
        let failed = || Outcome::Failed(Gate::Detected);
        assert_eq!(
            told(Verdict::Accepted, failed()).expect("a telling"),
            "accepted until 2027-01-31: no probe yet"
        );
        assert_eq!(
            told(Verdict::Expired, failed()).expect("a telling"),
            "its exception is over, it held until 2027-01-31: no probe yet"
        );
        assert_eq!(told(Verdict::AsWanted, Outcome::Passed), None);
    }
}
