//! Whether a Prometheus in the cluster scrapes the leading metrics, and which alerts it has.

use crate::{Ask, Cluster, api, missing, read};
use loopdrill_checklist::{
    Input, Snapshot,
    checks::LEADING,
    snapshot::{Prometheus, Rule},
};
use serde::Deserialize;
use std::collections::HashMap;

/// Ports on which a Prometheus is asked.
const PORT: u16 = 9090;

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(default)]
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    interval: f64,
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
struct RawRule {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    query: String,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    labels: HashMap<String, String>,
    #[serde(default)]
    health: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    #[serde(default)]
    active_targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    #[serde(default)]
    scrape_interval: String,
    #[serde(default)]
    health: String,
}

pub(crate) async fn survey(cluster: &Cluster, ask: &Ask, snapshot: &mut Snapshot) {
    if let Some(place) = &ask.external_monitoring {
        return missing(
            snapshot,
            Input::Prometheus,
            format!("metrics go to {place}, which is out of sight here"),
        );
    }
    let services = match api::json::<Services>(&cluster.client, "/api/v1/services").await {
        Ok(services) => services,
        Err(why) => return missing(snapshot, Input::Prometheus, why),
    };
    let mut refused = None;
    for (namespace, name) in candidates(&services) {
        let base = format!("/api/v1/namespaces/{namespace}/services/{name}:{PORT}/proxy");
        match ask_it(cluster, &base, &format!("Service {namespace}/{name}")).await {
            Ok(found) => {
                read(snapshot, Input::Prometheus, 1);
                snapshot.prometheus = Some(found);
                return;
            }
            Err(why) if why.starts_with("forbidden") => refused = Some(why),
            Err(_) => {}
        }
    }
    match refused {
        Some(why) => missing(snapshot, Input::Prometheus, why),
        None => read(snapshot, Input::Prometheus, 0),
    }
}

#[derive(Deserialize)]
struct Services {
    items: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    namespace: String,
}

#[derive(Deserialize, Default)]
struct Spec {
    #[serde(default)]
    ports: Vec<Port>,
}

#[derive(Deserialize)]
struct Port {
    port: u16,
}

/// Services on Prometheus' port; whether one is a Prometheus is for its answer to show.
fn candidates(services: &Services) -> Vec<(&str, &str)> {
    let on_port = services.items.iter().filter(|s| s.spec.ports.iter().any(|p| p.port == PORT));
    on_port.map(|s| (s.metadata.namespace.as_str(), s.metadata.name.as_str())).collect()
}

async fn ask_it(cluster: &Cluster, base: &str, at: &str) -> Result<Prometheus, String> {
    let names = LEADING.iter().map(|(m, _)| *m).collect::<Vec<_>>().join("%7C");
    let query = format!("count%20by%20(__name__)%20(%7B__name__%3D~%22{names}%22%7D)");
    let present: Answer<Vector> =
        api::json(&cluster.client, &format!("{base}/api/v1/query?query={query}")).await?;
    let rules: Answer<Groups> =
        api::json(&cluster.client, &format!("{base}/api/v1/rules?type=alert")).await?;
    let targets: Answer<Targets> =
        api::json(&cluster.client, &format!("{base}/api/v1/targets?state=active")).await?;
    let up = targets.data.active_targets.iter().filter(|t| t.health == "up");
    Ok(Prometheus {
        at: at.into(),
        present: present.data.result.into_iter().filter_map(|s| s.metric.get("__name__").cloned()).collect(),
        rules: rules.data.groups.into_iter().flat_map(of_group).collect(),
        scrape_seconds: up.filter_map(|t| seconds(&t.scrape_interval)).fold(0.0, f64::max),
    })
}

fn of_group(group: Group) -> Vec<Rule> {
    let interval_seconds = group.interval;
    let alerts = group.rules.into_iter().filter(|r| r.kind == "alerting");
    alerts
        .map(|r| Rule {
            control_loop: r.labels.get("loop").cloned(),
            name: r.name,
            expr: r.query,
            for_seconds: r.duration,
            interval_seconds,
            healthy: r.health != "err",
        })
        .collect()
}

/// `1m30s` in seconds.
fn seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        sum += number
            * match &rest[..unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus() {
        assert_eq!((seconds("15s"), seconds("1m30s"), seconds("500ms")), (Some(15.0), Some(90.0), Some(0.5)));
        assert_eq!((seconds("x"), seconds("5"), seconds("5y")), (None, None, None));
    }
}
