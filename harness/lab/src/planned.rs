//! What a lab that is not there yet will consist of, for dry runs.

use crate::{LabSpec, Role};
use loopdrill_cluster::{ClusterFacts, NodeFacts};
use loopdrill_kubernetes::Resources;
use loopdrill_model::Capability;

/// The facts that a lab of this specification will have. What only the running cluster knows is left out.
#[must_use]
pub fn planned_facts(spec: &LabSpec) -> ClusterFacts {
    let all = [
        Capability::NodeAccess,
        Capability::VxlanOverlay,
        Capability::ZonalStorage,
        Capability::PrivateRegistry,
        Capability::ControlPlaneNode,
        Capability::LocalEtcd,
        Capability::BlockIoThrottle,
        Capability::NodeServiceManager,
    ];
    ClusterFacts {
        nodes: spec
            .named_nodes()
            .into_iter()
            .map(|(name, node)| NodeFacts {
                name,
                zone: Some(node.zone.clone()),
                control_plane: node.role == Role::ControlPlane,
                schedulable: node.role == Role::Worker,
                allocatable: Resources::default(),
            })
            .collect(),
        kubernetes: crate::KUBERNETES.into(),
        capabilities: all.into_iter().map(|capability| (capability, Ok(()))).collect(),
        ..ClusterFacts::default()
    }
}
