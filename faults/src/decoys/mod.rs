//! Decoys: conditions with the symptom of a canonical fault and another cause. Whoever says "identity" to every
//! crash loop is wrong here.
//!
//! | looks like | file | and is in truth |
//! |---|---|---|
//! | revoked IAM | `identity` | a bad flag, a failing probe, too little memory, a missing tag, a silent registry, a token for somebody else |
//! | request fragmentation | `compute` | a selector without nodes, true exhaustion, a quota, a missing claim |
//! | lowered overlay MTU | `network` | a filter, loss at every size, no DNS, no endpoint, a slow backend |
//! | cross-AZ PVC | `storage` | a missing class, a class that asks for the impossible, a missing ConfigMap, nothing at all |
//! | throttled etcd disk | `control_plane` | a webhook that is not there, too many clients, too little CPU |
//!
//! Most are a few objects that are wrong by themselves: a [`Condition`] says which, and what is then seen of them.
//! The others are faults of their own.

mod compute;
mod condition;
mod control_plane;
mod hammer;
mod identity;
mod network;
mod storage;

use crate::Fault;
use condition::Decoy;
pub(crate) use hammer::hammer_forever;
use std::sync::Arc;

/// All decoys, in the order of the loops that they look like.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    let of = |conditions: &'static [condition::Condition]| {
        conditions.iter().map(|c| Arc::new(Decoy::new(c)) as Arc<dyn Fault>)
    };
    let mut all: Vec<Arc<dyn Fault>> = Vec::new();
    all.extend(of(identity::CONDITIONS));
    all.extend(of(compute::CONDITIONS));
    all.extend(network::variants());
    all.extend(of(storage::CONDITIONS));
    all.extend(of(control_plane::CONDITIONS));
    all.extend(control_plane::variants());
    all
}
