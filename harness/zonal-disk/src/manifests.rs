//! The objects that make up the driver in a cluster.

use serde::Deserialize;
use serde_json::Value;

/// The objects as YAML documents, in the order in which they are applied. `${IMAGE}` stands for the image that holds
/// this binary.
pub const MANIFESTS: &str = include_str!("manifests.yaml");

const IMAGE: &str = "${IMAGE}";

/// The objects, with `image` as the one that holds this binary.
#[must_use]
pub fn manifests(image: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(MANIFESTS);
    documents
        .map(|document| {
            let mut object = Value::deserialize(document).expect("a test reads this constant");
            replace(&mut object, image);
            object
        })
        .collect()
}

fn replace(value: &mut Value, image: &str) {
    match value {
        Value::String(text) if text == IMAGE => image.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|v| replace(v, image)),
        Value::Object(fields) => fields.values_mut().for_each(|v| replace(v, image)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CONTROLLER_DEPLOYMENT, DRIVER, IMMEDIATE_CLASS, NAMESPACE, NODE_DAEMON_SET, SHELF_DIR,
        SIDECAR_IMAGES, WAIT_CLASS, ZONE_LABEL,
    };
    use k8s_openapi::api::{
        apps::v1::{DaemonSet, Deployment},
        core::v1::{Namespace, PodSpec},
        storage::v1::{CSIDriver, StorageClass},
    };
    use serde::de::DeserializeOwned;

    fn objects<T: DeserializeOwned>(kind: &str) -> Vec<T> {
        let of_kind = manifests("some/image:1").into_iter().filter(|o| o["kind"] == kind);
        of_kind.map(|o| serde_json::from_value(o).expect("the kind's fields")).collect()
    }

    fn pods() -> Vec<PodSpec> {
        let deployments =
            objects::<Deployment>("Deployment").into_iter().filter_map(|d| d.spec.template.spec);
        let daemons = objects::<DaemonSet>("DaemonSet").into_iter().filter_map(|d| d.spec.template.spec);
        deployments.chain(daemons).collect()
    }

    #[test]
    fn every_image_is_ours_or_a_sidecar() {
        let mut images: Vec<_> =
            pods().into_iter().flat_map(|p| p.containers).filter_map(|c| c.image).collect();
        images.sort();
        let mut expected = vec![SIDECAR_IMAGES[1], SIDECAR_IMAGES[0], "some/image:1", "some/image:1"];
        expected.sort_unstable();
        assert_eq!(images, expected);
        assert!(!serde_json::to_string(&manifests("x")).expect("json").contains(IMAGE));
    }

    #[test]
    fn names_are_those_that_the_crate_tells() {
        let names: Vec<_> =
            manifests("x").iter().map(|o| format!("{}/{}", o["kind"], o["metadata"]["name"])).collect();
        for (kind, name) in [
            ("Namespace", NAMESPACE),
            ("CSIDriver", DRIVER),
            ("StorageClass", WAIT_CLASS),
            ("StorageClass", IMMEDIATE_CLASS),
            ("Deployment", CONTROLLER_DEPLOYMENT),
            ("DaemonSet", NODE_DAEMON_SET),
        ] {
            assert!(names.contains(&format!("{kind:?}/{name:?}")), "{kind}/{name} is missing in {names:?}");
        }
        let namespaced = manifests("x").into_iter().filter(|o| o["metadata"].get("namespace").is_some());
        assert!(namespaced.map(|o| o["metadata"]["namespace"].clone()).all(|n| n == NAMESPACE));
        assert!(MANIFESTS.contains(SHELF_DIR) && MANIFESTS.contains(ZONE_LABEL));
    }

    #[test]
    fn classes_bind_as_they_say() {
        let classes = objects::<StorageClass>("StorageClass");
        assert!(classes.iter().all(|c| c.provisioner == DRIVER));
        let bindings: Vec<_> = classes
            .iter()
            .map(|c| {
                let default = c
                    .metadata
                    .annotations
                    .as_ref()
                    .and_then(|a| a.get("storageclass.kubernetes.io/is-default-class"));
                (c.metadata.name.as_deref(), c.volume_binding_mode.as_deref(), default.map(String::as_str))
            })
            .collect();
        assert_eq!(
            bindings,
            [
                (Some(WAIT_CLASS), Some("WaitForFirstConsumer"), Some("true")),
                (Some(IMMEDIATE_CLASS), Some("Immediate"), None)
            ]
        );
    }

    #[test]
    fn disks_are_attached_and_the_namespace_allows_the_node_pods() {
        let drivers = objects::<CSIDriver>("CSIDriver");
        assert_eq!(drivers.first().and_then(|d| d.spec.attach_required), Some(true));
        let namespaces = objects::<Namespace>("Namespace");
        let labels = namespaces.first().and_then(|n| n.metadata.labels.as_ref()).expect("labels");
        assert_eq!(labels.get("pod-security.kubernetes.io/enforce").map(String::as_str), Some("privileged"));
    }
}
