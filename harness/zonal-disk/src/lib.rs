//! Zonal storage for a lab: a small, real CSI driver.
//!
//! Its disks behave like a cloud's: each lives in one zone, is attached to one node at a time and cannot be attached
//! in another zone. The upstream external-provisioner and external-attacher drive it, so every event and message
//! that a user sees is Kubernetes' own.
//!
//! One Deployment on the control plane holds the controller's half with both sidecars, a DaemonSet the node's half,
//! which registers itself with the kubelet. The disks are directories on the [`SHELF_DIR`] that a lab's nodes share;
//! they are the driver's only state, so each half may restart at any time.

mod cli;
mod controller;
mod identity;
mod manifests;
mod mounts;
mod node;
mod nodes;
mod proto;
mod registration;
mod server;
mod status;
mod volume_store;

pub use cli::{Command, run};
pub use manifests::{MANIFESTS, manifests};

/// The driver's name.
pub const DRIVER: &str = "zonal-disk.loopdrill.dev";

/// The namespace in which the driver runs.
pub const NAMESPACE: &str = "loopdrill-storage";

/// The Deployment of the controller's half; storage can be used when it is available and [`NODE_DAEMON_SET`] is ready.
pub const CONTROLLER_DEPLOYMENT: &str = "zonal-disk-controller";

/// The DaemonSet of the node's half; a pod of it is ready when its kubelet has registered the driver.
pub const NODE_DAEMON_SET: &str = "zonal-disk-node";

/// The class that binds `WaitForFirstConsumer`; the default one.
pub const WAIT_CLASS: &str = "zonal";

/// The class that binds `Immediate`.
pub const IMMEDIATE_CLASS: &str = "zonal-immediate";

/// The directory that a lab provides on each of its nodes: the same for all of them, gone with their containers.
pub const SHELF_DIR: &str = "/mnt/zonal-disks";

/// The images of the sidecars, which a lab provides on its control plane.
pub const SIDECAR_IMAGES: [&str; 2] = [
    "registry.k8s.io/sig-storage/csi-provisioner:v6.4.0",
    "registry.k8s.io/sig-storage/csi-attacher:v4.13.0",
];

/// The label that says in which zone a node, a disk or a pod is.
pub const ZONE_LABEL: &str = loopdrill_kubernetes::well_known::ZONE;
