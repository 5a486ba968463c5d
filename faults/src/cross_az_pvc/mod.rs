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
pub(crate) mod frozen_kubelet;
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
        Arc::new(cordon::Cordon),
        Arc::new(node_failure::NodeFailure::default()),
        Arc::new(immediate::Immediate),
    ]
}

/// The domino in which a whole machine goes.
pub(crate) fn node_loss() -> impl Fault {
    node_failure::NodeFailure::of_the_machine()
}

/// The domino in which the volume's zone is full.
pub(crate) fn zone_full() -> impl Fault {
    zone_full::ZoneFull
}
