//! What one drill answers, and what a run reports.

use crate::{Diagnosis, Evidence, ExitStatus, Expectation, Loop};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

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

/// The five questions of a drill, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Is the fault really in force?
    Injected,
    /// Does the victim show the symptom?
    Manifested,
    /// Did the detector notice, within its budget?
    Detected,
    /// Did it name the right loop and cause, and no wrong one above it?
    Attributed,
    /// After the undo, is everything as it was, and has the alarm gone?
    Recovered,
}

impl Gate {
    /// All gates in order.
    pub const ALL: [Gate; 5] =
        [Gate::Injected, Gate::Manifested, Gate::Detected, Gate::Attributed, Gate::Recovered];

    /// The gate's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Gate::Injected => "injected",
            Gate::Manifested => "manifested",
            Gate::Detected => "detected",
            Gate::Attributed => "attributed",
            Gate::Recovered => "recovered",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
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

/// The five answers of a drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the gates")]
pub struct Gates {
    pub injected: GateResult,
    pub manifested: GateResult,
    pub detected: GateResult,
    pub attributed: GateResult,
    pub recovered: GateResult,
}

impl Gates {
    /// The answer of `gate`.
    #[must_use]
    pub fn get(&self, gate: Gate) -> &GateResult {
        match gate {
            Gate::Injected => &self.injected,
            Gate::Manifested => &self.manifested,
            Gate::Detected => &self.detected,
            Gate::Attributed => &self.attributed,
            Gate::Recovered => &self.recovered,
        }
    }

    /// The answer of `gate`, to be filled in.
    pub fn get_mut(&mut self, gate: Gate) -> &mut GateResult {
        match gate {
            Gate::Injected => &mut self.injected,
            Gate::Manifested => &mut self.manifested,
            Gate::Detected => &mut self.detected,
            Gate::Attributed => &mut self.attributed,
            Gate::Recovered => &mut self.recovered,
        }
    }

    /// The first gate that did not hold.
    #[must_use]
    pub fn first_failure(&self) -> Option<Gate> {
        Gate::ALL.into_iter().find(|g| !self.get(*g).ok)
    }
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
    /// etcd runs on a node we can reach, on a disk of its own cgroup.
    LocalEtcd,
    /// The kernel can throttle block I/O by cgroup.
    BlockIoThrottle,
    /// The node's systemd can own a fault.
    NodeServiceManager,
    /// A cloud account that trusts the cluster's ServiceAccounts, and of which roles may be touched.
    CloudIdentity,
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
            Capability::LocalEtcd => f.write_str("etcd on a reachable node"),
            Capability::BlockIoThrottle => f.write_str("block I/O throttling by cgroup"),
            Capability::NodeServiceManager => f.write_str("systemd on the nodes"),
            Capability::CloudIdentity => f.write_str("a cloud account that trusts the cluster"),
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
    /// Really injected, and the cluster absorbed it.
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
    /// What this outcome means for the process's exit code. `require` turns skips into failures.
    #[must_use]
    pub const fn exit(&self, require: bool) -> ExitStatus {
        match self {
            Outcome::Passed | Outcome::Resilient => ExitStatus::Ready,
            Outcome::Failed(_) => ExitStatus::NotReady,
            Outcome::NotInjected => ExitStatus::NotInjected,
            Outcome::CleanupFailed => ExitStatus::CleanupFailed,
            Outcome::Errored => ExitStatus::NoCluster,
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
            Outcome::Skipped(what) => f.pad(&format!("skipped (needs {what})")),
            Outcome::Interrupted => f.pad("interrupted"),
        }
    }
}

/// When things happened. Detector lag is `detected_at − first_evidence_at`; lead time is
/// `manifested.at − first_evidence_at`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it, and they are a contract")]
pub struct Timings {
    pub injected_at: Option<Timestamp>,
    pub first_evidence_at: Option<Timestamp>,
    pub detected_at: Option<Timestamp>,
    pub undone_at: Option<Timestamp>,
    pub recovered_at: Option<Timestamp>,
}

/// What one of the detectors under test made of one drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DetectorResult {
    /// The detector's name.
    pub name: String,
    /// Whether it noticed within its budget.
    pub detected: GateResult,
    /// Whether it named the right loop and cause, and no wrong one above it.
    pub attributed: GateResult,
    /// Its best diagnosis of this drill's fault.
    pub diagnosis: Option<Diagnosis>,
    /// Its further findings in this drill's scope, by falling confidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_findings: Vec<Diagnosis>,
    /// Seconds from the first evidence to the diagnosis.
    pub lag: Option<f64>,
    /// Seconds from the first evidence to the victim's symptom; negative when the symptom came first.
    pub lead: Option<f64>,
    /// Seconds from the injection to the diagnosis: comparable also where detectors disagree about first evidence.
    pub since_injection: Option<f64>,
}

/// Everything known about one drill at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrillReport {
    /// The canonical fault.
    pub fault: String,
    /// Which variant of it.
    pub variant: String,
    /// The loop that must be blamed; absent for the control drill, where nothing must be.
    pub expected_loop: Option<Loop>,
    /// The whole right answer; absent in reports of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation: Option<Expectation>,
    /// The five answers.
    pub gates: Gates,
    /// How it ended.
    pub outcome: Outcome,
    /// The detector's best diagnosis of this drill's fault.
    pub diagnosis: Option<Diagnosis>,
    /// Further findings in this drill's scope, by falling confidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_findings: Vec<Diagnosis>,
    /// When things happened.
    pub timings: Timings,
    /// What each detector under test made of it, the deciding one first. Empty where no detector was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<DetectorResult>,
    /// What went wrong with the infrastructure, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What took part in the run, in which version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Versions {
    pub loopdrill: String,
    pub kubernetes: String,
    pub node_image: String,
    pub kernel: String,
}

/// What a detector that ran beside the deciding one did outside of all drills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// Its name.
    pub name: String,
    /// Its findings that belong to no drill's scope: each one is a false alarm of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stray_findings: Vec<Diagnosis>,
    /// Why it ended before the run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The content of `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Version of this format.
    pub format: u32,
    /// The run's id, also the value of the label on everything it created.
    pub run: String,
    /// The cluster's name.
    pub cluster: String,
    /// The detector under test; of several, the one whose gates decide.
    pub detector: String,
    /// The detectors beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<Rival>,
    /// What took part.
    pub versions: Versions,
    /// What the cluster can do, and why not where it can't.
    pub capabilities: BTreeMap<String, Result<(), String>>,
    /// When the run started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether a skip counts as a failure (`--require`).
    #[serde(default)]
    pub require: bool,
    /// One entry a drill.
    pub drills: Vec<DrillReport>,
    /// Findings that belong to no drill's scope: each one is a false alarm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stray_findings: Vec<Diagnosis>,
    /// What could not be cleaned up, or broke on the way, outside any drill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
    /// How the process ends.
    pub exit: ExitStatus,
    /// Its exit code.
    pub exit_code: u8,
}

impl RunReport {
    /// The format version this build writes.
    pub const FORMAT: u32 = 1;
}
