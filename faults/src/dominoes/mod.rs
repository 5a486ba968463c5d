//! Dominoes: one cause that shows in several loops, and several causes at once.
//!
//! | variant | root | what falls |
//! |---|---|---|
//! | `node-loss` | a machine goes | its volume's zone has no node left → the replacement stays Pending |
//! | `slow-etcd` | etcd waits for its disk | who must renew a lease in time ends and starts anew |
//! | `zone-full` | a volume is pinned to its zone | the zone's room is taken → Pending beside an empty zone → the Service leads nowhere |
//! | `two-faults` | two, independent of each other | a crash loop here, a pod without a node there |

mod lease_holder;
mod slow_etcd;
mod two_faults;

use crate::{Fault, cross_az_pvc};
use std::sync::Arc;

pub(crate) use lease_holder::hold_forever;

/// All dominoes.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![
        Arc::new(two_faults::TwoFaults::default()),
        Arc::new(cross_az_pvc::zone_full()),
        Arc::new(cross_az_pvc::node_loss()),
        Arc::new(slow_etcd::SlowEtcd::default()),
    ]
}
