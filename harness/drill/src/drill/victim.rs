//! What the engine sees of a victim over time. A fault says what one look shows; that the symptom has shown, and what a
//! victim was at its deadline, is remembered here and in the drill.

use loopdrill_faults::{Fault, FaultContext, FaultError, Look};
use loopdrill_model::Evidence;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How often the victim is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long one look may take; a victim that cannot be looked at shows nothing.
pub(super) const LOOK: Duration = Duration::from_secs(20);

/// What the victim came to within its budget.
#[derive(Debug, PartialEq)]
pub(super) enum Outlasted {
    /// It was broken at some look: the fault has bitten.
    Broken(Vec<Evidence>),
    /// It was never broken, and well at the last look.
    Well,
    /// It was never broken, and at the last look not well either: the cluster is not resilient.
    Settling(String),
}

/// One look. `shown` says whether the symptom has shown at an earlier one.
pub(super) async fn look(fault: &dyn Fault, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
    timeout(LOOK, fault.look(ctx, shown)).await.unwrap_or_else(|_| {
        Err(FaultError::TimedOut {
            what: "a look at the victim".into(),
            seconds: LOOK.as_secs(),
            last: "no answer".into(),
        })
    })
}

/// Looks at the victim until it is broken or its budget has ended.
pub(super) async fn outlast(
    fault: &dyn Fault,
    ctx: &FaultContext,
    budget: Duration,
) -> Result<Outlasted, FaultError> {
    let deadline = Instant::now() + budget;
    // A victim that is neither well nor broken at the deadline is looked at a little longer; then its budget has ended,
    // whatever it is.
    let last = deadline + LOOK.min(budget);
    loop {
        let found = look(fault, ctx, false).await;
        let now = Instant::now();
        match found {
            Ok(Look::Broken(evidence)) => return Ok(Outlasted::Broken(evidence)),
            Ok(Look::Well) if now >= deadline => return Ok(Outlasted::Well),
            Ok(Look::Settling(what)) if now >= last => return Ok(Outlasted::Settling(what)),
            Err(e) if now >= deadline || ctx.cancel.is_cancelled() => return Err(e),
            Ok(Look::Well | Look::Settling(_)) | Err(_) => {}
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = ctx.cancel.cancelled() => return Err(FaultError::Interrupted),
        }
    }
}
