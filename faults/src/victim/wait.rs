//! Waiting for a condition: with a deadline, the user's Ctrl-C, and what was seen last in the error.

use crate::{FaultContext, FaultError};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(200);

/// What one look at a condition shows.
#[derive(Debug)]
pub enum Seen<T> {
    /// It holds.
    Yes(T),
    /// Not yet; this is what was seen.
    NotYet(String),
}

/// Looks until the condition holds.
///
/// An API server that hiccups is waited for like anything else.
///
/// # Errors
/// [`FaultError::TimedOut`] with what was seen last, [`FaultError::Interrupted`], or the look's own error when
/// waiting would not help.
pub async fn until<T, F, L>(
    ctx: &FaultContext,
    what: impl Into<String>,
    limit: Duration,
    mut look: F,
) -> Result<T, FaultError>
where
    F: FnMut() -> L,
    L: Future<Output = Result<Seen<T>, FaultError>>,
{
    let end = Instant::now() + limit;
    loop {
        let last = tokio::select! {
            () = ctx.cancel.cancelled() => return Err(FaultError::Interrupted),
            () = tokio::time::sleep_until(end) => "no answer".to_owned(),
            seen = look() => match seen {
                Ok(Seen::Yes(value)) => return Ok(value),
                Ok(Seen::NotYet(last)) => last,
                Err(FaultError::Api { doing, source }) if crate::object::is_transient(&source) => {
                    format!("{doing}: {source}")
                }
                Err(e) => return Err(e),
            },
        };
        if Instant::now() >= end {
            return Err(FaultError::TimedOut { what: what.into(), seconds: limit.as_secs(), last });
        }
        tokio::select! {
            () = ctx.cancel.cancelled() => return Err(FaultError::Interrupted),
            () = sleep(PAUSE) => {}
        }
    }
}
