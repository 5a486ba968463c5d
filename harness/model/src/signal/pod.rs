//! What API watches tell of pods.

use super::{Constraints, ContainerPort, NodeTerm, Resources, Toleration, Ways};
use crate::{Shared, Subject};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the other fields are Kubernetes' own")]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// Orders versions of the object.
    pub version: u64,
    pub created_at: Timestamp,
    /// `deletionTimestamp` is set.
    pub deleting: bool,
    pub phase: String,
    pub node: Option<String>,
    pub host_network: bool,
    pub service_account: String,
    pub owner: Option<Subject>,
    pub labels: Shared<BTreeMap<String, String>>,
    /// Effective requests of every resource as the scheduler counts them (init containers and overhead included).
    pub requests: Resources,
    pub node_selector: Shared<BTreeMap<String, String>>,
    /// Required node affinity: any of the terms.
    pub node_affinity: Shared<Vec<NodeTerm>>,
    /// Has required pod (anti-)affinity or a hard topology spread.
    pub placed_by_peers: bool,
    pub tolerations: Shared<Vec<Toleration>>,
    /// Names of the claims it mounts.
    pub claims: Vec<String>,
    /// Audiences of the ServiceAccount tokens that it mounts; an empty one is the API server's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// As whom it goes to a cloud, from the environment that clouds give to pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<CloudIdentity>,
    /// Condition `PodScheduled` is false: reason, message and since when.
    pub unscheduled: Option<Unscheduled>,
    pub ready: bool,
    /// Since when condition `Ready` is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unready_since: Option<Timestamp>,
    /// Why the kubelet gave the pod up, such as `Evicted`, and in which words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<GivenUp>,
    pub containers: Vec<Container>,
    /// What keeps it from nodes beside resources, selectors and taints.
    #[serde(default, skip_serializing_if = "Constraints::are_none")]
    pub constraints: Shared<Constraints>,
    /// What decides which way its requests take.
    #[serde(default, skip_serializing_if = "Ways::are_unknown")]
    pub ways: Shared<Ways>,
}

/// As whom a pod goes to a cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudIdentity {
    /// The role that it takes on, by its ARN; empty where it has a key of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Where it finds the cloud, when that is written in its own environment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
}

/// The reason and message of a whole pod's status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct GivenUp {
    pub reason: String,
    pub message: String,
}

/// Why a pod is not scheduled, in the scheduler's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Unscheduled {
    pub reason: String,
    pub message: String,
    pub since: Option<Timestamp>,
}

impl Unscheduled {
    /// Whether the scheduler says in these words that it has found a place, where pods of lower priority give way: such
    /// a pod is late, and not stuck.
    #[must_use]
    pub fn makes_room(words: &str) -> bool {
        words.contains("preemption: found a potential placement")
    }
}

/// A container of a pod, init containers included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the other fields are Kubernetes' own")]
pub struct Container {
    pub name: String,
    pub init: bool,
    pub image: String,
    pub ready: bool,
    pub restarts: u32,
    pub state: ContainerState,
    pub last: Option<Terminated>,
    pub memory_limit_bytes: Option<u64>,
    pub has_liveness_probe: bool,
    pub has_readiness_probe: bool,
    /// The ports that it declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
}

/// What a container does now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub enum ContainerState {
    Waiting { reason: String, message: String },
    Running { since: Option<Timestamp> },
    Terminated(Terminated),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Terminated {
    pub exit_code: i32,
    pub reason: String,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}
