//! What was done to a cluster and when: the marks of a recording. Each follows from an event of the run, so nobody
//! places one by hand, and no mark can differ from the event stream.

use crate::{DrillReport, Event, EventKind, Expectation, FaultId, Gate, Scope, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that a drill did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// Which drill.
    pub drill: FaultId,
    /// What.
    #[serde(flatten)]
    pub what: DrillMark,
}

/// What a drill did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "kebab-case")]
pub enum DrillMark {
    /// It began.
    Start {
        /// The right answer to it.
        expected: Expectation,
        /// Where its effects may show.
        scope: Scope,
    },
    /// Its victim is well, and what was found before has faded: from here on findings count.
    Ready,
    /// The fault is in force.
    Inject,
    /// The victim showed the symptom, at this time.
    Manifest,
    /// The time of a detector is over: its answer stands.
    Conclude {
        /// Which detector; absent where the time of all was over at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detector: Option<String>,
    },
    /// The fault is out of force.
    Undo,
    /// It is over.
    End {
        /// How it went, by the live detectors.
        report: Box<DrillReport>,
    },
}

impl Mark {
    /// The mark that follows from an event; `None` for events of the whole run, and for those that change nothing of
    /// what a detector must answer.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let drill = event.drill.clone()?;
        let mut at = event.at;
        let what = match &event.kind {
            EventKind::DrillStarted { expectation: Some(expected), scope: Some(scope) } => {
                DrillMark::Start { expected: expected.clone(), scope: scope.clone() }
            }
            EventKind::InjectionStarted => DrillMark::Ready,
            EventKind::GateAnswered { gate, result } => {
                // An answer may be told later than it became true.
                at = result.at.unwrap_or(at);
                match gate {
                    Gate::Injected if result.ok => DrillMark::Inject,
                    Gate::Manifested if result.ok => DrillMark::Manifest,
                    _ => return None,
                }
            }
            EventKind::DetectorConcluded { detector } => {
                DrillMark::Conclude { detector: Some(detector.clone()) }
            }
            EventKind::UndoFinished { error: None } => DrillMark::Undo,
            EventKind::DrillFinished { report } => DrillMark::End { report: report.clone() },
            EventKind::RunStarted { .. }
            | EventKind::ClusterReady { .. }
            | EventKind::Progress { .. }
            | EventKind::DrillStarted { .. }
            | EventKind::Findings { .. }
            | EventKind::UndoStarted
            | EventKind::UndoFinished { error: Some(_) }
            | EventKind::RunFinished { .. } => return None,
        };
        Some(Mark { at, drill, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GateResult;

    fn mark(kind: EventKind) -> Option<DrillMark> {
        let event = Event { at: Timestamp::UNIX_EPOCH, drill: Some(FaultId::new("f", "v")), kind };
        Mark::of(&event).map(|m| m.what)
    }

    fn answered(gate: Gate, ok: bool) -> Option<DrillMark> {
        mark(EventKind::GateAnswered { gate, result: GateResult { ok, ..GateResult::default() } })
    }

    #[test]
    fn a_gate_that_held_is_a_mark_and_one_that_did_not_is_none() {
        assert_eq!(answered(Gate::Injected, true), Some(DrillMark::Inject));
        assert_eq!(answered(Gate::Manifested, true), Some(DrillMark::Manifest));
        for gate in Gate::ALL {
            assert_eq!(answered(gate, false), None);
        }
        assert_eq!(answered(Gate::Attributed, true), None, "a detector's answer is not what was done");
    }

    #[test]
    fn a_mark_has_the_time_at_which_its_answer_became_true() {
        let told: Timestamp = "2026-11-24T12:00:05Z".parse().expect("a timestamp");
        let result = GateResult { ok: true, at: Some(Timestamp::UNIX_EPOCH), ..GateResult::default() };
        let kind = EventKind::GateAnswered { gate: Gate::Manifested, result };
        let event = Event { at: told, drill: Some(FaultId::new("f", "v")), kind };
        assert_eq!(Mark::of(&event).expect("a mark").at, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn what_failed_and_what_is_only_told_leaves_no_mark() {
        assert_eq!(mark(EventKind::UndoFinished { error: Some("stuck".into()) }), None);
        assert_eq!(mark(EventKind::UndoFinished { error: None }), Some(DrillMark::Undo));
        assert_eq!(mark(EventKind::Findings { diagnoses: Vec::new() }), None);
        assert_eq!(mark(EventKind::DrillStarted { expectation: None, scope: None }), None);
        let whole = EventKind::Progress { message: String::new() };
        assert_eq!(Mark::of(&Event { at: Timestamp::UNIX_EPOCH, drill: None, kind: whole }), None);
    }

    #[test]
    fn a_mark_of_an_earlier_recording_is_read() {
        let text = r#"{"at":"1970-01-01T00:00:00Z","drill":{"fault":"f","variant":"v"},"did":"conclude"}"#;
        let mark: Mark = serde_json::from_str(text).expect("a mark");
        assert_eq!(mark.what, DrillMark::Conclude { detector: None });
        assert_eq!(serde_json::to_string(&mark).expect("plain data"), text);
    }
}
