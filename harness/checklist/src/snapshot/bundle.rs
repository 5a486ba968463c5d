//! Secrets and ConfigMaps, reduced.

use super::KeyKind;
use loopdrill_model::Timestamp;
use serde::{Deserialize, Serialize};

/// A Secret or ConfigMap, without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The type of a Secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub r#type: String,
    /// Long-lived keys that were seen, by the name of their entry.
    #[serde(default)]
    pub keys: Vec<(String, KeyKind)>,
    /// Entries that are named like the variables by which programs find a cloud.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cloud: Vec<String>,
    /// Why it is of no use as a pull secret, although it is meant as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
    /// The ServiceAccount whose long-lived token it holds.
    #[serde(default)]
    pub token_of: Option<String>,
    /// The credentials for registries that it holds.
    #[serde(default)]
    pub pull: Vec<PullCredential>,
    /// Whether something renews it: it has an owner or a manager that does.
    #[serde(default)]
    pub renewed: bool,
    /// When somebody noted that it expires.
    #[serde(default)]
    pub noted_expiry: Option<Timestamp>,
    /// When it was made.
    #[serde(default)]
    pub created: Option<Timestamp>,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A credential for a registry, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullCredential {
    /// The registry.
    pub registry: String,
    /// How long a credential of its kind lives, where that is known, in hours.
    pub lives_hours: Option<u32>,
    /// When it ends, where it says so itself.
    pub expires: Option<Timestamp>,
}
