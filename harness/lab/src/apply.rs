//! Server-side apply of manifests.

use crate::LabError;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, GroupVersionKind, Patch, PatchParams},
    discovery::{self, ApiResource, Scope},
};
use serde::Deserialize;
use std::collections::HashMap;

/// Who owns the fields that we apply.
const MANAGER: &str = "loopdrill";

/// Applies objects in their order.
pub(crate) async fn objects(client: &Client, values: Vec<serde_json::Value>) -> Result<(), LabError> {
    let objects: Result<Vec<_>, _> = values.into_iter().map(serde_json::from_value).collect();
    all(client, objects.map_err(|error| invalid(&error))?).await
}

/// Applies objects in their order.
///
/// # Errors
/// [`LabError::Kube`] naming the object that was refused.
pub(crate) async fn all(client: &Client, objects: Vec<DynamicObject>) -> Result<(), LabError> {
    let mut kinds = HashMap::<GroupVersionKind, (ApiResource, Scope)>::new();
    for object in objects {
        one(client, &mut kinds, object).await?;
    }
    Ok(())
}

/// The objects of a YAML text with any number of documents.
pub(crate) fn parse(yaml: &str) -> Result<Vec<DynamicObject>, LabError> {
    let mut objects = Vec::new();
    for document in serde_yaml::Deserializer::from_str(yaml) {
        let value = serde_json::Value::deserialize(document).map_err(|error| invalid(&error))?;
        if !value.is_null() {
            objects.push(serde_json::from_value(value).map_err(|error| invalid(&error))?);
        }
    }
    Ok(objects)
}

fn invalid(error: &dyn std::fmt::Display) -> LabError {
    LabError::Spec {
        file: "a built-in manifest".into(),
        line: None,
        what: error.to_string(),
        remedy: "this is a defect of loopdrill: please report it".into(),
    }
}

async fn one(
    client: &Client,
    kinds: &mut HashMap<GroupVersionKind, (ApiResource, Scope)>,
    object: DynamicObject,
) -> Result<(), LabError> {
    let name = object.name_any();
    let types = object.types.clone().unwrap_or_default();
    let what = format!("apply {} {name}", types.kind);
    let gvk = GroupVersionKind::try_from(&types).map_err(|error| invalid(&error))?;
    if !kinds.contains_key(&gvk) {
        let (resource, capabilities) =
            discovery::pinned_kind(client, &gvk).await.map_err(|error| LabError::kube(&what, error))?;
        kinds.insert(gvk.clone(), (resource, capabilities.scope));
    }
    let (resource, scope) = &kinds[&gvk];
    let api: Api<DynamicObject> = match (scope, object.namespace()) {
        (Scope::Cluster, _) => Api::all_with(client.clone(), resource),
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, resource),
        (Scope::Namespaced, None) => Api::default_namespaced_with(client.clone(), resource),
    };
    let params = PatchParams::apply(MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&object)).await.map_err(|error| LabError::kube(&what, error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_a_manifest_are_told_apart() {
        let objects = parse(crate::boot::FLANNEL).expect("the overlay's manifest is valid");
        let kinds: Vec<_> =
            objects.iter().filter_map(|o| o.types.as_ref().map(|t| t.kind.as_str())).collect();
        assert_eq!(kinds.first(), Some(&"Namespace"));
        assert!(kinds.contains(&"DaemonSet"), "{kinds:?}");
    }

    #[test]
    fn the_overlay_uses_the_pod_network() {
        assert!(crate::boot::FLANNEL.contains(crate::kubeadm::POD_SUBNET));
    }
}
