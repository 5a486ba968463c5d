//! Cross-AZ PVC: the volume is pinned to one zone and the pod may only run in another.
//!
//! | variant | why the pod cannot be where its volume is |
//! |---|---|
//! | [`cordon`] | the zone's nodes are cordoned |
//! | [`node_failure`] | the zone's nodes are dead: kubelet stopped, or machine off; the volume is still attached there |
//! | [`immediate`] | the default class binds `Immediate` and provisions in the wrong zone |
//!
//! In the first two the victim's data must be there again after the undo.

pub mod cordon;
pub mod immediate;
pub mod node_failure;
mod writer;
mod zone_full;

use crate::Fault;
use std::sync::Arc;

/// All variants.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![
        Arc::new(cordon::Cordon::default()),
        Arc::new(node_failure::NodeFailure::default()),
        Arc::new(immediate::Immediate::default()),
    ]
}

/// The domino in which a whole machine goes.
pub(crate) fn node_loss() -> impl Fault {
    node_failure::NodeFailure::of_the_machine()
}

/// The domino in which the volume's zone is full.
pub(crate) fn zone_full() -> impl Fault {
    zone_full::ZoneFull::default()
}

#[cfg(test)]
mod tests {
    use crate::{Footprint, Resource, catalogue, victim::place::tests::facts};
    use loopdrill_target::ClusterFacts;

    #[test]
    fn what_does_not_touch_the_lost_zone_runs_beside_it() {
        let facts = facts(&[("x", Some("a")), ("y", Some("b"))]);
        let of = |fault: &str| -> Footprint {
            let all = catalogue();
            let fault = all.iter().find(|f| f.spec().id().to_string() == fault);
            fault.expect("is in the catalogue").footprint(&facts)
        };
        let cordon = of("cross-az-pvc/cordon");
        assert_eq!(cordon.broken().collect::<Vec<_>>(), [&Resource::NodeLife("x".into())]);
        assert!(cordon.overlaps(&of("cross-az-pvc/node-failure")));
        assert!(cordon.overlaps(&of("request-fragmentation/fillers")), "fillers need all nodes");
        for beside in ["cross-az-pvc/immediate", "revoked-iam/rbac", "revoked-iam/pull"] {
            assert!(!cordon.overlaps(&of(beside)), "{beside}");
        }
    }

    #[test]
    fn a_cluster_that_lacks_everything_makes_no_fault_panic() {
        for fault in catalogue() {
            assert!(!fault.dry_run(&ClusterFacts::default()).is_empty());
            let _ = fault.footprint(&ClusterFacts::default());
            for causes in fault.spec().roots {
                let first = causes.first().expect("a root has a cause").control_loop();
                assert!(causes.iter().all(|c| c.control_loop() == first), "{}", fault.spec().id());
            }
        }
    }
}
