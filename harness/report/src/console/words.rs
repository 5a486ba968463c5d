//! Events in words: the plain lines, and what the live view shows of them.

use crate::{
    Mark, Row,
    say::{self, clean, count},
    scorecard::blame,
};
use jiff::Timestamp;
use loopdrill_model::{Diagnosis, DrillReport, Event, EventKind, FaultId, GateResult};
use std::collections::BTreeMap;

/// Columns of the time in front of a line.
const TIME: usize = 11;

/// Puts events into words. Remembers only what keeps it from repeating itself.
#[derive(Default)]
pub(super) struct Teller {
    started: Option<Timestamp>,
    /// What each drill's detector blamed when it was last said.
    blamed: BTreeMap<FaultId, String>,
}

impl Teller {
    /// The line for `event`, with the time since the run began; `None` where it says nothing new. With a `width`,
    /// what does not fit goes to further lines below the text.
    pub(super) fn line(&mut self, event: &Event, width: Option<usize>) -> Option<String> {
        let started = *self.started.get_or_insert(event.at);
        let said = self.say(event)?;
        let since = say::duration(event.at.duration_since(started));
        let who = event.drill.as_ref().map(|d| format!("{d}: ")).unwrap_or_default();
        let text = format!("{who}{said}");
        let lines =
            width.map_or_else(|| vec![text.clone()], |w| say::wrap(&text, w.saturating_sub(TIME + 2)));
        Some(format!(
            "{}  {}",
            say::pad(&since, TIME, true),
            lines.join(&format!("\n{}", " ".repeat(TIME + 2)))
        ))
    }

    /// What `event` says, without time and drill.
    pub(super) fn say(&mut self, event: &Event) -> Option<String> {
        Some(match &event.kind {
            EventKind::RunStarted { run, drills, detector, .. } => {
                format!("run {run}: {}, detector {detector}", count(drills.len(), "drill"))
            }
            EventKind::ClusterReady { cluster, versions, capabilities } => {
                let missing: Vec<_> =
                    capabilities.iter().filter_map(|(name, c)| Some((name, c.as_ref().err()?))).collect();
                let mut text = format!("cluster {cluster} is ready, Kubernetes {}", versions.kubernetes);
                for (name, why) in missing {
                    text += &format!("; it lacks {name} ({})", clean(why));
                }
                text
            }
            EventKind::Progress { message } => clean(message),
            EventKind::DrillStarted { .. } => "started, setting up the victim".into(),
            EventKind::GateAnswered { gate, result } => {
                format!("{} {gate}{}", Mark::of(result).sign(), why(result))
            }
            EventKind::Findings { diagnoses } => return self.findings(event.drill.as_ref(), diagnoses),
            // What follows is told by progress, and by the answers of the gates.
            EventKind::InjectionStarted | EventKind::DetectorConcluded { .. } => return None,
            EventKind::UndoStarted => "undoing the fault".into(),
            EventKind::UndoFinished { error: None } => "undone and verified".into(),
            EventKind::UndoFinished { error: Some(e) } => {
                format!("not undone: {}; run `loopdrill undo`", clean(e))
            }
            EventKind::DrillFinished { report } => finished(report),
            EventKind::RunFinished { .. } => return None,
        })
    }

    fn findings(&mut self, drill: Option<&FaultId>, found: &[Diagnosis]) -> Option<String> {
        // A finding grows with every signal; only another answer is worth a line.
        let loops: Vec<_> = found.iter().map(|d| (d.control_loop, d.cause)).collect();
        let key = format!("{loops:?}");
        let drill = drill.cloned().unwrap_or_else(|| FaultId::new("", ""));
        let before = self.blamed.insert(drill, key.clone());
        if before.as_ref() == Some(&key) {
            return None;
        }
        match found {
            [] => before.map(|_| "the alarm is gone".into()),
            all => Some(format!("blamed: {}", all.iter().map(blame).collect::<Vec<_>>().join("; "))),
        }
    }
}

/// How a drill ended, in one line.
pub(super) fn finished(report: &DrillReport) -> String {
    let row = Row::of(report);
    let mut text = report.outcome.to_string();
    if let Some(d) = row.diagnosis {
        text += &format!(", blamed {}", blame(d));
    }
    if let Some(lag) = row.lag {
        text += &format!(", lag {}", say::duration(lag));
    }
    if let Some(error) = &report.error {
        text += &format!(": {}", clean(error));
    }
    text
}

fn why(result: &GateResult) -> String {
    let evidence = || result.evidence.first().map(|e| format!("{}: {}", e.signal, e.value));
    result.note.clone().or_else(evidence).map(|text| format!("  {}", clean(&text))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_line_an_event_that_matters() {
        let mut teller = Teller::default();
        let lines: Vec<_> =
            sample::events(&sample::run()).iter().filter_map(|e| teller.line(e, None)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn the_same_answer_is_said_once() {
        let mut teller = Teller::default();
        let at = sample::at(0);
        let event = |diagnoses| Event { at, drill: None, kind: EventKind::Findings { diagnoses } };
        assert_eq!(teller.say(&event(vec![])), None);
        assert!(teller.say(&event(vec![sample::domino()])).is_some());
        let mut surer = sample::domino();
        surer.confidence = 1.0;
        assert_eq!(teller.say(&event(vec![surer])), None);
        assert_eq!(teller.say(&event(vec![])).as_deref(), Some("the alarm is gone"));
    }
}
