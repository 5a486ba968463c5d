//! Changes to a node, held on the node itself.
//!
//! The node's own service manager owns a held change: a transient unit `loopdrill-ID` with a time limit and a
//! stop command. Inside it runs a holder that applies the steps and listens for the harness's heartbeat.
//! When the harness dies, the heartbeat stops; when the holder dies, also by SIGKILL, or its time is up,
//! the service manager runs the stop command. All three end in the same restoration from a state file that
//! was on disk before anything was touched. The API server is never asked.
//!
//! | file | what is in it |
//! |---|---|
//! | `mechanism` | what a mechanism does: snapshot, apply, read back, restore, compare |
//! | `links`, `filter`, `block_io`, `unit`, `file` | the mechanisms, each with its step and its snapshot |
//! | `step` | the list of all mechanisms |
//! | `held` | planned steps with their limits, as journals and nodes keep them |
//! | `locate`, `process` | finds devices, groups and disks on the node instead of assuming their names |
//! | `agent`, `hold` | the side that runs on the node |
//! | `ask`, `heartbeat` | the harness's side: its questions and its pulse |
//! | `owned`, `traced` | what the kernel takes back with the process that did it, a packet filter or a traced process: for nodes that only a pod reaches |

pub mod agent;
mod ask;
mod block_io;
mod error;
mod file;
mod filter;
mod heartbeat;
mod held;
mod hold;
mod links;
pub mod locate;
mod mechanism;
pub(crate) mod owned;
mod process;
mod step;
pub(crate) mod traced;
mod unit;

pub use block_io::{Cgroup, CgroupVersion};
pub use file::Content;
pub use held::{Held, Limits};
pub use step::*;

use crate::ChangeError;
use ask::ask;
use jiff::Timestamp;
use loopdrill_cluster::{NodeAccess, NodeError};
use loopdrill_model::{Evidence, Source};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A change of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeChange {
    /// The node's name.
    pub node: String,
    /// What is changed.
    pub what: What,
}

/// What is changed on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// Steps that the node itself holds and ends.
    Held(Held),
    /// Its machine is switched off. Nothing on the node can undo that.
    PowerOff,
}

impl fmt::Display for NodeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}: ", self.node)?;
        match &self.what {
            What::PowerOff => f.write_str("switch its machine off"),
            What::Held(held) => {
                for (i, planned) in held.steps.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { "; " }, planned.saved())?;
                }
                Ok(())
            }
        }
    }
}

impl NodeChange {
    /// Takes the snapshots on `node` that `steps` need. Touches nothing.
    ///
    /// # Errors
    /// [`ChangeError::Foreign`] when something is already set that a step would overwrite.
    pub async fn plan(
        nodes: &Arc<dyn NodeAccess>,
        node: &str,
        steps: Vec<Step>,
        limits: Limits,
    ) -> Result<Self, ChangeError> {
        let steps = ask(nodes, node, &["snapshot"], &steps).await?;
        Ok(Self { node: node.into(), what: What::Held(Held { steps, limits }) })
    }

    /// Plans to switch the machine of `node` off.
    pub fn power_off(node: impl Into<String>) -> Self {
        Self { node: node.into(), what: What::PowerOff }
    }

    /// Whether the node itself holds the change, and ends it when the harness dies.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.what, What::Held(_))
    }

    /// Puts the change in force and keeps it alive by a heartbeat from this process.
    ///
    /// # Errors
    /// When the node could not apply it; it has taken back what it did before the error.
    pub async fn apply(&self, nodes: &Arc<dyn NodeAccess>, id: &str) -> Result<(), ChangeError> {
        match &self.what {
            What::PowerOff => Ok(nodes.power_off(&self.node).await?),
            What::Held(held) => {
                let _: () = ask(nodes, &self.node, &["start", &unit_id(id)], held).await?;
                heartbeat::start(nodes, &self.node, &unit_id(id));
                Ok(())
            }
        }
    }

    /// Reads the change back from the node's kernel. `None` means that it is not (wholly) in force.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub async fn read_back(
        &self,
        nodes: &Arc<dyn NodeAccess>,
        _id: &str,
    ) -> Result<Option<Evidence>, ChangeError> {
        let value = match &self.what {
            What::PowerOff => (!nodes.is_powered(&self.node).await?).then(|| "its machine is off".to_owned()),
            What::Held(held) => {
                let read: Vec<Option<String>> = ask(nodes, &self.node, &["read"], held).await?;
                let read: Option<Vec<String>> = read.into_iter().collect();
                read.filter(|steps| !steps.is_empty()).map(|steps| steps.join("; "))
            }
        };
        let signal = format!("state of node {}", self.node);
        Ok(value.map(|value| Evidence::new(signal, value, Timestamp::now(), Source::node(&self.node))))
    }

    /// Takes the change back and verifies that. Idempotent.
    ///
    /// # Errors
    /// When it may still be in force: the node is down, or something else has changed the same thing since.
    pub async fn undo(&self, nodes: &Arc<dyn NodeAccess>, id: &str) -> Result<(), ChangeError> {
        match &self.what {
            What::PowerOff => Ok(nodes.power_on(&self.node).await?),
            What::Held(held) => {
                heartbeat::stop(&self.node, &unit_id(id));
                let undone = ask(nodes, &self.node, &["undo", &unit_id(id)], held).await;
                undone.map_err(|error| self.what_is_left(error))
            }
        }
    }

    /// What a node that is down still has to take back. Its links, routes and filters went with its kernel;
    /// its files did not.
    fn what_is_left(&self, error: ChangeError) -> ChangeError {
        match error {
            ChangeError::Node(NodeError::Down { node, why }) => {
                let why = format!("{why}; start it and run `loopdrill undo` again to take back: {self}");
                ChangeError::Node(NodeError::Down { node, why })
            }
            other => other,
        }
    }

    /// Compares the node's present state with the snapshot and lists the differences.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub async fn differences(&self, nodes: &Arc<dyn NodeAccess>) -> Result<Vec<String>, ChangeError> {
        match &self.what {
            What::PowerOff if nodes.is_powered(&self.node).await? => Ok(vec![]),
            What::PowerOff => Ok(vec![format!("the machine of node {} is off", self.node)]),
            What::Held(held) => ask(nodes, &self.node, &["compare"], held).await,
        }
    }
}

/// The journal's id as part of a unit's and a file's name.
fn unit_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect()
}

#[cfg(test)]
pub(crate) mod testing {
    //! A namespace that looks like a node, and commands in it.
    pub(crate) use super::{error::run, links::tests::on_a_node};
}
