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
//! | `step` | what can be changed, and what is remembered; plain data |
//! | `links`, `filter`, `block_io`, `unit`, `file` | the mechanisms: snapshot, apply, read back, restore, compare |
//! | `locate` | finds devices, groups and disks on the node instead of assuming their names |
//! | `agent`, `hold` | the side that runs on the node |
//! | `heartbeat` | the harness's pulse |

pub mod agent;
mod block_io;
mod error;
mod file;
mod filter;
mod heartbeat;
mod hold;
mod links;
pub mod locate;
mod mechanism;
mod step;
mod unit;

pub use step::{Before, Cgroup, CgroupVersion, Content, FileBefore, FilterTool, Planned, Step};

use crate::ChangeError;
use error::Answer;
use jiff::Timestamp;
use loopdrill_model::{Evidence, Source};
use loopdrill_target::{NodeAccess, NodeError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, sync::Arc};

/// How long a held change may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds after which the node ends it whatever happens.
    pub deadline_s: u64,
    /// Seconds of silence of the harness after which the node ends it.
    pub heartbeat_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // A harness that dies is noticed at once by its closed pipe. Silence is for one that hangs, and a busy
        // machine must not pass for that.
        Self { deadline_s: 600, heartbeat_s: 30 }
    }
}

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

/// Steps that the node itself holds and ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Applied in this order, restored in the reverse one.
    pub steps: Vec<Planned>,
    /// How long they may last.
    pub limits: Limits,
}

impl fmt::Display for NodeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}: ", self.node)?;
        match &self.what {
            What::PowerOff => f.write_str("switch its machine off"),
            What::Held(held) => {
                for (i, planned) in held.steps.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { "; " }, planned.step)?;
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
        Ok(value.map(|value| Evidence {
            signal: format!("state of node {}", self.node),
            value,
            at: Timestamp::now(),
            source: Source::node(&self.node),
        }))
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

/// Asks the agent on `node`: JSON in, JSON out.
pub(crate) async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(
    nodes: &Arc<dyn NodeAccess>,
    node: &str,
    command: &[&str],
    question: &Q,
) -> Result<A, ChangeError> {
    let argv: Vec<&str> = [nodes.agent(), "node"].into_iter().chain(command.iter().copied()).collect();
    let stdin = serde_json::to_vec(question).expect("plain data serialises");
    let output = nodes.exec(node, &argv, Some(&stdin)).await?;
    match serde_json::from_slice::<Answer<A>>(&output.stdout) {
        Ok(Answer::Ok(answer)) => Ok(answer),
        Ok(Answer::Foreign { what, found }) => {
            Err(ChangeError::Foreign { what: format!("node {node}: {what}"), found })
        }
        Ok(Answer::Failed { why }) => Err(ChangeError::Node(NodeError::Failed {
            node: node.into(),
            command: argv.join(" "),
            code: output.code,
            stderr: why,
        })),
        Err(why) => {
            let text = String::from_utf8_lossy(&output.stdout).chars().take(80).collect();
            output.success(node, &argv)?;
            Err(ChangeError::Agent { node: node.into(), answer: text, why: why.to_string() })
        }
    }
}
