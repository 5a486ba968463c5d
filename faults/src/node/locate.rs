//! Finds on a node what a fault is about, instead of assuming a name.

use super::{ask, block_io, error::StepError, links, step::Cgroup};
use crate::ChangeError;
use loopdrill_target::NodeAccess;
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

/// The overlay on the way to a pod of another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The vxlan device.
    pub device: String,
    /// Its MTU.
    pub mtu: u32,
    /// The device that encapsulated packets leave by.
    pub underlay: String,
    /// Its MTU.
    pub underlay_mtu: u32,
    /// The other node's end of the tunnel.
    pub peer: Ipv4Addr,
}

/// Where a process keeps its data, and under which limits it writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDisk {
    /// Its process id on the node.
    pub pid: u32,
    /// Its control group, as far as block I/O is concerned.
    pub cgroup: Cgroup,
    /// The whole disk under its data, as `MAJ:MIN`.
    pub device: String,
    /// The directory of its data.
    pub data: PathBuf,
}

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

/// Answers on the node.
pub(super) fn answer(query: Query) -> Result<serde_json::Value, StepError> {
    let found = match query {
        Query::Overlay { pod } => serde_json::to_value(links::lookup::overlay_to(pod)?),
        Query::ProcessDisk { comm, data } => serde_json::to_value(block_io::process_disk(&comm, &data)?),
    };
    Ok(found.expect("plain data serialises"))
}
