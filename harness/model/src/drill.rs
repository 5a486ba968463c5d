//! The words of one drill: its name, its gates, what it needs and how it can end.

use crate::{Evidence, ExitStatus, named};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fault and its variant, for example `revoked-iam/pull`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FaultId {
    /// The canonical fault; `control` is the drill that injects nothing.
    pub fault: String,
    /// Which of its variants.
    pub variant: String,
}

impl FaultId {
    /// The fault `fault` in its variant `variant`.
    pub fn new(fault: impl Into<String>, variant: impl Into<String>) -> Self {
        Self { fault: fault.into(), variant: variant.into() }
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.fault, self.variant))
    }
}

named! {
    /// The five questions of a drill, in order.
    pub enum Gate {
        /// Is the fault really in force?
        Injected = "injected",
        /// Does the victim show the symptom?
        Manifested = "manifested",
        /// Did the detector notice, within its budget?
        Detected = "detected",
        /// Did it name the right loop and cause, and no wrong one above it?
        Attributed = "attributed",
        /// After the undo, is everything as it was, and has the alarm gone?
        Recovered = "recovered",
    }
}

/// The answer of one gate. The default is "no": a gate that nobody answered did not hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// Did it hold?
    pub ok: bool,
    /// When that was known; absent when the gate was never reached.
    pub at: Option<Timestamp>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Why not, or what to know, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a drill needs and a cluster may lack. A skip names one of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Commands can be run on the nodes themselves.
    NodeAccess,
    /// At least this many schedulable worker nodes.
    WorkerNodes(u32),
    /// Workers in at least two zones.
    TwoZones,
    /// A VXLAN overlay device on the nodes.
    VxlanOverlay,
    /// A CSI driver with zonal topology.
    ZonalStorage,
    /// A registry with authentication inside the cluster.
    PrivateRegistry,
    /// The API names a node of the control plane.
    ControlPlaneNode,
    /// etcd runs on a node we can reach, on a disk of its own cgroup.
    LocalEtcd,
    /// The kernel can throttle block I/O by cgroup.
    BlockIoThrottle,
    /// The node's systemd can own a fault.
    NodeServiceManager,
    /// A cloud account that trusts the cluster's ServiceAccounts, and of which roles may be touched.
    CloudIdentity,
    /// That the cluster admits what the drill needs: the account's rights, and its policies for pods and objects.
    Admission,
    /// That the target file allows what the drill touches.
    Fence,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Capability::NodeAccess => f.write_str("access to the nodes themselves"),
            Capability::WorkerNodes(n) => write!(f, "{n} schedulable worker nodes"),
            Capability::TwoZones => f.write_str("workers in two zones"),
            Capability::VxlanOverlay => f.write_str("a VXLAN overlay (flannel.1)"),
            Capability::ZonalStorage => f.write_str("a CSI driver with zonal topology"),
            Capability::PrivateRegistry => f.write_str("a private registry in the cluster"),
            Capability::ControlPlaneNode => f.write_str("a node of the control plane"),
            Capability::LocalEtcd => f.write_str("etcd on a reachable node"),
            Capability::BlockIoThrottle => f.write_str("block I/O throttling by cgroup"),
            Capability::NodeServiceManager => f.write_str("systemd on the nodes"),
            Capability::CloudIdentity => f.write_str("a cloud account that trusts the cluster"),
            Capability::Admission => f.write_str("to be admitted by the cluster"),
            Capability::Fence => f.write_str("to be allowed on a cluster that is not ours"),
        }
    }
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All five gates held.
    Passed,
    /// This gate did not.
    Failed(Gate),
    /// The fault was really in force, and the victim stayed well.
    Resilient,
    /// The fault could not be put in force.
    NotInjected,
    /// The fault, or something of ours, could not be removed.
    CleanupFailed,
    /// The infrastructure failed, so the drill proves nothing.
    Errored,
    /// The cluster lacks what the drill needs.
    Skipped(Capability),
    /// The user stopped the run.
    Interrupted,
}

impl Outcome {
    /// Whether all is as it should be: noticed and blamed rightly, or absorbed.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self, Outcome::Passed | Outcome::Resilient)
    }

    /// What this outcome means for the process's exit code. `require` turns skips into failures.
    #[must_use]
    pub const fn exit(&self, require: bool) -> ExitStatus {
        match self {
            Outcome::Passed | Outcome::Resilient => ExitStatus::Ready,
            Outcome::Failed(_) => ExitStatus::NotReady,
            Outcome::NotInjected => ExitStatus::NotInjected,
            Outcome::CleanupFailed => ExitStatus::CleanupFailed,
            Outcome::Errored => ExitStatus::NoCluster,
            Outcome::Skipped(Capability::Admission) => ExitStatus::NotAdmitted,
            Outcome::Skipped(_) if require => ExitStatus::NotReady,
            Outcome::Skipped(_) => ExitStatus::Ready,
            Outcome::Interrupted => ExitStatus::Interrupted,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Passed => f.pad("passed"),
            Outcome::Failed(gate) => f.pad(&format!("failed({gate})")),
            Outcome::Resilient => f.pad("resilient"),
            Outcome::NotInjected => f.pad("not-injected"),
            Outcome::CleanupFailed => f.pad("cleanup-failed"),
            Outcome::Errored => f.pad("errored"),
            Outcome::Skipped(Capability::Admission) => f.pad("skipped (not admitted)"),
            Outcome::Skipped(what) => f.pad(&format!("skipped (needs {what})")),
            Outcome::Interrupted => f.pad("interrupted"),
        }
    }
}
