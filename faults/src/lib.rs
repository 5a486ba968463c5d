//! What can go wrong with a cluster on day 2, and how each thing is undone.
//!
//! A [`Fault`] plans a list of [`Change`]s; each carries the snapshot that its undo needs. [`lifecycle`]
//! journals the plan, applies it, reads it back, takes it back and verifies that. So every fault has
//! the same life, and none can land without its undo.
//!
//! | folder | what is in it |
//! |---|---|
//! | [`revoked_iam`], [`request_fragmentation`], [`overlay_mtu`], [`cross_az_pvc`], [`etcd_disk`], [`api_latency`] | the canonical faults with their variants and victims |
//! | [`decoys`] | conditions with the symptom of a canonical fault and another cause |
//! | [`dominoes`] | one cause in several loops, and several causes at once |
//! | [`object`] | changes to API objects |
//! | [`node`] | changes to a node, held on the node itself |
//! | [`cloud`] | changes to a role of a cloud account |

pub mod api_latency;
mod catalogue;
mod change;
pub mod cloud;
pub mod cross_az_pvc;
pub mod decoys;
pub mod dominoes;
pub mod etcd_disk;
mod fault;
mod footprint;
pub mod journal;
pub mod lifecycle;
mod look;
pub mod node;
pub mod object;
pub mod overlay_mtu;
pub mod programs;
pub mod request_fragmentation;
pub mod revoked_iam;
pub mod rights;
pub mod victim;

pub use catalogue::{catalogue, cloud_catalogue};
pub use change::{Change, ChangeError, UndoAccess};
pub use fault::{Fault, FaultContext, FaultError, FaultSpec};
pub use footprint::{Footprint, Hold, Resource};
pub use look::Look;
