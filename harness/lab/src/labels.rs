//! Labels and names on containers and networks: kind's own, so that the `kind` CLI sees a lab as a cluster,
//! and ours, so that leftovers are found by label.

/// kind's label: the cluster that a node container belongs to.
pub const KIND_CLUSTER: &str = "io.x-k8s.kind.cluster";
/// kind's label: what the node is.
pub const KIND_ROLE: &str = "io.x-k8s.kind.role";
/// The lab that a container belongs to.
pub const LAB: &str = "dev.loopdrill.lab";
/// The process that made the container, see [`crate::owner`].
pub const OWNER: &str = "dev.loopdrill.owner";
/// `true` on the containers of a lab that outlives the process that made it.
pub const KEPT: &str = "dev.loopdrill.kept";
/// On a network that we made, and therefore remove with its last lab.
pub const NETWORK: &str = "dev.loopdrill.network";
/// The lease on the network of all kind clusters: shared by those who start nodes. No lab can have that name.
pub(crate) const NETWORK_LEASE: &str = ".network";
/// The network of all kind clusters.
pub const KIND_NETWORK: &str = "kind";
/// Where the server listens inside the control-plane node.
pub const API_PORT: u16 = 6443;
/// Where the lab says on its control-plane node that it is complete, and what it is made of.
pub const LAB_FILE: &str = "/kind/loopdrill-lab.json";
