//! Kubelets' metrics through the API server's proxy: what nodes use, what kubelets are refused.

use super::families::{CONTROL_PLANE_CONTAINERS, Family, KUBELET, KUBELET_RESOURCE};
use super::parse::Sample;
use super::scrape::{ScrapeError, tell, through_api, within};
use crate::backoff::every;
use crate::sink::{NobodyListens, Sink};
use jiff::Timestamp;
use loopdrill_model::signal::Usage;
use loopdrill_model::{Signal, Source};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(4);

/// CPU seconds and memory of a node at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reading {
    millis: i64,
    cpu_seconds: f64,
    memory_bytes: u64,
}

/// Scrapes the kubelet of `node` every `period`; that of a control plane tells of its containers, too.
pub(crate) async fn scrape_kubelet(
    client: kube::Client,
    node: String,
    control_plane: bool,
    period: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let source = Source::metrics(&format!("kubelet/{node}"));
    let path = |tail: &str| format!("/api/v1/nodes/{node}/proxy/{tail}");
    let (general, resource, containers) =
        (path("metrics"), path("metrics/resource"), path("metrics/cadvisor"));
    let mut clock = every(period);
    let (mut before, mut wait_containers) = (None, 0u32);
    loop {
        clock.tick().await;
        let used = ask(&client, &resource, KUBELET_RESOURCE).await;
        let result = used.map(|samples| usage(&node, &samples, &mut before));
        let works = result.is_ok();
        tell(&sink, &source, result).await?;
        if !works {
            continue;
        }
        tell(&sink, &source, ask(&client, &general, KUBELET).await).await?;
        // A kubelet looks at every container for this: it is asked rarely, and hardly again when it has no answer.
        wait_containers = if control_plane { wait_containers.saturating_sub(1) } else { 1 };
        if wait_containers == 0 {
            let samples = optional(ask(&client, &containers, CONTROL_PLANE_CONTAINERS).await);
            wait_containers = if samples.is_empty() { 60 } else { 3 };
            tell(&sink, &source, Ok(samples)).await?;
        }
    }
}

async fn ask(
    client: &kube::Client,
    path: &str,
    families: &'static [Family],
) -> Result<Vec<Sample>, ScrapeError> {
    within(LIMIT, through_api(client, path, families)).await.map(|answer| answer.samples)
}

/// Not every kubelet tells of its containers; that is no fault.
fn optional(samples: Result<Vec<Sample>, ScrapeError>) -> Vec<Sample> {
    samples.inspect_err(|error| tracing::debug!(%error, "no container metrics")).unwrap_or_default()
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
    let usage = Usage { node: node.into(), cpu_millis, memory_bytes: now.memory_bytes };
    vec![Sample { signal: Signal::Usage(usage), millis: Some(now.millis) }]
}

fn reading(samples: &[Sample]) -> Option<Reading> {
    let find = |name: &str| {
        samples.iter().find_map(|s| match &s.signal {
            Signal::Metric(m) if m.name == name => Some((m.value, s.millis)),
            _ => None,
        })
    };
    let (cpu_seconds, millis) = find("node_cpu_usage_seconds_total")?;
    let (memory, _) = find("node_memory_working_set_bytes")?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, as wanted"
    )]
    let memory_bytes = memory as u64;
    Some(Reading {
        millis: millis.unwrap_or_else(|| Timestamp::now().as_millisecond()),
        cpu_seconds,
        memory_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::parse::Parser;

    fn at(millis: i64, cpu: f64) -> Vec<Sample> {
        let mut parser = Parser::new(KUBELET_RESOURCE);
        let text = format!(
            "node_cpu_usage_seconds_total {cpu} {millis}\nnode_memory_working_set_bytes 1.5e+09 {millis}\n"
        );
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
}
