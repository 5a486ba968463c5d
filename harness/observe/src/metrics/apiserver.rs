//! The API server's own metrics.

use super::families::API_SERVER;
use super::scrape::{tell, through_api, within};
use crate::backoff::every;
use crate::sink::{NobodyListens, Sink};
use loopdrill_model::Source;
use std::time::Duration;
use tokio::time::Instant;

/// A slow API server is what we look for, so it gets time to answer.
const LIMIT: Duration = Duration::from_secs(15);

/// The share of the time that may go into scraping: a large cluster's API server tells tens of megabytes.
const SHARE: u32 = 8;

/// Scrapes every `period`, or less often where an answer takes long, for as long as somebody listens.
pub(crate) async fn scrape_apiserver(
    client: kube::Client,
    period: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let source = Source::metrics("apiserver");
    let mut clock = every(period);
    loop {
        clock.tick().await;
        let began = Instant::now();
        let result = within(LIMIT, through_api(&client, "/metrics", API_SERVER)).await;
        let failed = result.is_err();
        tell(&sink, &source, result).await?;
        let pause = began.elapsed() * SHARE;
        if !failed && pause > period {
            // No longer than this: when the API server is slow is when its metrics matter.
            clock.reset_after(pause.min(period * 5));
        }
    }
}
