//! A whole run, and the undo of a run that died.

use crate::{EventSender, Session};
use futures::future::join_all;
use loopdrill_faults::{
    Fault, UndoAccess,
    journal::{Journal, JournalError},
    lifecycle::{self, Leftover},
};
use loopdrill_model::{EventKind, ExitStatus, FaultId, RunReport, Timestamp};
use std::sync::Arc;

/// Runs the control drill first and alone where it is asked for, then all `faults`, side by side where their
/// footprints allow, and finishes the session.
#[tracing::instrument(skip_all)]
pub async fn run(session: Session, faults: Vec<Arc<dyn Fault>>, control: bool) -> RunReport {
    if control {
        session.control().await;
    }
    join_all(faults.into_iter().map(|fault| session.drill(fault))).await;
    session.finish().await
}

/// Tells the event stream which drills a run will do; the first event.
pub fn announce(
    events: &crate::EventSender,
    run: &str,
    faults: &[Arc<dyn Fault>],
    control: bool,
    detector: &str,
) {
    let mut drills: Vec<FaultId> = Vec::new();
    if control {
        drills.push(FaultId::new(crate::CONTROL, "none"));
    }
    drills.extend(faults.iter().map(|f| f.spec().id()));
    events.run(EventKind::RunStarted {
        format: EventKind::FORMAT,
        run: run.into(),
        drills,
        detector: detector.into(),
    });
}

/// Ends the event stream with the report, worsened by what went wrong after the session's end.
pub fn conclude(events: &EventSender, mut report: RunReport, trouble: Option<String>) -> RunReport {
    add_trouble(&mut report, trouble);
    report.ended_at = Timestamp::now();
    events.run(EventKind::RunFinished { report: Box::new(report.clone()) });
    report
}

/// Adds what went wrong after the session's end.
pub fn add_trouble(report: &mut RunReport, trouble: Option<String>) {
    if let Some(trouble) = trouble {
        report.trouble.push(trouble);
        report.exit = report.exit.worst(ExitStatus::CleanupFailed);
        report.exit_code = report.exit.code();
    }
}

/// Undoes everything that `journal` lists, and closes it when nothing is left.
///
/// # Errors
/// When the journal cannot be closed; what could not be undone is returned.
pub async fn undo_journal(access: &UndoAccess, journal: &Journal) -> Result<Vec<Leftover>, JournalError> {
    let left = lifecycle::undo(access, journal, &journal.pending()).await;
    journal.close()?;
    Ok(left)
}
