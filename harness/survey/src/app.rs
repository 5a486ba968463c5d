//! What applications and nodes expose to be scraped, and the shape of their log lines. Some pods are asked, not all.

use crate::{Cluster, api, missing, read};
use futures::{StreamExt as _, stream};
use loopdrill_checklist::{
    Input, Snapshot,
    checks::LOG_FIELDS,
    snapshot::{LogSample, Surface, Workload},
};
use loopdrill_kubernetes::service_selects;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Workloads and nodes that are asked.
const MOST: usize = 20;
/// Requests at a time.
const SIDE_BY_SIDE: usize = 8;
/// Lines of each pod.
const LINES: usize = 20;

#[derive(Deserialize)]
struct Pods {
    items: Vec<Pod>,
}

#[derive(Deserialize)]
struct Pod {
    metadata: Meta,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    phase: String,
}

/// A workload that is asked.
struct Asked {
    object: String,
    namespace: String,
    selector: String,
    container: String,
    served: bool,
    zonal: bool,
    /// Ports that may tell metrics.
    ports: Vec<u16>,
}

pub(crate) async fn survey(cluster: &Cluster, snapshot: &mut Snapshot) {
    let asked: Vec<Asked> = snapshot.judged().filter_map(|(_, w)| asked(snapshot, w)).take(MOST).collect();
    let answers: Vec<_> = stream::iter(asked)
        .map(|w| async move { ask(cluster, w).await })
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await;
    let (mut surfaces, mut logs, mut refused) = (Vec::new(), Vec::new(), None);
    for (surface, log) in answers {
        surfaces.extend(surface);
        match log {
            Ok(sample) => logs.extend(sample),
            Err(why) => refused = Some(why),
        }
    }
    let nodes: Vec<String> =
        snapshot.nodes.iter().filter(|n| n.ready).map(|n| n.name.clone()).take(MOST).collect();
    let of_nodes: Vec<_> = stream::iter(nodes)
        .map(|n| async move { node(cluster, n).await })
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await;
    surfaces.extend(of_nodes);
    let forbidden =
        surfaces.iter().find_map(|s| s.seen.as_ref().err().filter(|why| why.starts_with("forbidden")));
    match forbidden.cloned() {
        Some(why) => missing(snapshot, Input::Surfaces, why),
        None => {
            read(snapshot, Input::Surfaces, surfaces.len());
            snapshot.surfaces = surfaces;
        }
    }
    match refused {
        Some(why) => missing(snapshot, Input::Logs, why),
        None => {
            read(snapshot, Input::Logs, logs.len());
            snapshot.logs = logs;
        }
    }
}

fn asked(snapshot: &Snapshot, w: &Workload) -> Option<Asked> {
    if w.replicas == 0 || w.template.labels.is_empty() || matches!(w.kind.as_str(), "CronJob" | "Job") {
        return None;
    }
    let labels: Vec<String> = w.template.labels.iter().map(|(k, v)| format!("{k}%3D{v}")).collect();
    let served = snapshot
        .services
        .iter()
        .any(|s| s.namespace == w.namespace && service_selects(&s.selector, &w.template.labels));
    Some(Asked {
        object: w.to_string(),
        namespace: w.namespace.clone(),
        selector: labels.join(","),
        container: w.template.containers.first()?.name.clone(),
        served,
        zonal: !w.template.claims.is_empty() || !w.claim_templates.is_empty(),
        ports: w.template.containers.iter().flat_map(|c| &c.ports).map(|p| p.number).collect(),
    })
}

async fn ask(cluster: &Cluster, w: Asked) -> (Option<Surface>, Result<Option<LogSample>, String>) {
    let path = format!("/api/v1/namespaces/{}/pods?labelSelector={}&limit=5", w.namespace, w.selector);
    let pods = match api::json::<Pods>(&cluster.client, &path).await {
        Ok(pods) => pods,
        Err(why) => return (None, Err(why)),
    };
    let Some(pod) = pods.items.into_iter().find(|p| p.status.phase == "Running") else {
        return (None, Ok(None));
    };
    let surface = if w.served { Some(surface(cluster, &w, &pod).await) } else { None };
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?tailLines={LINES}&container={}",
        w.namespace, pod.metadata.name, w.container
    );
    let log = api::text(&cluster.client, &path).await.map(|text| shape(&w, &text));
    (surface, log)
}

async fn surface(cluster: &Cluster, w: &Asked, pod: &Pod) -> Surface {
    let annotations = &pod.metadata.annotations;
    let port =
        annotations.get("prometheus.io/port").and_then(|p| p.parse().ok()).or(w.ports.first().copied());
    let path = annotations.get("prometheus.io/path").map_or("/metrics", String::as_str);
    let seen = match port {
        None => Err("has no port from which metrics could be read".into()),
        Some(port) => {
            let pod = &pod.metadata.name;
            let url = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy{path}", w.namespace);
            match api::text(&cluster.client, &url).await {
                Ok(text) => Ok(signals(&text)),
                Err(why) if why.starts_with("forbidden") => Err(why),
                Err(_) => Err(format!("gives no metrics on port {port}, path {path}")),
            }
        }
    };
    Surface { object: w.object.clone(), node: false, seen }
}

/// Which of rate, errors and duration are told: a counter of requests, with their result, and how long they took.
fn signals(metrics: &str) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    for line in metrics.lines().filter(|l| !l.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let requests = name.contains("request")
            || name.contains("http")
            || name.contains("rpc")
            || name.contains("handled");
        if requests && (name.ends_with("_total") || name.ends_with("_count")) {
            seen.insert("rate");
            let result = ["code=\"", "status=\"", "grpc_code=\"", "result=\"", "outcome=\""];
            if result.iter().any(|label| line.contains(label))
                || name.contains("error")
                || name.contains("fail")
            {
                seen.insert("errors");
            }
        }
        if name.contains("duration") || name.contains("latency") || name.contains("seconds_bucket") {
            seen.insert("duration");
        }
    }
    seen.into_iter().map(Into::into).collect()
}

/// What the kubelet tells about its node.
async fn node(cluster: &Cluster, name: String) -> Surface {
    let get = |path: &str| format!("/api/v1/nodes/{name}/proxy/metrics/{path}");
    let (resource, cadvisor) = (
        api::text(&cluster.client, &get("resource")).await,
        api::text(&cluster.client, &get("cadvisor")).await,
    );
    let seen = match (resource, cadvisor) {
        (Ok(a), Ok(b)) => Ok(of_node(&a, &b)),
        (Err(why), _) | (_, Err(why)) => Err(why),
    };
    Surface { object: format!("Node {name}"), node: true, seen }
}

fn of_node(resource: &str, cadvisor: &str) -> Vec<String> {
    const UTILISATION: [&str; 1] = ["node_cpu_usage_seconds_total"];
    const SATURATION: [&str; 5] = [
        "container_pressure_cpu_waiting_seconds_total",
        "container_cpu_load_average_10s",
        "container_cpu_cfs_throttled_seconds_total",
        "container_memory_failcnt",
        "node_load1",
    ];
    const ERRORS: [&str; 2] = ["container_network_receive_errors_total", "node_network_receive_errs_total"];
    let has = |names: &[&str]| {
        let lines = resource.lines().chain(cadvisor.lines());
        lines.filter(|l| !l.starts_with('#')).any(|l| names.iter().any(|n| l.starts_with(n)))
    };
    let all =
        [("utilisation", has(&UTILISATION)), ("saturation", has(&SATURATION)), ("errors", has(&ERRORS))];
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.into()).collect()
}

/// The shape of log lines.
fn shape(w: &Asked, text: &str) -> Option<LogSample> {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let fields: Vec<Vec<String>> = lines.iter().filter_map(|l| fields(l)).collect();
    let wanted = LOG_FIELDS.into_iter().chain(["zone"]);
    let in_all = |f: &&str| !fields.is_empty() && fields.iter().all(|line| line.iter().any(|has| has == f));
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (!lines.is_empty()).then(|| LogSample {
        object: w.object.clone(),
        zonal: w.zonal,
        lines: count(lines.len()),
        structured: count(fields.len()),
        fields: wanted.filter(in_all).map(Into::into).collect(),
    })
}

/// The names of a structured line's fields that have a value.
fn fields(line: &str) -> Option<Vec<String>> {
    if let Ok(Value::Object(map)) = serde_json::from_str::<Value>(line) {
        let full = map.into_iter().filter(|(_, v)| !v.is_null() && v.as_str() != Some(""));
        return Some(full.map(|(k, _)| k).collect());
    }
    let pairs: Vec<&str> = line.split_whitespace().collect();
    let named = |p: &&str| {
        p.split_once('=').filter(|(k, v)| !k.is_empty() && !v.is_empty()).map(|(k, _)| k.to_string())
    };
    let names: Vec<String> = pairs.iter().filter_map(named).collect();
    (names.len() >= 3 && names.len() * 2 > pairs.len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_errors_and_duration_are_told_apart() {
        let good = "# HELP x\nhttp_requests_total{code=\"200\"} 5\nhttp_request_duration_seconds_bucket{le=\"1\"} 5\n";
        assert_eq!(signals(good), ["duration", "errors", "rate"]);
        assert_eq!(signals("http_requests_total 5\n"), ["rate"]);
        assert_eq!(signals("process_cpu_seconds_total 5\n"), Vec::<String>::new());
    }

    #[test]
    fn structured_lines_are_json_or_pairs() {
        assert_eq!(fields(r#"{"trace_id": "1", "empty": "", "n": null}"#), Some(vec!["trace_id".into()]));
        assert_eq!(
            fields("level=info trace_id=1 msg=hello"),
            Some(vec!["level".into(), "trace_id".into(), "msg".into()])
        );
        assert_eq!(fields("GET /x?a=b&c=d 200"), None);
        assert_eq!(fields("[1, 2]"), None);
    }
}
