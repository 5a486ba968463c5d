//! The API server's own metrics.

use super::families::API_SERVER;
use super::scrape::{tell, through_api, within};
use crate::backoff::every;
use crate::sink::{NobodyListens, Sink};
use loopdrill_model::Source;
use std::time::Duration;

/// A slow API server is what we look for, so it gets time to answer.
const LIMIT: Duration = Duration::from_secs(8);

/// Scrapes every `period` for as long as somebody listens.
pub(crate) async fn scrape_apiserver(
    client: kube::Client,
    period: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let source = Source::metrics("apiserver");
    let mut clock = every(period);
    loop {
        clock.tick().await;
        let result = within(LIMIT, through_api(&client, "/metrics", API_SERVER)).await;
        tell(&sink, &source, result).await?;
    }
}
