//! What a pipeline's gate made of a run.

use crate::ExitStatus;
use serde::{Deserialize, Serialize};

/// The verdict of a gate, with all that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The gate's name.
    pub gate: String,
    /// What is to be said, what is worst first.
    pub findings: Vec<Finding>,
    /// How the process ends.
    pub exit: ExitStatus,
}

/// One thing that a gate has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Of what kind it is.
    pub kind: Kind,
    /// What it is about: a drill, a check, or the run.
    pub about: String,
    /// In a sentence.
    pub what: String,
    /// What it means for the exit code.
    pub exit: ExitStatus,
}

/// The kinds of what a gate has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something was left behind, or the run broke.
    Leftover,
    /// Nothing was proven.
    NothingProven,
    /// It was better in the baseline.
    Regression,
    /// A drill did not end as it is wanted.
    Drill,
    /// A drill that is wanted was not run.
    NotRun,
    /// An exception is over.
    Expired,
    /// The detector took too long.
    Slow,
    /// Findings that belong to no drill.
    FalseAlarms,
    /// A check of the readiness checklist fails.
    Check,
    /// It is better than in the baseline.
    Improvement,
    /// An exception covers nothing any more.
    Closed,
    /// An exception covers it.
    Accepted,
}

impl Kind {
    /// The word for it in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Leftover => "leftover",
            Kind::NothingProven => "nothing-proven",
            Kind::Regression => "regression",
            Kind::Drill => "drill",
            Kind::NotRun => "not-run",
            Kind::Expired => "expired",
            Kind::Slow => "slow",
            Kind::FalseAlarms => "false-alarms",
            Kind::Check => "check",
            Kind::Improvement => "improvement",
            Kind::Closed => "closed",
            Kind::Accepted => "accepted",
        }
    }
}

impl Finding {
    /// Whether the gate stays closed for it.
    #[must_use]
    pub fn is_red(&self) -> bool {
        self.exit != ExitStatus::Ready
    }
}

impl Judgement {
    /// The verdict on these findings.
    #[must_use]
    pub fn new(gate: impl Into<String>, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|f| (std::cmp::Reverse(f.exit), f.kind));
        let exit = findings.iter().map(|f| f.exit).fold(ExitStatus::Ready, ExitStatus::worst);
        Self { gate: gate.into(), findings, exit }
    }

    /// In one line.
    #[must_use]
    pub fn verdict(&self) -> String {
        let red = self.findings.iter().filter(|f| f.is_red()).count();
        let code = self.exit.code();
        match red {
            0 => format!("gate {}: open (exit code {code})", self.gate),
            1 => format!("gate {}: closed for 1 reason (exit code {code})", self.gate),
            _ => format!("gate {}: closed for {red} reasons (exit code {code})", self.gate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_comes_first() {
        let finding = |kind, exit| Finding { kind, about: "a".into(), what: "b".into(), exit };
        let judged = Judgement::new(
            "g",
            vec![
                finding(Kind::Accepted, ExitStatus::Ready),
                finding(Kind::Regression, ExitStatus::NotReady),
                finding(Kind::Leftover, ExitStatus::CleanupFailed),
            ],
        );
        assert_eq!(judged.exit, ExitStatus::CleanupFailed);
        assert_eq!(judged.findings[0].kind, Kind::Leftover);
        assert_eq!(judged.verdict(), "gate g: closed for 2 reasons (exit code 5)");
        assert_eq!(Judgement::new("g", vec![]).exit, ExitStatus::Ready);
        for kind in [Kind::NothingProven, Kind::FalseAlarms, Kind::NotRun] {
            assert_eq!(serde_json::to_value(kind).expect("plain enum"), kind.name());
        }
    }
}
