//! The report that follows from a stream of events. A stream that broke off gives one, too: what had ended has ended, the
//! rest is no verdict, and what it touched may be left.

use loopdrill_model::{DrillReport, Event, EventKind, ExitStatus, Expectation, FaultId, RunReport};

/// The report of the run that these events tell of. `None` where it did not even begin.
#[must_use]
pub fn gather(events: &[Event]) -> Option<RunReport> {
    let whole = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RunFinished { report } => Some((**report).clone()),
        _ => None,
    });
    whole.or_else(|| broken_off(events))
}

fn broken_off(events: &[Event]) -> Option<RunReport> {
    let (first, last) = (events.first()?, events.last()?);
    let EventKind::RunStarted { run, drills, detector, .. } = &first.kind else { return None };
    let deciding = detector.split(',').next().unwrap_or_default();
    let mut report = RunReport::new(run, deciding, first.at).ended(ExitStatus::CleanupFailed);
    report.ended_at = last.at;
    report.trouble =
        vec!["the stream ends before the run did: what it changed may be left; run `loopdrill undo`".into()];
    for event in events {
        match &event.kind {
            EventKind::ClusterReady { cluster, versions, capabilities } => {
                report.cluster.clone_from(cluster);
                report.versions = versions.clone();
                report.capabilities.clone_from(capabilities);
            }
            EventKind::DrillFinished { report: drill } => report.drills.push((**drill).clone()),
            _ => {}
        }
    }
    let over: Vec<FaultId> = report.drills.iter().map(DrillReport::id).collect();
    let rest = drills.iter().filter(|id| !over.contains(id));
    report.drills.extend(rest.map(|id| unfinished(id, events)));
    Some(report)
}

/// A drill that had not ended: what its gates answered until then, and no verdict.
fn unfinished(id: &FaultId, events: &[Event]) -> DrillReport {
    let mut drill = DrillReport::new(id, Expectation::default());
    drill.error = Some("the run broke off before this drill had ended".into());
    for event in events.iter().filter(|e| e.drill.as_ref() == Some(id)) {
        match &event.kind {
            EventKind::DrillStarted { expectation, .. } => {
                drill.started_at = Some(event.at);
                drill.expectation = expectation.clone().unwrap_or_default();
            }
            EventKind::GateAnswered { gate, result } => {
                if let Some(own) = drill.gates.get_mut(*gate) {
                    own.clone_from(result);
                }
            }
            EventKind::UndoFinished { error: None } => drill.undone_at = Some(event.at),
            _ => {}
        }
    }
    drill
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use jiff::SignedDuration;
    use loopdrill_model::Outcome;

    #[test]
    fn the_last_event_is_the_report() {
        let report = sample::run();
        assert_eq!(gather(&sample::events(&report)), Some(report));
        assert_eq!(gather(&[]), None);
    }

    proptest::proptest! {
        /// Whatever the clock and the confidences were, the stream has all that the reports had, to the last byte.
        #[test]
        fn reports_made_again_are_the_same_to_the_byte(nanos in 1..i64::MAX / 1_000_000, a in 0.0..1.0f64, b in 0.0..1.0f64) {
            let mut report = sample::with_rival();
            for result in report.drills.iter_mut().flat_map(|d| &mut d.detectors) {
                result.lag = result.lag.map(|_| loopdrill_model::seconds(SignedDuration::from_nanos(nanos)));
                result.lead = result.lead.map(|_| -loopdrill_model::seconds(SignedDuration::from_nanos(nanos / 3)));
                result.diagnosis.iter_mut().for_each(|d| d.confidence = a * b);
            }
            let lines = sample::events(&report).iter().map(|e| serde_json::to_string(e).expect("an event")).collect::<Vec<_>>();
            let events = lines.iter().map(|line| serde_json::from_str(line).expect("an event")).collect::<Vec<Event>>();
            let again = gather(&events).expect("a run");
            let all = |of: &RunReport| {
                let page = crate::html(of, &crate::Beside::default());
                let texts = (crate::report_json(of).expect("JSON"), crate::junit_xml(of).expect("XML"));
                (texts, crate::markdown(of), crate::prometheus(of), page)
            };
            proptest::prop_assert_eq!(all(&report), all(&again));
        }
    }

    #[test]
    fn a_stream_that_broke_off_tells_what_had_ended_and_is_no_verdict() {
        let mut report = sample::run();
        report.drills.truncate(2);
        let events = sample::events(&report);
        let second = report.drills[1].id();
        let cut: Vec<_> = events
            .into_iter()
            .take_while(|e| !matches!(&e.kind, EventKind::DrillFinished { report } if report.id() == second))
            .collect();
        let gathered = gather(&cut).expect("it began");
        assert_eq!(gathered.exit_code, 5);
        assert_eq!(gathered.drills[0], report.drills[0]);
        assert_eq!(gathered.drills[1].outcome, Outcome::Errored);
        assert!(gathered.drills[1].gates.injected.ok, "what was answered is not lost");
    }
}
