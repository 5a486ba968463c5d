//! What is measured: the control plane's own figures, and everything for which the objects have to be known first.

use crate::{Ask, Cluster, Shared, api, app, missing, nodes, probes, prometheus, read};
use futures::future::join_all;
use loopdrill_checklist::{
    Input, Snapshot,
    snapshot::{ApiLatency, Availability, NodeUsage},
};
use loopdrill_kubernetes::Resources;
use loopdrill_model::{Signal, metrics};
use serde::Deserialize;
use std::{collections::HashMap, time::Duration};

/// More nodes than these are not asked one by one.
const MOST_NODES: usize = 100;
/// How long anything that needs nodes or applications may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What the API server measures of itself.
pub(crate) async fn control_plane(cluster: &Cluster, shared: &Shared) {
    let found = api::metrics(&cluster.client, "/metrics", metrics::Endpoint::ApiServer).await;
    let mut builder = shared.lock();
    match found.map(|signals| latency(&signals)) {
        Ok(latency) => {
            builder.read(Input::ApiLatency);
            builder.snapshot().api_latency = Some(latency);
        }
        Err(why) => builder.missing(Input::ApiLatency, why),
    }
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a count; the cast saturates")]
fn latency(signals: &[Signal]) -> ApiLatency {
    let mut api = ApiLatency::default();
    for signal in signals {
        match signal {
            Signal::Histogram(h) if h.name == metrics::REQUEST_DURATION.name => {
                api.requests += h.count;
                if let (Some(p99), Some(verb)) = (api::quantile(h, 0.99), h.labels.get("verb")) {
                    api.p99_seconds.insert(verb.clone(), p99);
                }
            }
            Signal::Histogram(h) if h.name == metrics::CLIENT_CERTIFICATES.name => {
                let least = h.buckets.iter().find(|(_, n)| *n > 0).map(|(bound, _)| *bound);
                api.client_certificate_seconds = least.or((h.count > 0).then_some(f64::MAX));
            }
            Signal::Metric(m) if m.name == metrics::REJECTED_REQUESTS.name => {
                api.rejected += m.value as u64;
            }
            _ => {}
        }
    }
    api
}

/// Everything for which nodes and workloads have to be known.
pub(crate) async fn rest(cluster: &Cluster, ask: &Ask, snapshot: &mut Snapshot) {
    nodes::survey(cluster, snapshot).await;
    certificates(snapshot);
    usage(cluster, snapshot).await;
    prometheus::survey(cluster, ask, snapshot).await;
    if tokio::time::timeout(LIMIT, app::survey(cluster, snapshot)).await.is_err() {
        for input in [Input::Surfaces, Input::Logs] {
            missing(snapshot, input, format!("the pods did not answer within {LIMIT:?}"));
        }
    }
    probes::survey(cluster, ask, snapshot).await;
}

/// Without the nodes' files, what the API server counted stands in.
fn certificates(snapshot: &mut Snapshot) {
    let counted = snapshot.api_latency.as_ref().is_some_and(|a| a.client_certificate_seconds.is_some());
    let from_files = matches!(snapshot.inputs.get(&Input::Certificates), Some(Availability::Read { .. }));
    if counted && !from_files {
        read(snapshot, Input::Certificates, 0);
    }
}

#[derive(Deserialize)]
struct MetricsList {
    items: Vec<NodeMetrics>,
}

#[derive(Deserialize)]
struct NodeMetrics {
    metadata: Named,
    usage: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    node: SummaryNode,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SummaryNode {
    #[serde(default)]
    cpu: SummaryCpu,
    #[serde(default)]
    memory: SummaryMemory,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct SummaryCpu {
    #[serde(default)]
    usage_nano_cores: u64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct SummaryMemory {
    #[serde(default)]
    working_set_bytes: u64,
}

/// What nodes use: from the metrics API where there is one, else from each kubelet.
async fn usage(cluster: &Cluster, snapshot: &mut Snapshot) {
    let path = "/apis/metrics.k8s.io/v1beta1/nodes";
    if let Ok(list) = api::json::<MetricsList>(&cluster.client, path).await {
        for (at, node) in (0..).zip(&snapshot.nodes) {
            let Some(found) = list.items.iter().find(|i| i.metadata.name == node.name) else { continue };
            let usage =
                Resources::of(found.usage.iter().map(|(name, amount)| (name.as_str(), amount.as_str())));
            snapshot
                .usage
                .insert(at, NodeUsage { cpu_millis: usage.cpu_millis, memory_bytes: usage.memory_bytes });
        }
        return read(snapshot, Input::Usage, list.items.len());
    }
    if snapshot.nodes.len() > MOST_NODES {
        let why =
            format!("there is no metrics API, and {} kubelets are too many to ask", snapshot.nodes.len());
        return missing(snapshot, Input::Usage, why);
    }
    let of = |name: String| async move {
        api::json::<Summary>(
            &cluster.client,
            &format!("/api/v1/nodes/{name}/proxy/stats/summary?only_cpu_and_memory=true"),
        )
        .await
    };
    let answers = join_all(snapshot.nodes.iter().map(|n| of(n.name.clone()))).await;
    let mut last = "there is no node".to_string();
    let mut told = 0;
    for (at, answer) in (0..).zip(answers) {
        match answer {
            Ok(s) => {
                let usage = NodeUsage {
                    cpu_millis: s.node.cpu.usage_nano_cores / 1_000_000,
                    memory_bytes: s.node.memory.working_set_bytes,
                };
                snapshot.usage.insert(at, usage);
                told += 1;
            }
            Err(why) => last = why,
        }
    }
    if told > 0 { read(snapshot, Input::Usage, told) } else { missing(snapshot, Input::Usage, last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"apiserver_request_duration_seconds_bucket{verb="GET",le="0.1"} 8
apiserver_request_duration_seconds_bucket{verb="GET",le="+Inf"} 10
apiserver_request_duration_seconds_count{verb="GET"} 10
apiserver_client_certificate_expiration_seconds_bucket{le="86400"} 2
apiserver_client_certificate_expiration_seconds_count 2
apiserver_flowcontrol_rejected_requests_total{priority_level="low"} 3
"#;

    #[test]
    fn each_metric_of_the_table_is_in_the_snapshot() {
        let all = api::parse(TOLD, metrics::Endpoint::ApiServer).expect("well-formed");
        api::assert_each_is_read(metrics::Endpoint::ApiServer, &all, latency);
    }
}
