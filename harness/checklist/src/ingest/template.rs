//! From a pod's specification to the fields that checks look at.

use super::{
    keys,
    peers::{self, Own},
    raw,
};
use crate::snapshot::{Container, Port, ProjectedToken, Template};
use loopdrill_kubernetes::{
    Amounts, ContainerAmounts, LabelSelector, NodeTerm, PodAmounts, Requirement, Resources, Toleration,
    TolerationOperator,
    quantity::{millis, units},
};
use std::collections::BTreeMap;

/// Variables by which programs find a cloud.
pub(super) const CLOUD: [&str; 9] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
];
/// Variables that a workload identity's webhook, or who does its work, sets.
const IDENTITY: [&str; 3] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE"];
/// How long a projected token lives where nothing is said.
const TOKEN_SECONDS: u64 = 3600;

pub(super) fn template(namespace: &str, meta: &raw::Meta, spec: &raw::PodSpec) -> Template {
    let own = Own { namespace, labels: &meta.labels };
    let every = || spec.containers.iter().chain(&spec.init_containers);
    let variables = || every().flat_map(|c| &c.env).map(|e| e.name.as_str());
    let mut cloud: Vec<String> = variables().filter(|v| CLOUD.contains(v)).map(Into::into).collect();
    cloud.sort();
    cloud.dedup();
    let affinity = &spec.affinity;
    Template {
        labels: meta.labels.clone(),
        service_account: service_account(spec),
        priority_class: given(&spec.priority_class_name),
        containers: spec.containers.iter().chain(sidecars(spec)).map(container).collect(),
        requests: requests(spec),
        node_selector: spec.node_selector.clone(),
        node_terms: node_terms(&affinity.node_affinity.required),
        affinity: affinity.pod_affinity.required.iter().map(|t| own.peer(t)).collect(),
        anti_affinity: affinity.pod_anti_affinity.required.iter().map(|t| own.peer(t)).collect(),
        spread: spec.topology_spread_constraints.iter().map(peers::spread).collect(),
        tolerations: spec.tolerations.iter().map(toleration).collect(),
        claims: spec.volumes.iter().filter_map(|v| given(&v.persistent_volume_claim.claim_name)).collect(),
        disks: spec.volumes.iter().filter_map(raw::Volume::disk).map(Into::into).collect(),
        pull_secrets: spec.image_pull_secrets.iter().map(|s| s.name.clone()).collect(),
        tokens: spec
            .volumes
            .iter()
            .flat_map(|v| &v.projected.sources)
            .filter_map(|s| s.service_account_token.as_ref())
            .map(|t| ProjectedToken {
                audience: given(&t.audience),
                seconds: if t.expiration_seconds == 0 { TOKEN_SECONDS } else { t.expiration_seconds },
            })
            .collect(),
        cloud,
        identity: variables().any(|v| IDENTITY.contains(&v))
            || meta.labels.get("azure.workload.identity/use").is_some_and(|v| v == "true"),
        scrape: scrapes(&meta.annotations),
        host_network: spec.host_network,
        ..Template::default()
    }
}

/// Whether annotations ask for scraping.
pub(super) fn scrapes(annotations: &BTreeMap<String, String>) -> bool {
    annotations.get("prometheus.io/scrape").is_some_and(|v| v == "true")
}

pub(super) fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

/// Init containers that stay.
fn sidecars(spec: &raw::PodSpec) -> impl Iterator<Item = &raw::Container> {
    spec.init_containers.iter().filter(|c| c.restart_policy == "Always")
}

pub(super) fn container(raw: &raw::Container) -> Container {
    let (requests, limits) = (&raw.resources.requests, &raw.resources.limits);
    // The API server takes a limit for the request where there is none.
    let or_limit = |name: &str, read: fn(&str) -> Option<u64>| {
        requests.get(name).or_else(|| limits.get(name)).and_then(|q| read(&q.0))
    };
    Container {
        name: raw.name.clone(),
        cpu_request: or_limit("cpu", millis),
        memory_request: or_limit("memory", units),
        cpu_limit: limits.get("cpu").and_then(|q| millis(&q.0)),
        memory_limit: limits.get("memory").and_then(|q| units(&q.0)),
        readiness: raw.readiness_probe.has_handler(),
        odd_probe: raw.readiness_probe.is_odd(),
        ports: raw.ports.iter().map(|p| Port { name: p.name.clone(), number: p.container_port }).collect(),
        keys: raw
            .env
            .iter()
            .filter_map(|e| Some((e.name.clone(), keys::kind_of(&e.name, &e.value)?)))
            .collect(),
        ..Container::default()
    }
}

/// What the scheduler counts.
pub(super) fn requests(spec: &raw::PodSpec) -> Resources {
    let pod = PodAmounts {
        containers: spec.containers.iter().map(container_amounts).collect(),
        init: spec.init_containers.iter().map(container_amounts).collect(),
        level: declared(&spec.resources),
        overhead: amounts(&spec.overhead),
        infeasible_resize: false,
    };
    pod.requests()
}

fn container_amounts(raw: &raw::Container) -> ContainerAmounts<'_> {
    ContainerAmounts { sidecar: raw.restart_policy == "Always", ..declared(&raw.resources) }
}

fn declared(raw: &raw::Resources) -> ContainerAmounts<'_> {
    ContainerAmounts {
        requests: amounts(&raw.requests),
        limits: amounts(&raw.limits),
        ..ContainerAmounts::default()
    }
}

/// Amounts of resources by name, as a list.
pub(super) fn amounts(raw: &BTreeMap<String, raw::Text>) -> Amounts<'_> {
    raw.iter().map(|(name, amount)| (name.as_str(), amount.0.as_str())).collect()
}

pub(super) fn selector(raw: &raw::Selector) -> LabelSelector {
    LabelSelector {
        labels: raw.match_labels.clone(),
        expressions: raw.match_expressions.iter().map(requirement).collect(),
    }
}

fn requirement(raw: &raw::Expression) -> Requirement {
    Requirement::new(raw.key.clone(), &raw.operator, raw.values.iter().cloned())
}

pub(super) fn node_terms(raw: &raw::NodeTerms) -> Vec<NodeTerm> {
    let all = |raw: &[raw::Expression]| raw.iter().map(requirement).collect();
    let term = |raw: &raw::NodeTerm| NodeTerm {
        expressions: all(&raw.match_expressions),
        fields: all(&raw.match_fields),
    };
    raw.node_selector_terms.iter().map(term).collect()
}

/// The account, by the field of today or by the older one, which the API server copies.
fn service_account(spec: &raw::PodSpec) -> String {
    let named = given(&spec.service_account_name).or_else(|| given(&spec.service_account));
    named.unwrap_or_else(|| "default".into())
}

fn toleration(raw: &raw::Toleration) -> Toleration {
    Toleration {
        key: raw.key.clone(),
        operator: TolerationOperator::named(&raw.operator),
        value: raw.value.clone(),
        effect: raw.effect.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(value: serde_json::Value) -> raw::PodSpec {
        serde_json::from_value(value).expect("a pod's specification")
    }

    #[test]
    fn requests_are_counted_as_the_scheduler_does() {
        let cpu = |text: &str| json!({"requests": {"cpu": text}});
        let all = spec(json!({
            "initContainers": [
                {"name": "a", "resources": cpu("300m")},
                {"name": "b", "restartPolicy": "Always", "resources": cpu("50m")},
                {"name": "c", "resources": cpu("400m")},
            ],
            "containers": [{"name": "d", "resources": cpu("100m")}, {"name": "e", "resources": {"limits": {"cpu": 0.1}}}],
            "overhead": {"cpu": "10m"},
        }));
        assert_eq!(requests(&all).cpu_millis, 460);
        assert_eq!(template("default", &raw::Meta::default(), &all).containers.len(), 3);
    }

    #[test]
    fn null_and_unknown_fields_are_no_trouble() {
        let read = spec(
            json!({"containers": null, "nodeSelector": null, "affinity": {"podAffinity": null}, "new": {"x": 1}}),
        );
        assert_eq!(template("default", &raw::Meta::default(), &read).service_account, "default");
        assert!(serde_json::from_value::<raw::PodSpec>(json!({"containers": "{{ x }}"})).is_err());
    }
}
