//! What an Ingress sets: its controller reads that from annotations, and none reads those of another.

use super::{IngestError, objects, raw, template::given};
use crate::snapshot::Ingress;

/// The makers of controllers, as they appear in the annotations by which an Ingress is set.
const CONTROLLERS: [&str; 10] = [
    "ingress",
    "nginx",
    "haproxy",
    "traefik",
    "kong",
    "contour",
    "cloud.google.com",
    "networking.gke.io",
    "alb.",
    "zalando.org",
];

/// Families of controllers, by words in the names of their classes and annotations. None reads the annotations of another.
const FAMILIES: [(&str, &[&str]); 7] = [
    ("nginx", &["nginx"]),
    ("haproxy", &["haproxy"]),
    ("traefik", &["traefik"]),
    ("kong", &["kong"]),
    ("contour", &["contour"]),
    ("alb", &["alb"]),
    ("gce", &["gce", "cloud.google.com", "networking.gke.io"]),
];

/// Words in annotations that are about other connections than those to the application.
const ASIDE: [&str; 5] = ["auth-", "next-upstream", "keepalive", "cookie", "modsecurity"];

pub(super) fn ingress(raw: &raw::Ingress, file: Option<String>) -> Result<Ingress, IngestError> {
    let class = class_of_ingress(raw);
    let known = |key: &str| {
        let other = class.zip(family(key)).is_some_and(|(served, meant)| served != meant);
        !other && CONTROLLERS.iter().any(|c| key.contains(c)) && !ASIDE.iter().any(|word| key.contains(word))
    };
    let annotations: Vec<(&str, &str)> = raw
        .metadata
        .annotations
        .iter()
        .map(|(k, v)| (k.as_str(), v.trim()))
        .filter(|(key, value)| known(key) && !value.is_empty())
        .collect();
    let has = |words: &[&str]| annotations.iter().any(|(key, value)| sets(key, value, words));
    // GCE and Traefik keep these settings in an object that an annotation names.
    let elsewhere = annotations.iter().any(|(k, _)| {
        k.contains("backend-config") || k.contains("router.middlewares") || k.contains("serverstransport")
    });
    Ok(Ingress {
        namespace: objects::namespace(&raw.metadata),
        name: objects::name(&raw.metadata)?,
        timeout: elsewhere || has(&["timeout"]),
        buffer: elsewhere
            || has(&["buffer", "body-size", "body_size"])
            || annotations.iter().any(|(k, _)| k.starts_with("alb.")),
        file,
    })
}

/// The family of controllers that serves an Ingress, where the name of its class tells.
fn class_of_ingress(raw: &raw::Ingress) -> Option<&'static str> {
    let old = || raw.metadata.annotations.get("kubernetes.io/ingress.class").map(String::as_str);
    let name = given(&raw.spec.ingress_class_name).or_else(|| old().map(Into::into))?;
    family(&name)
}

/// The family of controllers that a name is of: a class's, or an annotation's.
fn family(name: &str) -> Option<&'static str> {
    let is = |(_, words): &&(&str, &[&str])| words.iter().any(|word| name.contains(word));
    FAMILIES.iter().find(is).map(|(family, _)| *family)
}

/// Whether an annotation sets one of these: by its name, by one of a list of attributes, or by a line of a snippet of
/// the proxy's own configuration.
fn sets(key: &str, value: &str, words: &[&str]) -> bool {
    let in_text = |text: &str| words.iter().any(|w| text.contains(w));
    if key.contains("-snippet") {
        return value.lines().any(|line| in_text(line.split('#').next().unwrap_or_default()));
    }
    in_text(key) || (key.contains("attributes") && in_text(value))
}
