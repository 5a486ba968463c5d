//! Where a drill's effects may show, by what its fault breaks.

use loopdrill_faults::{Footprint, Resource};
use loopdrill_model::Scope;

/// The scope of a drill in `namespace`: that, the nodes and cloud roles that it breaks, or everything.
pub(crate) fn scope(namespace: &str, footprint: &Footprint) -> Scope {
    let mut scope = Scope { namespace: namespace.into(), ..Scope::default() };
    for broken in footprint.broken() {
        match broken {
            Resource::NodeLife(n)
            | Resource::NodePods(n)
            | Resource::NodeNetwork(n)
            | Resource::NodeCapacity(n) => {
                scope.nodes.push(n.clone());
            }
            Resource::ControlPlane | Resource::OwnApiCalls | Resource::Cluster => scope.everything = true,
            Resource::CloudRole(role) => scope.roles.push(role.clone()),
            Resource::Registry | Resource::ZoneStorage(_) | Resource::DefaultStorageClass => {}
        }
    }
    for names in [&mut scope.nodes, &mut scope.roles] {
        names.sort();
        names.dedup();
    }
    scope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_is_in_scope_and_what_is_only_used_is_not() {
        let footprint = Footprint::default()
            .breaks(Resource::NodeNetwork("n1".into()))
            .breaks(Resource::NodeLife("n1".into()))
            .breaks(Resource::CloudRole("app".into()))
            .uses(Resource::NodeLife("n2".into()))
            .uses(Resource::ControlPlane);
        let expected = Scope {
            namespace: "ns".into(),
            nodes: vec!["n1".into()],
            roles: vec!["app".into()],
            everything: false,
        };
        assert_eq!(scope("ns", &footprint), expected);
        for plane in [Resource::ControlPlane, Resource::OwnApiCalls] {
            assert!(scope("ns", &Footprint::default().breaks(plane)).everything);
        }
    }
}
