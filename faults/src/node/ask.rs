//! The harness's side of the agent: a question in, a reply out, both JSON.

use super::error::AgentReply;
use crate::ChangeError;
use loopdrill_cluster::{NodeAccess, NodeError};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// Asks the agent on `node`: JSON in, JSON out.
pub(super) async fn ask<Q: Serialize + Sync, R: DeserializeOwned>(
    nodes: &Arc<dyn NodeAccess>,
    node: &str,
    command: &[&str],
    question: &Q,
) -> Result<R, ChangeError> {
    let argv: Vec<&str> = [nodes.agent(), "node"].into_iter().chain(command.iter().copied()).collect();
    let stdin = serde_json::to_vec(question).expect("plain data serialises");
    let output = nodes.exec(node, &argv, Some(&stdin)).await?;
    match serde_json::from_slice::<AgentReply<R>>(&output.stdout) {
        Ok(AgentReply::Ok(reply)) => Ok(reply),
        Ok(AgentReply::Foreign { what, found }) => {
            Err(ChangeError::Foreign { what: format!("node {node}: {what}"), found })
        }
        Ok(AgentReply::Failed { why }) => Err(ChangeError::Node(NodeError::Failed {
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
