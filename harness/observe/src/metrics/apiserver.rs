//! The API server's own metrics.

use super::scrape::{tell, through_api, within};
use crate::backoff::every;
use crate::sink::{NobodyListens, Sink};
use loopdrill_model::Source;
use loopdrill_model::metrics::{Endpoint, Reader, asked};
use std::time::Duration;
use tokio::time::Instant;

/// A slow API server is what we look for, so it gets time to answer.
const LIMIT: Duration = Duration::from_secs(15);

/// Bytes a second that an API server may be asked for: a large cluster's tells tens of megabytes. A megabyte costs
/// it some 12 ms of CPU (measured on a lab).
const PACE: usize = 8 << 20;

/// Scrapes every `period`, or less often where an answer is long, for as long as somebody listens.
pub(crate) async fn scrape_apiserver(
    client: kube::Client,
    period: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let source = Source::metrics("apiserver");
    let wanted = asked(Endpoint::ApiServer, &[Reader::Rules]);
    let mut clock = every(period);
    loop {
        clock.tick().await;
        let began = Instant::now();
        let answer = within(LIMIT, through_api(&client, "/metrics", wanted.clone())).await;
        let pause = answer.as_ref().ok().map(|answer| pause(began.elapsed(), answer.bytes));
        tell(&sink, &source, answer.map(|answer| answer.samples)).await?;
        if let Some(pause) = pause
            && began.elapsed() + pause > period
        {
            // No longer than this: when the API server is slow is when its metrics matter.
            clock.reset_after(pause.min(period * 5));
        }
    }
}

/// How long to wait after an answer of so many bytes, for which the API server took so long. Its time alone says little
/// of what it costs: on a busy machine a short answer takes long, too, and half of the time is then left in peace.
fn pause(took: Duration, bytes: usize) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
    let worth = Duration::from_secs_f64(bytes as f64 / PACE as f64);
    worth.saturating_sub(took).max(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_are_asked_for_rarely_and_late_ones_not_much_more_so() {
        let ms = Duration::from_millis;
        assert_eq!(pause(ms(60), 4 << 20), ms(440), "a lab's, at rest");
        assert_eq!(pause(ms(300), 4 << 20), ms(300), "on a busy machine");
        assert_eq!(pause(ms(900), 40 << 20), ms(4100), "a large cluster's");
        assert_eq!(pause(ms(3000), 4 << 20), ms(3000), "where it hardly answers");
    }
}
