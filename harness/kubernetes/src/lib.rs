//! What Kubernetes itself defines, each thing once: quantities, what a pod asks a node for, which labels a selector
//! selects, which taints a pod tolerates, on which nodes it may run, and the names that the API gives a meaning.
//!
//! Invariants:
//! - Nothing in here does I/O, reads a clock or knows a client: the types are small and plain, and both the objects of a
//!   live API and the YAML of a manifest can be turned into them.
//! - What the API server would refuse (an operator that it does not know, `In` without values) matches nothing.
//! - Property tests in `tests/` hold it against the examples of the Kubernetes documentation.

mod condition;
mod node_affinity;
mod node_fit;
mod peers;
mod policy;
pub mod quantity;
mod requests;
mod resources;
mod selector;
mod taint;
pub mod well_known;

pub use condition::{READY, TRUE, is_true};
pub use node_affinity::{NodeTerm, matches_any};
pub use node_fit::{NodeRules, NodeView};
pub use peers::{HostPort, PodTerm, PodView, Spread};
pub use policy::{AddressBlock, Destination, Endpoint, PolicyPeer, PolicyPort, PolicyRule};
pub use quantity::Quantity;
pub use requests::{Amounts, ContainerAmounts, PodAmounts};
pub use resources::Resources;
pub use selector::{LabelSelector, Operator, Requirement, budget_selects, selects, service_selects};
pub use taint::{NO_SCHEDULE, PREFER_NO_SCHEDULE, Taint, Toleration, TolerationOperator, tolerated};

/// Labels of an object, or any other texts by name.
pub type Labels = std::collections::BTreeMap<String, String>;
