//! Kubelets' metrics through the API server's proxy: how much CPU their nodes use.

use super::parse::Sample;
use super::scrape::{tell, through_api, within};
use crate::backoff::every;
use crate::sink::{NobodyListens, Sink};
use jiff::Timestamp;
use loopdrill_model::metrics::{self, Endpoint, Reader, asked};
use loopdrill_model::signal::Usage;
use loopdrill_model::{Signal, Source};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

const LIMIT: Duration = Duration::from_secs(4);

/// CPU seconds that a node has used up to a time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reading {
    millis: i64,
    cpu_seconds: f64,
}

/// Scrapes the kubelet of `node` every `period`, when it has a turn.
pub(crate) async fn scrape_kubelet(
    client: kube::Client,
    node: String,
    period: Duration,
    turns: Arc<Semaphore>,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let source = Source::metrics(&format!("kubelet/{node}"));
    let path = format!("/api/v1/nodes/{node}/proxy/metrics/resource");
    let wanted = asked(Endpoint::KubeletResource, &[Reader::Usage]);
    let mut clock = every(period);
    let mut before = None;
    loop {
        clock.tick().await;
        // They are never closed.
        let Ok(turn) = turns.acquire().await else { return Ok(()) };
        let answer = within(LIMIT, through_api(&client, &path, wanted.clone())).await;
        drop(turn);
        tell(&sink, &source, answer.map(|answer| usage(&node, &answer.samples, &mut before))).await?;
    }
}

/// What the node used between the reading before and this one. Kubelets take readings at their own pace: the
/// same reading again says nothing new.
fn usage(node: &str, samples: &[Sample], before: &mut Option<Reading>) -> Vec<Sample> {
    let Some(now) = reading(samples) else { return Vec::new() };
    let last = before.replace(now);
    let Some(last) = last.filter(|l| now.millis > l.millis && now.cpu_seconds >= l.cpu_seconds) else {
        return Vec::new();
    };
    #[expect(clippy::cast_precision_loss, reason = "a few seconds in milliseconds")]
    let elapsed = (now.millis - last.millis) as f64 / 1000.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, as wanted"
    )]
    let cpu_millis = ((now.cpu_seconds - last.cpu_seconds) / elapsed * 1000.0).round() as u64;
    let usage = Usage { node: node.into(), cpu_millis };
    vec![Sample { signal: Signal::Usage(usage), millis: Some(now.millis) }]
}

fn reading(samples: &[Sample]) -> Option<Reading> {
    samples.iter().find_map(|s| match &s.signal {
        Signal::Metric(m) if m.name == metrics::NODE_CPU.name => Some(Reading {
            millis: s.millis.unwrap_or_else(|| Timestamp::now().as_millisecond()),
            cpu_seconds: m.value,
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::parse::Parser;

    fn at(millis: i64, cpu: f64) -> Vec<Sample> {
        let mut parser = Parser::new(asked(Endpoint::KubeletResource, &[Reader::Usage]));
        let text = format!("node_cpu_usage_seconds_total {cpu} {millis}\n");
        parser.feed(text.as_bytes()).expect("small");
        parser.finish().expect("well-formed")
    }

    fn cpu(samples: &[Sample]) -> Option<u64> {
        samples.iter().find_map(|s| match &s.signal {
            Signal::Usage(u) => Some(u.cpu_millis),
            _ => None,
        })
    }

    #[test]
    fn usage_is_a_rate_between_different_readings() {
        let mut before = None;
        assert_eq!(cpu(&usage("n", &at(1000, 10.0), &mut before)), None);
        assert_eq!(cpu(&usage("n", &at(1000, 10.0), &mut before)), None, "the same reading again");
        assert_eq!(cpu(&usage("n", &at(11_000, 12.5), &mut before)), Some(250));
        assert_eq!(cpu(&usage("n", &at(21_000, 1.0), &mut before)), None, "the kubelet's node restarted");
        assert_eq!(cpu(&usage("n", &at(31_000, 2.0), &mut before)), Some(100));
    }

    #[test]
    fn each_metric_that_is_asked_for_is_read() {
        let all = at(1000, 10.0);
        for family in asked(Endpoint::KubeletResource, &[Reader::Usage]) {
            let other = |s: &&Sample| !matches!(&s.signal, Signal::Metric(m) if m.name == family.name);
            let rest: Vec<_> = all.iter().filter(other).cloned().collect();
            assert_ne!(reading(&rest), reading(&all), "nothing is made of {}", family.name);
        }
    }
}
