//! What a run of suites must come to.

use crate::{Expected, Known, Selected, Suite, judge};
use jiff::civil::Date;
use loopdrill_model::{Acceptance, DrillReport, FaultId};

/// The drills of one or more suites, and how each must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// The names of the suites.
    pub suites: Vec<String>,
    /// Whether an unexpected skip is a failure.
    pub require: bool,
    /// The day on which exceptions are judged.
    pub today: Date,
    expected: Vec<Selected>,
}

/// Suites that cannot be run at once.
#[derive(Debug, thiserror::Error)]
#[error("{first} and {second} cannot be run at once: {why}; run them one after the other")]
pub struct Unlike {
    first: String,
    second: String,
    why: String,
}

impl Ends {
    /// What all of `suites` want. They have one cluster, one set of detectors and one set of budgets.
    ///
    /// # Errors
    /// When two of them want something different of the run or of a drill.
    pub fn of(suites: &[Suite], known: &[Known], today: Date) -> Result<Self, Unlike> {
        let require = suites.first().is_none_or(Suite::requires);
        let mut ends = Self { suites: Vec::new(), require, today, expected: Vec::new() };
        for suite in suites {
            let unlike = |why: String| Unlike {
                first: suites.first().map_or_else(String::new, |s| s.name.clone()),
                second: suite.name.clone(),
                why,
            };
            suites.first().and_then(|first| first.differs(suite)).map_or(Ok(()), |why| Err(unlike(why)))?;
            for selected in suite.select(known) {
                match ends.expected_of(&selected.drill.id) {
                    Some(before) if *before != selected.expected => {
                        return Err(unlike(format!("{} must end differently in them", selected.drill.id)));
                    }
                    Some(_) => {}
                    None => ends.expected.push(selected),
                }
            }
            ends.suites.push(suite.name.clone());
        }
        Ok(ends)
    }

    /// The drills, in the order in which the suites name them.
    pub fn drills(&self) -> impl Iterator<Item = &FaultId> {
        self.expected.iter().map(|s| &s.drill.id)
    }

    fn expected_of(&self, drill: &FaultId) -> Option<&Expected> {
        self.expected.iter().find(|s| s.drill.id == *drill).map(|s| &s.expected)
    }

    /// Whether a drill ended as it is wanted; one that no suite names must end well.
    #[must_use]
    pub fn hold(&self, report: &DrillReport) -> Acceptance {
        let well = Expected::default();
        judge(self.expected_of(&report.id()).unwrap_or(&well), report, self.require, self.today)
    }
}

impl Suite {
    /// What two suites of one run may not have different.
    fn differs(&self, other: &Self) -> Option<String> {
        let same = [
            ("target", self.target == other.target),
            ("detectors", self.detectors == other.detectors),
            ("budgets", self.budgets == other.budgets),
            ("require", self.requires() == other.requires()),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(what, _)| format!("their `{what}` differ"))
    }
}
