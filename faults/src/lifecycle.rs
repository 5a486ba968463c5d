//! The life of a fault's changes: journaled, applied, read back, undone newest first, verified.

use crate::{
    Change, ChangeError, UndoAccess,
    journal::{Journal, JournalError, Pending},
};
use loopdrill_model::{Evidence, FaultId};
use std::time::Duration;
use tokio::time::timeout;

/// How long one attempt at one change may take. A node that is powered on again needs most of it.
const ATTEMPT: Duration = Duration::from_secs(90);
/// How often an undo is tried before it counts as failed.
const ATTEMPTS: u32 = 3;

/// Why a fault is not in force.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// The intents could not be written, so nothing was touched.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A change could not be applied.
    #[error("{change} could not be applied: {source}")]
    Apply {
        /// The change.
        change: String,
        /// Why.
        source: Box<ChangeError>,
    },
    /// A change was applied and is not there.
    #[error("{change} was applied, but reading it back found nothing in force")]
    NotInForce {
        /// The change.
        change: String,
    },
}

/// Something that may still be in force.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// The change.
    pub change: String,
    /// Why it could not be undone.
    pub why: String,
}

/// Journals `plan` and puts it in force. On error the caller undoes what [`Journal::pending`] lists.
///
/// # Errors
/// See [`InjectError`]. An empty read-back is an error: what cannot be seen is not injected.
pub async fn inject(
    access: &UndoAccess,
    journal: &Journal,
    drill: &FaultId,
    plan: Vec<Change>,
) -> Result<(Vec<Pending>, Vec<Evidence>), InjectError> {
    let announced = journal.intend(drill, plan)?;
    for pending in &announced {
        let failed =
            |source| InjectError::Apply { change: pending.change.to_string(), source: Box::new(source) };
        within(&pending.change, pending.change.apply(access, &pending.id)).await.map_err(failed)?;
        journal.applied(&pending.id)?;
    }
    let evidence = read_back(access, &announced).await?;
    Ok((announced, evidence))
}

/// Reads all of `pending` back.
///
/// # Errors
/// [`InjectError::NotInForce`] names the first change that is not there.
pub async fn read_back(access: &UndoAccess, pending: &[Pending]) -> Result<Vec<Evidence>, InjectError> {
    let mut evidence = Vec::new();
    for p in pending {
        let change = || p.change.to_string();
        let found = within(&p.change, p.change.read_back(access, &p.id)).await;
        match found.map_err(|source| InjectError::Apply { change: change(), source: Box::new(source) })? {
            Some(found) => evidence.push(found),
            None => return Err(InjectError::NotInForce { change: change() }),
        }
    }
    Ok(evidence)
}

/// Undoes `pending`, newest first, goes on past failures, and verifies each by comparing with its snapshot.
pub async fn undo(access: &UndoAccess, journal: &Journal, pending: &[Pending]) -> Vec<Leftover> {
    let mut leftovers = Vec::new();
    for p in pending.iter().rev() {
        let result = undo_one(access, journal, p).await;
        let noted = journal.undo_ended(&p.id, result.clone());
        if let Err(why) = result.and(noted.map_err(|e| e.to_string())) {
            leftovers.push(Leftover { change: p.change.to_string(), why });
        }
    }
    leftovers
}

async fn undo_one(access: &UndoAccess, journal: &Journal, p: &Pending) -> Result<(), String> {
    // A journal that cannot be written must not keep the undo from happening.
    let noted = journal.undo_started(&p.id);
    let mut last = String::new();
    for attempt in 1..=ATTEMPTS {
        match undo_and_compare(access, p).await {
            Ok(()) => return noted.map_err(|e| e.to_string()),
            Err(why) => last = why,
        }
        tracing::warn!(change = %p.change, attempt, %last, "undo failed");
        if attempt < ATTEMPTS {
            // A pause between attempts, so that a restarting API server or node gets a chance.
            tokio::time::sleep(Duration::from_secs(u64::from(attempt))).await;
        }
    }
    Err(last)
}

async fn undo_and_compare(access: &UndoAccess, p: &Pending) -> Result<(), String> {
    within(&p.change, p.change.undo(access, &p.id)).await.map_err(|e| e.to_string())?;
    let differences = within(&p.change, p.change.differences(access)).await.map_err(|e| e.to_string())?;
    if differences.is_empty() { Ok(()) } else { Err(format!("still different: {}", differences.join("; "))) }
}

async fn within<T>(
    change: &Change,
    work: impl Future<Output = Result<T, ChangeError>>,
) -> Result<T, ChangeError> {
    timeout(ATTEMPT, work).await.unwrap_or_else(|_| {
        Err(ChangeError::TimedOut { what: change.to_string(), seconds: ATTEMPT.as_secs() })
    })
}

#[cfg(test)]
mod tests;
