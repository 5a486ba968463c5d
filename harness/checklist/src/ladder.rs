//! The maturity ladder: which stage the checks show, and the next three steps.
//!
//! The rule: a stage is reached when all of its checks, and those of the stages below it, hold. A check holds when it
//! passes, warns, or has nothing to judge. One that could not be judged, for want of access, does not hold: what was not
//! seen is not shown. Which check belongs to which stage is said where the check is declared:
//!
//! - **Operational**: what runs is counted, probed and watched, and no door stands open.
//! - **Architectural**: guardrails; the loss of a node or a zone, and a drain, are planned for.
//! - **Platform**: everything, also the control plane's own health, and alerts in time.

use crate::check::{Results, Severity, Stage, Status};
use crate::checks;
use serde::{Deserialize, Serialize};

/// Where a cluster is, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// The stage that the checks show.
    pub stage: Stage,
    /// The next steps: checks that do not hold, those of the next stage first, worst first.
    pub next: Vec<String>,
}

/// Whether these results are about a whole cluster, so that they have a place on the ladder.
#[must_use]
pub fn has_place(results: &Results, snapshot: &crate::Snapshot) -> bool {
    !snapshot.is_manifests() && results.checks.len() == checks::all().count()
}

/// Places results on the ladder. Checks that were left out do not hold.
#[must_use]
pub fn place(results: &Results) -> Ladder {
    let holds = |id: &str| {
        results.get(id).is_some_and(|r| match r.status {
            Status::Pass | Status::Warn => true,
            Status::Skip => !r.blind,
            Status::Fail => false,
        })
    };
    let mut open: Vec<(Stage, bool, std::cmp::Reverse<Severity>, &str)> = checks::all()
        .filter(|c| !holds(c.id))
        .map(|c| {
            let failed = results.get(c.id).is_some_and(|r| r.status == Status::Fail);
            (c.stage, !failed, std::cmp::Reverse(c.severity), c.id)
        })
        .collect();
    open.sort();
    let stage = match open.first().map(|o| o.0) {
        None => Stage::Platform,
        Some(Stage::Platform) => Stage::Architectural,
        Some(Stage::Architectural) => Stage::Operational,
        Some(_) => Stage::Reactive,
    };
    Ladder { stage, next: open.iter().take(3).map(|o| o.3.to_string()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::results;

    fn with(changed: &[(&str, Status)]) -> Results {
        let mut all = results(&checks::all().map(|c| (c.id, Status::Pass)).collect::<Vec<_>>());
        for (id, status) in changed {
            let check = all.checks.iter_mut().find(|c| c.id == *id).expect("a check");
            check.status = *status;
        }
        all
    }

    #[test]
    fn the_lowest_stage_with_an_open_check_decides() {
        assert_eq!(place(&with(&[])), Ladder { stage: Stage::Platform, next: vec![] });
        assert_eq!(place(&with(&[("CP-01", Status::Warn)])).stage, Stage::Platform);
        assert_eq!(place(&with(&[("CP-01", Status::Fail)])).stage, Stage::Architectural);
        assert_eq!(place(&with(&[("CO-04", Status::Fail)])).stage, Stage::Operational);
        let reactive = place(&with(&[
            ("CP-01", Status::Fail),
            ("NE-01", Status::Fail),
            ("ID-01", Status::Fail),
            ("CO-04", Status::Fail),
        ]));
        assert_eq!(
            reactive,
            Ladder { stage: Stage::Reactive, next: vec!["ID-01".into(), "NE-01".into(), "CO-04".into()] }
        );
    }

    #[test]
    fn what_was_not_seen_is_not_shown() {
        let mut blind = with(&[("NE-03", Status::Skip)]);
        assert_eq!(place(&blind).stage, Stage::Platform, "nothing to judge");
        blind.checks.iter_mut().for_each(|c| c.blind = c.id == "NE-03");
        assert_eq!(place(&blind).stage, Stage::Operational, "no access");
        assert_eq!(place(&results(&[])).stage, Stage::Reactive);
    }
}
