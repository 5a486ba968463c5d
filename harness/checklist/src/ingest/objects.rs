//! Every other kind of object.

use super::{
    IngestError, keys, raw,
    template::{given, node_terms, scrapes, selector},
};
use crate::snapshot::{
    Amount, Binding, Budget, Bundle, Claim, Disruptions, Ingress, Node, PriorityClass, Selector, Service,
    ServiceAccount, StorageClass, Taint, Volume,
};
use loopdrill_model::{
    Timestamp,
    quantity::{millis, units},
};
use std::collections::BTreeMap;

const DEFAULT_CLASS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
/// Annotations by which a ServiceAccount becomes an identity of a cloud.
const MAPPED: [&str; 3] =
    ["eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id"];
/// Labels and annotations of what keeps Secrets fresh.
const RENEWERS: [&str; 3] = [
    "reconcile.external-secrets.io/created-by",
    "secrets-store.csi.k8s.io/managed",
    "cert-manager.io/certificate-name",
];
/// With it somebody notes by when a credential must be replaced.
const NOTED_EXPIRY: &str = "loopdrill.dev/expires";

pub(super) fn name(meta: &raw::Meta) -> Result<String, IngestError> {
    given(&meta.name).ok_or(IngestError::NoName)
}

pub(super) fn namespace(meta: &raw::Meta) -> String {
    given(&meta.namespace).unwrap_or_else(|| "default".into())
}

pub(super) fn node(raw: &raw::Node) -> Result<Node, IngestError> {
    let amounts = &raw.status.allocatable;
    Ok(Node {
        name: name(&raw.metadata)?,
        labels: raw.metadata.labels.clone(),
        taints: raw
            .spec
            .taints
            .iter()
            .map(|t| Taint { key: t.key.clone(), value: t.value.clone(), effect: t.effect.clone() })
            .collect(),
        cordoned: raw.spec.unschedulable,
        ready: raw.status.conditions.iter().any(|c| c.r#type == "Ready" && c.status == "True"),
        allocatable: Amount {
            cpu_millis: amounts.get("cpu").and_then(|q| millis(&q.0)).unwrap_or(0),
            memory_bytes: amounts.get("memory").and_then(|q| units(&q.0)).unwrap_or(0),
        },
    })
}

pub(super) fn service(raw: &raw::Service) -> Result<Option<Service>, IngestError> {
    let service = Service {
        namespace: namespace(&raw.metadata),
        name: name(&raw.metadata)?,
        selector: raw.spec.selector.clone(),
        scrape: scrapes(&raw.metadata.annotations),
    };
    Ok((!service.selector.is_empty()).then_some(service))
}

pub(super) fn ingress(raw: &raw::Bare, file: Option<String>) -> Result<Ingress, IngestError> {
    let annotations = &raw.metadata.annotations;
    let has = |words: &[&str]| {
        annotations.iter().any(|(key, value)| {
            let words_in = |text: &str| words.iter().any(|w| text.contains(w));
            words_in(key) || (key.contains("attributes") && words_in(value))
        })
    };
    // GCE and Traefik keep these settings in an object that an annotation names.
    let elsewhere = annotations.keys().any(|k| {
        k.contains("backend-config") || k.contains("router.middlewares") || k.contains("serverstransport")
    });
    Ok(Ingress {
        namespace: namespace(&raw.metadata),
        name: name(&raw.metadata)?,
        timeout: elsewhere || has(&["timeout"]),
        buffer: elsewhere
            || has(&["buffer", "body-size"])
            || annotations.keys().any(|k| k.starts_with("alb.")),
        file,
    })
}

/// The namespace, where the policy denies it incoming traffic by default.
pub(super) fn default_deny(raw: &raw::NetworkPolicy) -> Result<Option<String>, IngestError> {
    name(&raw.metadata)?;
    let spec = &raw.spec;
    let all = selector(&spec.pod_selector).is_empty();
    let incoming = spec.policy_types.is_empty() || spec.policy_types.iter().any(|t| t == "Ingress");
    Ok((all && incoming && spec.ingress.is_empty()).then(|| namespace(&raw.metadata)))
}

pub(super) fn budget(raw: &raw::Budget) -> Result<Option<Budget>, IngestError> {
    let spec = &raw.spec;
    let allows = match (&spec.max_unavailable, &spec.min_available) {
        (Some(max), _) => share(&max.0, Disruptions::MaxUnavailable, Disruptions::MaxUnavailablePercent),
        (None, Some(min)) => share(&min.0, Disruptions::MinAvailable, Disruptions::MinAvailablePercent),
        // The API's default.
        (None, None) => Some(Disruptions::MinAvailable(1)),
    };
    Ok(match (name(&raw.metadata)?, allows) {
        (name, Some(allows)) => Some(Budget {
            namespace: namespace(&raw.metadata),
            name,
            selector: selector(&spec.selector),
            allows,
        }),
        _ => None,
    })
}

fn share(text: &str, number: fn(u32) -> Disruptions, percent: fn(u32) -> Disruptions) -> Option<Disruptions> {
    match text.strip_suffix('%') {
        Some(p) => p.parse().ok().map(percent),
        None => text.parse().ok().map(number),
    }
}

pub(super) fn priority_class(raw: &raw::PriorityClass) -> Result<PriorityClass, IngestError> {
    Ok(PriorityClass { name: name(&raw.metadata)?, value: raw.value, default: raw.global_default })
}

pub(super) fn storage_class(
    raw: &raw::StorageClass,
    file: Option<String>,
) -> Result<StorageClass, IngestError> {
    let annotations = &raw.metadata.annotations;
    Ok(StorageClass {
        name: name(&raw.metadata)?,
        provisioner: raw.provisioner.clone(),
        waits: raw.volume_binding_mode == "WaitForFirstConsumer",
        default: DEFAULT_CLASS.iter().any(|k| annotations.get(*k).is_some_and(|v| v == "true")),
        file,
    })
}

pub(super) fn zonal_drivers(raw: &raw::CsiNode) -> Vec<String> {
    let zonal = |d: &&raw::CsiDriver| d.topology_keys.iter().any(|k| k.ends_with("/zone"));
    raw.spec.drivers.iter().filter(zonal).map(|d| d.name.clone()).collect()
}

pub(super) fn volume(raw: &raw::PersistentVolume) -> Result<Volume, IngestError> {
    let terms: Vec<Selector> = node_terms(&raw.spec.node_affinity.required);
    let zones = terms.iter().flat_map(|t| &t.expressions).filter(|e| e.key.ends_with("/zone"));
    let mut zones: Vec<String> = zones.flat_map(|e| e.values.clone()).collect();
    zones.sort();
    zones.dedup();
    Ok(Volume {
        name: name(&raw.metadata)?,
        class: given(&raw.spec.storage_class_name),
        zones,
        claim: raw.spec.claim_ref.as_ref().map(|c| (c.namespace.clone(), c.name.clone())),
    })
}

pub(super) fn claim(raw: &raw::Claim) -> Result<Claim, IngestError> {
    Ok(Claim {
        namespace: namespace(&raw.metadata),
        name: name(&raw.metadata)?,
        class: raw.spec.storage_class_name.clone(),
        shared: raw.spec.access_modes.iter().any(|m| m == "ReadWriteMany"),
    })
}

pub(super) fn secret(raw: &raw::Secret, file: Option<String>) -> Result<Option<Bundle>, IngestError> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    // A chart's release holds the whole chart, compressed: nothing to be read there.
    if raw.r#type != "helm.sh/release.v1" {
        texts.extend(raw.data.iter().filter_map(|(k, v)| Some((k.as_str(), keys::decode(v)?))));
        texts.extend(raw.string_data.iter().map(|(k, v)| (k.as_str(), v.clone())));
    }
    let mut bundle = bundle("Secret", &raw.metadata, &texts, file)?;
    if raw.r#type == "kubernetes.io/service-account-token" {
        let of = raw.metadata.annotations.get("kubernetes.io/service-account.name");
        bundle.token_of = Some(of.cloned().unwrap_or_default());
    }
    if let Some(config) = texts.get(".dockerconfigjson") {
        bundle.pull = keys::pull_credentials(config).unwrap_or_default();
    }
    // Every pull secret is kept, so that a name which no pull secret has is known as such.
    let of_interest = !bundle.keys.is_empty()
        || bundle.token_of.is_some()
        || raw.r#type.starts_with("kubernetes.io/dockerc");
    Ok(of_interest.then_some(bundle))
}

pub(super) fn config_map(raw: &raw::ConfigMap, file: Option<String>) -> Result<Option<Bundle>, IngestError> {
    let texts = raw.data.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let bundle = bundle("ConfigMap", &raw.metadata, &texts, file)?;
    Ok((!bundle.keys.is_empty()).then_some(bundle))
}

fn bundle(
    kind: &str,
    meta: &raw::Meta,
    texts: &BTreeMap<&str, String>,
    file: Option<String>,
) -> Result<Bundle, IngestError> {
    let time = |text: &String| text.parse::<Timestamp>().ok();
    // A day without a time ends with its midnight.
    let day = |text: &String| format!("{text}T00:00:00Z").parse::<Timestamp>().ok();
    let noted = meta.annotations.get(NOTED_EXPIRY);
    Ok(Bundle {
        kind: kind.into(),
        namespace: namespace(meta),
        name: name(meta)?,
        keys: texts.iter().filter_map(|(k, v)| Some((k.to_string(), keys::kind_of(k, v)?))).collect(),
        token_of: None,
        pull: Vec::new(),
        renewed: !meta.owner_references.is_empty()
            || RENEWERS.iter().any(|r| meta.annotations.contains_key(*r) || meta.labels.contains_key(*r)),
        noted_expiry: noted.and_then(|t| time(t).or_else(|| day(t))),
        created: meta.creation_timestamp.as_ref().and_then(time),
        file,
    })
}

pub(super) fn service_account(raw: &raw::ServiceAccount) -> Result<ServiceAccount, IngestError> {
    Ok(ServiceAccount {
        namespace: namespace(&raw.metadata),
        name: name(&raw.metadata)?,
        mapped: MAPPED.iter().any(|k| raw.metadata.annotations.contains_key(*k)),
        pull_secrets: raw.image_pull_secrets.iter().map(|s| s.name.clone()).collect(),
    })
}

/// The binding, where it gives all rights.
pub(super) fn admin(raw: &raw::Binding, file: Option<String>) -> Result<Option<Binding>, IngestError> {
    let all = raw.role_ref.kind == "ClusterRole" && raw.role_ref.name == "cluster-admin";
    let subject = |s: &raw::Subject| match s.namespace.as_str() {
        "" => format!("{} {}", s.kind, s.name),
        namespace => format!("{} {namespace}/{}", s.kind, s.name),
    };
    let name = name(&raw.metadata)?;
    Ok(all.then(|| Binding { name, subjects: raw.subjects.iter().map(subject).collect(), file }))
}
