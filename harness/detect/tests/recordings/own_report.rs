//! A recording of a run scores to the run's own report, field by field.
//!
//! The report stands in the recording's last mark of each drill. Where the two differ, it is said by name and reason in
//! [`KNOWN`]. What is named there and does not differ any more fails, too.

use super::each;
use crate::library::{Played, Recording};
use loopdrill_detect::Scored;
use loopdrill_model::{
    Cause, DetectorResult, DrillMark, DrillReport, FaultId, Gate, LookMode, Loop, Outcome, Timestamp,
};
use loopdrill_observe::record::Entry;
use std::fmt::Debug;

/// Seconds by which times may differ: live, a document counts when the engine had it, in a replay when it was judged.
const DELIVERY: f64 = 0.2;

/// The detector that a recording is of.
const RECORDED: &str = "builtin";

/// Why a replay gives another report than the run did.
#[derive(Clone, Copy, PartialEq)]
enum Why {
    /// The rules have changed since it was recorded, so the same answer is given at another time.
    JudgedOtherwise,
    /// A control drill before version 4: that the nodes are ready left no mark, and its silence counted until they had
    /// been asked for, and not until the detector's time was over.
    ControlWithoutMark,
}

/// The recordings of which a replay gives other times than the run's report. What was said, whether it was right, and
/// how the drill ended is the same in every one.
const KNOWN: &[(&str, Why)] = &[
    ("control-plane-decoy.overload", Why::JudgedOtherwise),
    ("control.churn", Why::ControlWithoutMark),
    ("control.none", Why::ControlWithoutMark),
    ("identity-decoy.bad-flag", Why::JudgedOtherwise),
    ("identity-decoy.liveness-probe", Why::JudgedOtherwise),
    ("identity-decoy.wrong-audience", Why::JudgedOtherwise),
    ("network-decoy.filter", Why::JudgedOtherwise),
    ("network-decoy.loss", Why::JudgedOtherwise),
    ("network-decoy.no-dns", Why::JudgedOtherwise),
    ("network-decoy.no-endpoints", Why::JudgedOtherwise),
    ("network-decoy.slow-backend", Why::JudgedOtherwise),
];

impl Why {
    /// Whether the field may differ for this reason.
    fn explains(self, field: &str) -> bool {
        match self {
            Why::JudgedOtherwise => {
                ["detected at", "attributed at", "lag", "lead", "since injection"].contains(&field)
            }
            Why::ControlWithoutMark => ["manifested", "detected at", "attributed at"].contains(&field),
        }
    }
}

#[test]
fn a_recording_scores_to_the_report_of_its_run() {
    each(|recording| {
        let played = recording.play();
        assert!(!played.scored.is_empty(), "{} has no drill", recording.name);
        // No run of which a recording was kept had a false alarm.
        assert!(played.false_alarms.is_empty(), "{}: {:#?}", recording.name, played.false_alarms);
        let differing = played.scored.iter().flat_map(|scored| {
            let report = report_of(recording, &scored.drill);
            differences(scored, report, answer_of(recording, report))
        });
        check(recording, &played, &differing.collect::<Vec<_>>());
    });
}

fn check(recording: &Recording, played: &Played, differing: &[Difference]) {
    let name = recording.name.as_str();
    let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, why)| *why);
    let unknown: Vec<_> =
        differing.iter().filter(|d| known.is_none_or(|why| !why.explains(d.field))).collect();
    assert!(unknown.is_empty(), "{name} does not score to the report of its run: {unknown:#?}");
    assert!(
        known.is_none() || !differing.is_empty(),
        "{name} scores to the report of its run; it need not be known"
    );
    assert!(known != Some(Why::JudgedOtherwise) || played.differing > 0, "{name} was judged as it is now");
}

fn report_of<'r>(recording: &'r Recording, drill: &FaultId) -> &'r DrillReport {
    let ended = recording.entries.iter().find_map(|entry| match entry {
        Entry::Mark(mark) if mark.drill == *drill => match &mark.what {
            DrillMark::End { report } => Some(report),
            _ => None,
        },
        _ => None,
    });
    ended.unwrap_or_else(|| panic!("{}: the end of {drill} is missing", recording.name))
}

fn answer_of<'r>(recording: &Recording, report: &'r DrillReport) -> &'r DetectorResult {
    // Reports of format 1 before there were rivals do not name their one detector.
    let look = if recording.header.look.is_some() { LookMode::Once } else { LookMode::Live };
    let is_recorded = |r: &&DetectorResult| r.name.ends_with(RECORDED) && r.look == look || r.name.is_empty();
    let answer = report.detectors.iter().find(is_recorded);
    answer.unwrap_or_else(|| panic!("{}: what the detector said is missing", recording.name))
}

/// A field that is not in the report what the replay gives.
#[derive(Debug)]
#[expect(dead_code, reason = "shown when the test fails")]
struct Difference {
    drill: FaultId,
    field: &'static str,
    live: String,
    replayed: String,
}

fn differences(scored: &Scored, report: &DrillReport, live: &DetectorResult) -> Vec<Difference> {
    let replayed = &scored.result;
    let mut differing = Vec::new();
    let mut compare = |field, is_same: bool, live: &dyn Debug, replayed: &dyn Debug| {
        if !is_same {
            let (live, replayed) = (format!("{live:?}"), format!("{replayed:?}"));
            differing.push(Difference { drill: scored.drill.clone(), field, live, replayed });
        }
    };
    for (field, live, replayed) in [
        ("injected", report.injected_at(), scored.injected_at),
        ("manifested", report.manifested_at(), scored.manifested_at),
        ("detected at", live.detected.at, replayed.detected.at),
        ("attributed at", live.attributed.at, replayed.attributed.at),
    ] {
        compare(field, is_same(seconds(live), seconds(replayed)), &live, &replayed);
    }
    for (field, live, replayed) in [
        ("lag", live.lag, replayed.lag),
        ("lead", live.lead, replayed.lead),
        ("since injection", live.since_injection, replayed.since_injection),
        ("took", live.took, replayed.took),
    ] {
        compare(field, is_same(live, replayed), &live, &replayed);
    }
    for (field, live, replayed) in [
        ("detected", live.detected.ok, replayed.detected.ok),
        ("attributed", live.attributed.ok, replayed.attributed.ok),
        // A victim that is well again is not enough: the alarm must have gone. Who looked once does not see that.
        (
            "recovered",
            report.gate(Gate::Recovered).ok,
            scored.alarms_left.is_empty() || replayed.look == LookMode::Once,
        ),
    ] {
        compare(field, live == replayed, &live, &replayed);
    }
    let (said, says) = (blamed(live), blamed(replayed));
    compare("findings", said == says, &said, &says);
    let outcome = outcome(report, replayed);
    compare("outcome", report.outcome == outcome, &report.outcome, &outcome);
    differing
}

/// How the drill ends with what the replay gives in the place of what the detector said.
fn outcome(report: &DrillReport, replayed: &DetectorResult) -> Outcome {
    let replayed = DrillReport { detectors: vec![replayed.clone()], ..report.clone() };
    replayed.judged(report.outcome == Outcome::Resilient)
}

fn blamed(result: &DetectorResult) -> Vec<(Loop, Option<Cause>)> {
    result.findings().map(|d| (d.control_loop, d.cause)).collect()
}

fn seconds(at: Option<Timestamp>) -> Option<f64> {
    at.map(|at| at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64())
}

fn is_same(live: Option<f64>, replayed: Option<f64>) -> bool {
    match (live, replayed) {
        (Some(live), Some(replayed)) => (live - replayed).abs() <= DELIVERY,
        (live, replayed) => live == replayed,
    }
}
