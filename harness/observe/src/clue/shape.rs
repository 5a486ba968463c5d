//! The shapes that a field of a clue may have. What does not fit is dropped: it may be anything, also a secret.

use loopdrill_model::Subject;
use loopdrill_model::signal::Peer;
use std::net::IpAddr;

/// A part of a name that mixes letters and digits for so long is a key rather than a name.
const LONGEST_MIX: usize = 20;

/// Verbs of the API server.
const VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
    "approve",
    "sign",
    "attest",
    "proxy",
    "post",
    "put",
    "head",
];

pub(super) fn verb(text: &str) -> Option<String> {
    VERBS.contains(&text).then(|| text.to_owned())
}

/// `pods`, `deployments/status`.
pub(super) fn resource(text: &str) -> Option<String> {
    let part = |p: &str| (1..=63).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_lowercase());
    let parts: Vec<_> = text.split('/').collect();
    (parts.len() <= 2 && parts.iter().all(|p| part(p))).then(|| text.to_owned())
}

/// A name as Kubernetes and DNS write it: labels of small letters, digits and hyphens.
pub(super) fn name(text: &str) -> Option<String> {
    (text.len() <= 253 && text.split('.').all(is_label)).then(|| text.to_owned())
}

fn is_label(label: &str) -> bool {
    let inside = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (1..=63).contains(&label.len())
        && inside
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.split('-').any(is_key)
}

fn is_key(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    part.len() >= LONGEST_MIX && digits >= 4 && digits < part.len()
}

/// `system:serviceaccount:NAMESPACE:NAME`, or the API server's word for nobody.
pub(super) fn account(user: &str) -> Option<Subject> {
    if user == "system:anonymous" {
        return Some(Subject::new("User", "", user));
    }
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    Some(Subject::new("ServiceAccount", self::name(namespace)?, self::name(name)?))
}

/// A host and a port; what is not of their shape is left empty.
pub(crate) fn peer(host: Option<&str>, port: Option<&str>) -> Peer {
    let port = port.and_then(|p| p.parse().ok()).filter(|p| *p > 0);
    Peer { host: host.and_then(self::host).unwrap_or_default(), port }
}

fn host(text: &str) -> Option<String> {
    let bare =
        text.trim_matches(['[', ']', '\'', '"', '/']).trim_start_matches("::ffff:").trim_end_matches('.');
    match bare.parse::<IpAddr>() {
        Ok(address) => Some(address.to_string()),
        // A host of digits alone is a mistyped address, and a name otherwise.
        Err(_) => name(bare).filter(|n| n.bytes().any(|b| b.is_ascii_lowercase())),
    }
}
