//! Waiting for a condition: with a deadline, the user's Ctrl-C, and what was seen last in the error.

use crate::{FaultContext, FaultError};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

const PAUSE: Duration = Duration::from_millis(200);

/// Whether a condition holds that somebody waits for.
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
    let mut last = "no answer".to_owned();
    loop {
        tokio::select! {
            () = ctx.cancel.cancelled() => return Err(FaultError::Interrupted),
            () = sleep_until(end) => {}
            seen = look() => match seen {
                Ok(Seen::Yes(value)) => return Ok(value),
                Ok(Seen::NotYet(seen)) => last = seen,
                Err(FaultError::Api { doing, source }) if crate::object::is_transient(&source) => {
                    last = format!("{doing}: {source}");
                }
                Err(e) => return Err(e),
            },
        }
        if Instant::now() >= end {
            return Err(FaultError::TimedOut { what: what.into(), seconds: limit.as_secs(), last });
        }
        tokio::select! {
            () = ctx.cancel.cancelled() => return Err(FaultError::Interrupted),
            () = sleep(PAUSE) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use loopdrill_cluster::ClusterFacts;

    const LIMIT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_last_is_in_the_error() {
        let ctx = context(&FakeApi::default(), ClusterFacts::default());
        let never =
            until(&ctx, "dawn", LIMIT, || async { Ok(Seen::<()>::NotYet("it is dark".into())) }).await;
        let error = never.expect_err("never").to_string();
        assert_eq!(error, "dawn did not happen within 3 s: it is dark");
        let stuck = until::<(), _, _>(&ctx, "dawn", LIMIT, std::future::pending).await;
        assert!(matches!(stuck, Err(FaultError::TimedOut { .. })), "a look that hangs ends, too");
    }

    #[tokio::test]
    async fn ctrl_c_ends_every_wait() {
        let ctx = context(&FakeApi::default(), ClusterFacts::default());
        ctx.cancel.cancel();
        let waits = until(&ctx, "dawn", LIMIT, || async { Ok(Seen::<()>::NotYet(String::new())) }).await;
        assert!(matches!(waits, Err(FaultError::Interrupted)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hiccup_is_waited_for_and_a_refusal_is_not() {
        let api = FakeApi::default();
        let ctx = context(&api, ClusterFacts::default());
        let maps: Api<ConfigMap> = crate::victim::api(&ctx);
        let look = || async {
            let found = maps.get_opt("x").await.map_err(FaultError::api("look"))?;
            Ok(found.map_or_else(|| Seen::Yes(()), |_| Seen::NotYet("is there".into())))
        };
        api.fail_next(&[500, 503]);
        until(&ctx, "it", LIMIT, look).await.expect("after two hiccups");
        api.fail_next(&[403]);
        assert!(matches!(until(&ctx, "it", LIMIT, look).await, Err(FaultError::Api { .. })));
    }
}
