//! Requests to the API, and what their refusals mean to a reader.

use kube::Client;
use loopdrill_model::{
    Signal,
    metrics::{Endpoint, Reader, asked},
    signal::Histogram,
};
use loopdrill_observe::metrics::Parser;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Gets a path as text.
pub(crate) async fn text(client: &Client, path: &str) -> Result<String, String> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|e| e.to_string())?;
    match tokio::time::timeout(LIMIT, client.request_text(request)).await {
        Ok(answer) => answer.map_err(|e| told(&e, path)),
        Err(_) => Err(format!("no answer within {LIMIT:?}")),
    }
}

/// Gets a path as JSON.
pub(crate) async fn json<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, String> {
    serde_json::from_str(&text(client, path).await?).map_err(|e| format!("the answer is not understood: {e}"))
}

/// Gets metrics, keeping those that checks read.
pub(crate) async fn metrics(client: &Client, path: &str, of: Endpoint) -> Result<Vec<Signal>, String> {
    parse(&text(client, path).await?, of)
}

/// Reads metrics, keeping those that checks read.
pub(crate) fn parse(text: &str, of: Endpoint) -> Result<Vec<Signal>, String> {
    let mut parser = Parser::new(asked(of, &[Reader::Checks]));
    parser.feed(text.as_bytes()).map_err(|e| e.to_string())?;
    Ok(parser.finish().map_err(|e| e.to_string())?.into_iter().map(|s| s.signal).collect())
}

/// A refusal, with the permission that would help.
fn told(error: &kube::Error, path: &str) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            format!("forbidden: {}", needed(path))
        }
        kube::Error::Api(status) if status.code == 404 => "the cluster does not have it (404)".into(),
        kube::Error::Api(status) if status.code == 410 => {
            "the list expired while it was read; try again".into()
        }
        kube::Error::Api(status) => format!("refused with {}: {}", status.code, status.message),
        other => other.to_string(),
    }
}

/// The permission behind a path.
fn needed(path: &str) -> String {
    let plain = path.split('?').next().unwrap_or(path);
    let parts: Vec<&str> = plain.split('/').filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        ["api", "v1", "nodes", _, "proxy", ..] => "it needs the permission to get nodes/proxy".into(),
        ["api", "v1", "namespaces", ns, "pods", _, "log"] => {
            format!("it needs the permission to get pods/log in {ns}")
        }
        ["api", "v1", "namespaces", ns, kind, _, "proxy", ..] => {
            format!("it needs the permission to get {kind}/proxy in {ns}")
        }
        ["api", "v1", "namespaces", ns, kind] => format!("it needs the permission to list {kind} in {ns}"),
        ["apis", group, _, "namespaces", ns, kind] => {
            format!("it needs the permission to list {kind}.{group} in {ns}")
        }
        ["api", "v1", kind] => format!("it needs the permission to list {kind}"),
        ["apis", group, _, kind] => format!("it needs the permission to list {kind}.{group}"),
        _ => format!("it needs the permission to get {plain}"),
    }
}

/// The quantile of a histogram, linear within its bucket, as Prometheus has it.
#[expect(clippy::cast_precision_loss, reason = "counts of a statistic")]
pub(crate) fn quantile(histogram: &Histogram, q: f64) -> Option<f64> {
    if histogram.count == 0 {
        return None;
    }
    let rank = histogram.count as f64 * q;
    let (mut below, mut lower) = (0.0, 0.0);
    for (bound, count) in &histogram.buckets {
        let count = *count as f64;
        if count >= rank {
            let share = if count > below { (rank - below) / (count - below) } else { 1.0 };
            return Some(lower + (bound - lower) * share);
        }
        (below, lower) = (count, *bound);
    }
    histogram.buckets.last().map(|(bound, _)| *bound)
}

/// Holds that of each metric that is asked of an endpoint for checks, something gets into the snapshot: without it, what
/// is `made` of all is another.
#[cfg(test)]
pub(crate) fn assert_each_is_read<T: PartialEq>(of: Endpoint, all: &[Signal], made: impl Fn(&[Signal]) -> T) {
    for family in asked(of, &[Reader::Checks]) {
        let other = |s: &&Signal| match s {
            Signal::Metric(m) => m.name != family.name,
            Signal::Histogram(h) => h.name != family.name,
            _ => true,
        };
        let rest: Vec<_> = all.iter().filter(other).cloned().collect();
        assert!(made(&rest) != made(all), "no check reads {}", family.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_permission() {
        for (path, words) in [
            ("/api/v1/secrets?limit=500", "list secrets"),
            ("/apis/apps/v1/deployments", "list deployments.apps"),
            ("/api/v1/namespaces/shop/pods", "list pods in shop"),
            ("/api/v1/nodes/n1/proxy/metrics/resource", "get nodes/proxy"),
            ("/api/v1/namespaces/shop/pods/p/log?tailLines=5", "get pods/log in shop"),
            ("/api/v1/namespaces/shop/pods/p:80/proxy/metrics", "get pods/proxy in shop"),
            ("/metrics", "get /metrics"),
        ] {
            assert!(needed(path).ends_with(words), "{path}: {}", needed(path));
        }
    }

    #[test]
    fn quantiles_are_prometheus() {
        let histogram = Histogram {
            name: "x".into(),
            labels: Default::default(),
            buckets: vec![(0.001, 50), (0.002, 100)],
            sum: 0.0,
            count: 100,
        };
        assert_eq!(quantile(&histogram, 0.5), Some(0.001));
        assert_eq!(quantile(&histogram, 0.75), Some(0.0015));
        assert_eq!(quantile(&Histogram { count: 0, ..histogram }, 0.5), None);
    }
}
