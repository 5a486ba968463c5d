//! What a detector says: which loop is to blame, why, and on what evidence.

use crate::{Cause, Loop, Source};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// An object that a diagnosis or an event is about. Cluster-scoped objects have an empty namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// `Pod`, `Node`, `PersistentVolumeClaim`, `Interface`, …
    pub kind: String,
    /// Empty for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Subject {
    /// A subject in a namespace; pass `""` for one that has none.
    pub fn new(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{}/{}", self.kind, self.name),
            ns => write!(f, "{}/{}/{}", self.kind, ns, self.name),
        }
    }
}

/// One observed fact that supports a diagnosis or a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which signal, for example `etcd_disk_wal_fsync_duration_seconds p99`.
    pub signal: String,
    /// The value with its unit, as a person would read it.
    pub value: String,
    /// When it was true.
    pub at: Timestamp,
    /// Who saw it.
    pub source: Source,
}

impl Evidence {
    /// That the signal had this value then.
    pub fn new(signal: impl Into<String>, value: impl Into<String>, at: Timestamp, source: Source) -> Self {
        Self { signal: signal.into(), value: value.into(), at, source }
    }
}

/// One step of a domino: from the root cause to what people notice, in that order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChainLink {
    /// The loop in which this step shows.
    #[serde(rename = "loop")]
    pub control_loop: Loop,
    /// The cause or symptom in a few words.
    pub what: String,
    /// Where it shows.
    pub subjects: Vec<Subject>,
}

/// What is computed may have more digits than readers of JSON take to the same bit.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn six_decimals<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((value * 1e6).round() / 1e6)
}

/// A finding: one cause, what it touches, and why we believe it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The loop to blame.
    #[serde(rename = "loop")]
    pub control_loop: Loop,
    /// The cause inside that loop; absent when a detector names only the loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What is affected, most important first.
    pub subjects: Vec<Subject>,
    /// 0 to 1. Diagnoses are listed by falling confidence.
    #[serde(serialize_with = "six_decimals")]
    pub confidence: f64,
    /// The facts it rests on, decisive ones first.
    pub evidence: Vec<Evidence>,
    /// From root to symptom; empty when the cause shows in one loop only.
    #[serde(default)]
    pub chain: Vec<ChainLink>,
    /// When the first of the evidence was true. Where one of a kind proves nothing, because a healthy cluster shows it,
    /// too (a container that ends once, a probe or a packet that is lost), it is the one that made a pattern of them.
    pub first_evidence_at: Timestamp,
    /// When the diagnosis was made.
    pub diagnosed_at: Timestamp,
}

impl Diagnosis {
    /// Whether the other one is the same finding at another time: the same cause, about at least one thing in common, for
    /// a finding grows and shrinks with what it is about. The one definition: by it a detector remembers since when it
    /// finds something, an answer is told from what was found before the injection, and a false alarm counts once.
    #[must_use]
    pub fn is_same_finding(&self, other: &Self) -> bool {
        self.control_loop == other.control_loop
            && self.cause == other.cause
            && (self.subjects == other.subjects || self.subjects.iter().any(|s| other.subjects.contains(s)))
    }

    /// Whether one of these is the same finding.
    #[must_use]
    pub fn is_among(&self, others: &[Self]) -> bool {
        others.iter().any(|other| self.is_same_finding(other))
    }
}

/// What was looked at, so that silence can be weighed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Nodes.
    pub nodes: usize,
    /// Pods.
    pub pods: usize,
    /// Failing containers whose last words were read.
    pub logs: usize,
    /// Ways between nodes, and to the DNS, that were probed.
    pub paths: usize,
    /// Parts of the control plane whose own metrics were read: `apiserver`, `etcd/NODE`.
    pub control_plane: Vec<String>,
    /// For how many seconds.
    pub seconds: u64,
}

/// The document a detector prints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnoses {
    /// All present findings, by falling confidence.
    pub diagnoses: Vec<Diagnosis>,
    /// The newest signal that was taken into account. Absent when nothing was seen: then silence proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// What the detector could not see or do, each with the next step: its silence proves the less.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
}
