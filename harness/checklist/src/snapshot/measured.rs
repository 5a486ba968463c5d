//! What is measured and not declared.

use loopdrill_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The API server's latency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiLatency {
    /// 99th percentile by verb in seconds, without requests that are meant to last.
    pub p99_seconds: BTreeMap<String, f64>,
    /// Requests that the figures rest on.
    pub requests: u64,
    /// Requests that priority and fairness rejected, in the same time.
    pub rejected: u64,
    /// The smallest upper bound, in seconds, of the remaining life of client certificates that the API server saw.
    pub client_certificate_seconds: Option<f64>,
    /// Over which time in seconds; absent since the server's start.
    pub window_seconds: Option<f64>,
}

/// What etcd tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Etcd {
    /// Its members.
    pub members: Vec<EtcdMember>,
}

/// One member of etcd.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EtcdMember {
    /// The node that it runs on.
    pub node: String,
    /// 99th percentile of a sync of the log in seconds.
    pub fsync_p99: Option<f64>,
    /// 99th percentile of a commit of the backend in seconds.
    pub commit_p99: Option<f64>,
    /// Syncs that the figures rest on.
    pub syncs: u64,
    /// Size of the database.
    pub size_bytes: Option<u64>,
    /// What it may grow to.
    pub quota_bytes: Option<u64>,
    /// Alarms that are raised, as its health check names them.
    pub alarms: Vec<String>,
    /// Over which time in seconds; absent since the member's start.
    pub window_seconds: Option<f64>,
}

/// A certificate of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The node that holds it.
    pub node: String,
    /// Its file.
    pub file: String,
    /// When it ends.
    pub not_after: Timestamp,
}

/// What a node uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeUsage {
    /// Thousandths of a CPU.
    pub cpu_millis: u64,
    /// Memory in its working set.
    pub memory_bytes: u64,
}

/// An overlay device and what carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayLink {
    /// The node.
    pub node: String,
    /// The device.
    pub device: String,
    /// `vxlan`, `geneve`, `ipip`, `wireguard`.
    pub kind: String,
    /// Its MTU.
    pub mtu: u32,
    /// The device under it.
    pub underlay: String,
    /// That device's MTU.
    pub underlay_mtu: u32,
}

impl OverlayLink {
    /// What the encapsulation takes from each packet.
    #[must_use]
    pub fn overhead(&self) -> u32 {
        match self.kind.as_str() {
            "ipip" => 20,
            "wireguard" => 60,
            // Outer Ethernet, IPv4, UDP and the header of VXLAN or, without options, of Geneve.
            _ => 50,
        }
    }
}

/// What became of full-size payloads, that may not be fragmented, from one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairProbe {
    /// From this node.
    pub from: String,
    /// To this node.
    pub to: String,
    /// Payload size.
    pub bytes: u32,
    /// How many came back.
    pub passed: u32,
    /// How many did not.
    pub lost: u32,
}

/// What scrapes metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prometheus {
    /// Where it was found.
    pub at: String,
    /// Of the leading metrics, those with a current sample.
    pub present: Vec<String>,
    /// Alerting rules.
    pub rules: Vec<Rule>,
    /// The longest scrape interval of an active target in seconds.
    pub scrape_seconds: f64,
}

/// An alerting rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The alert's name.
    pub name: String,
    /// The label `loop`, where it has one.
    pub control_loop: Option<String>,
    /// Its expression.
    pub expr: String,
    /// `for`.
    pub for_seconds: f64,
    /// How often it is evaluated.
    pub interval_seconds: f64,
    /// Whether it is evaluated without error.
    pub healthy: bool,
}

/// What a workload or node exposes to be scraped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surface {
    /// `Deployment shop/cart` or `Node n1`.
    pub object: String,
    /// Whether it is a node.
    pub node: bool,
    /// Which of rate, errors and duration (or utilisation, saturation and errors) were seen; `Err` says why nothing
    /// was.
    pub seen: Result<Vec<String>, String>,
}

/// The shape of a few log lines. The lines themselves are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSample {
    /// The workload: `Deployment shop/cart`.
    pub object: String,
    /// Whether it uses a zonal volume, so that its lines should name the zone.
    pub zonal: bool,
    /// Lines that were looked at.
    pub lines: u32,
    /// Lines that are JSON objects or `key=value` pairs.
    pub structured: u32,
    /// Of the wanted fields, those that every structured line has.
    pub fields: Vec<String>,
}
