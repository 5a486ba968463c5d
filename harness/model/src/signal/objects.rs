//! API objects, reduced to what attribution looks at.

use crate::Subject;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Amounts that the scheduler counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_millis: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

/// One requirement on a node's labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRequirement {
    /// Label key, or `metadata.name`.
    pub key: String,
    /// How the label is compared with the values.
    pub operator: Operator,
    /// The values.
    pub values: Vec<String>,
}

/// Operators of node selector terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Taint {
    pub key: String,
    pub value: String,
    pub effect: String,
}

/// A toleration of a pod. An empty key tolerates every taint; an empty effect every effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Toleration {
    pub key: String,
    pub exists: bool,
    pub value: String,
    pub effect: String,
}

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
    pub ip: Option<String>,
    pub host_network: bool,
    pub service_account: String,
    pub owner: Option<Subject>,
    pub labels: BTreeMap<String, String>,
    /// Effective requests as the scheduler counts them (init containers and overhead included).
    pub requests: Resources,
    pub node_selector: BTreeMap<String, String>,
    /// Required node affinity: any of the terms, all requirements of a term.
    pub node_affinity: Vec<Vec<NodeRequirement>>,
    /// Has required pod (anti-)affinity or a hard topology spread.
    pub placed_by_peers: bool,
    pub tolerations: Vec<Toleration>,
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
    pub containers: Vec<Container>,
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

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the other fields are Kubernetes' own")]
pub struct Node {
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub created_at: Timestamp,
    pub labels: BTreeMap<String, String>,
    /// Status of condition `Ready`: `True`, `False` or `Unknown`.
    pub ready: String,
    pub ready_reason: String,
    pub ready_since: Option<Timestamp>,
    /// Other conditions that are true, such as `MemoryPressure`.
    pub pressures: Vec<String>,
    pub unschedulable: bool,
    pub taints: Vec<Taint>,
    pub allocatable: Resources,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Claim {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub created_at: Timestamp,
    pub deleting: bool,
    pub phase: String,
    pub class: Option<String>,
    pub volume: Option<String>,
    /// The node that the scheduler chose for a `WaitForFirstConsumer` claim.
    pub selected_node: Option<String>,
}

/// A PersistentVolume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Volume {
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub phase: String,
    pub claim: Option<Subject>,
    pub class: Option<String>,
    pub driver: String,
    /// Required node affinity: any of the terms, all requirements of a term.
    pub node_affinity: Vec<Vec<NodeRequirement>>,
}

/// A StorageClass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct StorageClass {
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub provisioner: String,
    pub binding_mode: String,
    pub is_default: bool,
}

/// A VolumeAttachment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Attachment {
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub volume: String,
    pub node: String,
    pub attached: bool,
    pub deleting: bool,
    pub error: Option<String>,
}

/// A controller of pods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the other fields are Kubernetes' own")]
pub struct Controller {
    /// `Deployment`, `ReplicaSet`, `StatefulSet`, `DaemonSet` or `Job`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub owner: Option<Subject>,
    pub desired: u32,
    pub ready: u32,
    /// Conditions that say something is wrong: type, reason, message (`ReplicaFailure`, …).
    pub troubles: Vec<(String, String, String)>,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Service {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub selector: BTreeMap<String, String>,
    pub headless: bool,
}

/// The endpoints of a Service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Endpoints {
    pub namespace: String,
    pub service: String,
    pub ready: u32,
    pub not_ready: u32,
}

/// A leader-election lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Lease {
    pub namespace: String,
    pub name: String,
    pub version: u64,
    pub holder: String,
    pub transitions: u32,
    pub renewed_at: Option<Timestamp>,
}

/// A ResourceQuota: `hard` and `used` by resource name, in the API's own notation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Quota {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub hard: BTreeMap<String, String>,
    pub used: BTreeMap<String, String>,
}

/// What one RoleBinding or ClusterRoleBinding gives to one ServiceAccount, with the role resolved. A binding
/// that is deleted arrives as [`super::Gone`] of the binding; a role that shrinks as a new `Grant`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// `RoleBinding` or `ClusterRoleBinding`.
    pub binding: Subject,
    /// The binding's uid.
    pub uid: String,
    /// Orders versions (the newer of binding and role).
    pub version: u64,
    /// The ServiceAccount.
    pub account: Subject,
    /// The rules; empty when the role does not exist.
    pub rules: Vec<Rule>,
}

/// One rule of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Rule {
    pub verbs: Vec<String>,
    pub groups: Vec<String>,
    pub resources: Vec<String>,
    pub names: Vec<String>,
}

/// A Kubernetes event (`events.k8s.io` and core events alike).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct KubeEvent {
    pub uid: String,
    pub version: u64,
    pub object: Subject,
    pub object_uid: String,
    pub warning: bool,
    pub reason: String,
    pub message: String,
    pub count: u32,
    pub component: String,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
}
