//! API objects, reduced to what attribution looks at.

use super::ServicePort;
use crate::Subject;
use jiff::Timestamp;
use loopdrill_kubernetes::PolicyRule;
pub use loopdrill_kubernetes::{
    HostPort, LabelSelector, Labels, NodeTerm, Operator, PodTerm, Requirement, Resources, Spread, Taint,
    Toleration, TolerationOperator,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Hands the table of those objects that are kept as they are to the macro `$then`, behind what else is to be handed to
/// it. A line has the variant of [`Signal`](super::Signal), its data, which fields of that may quote what somebody wrote
/// (see [`Texts`](super::Texts)), what the world calls them, their kinds in the API, and the field with the namespace
/// that they lie in.
#[macro_export]
macro_rules! with_objects {
    ($then:ident $($rest:tt)*) => { $then! { $($rest)* objects {
        /// A pod as it is now.
        Pod(Box<Pod>), [given_up, unscheduled, cloud, containers], pods, ["Pod"], [namespace];
        /// A node as it is now.
        Node(Node), [ready_message, troubles], nodes, ["Node"], [];
        /// A PersistentVolumeClaim as it is now.
        Claim(Claim), [conditions], claims, ["PersistentVolumeClaim"], [namespace];
        /// A PersistentVolume as it is now.
        Volume(Volume), [], volumes, ["PersistentVolume"], [];
        /// A StorageClass as it is now.
        StorageClass(StorageClass), [], classes, ["StorageClass"], [];
        /// A VolumeAttachment as it is now.
        Attachment(Attachment), [], attachments, ["VolumeAttachment"], [];
        /// A controller (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job) as it is now.
        Controller(Controller), [troubles], controllers,
            ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"], [namespace];
        /// A Service as it is now.
        Service(Service), [], services, ["Service"], [namespace];
        /// A ResourceQuota as it is now.
        Quota(Quota), [], quotas, ["ResourceQuota"], [namespace];
        /// A NetworkPolicy as it is now.
        NetworkPolicy(NetworkPolicy), [], policies, ["NetworkPolicy"], [namespace];
        /// A namespace as it is now.
        Namespace(Namespace), [], namespaces, ["Namespace"], [];
        /// What a node's CSI drivers can take.
        NodeDrivers(NodeDrivers), [], drivers, ["CSINode"], [];
        /// An APIService as it is now.
        AggregatedApi(AggregatedApi), [unavailable], aggregated_apis, ["APIService"], [];
    } } };
}

/// A condition that says something is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Condition {
    pub kind: String,
    pub reason: String,
    pub message: String,
    pub since: Option<Timestamp>,
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
    /// What is not ready, in the kubelet's words; empty when all is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ready_message: String,
    pub ready_since: Option<Timestamp>,
    /// Other conditions that are true, such as `MemoryPressure`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Condition>,
    pub unschedulable: bool,
    pub taints: Vec<Taint>,
    /// What it gives to pods, of every resource.
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
    /// Its access mode is `ReadWriteOncePod`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once_per_pod: bool,
    /// It asks for more than its volume has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grows: bool,
    /// Its conditions that are true, such as `Resizing`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A PersistentVolume.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Volume {
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub phase: String,
    pub class: Option<String>,
    /// Required node affinity: any of the terms.
    pub node_affinity: Vec<NodeTerm>,
    /// Its CSI driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// A StorageClass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct StorageClass {
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub binding_mode: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provisioner: String,
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
}

/// A controller of pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// The labels of the pods that it makes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub template: BTreeMap<String, String>,
}

/// A Service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Service {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub selector: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// It wants a load balancer and has none yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_load_balancer: bool,
    /// Its cluster addresses, without `None`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Where its ports lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ServicePort>,
    /// `internalTrafficPolicy: Local`: pods reach only endpoints on their own node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local_only: bool,
    /// It is a name for something outside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
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
    pub renewed_at: Option<Timestamp>,
}

/// A ResourceQuota. What it allows is in the words with which it refuses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Quota {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub version: u64,
}

/// A version of an API group that a Service may answer for the API server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the other fields are Kubernetes' own")]
pub struct AggregatedApi {
    pub name: String,
    pub uid: String,
    pub version: u64,
    /// The Service that answers; nothing where the API server does itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Subject>,
    /// Its condition `Available` where that is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<Condition>,
}

/// What one RoleBinding or ClusterRoleBinding gives to one ServiceAccount, with the role resolved. A binding
/// that is deleted arrives as [`super::Deleted`] of the binding; a role that shrinks as a new `Grant`. What a Role allows to
/// which nobody is bound is a `Grant` to [`nobody`](Self::nobody).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// `RoleBinding` or `ClusterRoleBinding`; the `Role` itself where nobody is bound to it.
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

impl Grant {
    /// Who has what is written in a Role of this namespace to which nobody is bound.
    #[must_use]
    pub fn nobody(namespace: &str) -> Subject {
        Subject::new("Nobody", namespace, "")
    }
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

/// What a node's CSI drivers can take: its CSINode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct NodeDrivers {
    /// The node's name.
    pub name: String,
    pub uid: String,
    pub version: u64,
    /// How many volumes a driver attaches; absent where it does not say.
    pub drivers: BTreeMap<String, Option<u32>>,
}

/// A namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Namespace {
    pub name: String,
    pub uid: String,
    pub version: u64,
    pub labels: Labels,
}

/// A NetworkPolicy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct NetworkPolicy {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Which pods of the namespace.
    pub pods: LabelSelector,
    /// What may come in; `None` when it says nothing of that.
    pub ingress: Option<Vec<PolicyRule>>,
    /// What may go out; `None` when it says nothing of that.
    pub egress: Option<Vec<PolicyRule>>,
}
