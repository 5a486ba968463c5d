//! Which object, in a form that survives the process.

use kube::{
    Api, Client, Resource,
    core::{ApiResource, DynamicObject},
};
use loopdrill_model::{Evidence, Source, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// `v1`, `rbac.authorization.k8s.io/v1`, …
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// The kind's name in URLs.
    pub plural: String,
    /// Absent for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// The object `name` of kind `K`.
    #[must_use]
    pub fn of<K: Resource<DynamicType = ()>>(namespace: Option<&str>, name: &str) -> Self {
        Self {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            plural: K::plural(&()).into_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The API of its kind, in its namespace.
    #[must_use]
    pub fn api(&self, client: &Client) -> Api<DynamicObject> {
        let resource = self.resource();
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        }
    }

    /// What was read back of it just now.
    pub(super) fn shows(&self, value: impl Into<String>) -> Evidence {
        Evidence::new(self.to_string(), value, Timestamp::now(), Source::api(&self.plural))
    }

    fn resource(&self) -> ApiResource {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::{core::v1::Node, networking::v1::NetworkPolicy};

    #[test]
    fn the_plural_is_the_apis_own() {
        let policy = ObjectRef::of::<NetworkPolicy>(Some("shop"), "deny");
        assert_eq!(policy.plural, "networkpolicies");
        assert_eq!(policy.resource().group, "networking.k8s.io");
        assert_eq!(policy.to_string(), "NetworkPolicy shop/deny");
        assert_eq!(ObjectRef::of::<Node>(None, "n1").resource().group, "");
    }
}
