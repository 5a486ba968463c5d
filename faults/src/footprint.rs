//! What a fault touches, declared once: the dry run prints it, the guard enforces it, and the dispatcher
//! runs drills side by side whose footprints do not overlap.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Something of a cluster that two drills may need at the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// The API server, etcd, the controllers.
    ControlPlane,
    /// How the API server serves the drill's own account. Nobody else feels it, but a detector finds it where it is: at the
    /// API server.
    OwnApiCalls,
    /// That the node is up, schedulable and its kubelet works.
    NodeLife(String),
    /// That the node's pods count as ready, whosever they are.
    NodePods(String),
    /// The node's links and routes.
    NodeNetwork(String),
    /// The node's unrequested capacity.
    NodeCapacity(String),
    /// The lab's private registry and its credential.
    Registry,
    /// A role of the cloud account.
    CloudRole(String),
    /// Volumes of a zone.
    ZoneStorage(String),
    /// The class that claims without one get.
    DefaultStorageClass,
    /// Everything: who holds it runs alone.
    Cluster,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::ControlPlane => f.write_str("the control plane"),
            Resource::OwnApiCalls => f.write_str("how the API server serves the drill's own namespace"),
            Resource::NodeLife(n) => write!(f, "node {n} (kubelet, scheduling)"),
            Resource::NodePods(n) => write!(f, "all pods of node {n}"),
            Resource::NodeNetwork(n) => write!(f, "the network of node {n}"),
            Resource::NodeCapacity(n) => write!(f, "the free capacity of node {n}"),
            Resource::Registry => f.write_str("the private registry"),
            Resource::CloudRole(r) => write!(f, "cloud role {r}"),
            Resource::ZoneStorage(z) => write!(f, "volumes of zone {z}"),
            Resource::DefaultStorageClass => f.write_str("the default StorageClass"),
            Resource::Cluster => f.write_str("the whole cluster"),
        }
    }
}

impl Resource {
    /// Whether whoever looks at the one sees the other, too.
    fn is_seen_with(&self, other: &Self) -> bool {
        let of_the_plane = |r: &Self| matches!(r, Resource::ControlPlane | Resource::OwnApiCalls);
        self == other || of_the_plane(self) && of_the_plane(other)
    }
}

/// How a drill holds a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Needs it to be as it is.
    Uses,
    /// Changes it: nobody else may use it meanwhile.
    Breaks,
}

/// What a drill touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint(pub BTreeMap<Resource, Hold>);

impl Footprint {
    /// The drill needs `resource` as it is.
    #[must_use]
    pub fn uses(mut self, resource: Resource) -> Self {
        self.0.entry(resource).or_insert(Hold::Uses);
        self
    }

    /// The drill needs a node, alive and with its network.
    #[must_use]
    pub fn uses_node(self, node: &str) -> Self {
        self.uses(Resource::NodeLife(node.into())).uses(Resource::NodeNetwork(node.into()))
    }

    /// The drill changes `resource`.
    #[must_use]
    pub fn breaks(mut self, resource: Resource) -> Self {
        self.0.insert(resource, Hold::Breaks);
        self
    }

    /// Whether two drills must not run at the same time.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let alone = |f: &Self| f.0.contains_key(&Resource::Cluster);
        alone(self)
            || alone(other)
            || self.0.iter().any(|(mine, my_hold)| {
                let breaks = |hold: &Hold| *my_hold == Hold::Breaks || *hold == Hold::Breaks;
                other.0.iter().any(|(theirs, hold)| mine.is_seen_with(theirs) && breaks(hold))
            })
    }

    /// What is changed: the blast radius.
    pub fn broken(&self) -> impl Iterator<Item = &Resource> {
        self.0.iter().filter(|(_, hold)| **hold == Hold::Breaks).map(|(resource, _)| resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_share_and_breakers_do_not() {
        let life = |n: &str| Resource::NodeLife(n.into());
        let user = Footprint::default().uses(life("n1")).uses(Resource::ControlPlane);
        let cordon = Footprint::default().breaks(life("n1"));
        let other = Footprint::default().breaks(life("n2"));
        assert!(!user.overlaps(&user.clone()));
        assert!(user.overlaps(&cordon) && cordon.overlaps(&user));
        assert!(!user.overlaps(&other) && !cordon.overlaps(&other));
        assert!(cordon.overlaps(&cordon.clone()));
        let slowed = Footprint::default().breaks(Resource::OwnApiCalls);
        assert!(slowed.overlaps(&user) && user.overlaps(&slowed), "both are seen at the API server");
        assert!(!slowed.overlaps(&other));
        assert_eq!(user.clone().breaks(life("n1")).uses(life("n1")).broken().count(), 1);
    }
}
