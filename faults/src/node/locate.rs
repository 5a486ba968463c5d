//! Finds on a node what a fault is about, instead of assuming a name.

pub(crate) use super::links::lookup::Tunnel;
pub use super::{links::lookup::Overlay, process::ProcessDisk};

use super::{ask::ask, error::StepError, links, process};
use crate::ChangeError;
use loopdrill_cluster::NodeAccess;
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

/// A question to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "find", rename_all = "kebab-case")]
pub(super) enum Query {
    Overlay { pod: Ipv4Addr },
    ProcessDisk { comm: String, data: PathBuf },
}

/// Finds the overlay by which packets from `node` to `pod` go.
///
/// # Errors
/// When they go another way, or the node cannot be asked.
pub async fn overlay(nodes: &Arc<dyn NodeAccess>, node: &str, pod: Ipv4Addr) -> Result<Overlay, ChangeError> {
    ask(nodes, node, &["locate"], &Query::Overlay { pod }).await
}

/// Finds the process called `comm` that keeps its data under `data`, with its control group and disk.
///
/// # Errors
/// When there is none or more than one, or its disk cannot be throttled.
pub async fn process_disk(
    nodes: &Arc<dyn NodeAccess>,
    node: &str,
    comm: &str,
    data: &str,
) -> Result<ProcessDisk, ChangeError> {
    ask(nodes, node, &["locate"], &Query::ProcessDisk { comm: comm.into(), data: data.into() }).await
}

/// The overlay on the way from here to `pod`.
pub(crate) fn overlay_here(pod: Ipv4Addr) -> Result<Overlay, StepError> {
    links::lookup::overlay_to(pod)
}

/// The tunnel here of which the kernel's tables do not say which pods are behind it.
pub(crate) fn tunnel_here() -> Result<Option<Tunnel>, StepError> {
    links::lookup::tunnel_here()
}

/// The MTU of the device by which packets leave from here to `pod`.
pub(crate) fn mtu_to(pod: Ipv4Addr) -> Result<u32, StepError> {
    links::lookup::mtu_to(pod)
}

/// Looks on the node.
pub(super) fn find(query: Query) -> Result<serde_json::Value, StepError> {
    let found = match query {
        Query::Overlay { pod } => serde_json::to_value(links::lookup::overlay_to(pod)?),
        Query::ProcessDisk { comm, data } => serde_json::to_value(process::process_disk(&comm, &data)?),
    };
    Ok(found.expect("plain data serialises"))
}
