//! What decides where a pod may run beside what a node offers, and which way its requests take.
//!
//! Invariant: of what a pod's own spec names, only hosts and ports are kept, and only those with the shape of one; no
//! value of an environment variable and no argument travels in a signal.

use super::Peer;
use loopdrill_kubernetes::{HostPort, PodTerm, Spread};
use serde::{Deserialize, Serialize};

/// What keeps a pod from nodes beside resources, selectors and taints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Constraints {
    /// Ports of its node that it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<HostPort>,
    /// Required affinity to other pods: all of the terms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<PodTerm>,
    /// Required anti-affinity to other pods: none of the terms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<PodTerm>,
    /// Hard topology spread.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<Spread>,
    /// Its priority.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// `preemptionPolicy: Never`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub never_preempts: bool,
    /// The node for which the scheduler preempts others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nominated: Option<String>,
    /// The scheduler that it asks for, where that is not the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(n: &i32) -> bool {
    *n == 0
}

impl Constraints {
    /// Whether there are none.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What decides which way a pod's requests take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Ways {
    /// How it asks for names, where that is not the usual way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<PodDns>,
    /// Hosts that its environment and arguments name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Peer>,
    /// What it does for the network of its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serves: Option<NetworkRole>,
    /// The audience of the token that lies where clients of the API look for theirs, where it is not the API server's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_audience: String,
}

impl Ways {
    /// Whether nothing is known.
    #[must_use]
    pub fn are_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// How a pod asks for names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct PodDns {
    /// `dnsPolicy`, as it works: a pod with its node's network and `ClusterFirst` has `Default`.
    pub policy: String,
    /// `dnsConfig.nameservers`.
    pub servers: Vec<String>,
    /// `dnsConfig.searches`.
    pub searches: Vec<String>,
}

/// What a pod does for the network of its node, by what it runs and mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkRole {
    /// It writes the configuration of the network plugin.
    Plugin,
    /// It makes Services work: kube-proxy.
    Proxy,
    /// It answers its node's questions for names.
    DnsCache,
}

/// A port that a container declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerPort {
    /// Its name; empty when it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its number.
    pub number: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// A port of a Service, and where it leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServicePort {
    /// Its number.
    pub port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The port of the pods by number; `None` where it is by name.
    pub target: Option<u16>,
    /// The port of the pods by name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_name: String,
}
