//! Labels, annotations and taints that Kubernetes gives a meaning.

use crate::Labels;

/// The zone of a node.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// The zone of a node, as it was called before Kubernetes 1.17; still found on nodes and volumes.
pub const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
/// The region of a node.
pub const REGION: &str = "topology.kubernetes.io/region";
/// The region of a node, as it was called before Kubernetes 1.17.
pub const OLD_REGION: &str = "failure-domain.beta.kubernetes.io/region";
/// The host name of a node. Every node is a domain of its own, with or without it.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// The machine type of a node.
pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// A node of the control plane.
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// A node of the control plane, as it was called before Kubernetes 1.20.
pub const MASTER: &str = "node-role.kubernetes.io/master";

/// The taint of a node whose condition `Ready` is false.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The taint of a node whose condition `Ready` is unknown.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The taint of a cordoned node.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The label by which every namespace carries its own name.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The Service to which an EndpointSlice belongs.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Marks the StorageClass that claims without one get; the second is the older name.
pub const DEFAULT_CLASS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
/// The class of a claim, before it had a field.
pub const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// The node that the scheduler chose for a claim that waited for its pod.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// The zone that labels tell, by its name of today or of before.
#[must_use]
pub fn zone(labels: &Labels) -> Option<&str> {
    first(labels, &[ZONE, OLD_ZONE])
}

/// The region that labels tell, by its name of today or of before.
#[must_use]
pub fn region(labels: &Labels) -> Option<&str> {
    first(labels, &[REGION, OLD_REGION])
}

/// Whether labels tell a node of the control plane.
#[must_use]
pub fn is_control_plane(labels: &Labels) -> bool {
    labels.contains_key(CONTROL_PLANE) || labels.contains_key(MASTER)
}

/// Whether annotations mark a StorageClass as the default one.
#[must_use]
pub fn is_default_class(annotations: &Labels) -> bool {
    DEFAULT_CLASS.iter().any(|key| annotations.get(*key).is_some_and(|v| v == "true"))
}

/// The value of a topology label on a node; every node has a host name.
#[must_use]
pub fn domain<'a>(name: &'a str, labels: &'a Labels, topology: &str) -> Option<&'a str> {
    let value = labels.get(topology).map(String::as_str);
    value.or_else(|| (topology == HOSTNAME).then_some(name))
}

fn first<'a>(labels: &'a Labels, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| labels.get(*key)).map(String::as_str)
}
