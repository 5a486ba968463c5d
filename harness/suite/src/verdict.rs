//! Whether drills ended as their suite wants it.

use crate::{Expected, Wanted, expected::name};
use jiff::civil::Date;
use loopdrill_model::{Acceptance, DrillReport, ExitStatus, Gate, Outcome, Verdict};

/// Whether a drill ended as it is wanted on the day `today`. `require` makes an unexpected skip a failure.
#[must_use]
pub fn judge(expected: &Expected, report: &DrillReport, require: bool, today: Date) -> Acceptance {
    Acceptance {
        wanted: words(expected.wanted),
        reason: expected.reason.clone(),
        until: expected.until,
        verdict: verdict(expected, report, require, today),
    }
}

fn verdict(expected: &Expected, report: &DrillReport, require: bool, today: Date) -> Verdict {
    let outcome = &report.outcome;
    let is_as_wanted = match expected.wanted {
        // That a cluster did not admit a drill is told by its exit code, whether somebody insists or not.
        Wanted::Ready => {
            let is_skip = matches!(outcome, Outcome::Skipped(_));
            outcome.is_good() || is_skip && outcome.exit(require) == ExitStatus::Ready
        }
        Wanted::Passed => matches!(outcome, Outcome::Passed),
        Wanted::Resilient => matches!(outcome, Outcome::Resilient),
        Wanted::Skipped(lack) => matches!(outcome, Outcome::Skipped(c) if name(c) == lack),
        // A detector may be blind to a fault for a while; a victim that stays ill is another matter.
        Wanted::Fails(gate) => {
            *outcome == Outcome::Failed(gate) && (gate == Gate::Recovered || report.gates.recovered.ok)
        }
    };
    let is_exception = matches!(expected.wanted, Wanted::Skipped(_) | Wanted::Fails(_));
    match (is_as_wanted, expected.until.is_some_and(|until| until < today)) {
        (true, true) => Verdict::Expired,
        (true, false) if is_exception => Verdict::Accepted,
        (true, false) => Verdict::AsWanted,
        (false, _) if outcome.is_good() && is_exception => Verdict::Better,
        (false, _) => Verdict::Otherwise,
    }
}

fn words(wanted: Wanted) -> String {
    match wanted {
        Wanted::Ready => "passed or resilient".into(),
        Wanted::Passed => "passed".into(),
        Wanted::Resilient => "resilient".into(),
        Wanted::Skipped(lack) => format!("skipped ({lack})"),
        Wanted::Fails(gate) => format!("failed({gate})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use loopdrill_model::{Capability, Expectation, FaultId};

    const TODAY: Date = date(2026, 11, 28);

    fn ended(outcome: Outcome, recovered: bool) -> DrillReport {
        let mut report = DrillReport::new(&FaultId::new("f", "v"), Expectation::default());
        report.gates.recovered.ok = recovered;
        report.ended(outcome, None)
    }

    fn on(wanted: Wanted, outcome: &Outcome, today: Date) -> Verdict {
        let expected = Expected { wanted, reason: Some("known".into()), until: Some(TODAY) };
        judge(&expected, &ended(outcome.clone(), true), true, today).verdict
    }

    fn verdict(wanted: Wanted, outcome: &Outcome) -> Verdict {
        on(wanted, outcome, TODAY)
    }

    #[test]
    fn a_known_gap_is_accepted_until_its_last_day_and_not_after_it() {
        let gap = Outcome::Failed(Gate::Detected);
        assert_eq!(verdict(Wanted::Fails(Gate::Detected), &gap), Verdict::Accepted);
        assert_eq!(on(Wanted::Fails(Gate::Detected), &gap, date(2026, 11, 29)), Verdict::Expired);
    }

    #[test]
    fn another_failure_than_the_known_one_is_none_that_is_accepted() {
        for other in [Outcome::Failed(Gate::Recovered), Outcome::CleanupFailed, Outcome::NotInjected] {
            assert_eq!(verdict(Wanted::Fails(Gate::Detected), &other), Verdict::Otherwise, "{other}");
        }
        let expected = Expected { wanted: Wanted::Fails(Gate::Detected), ..Expected::default() };
        let ill = ended(Outcome::Failed(Gate::Detected), false);
        assert_eq!(
            judge(&expected, &ill, true, TODAY).verdict,
            Verdict::Otherwise,
            "it did not recover either"
        );
    }

    #[test]
    fn a_gap_that_has_closed_is_better_and_no_failure() {
        assert_eq!(verdict(Wanted::Fails(Gate::Detected), &Outcome::Passed), Verdict::Better);
    }

    #[test]
    fn a_skip_is_accepted_for_its_own_reason_alone() {
        let skip = Outcome::Skipped(Capability::WorkerNodes(2));
        assert_eq!(verdict(Wanted::Skipped("worker-nodes"), &skip), Verdict::Accepted);
        assert_eq!(verdict(Wanted::Skipped("two-zones"), &skip), Verdict::Otherwise);
        assert_eq!(verdict(Wanted::Ready, &skip), Verdict::Otherwise);
        let skipped = ended(skip, false);
        assert_eq!(judge(&Expected::default(), &skipped, false, TODAY).verdict, Verdict::AsWanted);
    }

    #[test]
    fn passed_and_resilient_are_not_the_same() {
        assert_eq!(verdict(Wanted::Resilient, &Outcome::Passed), Verdict::Otherwise);
        assert_eq!(verdict(Wanted::Passed, &Outcome::Resilient), Verdict::Otherwise);
        assert_eq!(verdict(Wanted::Ready, &Outcome::Resilient), Verdict::AsWanted);
    }
}
