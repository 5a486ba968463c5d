//! Secrets and ConfigMaps: their values are judged here and dropped here.

use super::{
    IngestError, keys,
    objects::{name, namespace},
    pull, raw,
    template::CLOUD,
};
use crate::snapshot::Bundle;
use loopdrill_model::Timestamp;
use std::collections::BTreeMap;

lean! {
    RawSecret { metadata: raw::Meta, r#type: String, data: BTreeMap<String, String>, string_data: BTreeMap<String, String> }
    RawConfigMap { metadata: raw::Meta, data: BTreeMap<String, String>, binary_data: BTreeMap<String, String> }
}

/// Labels and annotations of what keeps Secrets fresh.
const RENEWERS: [&str; 3] = [
    "reconcile.external-secrets.io/created-by",
    "secrets-store.csi.k8s.io/managed",
    "cert-manager.io/certificate-name",
];
/// With it somebody notes by when a credential must be replaced.
const NOTED_EXPIRY: &str = "loopdrill.dev/expires";

/// The annotation in which `kubectl apply` leaves the whole object, values included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is kept of a Secret, where it is of interest: in manifests always, for they are few.
pub(super) fn secret(
    raw: &RawSecret,
    all: bool,
    file: Option<String>,
) -> Result<Option<Bundle>, IngestError> {
    let mut texts = texts_of(raw);
    if let Some(before) = raw.metadata.annotations.get(LAST_APPLIED) {
        let before: Option<RawSecret> = serde_json::from_str(before).ok();
        let before = before.iter().flat_map(texts_of).map(|(k, v)| (format!("{LAST_APPLIED}: {k}"), v));
        texts.extend(before.collect::<Vec<_>>());
    }
    let mut bundle = bundle("Secret", &raw.metadata, &texts, file)?;
    bundle.r#type.clone_from(&raw.r#type);
    if raw.r#type == "kubernetes.io/service-account-token" {
        let of = raw.metadata.annotations.get("kubernetes.io/service-account.name");
        bundle.token_of = Some(of.cloned().unwrap_or_default());
    }
    match pull::credentials(&raw.r#type, &texts) {
        Some(Ok(pull)) => bundle.pull = pull,
        Some(Err(why)) => bundle.malformed = Some(why.to_string()),
        None => {}
    }
    // Every pull secret is kept, so that a name which no pull secret has is known as such.
    let of_interest = all || is_of_interest(&bundle) || raw.r#type.starts_with("kubernetes.io/dockerc");
    Ok(of_interest.then_some(bundle))
}

fn is_of_interest(bundle: &Bundle) -> bool {
    !bundle.keys.is_empty() || !bundle.cloud.is_empty() || bundle.token_of.is_some()
}

/// The entries of a Secret that are texts.
fn texts_of(raw: &RawSecret) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    // A chart's release holds the whole chart, compressed: nothing to be read there.
    if raw.r#type != "helm.sh/release.v1" {
        texts.extend(raw.data.iter().map(|(k, v)| (k.clone(), keys::readable(v))));
        texts.extend(raw.string_data.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    texts
}

pub(super) fn config_map(
    raw: &RawConfigMap,
    all: bool,
    file: Option<String>,
) -> Result<Option<Bundle>, IngestError> {
    let binary = raw.binary_data.iter().map(|(k, v)| (k.clone(), keys::readable(v)));
    let texts = raw.data.iter().map(|(k, v)| (k.clone(), v.clone())).chain(binary).collect();
    let bundle = bundle("ConfigMap", &raw.metadata, &texts, file)?;
    Ok((all || is_of_interest(&bundle)).then_some(bundle))
}

fn bundle(
    kind: &str,
    meta: &raw::Meta,
    texts: &BTreeMap<String, String>,
    file: Option<String>,
) -> Result<Bundle, IngestError> {
    let time = |text: &String| text.parse::<Timestamp>().ok();
    // A day without a time ends with its midnight.
    let day = |text: &String| format!("{text}T00:00:00Z").parse::<Timestamp>().ok();
    let noted = meta.annotations.get(NOTED_EXPIRY);
    // What was applied last has been taken apart by whoever calls this.
    let annotations = meta.annotations.iter().filter(|(name, _)| *name != LAST_APPLIED);
    let seen = texts.iter().chain(annotations);
    Ok(Bundle {
        kind: kind.into(),
        namespace: namespace(meta),
        name: name(meta)?,
        r#type: String::new(),
        keys: seen.filter_map(|(k, v)| Some((k.clone(), keys::kind_of(k, v)?))).collect(),
        cloud: texts.keys().filter(|k| CLOUD.contains(&k.as_str())).cloned().collect(),
        malformed: None,
        token_of: None,
        pull: Vec::new(),
        renewed: !meta.owner_references.is_empty()
            || RENEWERS.iter().any(|r| meta.annotations.contains_key(*r) || meta.labels.contains_key(*r)),
        noted_expiry: noted.and_then(|t| time(t).or_else(|| day(t))),
        created: meta.creation_timestamp.as_ref().and_then(time),
        file,
    })
}
