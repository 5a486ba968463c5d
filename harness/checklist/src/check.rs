//! What a check is, and what it answers.

use crate::snapshot::{Input, Lines, Snapshot};
use loopdrill_model::named;
use serde::{Deserialize, Serialize};
use std::fmt;

named! {
    /// The part of a cluster that a check is about: a control loop, or what watches all of them.
    #[expect(missing_docs, reason = "the names are the loops'")]
    pub enum Area {
        Identity = "identity",
        Compute = "compute",
        Network = "network",
        Storage = "storage",
        ControlPlane = "control-plane",
        Observability = "observability",
    }
}

named! {
    /// How much a failure of the check matters.
    pub enum Severity {
        /// It makes a bad day longer.
        Low = "low",
        /// It turns one failure into two.
        Medium = "medium",
        /// It turns a common failure into an outage.
        High = "high",
        /// It is an outage, or a leak, that waits for its day.
        Critical = "critical",
    }
}

/// A stage of the maturity ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nodes are debugged by hand.
    Reactive,
    /// Dashboards and alerts.
    Operational,
    /// Guardrails.
    Architectural,
    /// Golden paths.
    Platform,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Stage::Reactive => "Reactive",
            Stage::Operational => "Operational",
            Stage::Architectural => "Architectural",
            Stage::Platform => "Platform",
        })
    }
}

/// The five canonical faults that checks predict, by their names in the drills' catalogue. What makes one account's calls slow
/// (`api-latency`) is made from nothing that a cluster has or lacks beforehand: no check tells it.
pub mod fault {
    /// The identity of a workload is revoked.
    pub const IAM: &str = "revoked-iam";
    /// Free capacity is enough in sum and on no single node.
    pub const FRAGMENTATION: &str = "request-fragmentation";
    /// Large packets vanish on the overlay.
    pub const MTU: &str = "overlay-mtu";
    /// A volume stays in its zone.
    pub const PVC: &str = "cross-az-pvc";
    /// etcd waits for its disk.
    pub const ETCD: &str = "etcd-disk";
    /// All of them.
    pub const ALL: &[&str] = &[IAM, FRAGMENTATION, MTU, PVC, ETCD];
}

/// Whether something is wrong, or only worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Warn,
    /// Wrong.
    Fail,
}

impl Level {
    /// How a check with such a finding ends.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Level::Warn => Status::Warn,
            Level::Fail => Status::Fail,
        }
    }
}

/// What a check found at one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is wrong.
    pub level: Level,
    /// The object, as `Kind namespace/name`.
    pub object: String,
    /// What was seen there.
    pub value: String,
    /// The file that declares the object, where there is one.
    pub file: Option<String>,
}

impl Finding {
    /// Something wrong.
    pub fn fail(object: impl fmt::Display, value: impl Into<String>) -> Self {
        Self { level: Level::Fail, object: object.to_string(), value: value.into(), file: None }
    }

    /// Something worth knowing.
    pub fn warn(object: impl fmt::Display, value: impl Into<String>) -> Self {
        Self { level: Level::Warn, object: object.to_string(), value: value.into(), file: None }
    }

    /// The same, declared in this file.
    #[must_use]
    pub fn in_file(self, file: Option<&String>) -> Self {
        Self { file: file.cloned(), ..self }
    }
}

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It looked, and found this; nothing is a pass. With what it looked at, for those who read a pass.
    Looked {
        /// What is wrong or worth knowing.
        findings: Vec<Finding>,
        /// What was looked at.
        at: String,
    },
    /// There was nothing to judge.
    Skip(String),
}

impl Verdict {
    /// Looked at `count` things called `what`.
    pub fn looked(findings: Vec<Finding>, count: usize, what: &str) -> Self {
        Self::Looked { findings, at: format!("{count} {what}") }
    }
}

/// A check: declared once, used by reports, `list`, `explain` and the schema.
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// When it passes, in one sentence.
    pub title: &'static str,
    /// The stage of the maturity ladder for which it must hold.
    pub stage: Stage,
    /// What it is about.
    pub area: Area,
    /// How much its failure matters.
    pub severity: Severity,
    /// The canonical faults that its failure predicts.
    pub predicts: &'static [&'static str],
    /// What it cannot do without.
    pub needs: &'static [Input],
    /// Whether manifests alone can answer it.
    pub manifests: bool,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it: YAML or commands that can be pasted.
    pub remedy: &'static str,
    /// The check itself. Called only when everything that it needs was read.
    pub judge: fn(&Snapshot) -> Verdict,
}

named! {
    /// How a check ended.
    pub enum Status {
        /// All is well.
        Pass = "pass",
        /// It could not be judged; the evidence says why.
        Skip = "skip",
        /// Worth knowing.
        Warn = "warn",
        /// Something is wrong.
        Fail = "fail",
    }
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it says about the object: `fail` and `warn` are findings, a `skip` is an accepted finding or the reason why
    /// nothing was judged, a `pass` tells what was looked at.
    #[serde(default = "unknown_status")]
    pub status: Status,
    /// The object; empty for what is about the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// What was seen.
    pub value: String,
    /// The file that declares the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The object's lines in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
}

/// Results that were written before evidence had a status are not called findings.
fn unknown_status() -> Status {
    Status::Skip
}

impl Evidence {
    /// Evidence about the whole.
    pub(crate) fn about_all(status: Status, value: String) -> Self {
        Self { status, object: String::new(), value, file: None, lines: None }
    }

    /// Whether something is wrong, or worth knowing.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        matches!(self.status, Status::Fail | Status::Warn)
    }
}

/// A check's result, as reports have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check's stable name.
    pub id: String,
    /// When it passes.
    pub title: String,
    /// What it is about.
    #[serde(rename = "loop")]
    pub area: Area,
    /// How much its failure matters.
    pub severity: Severity,
    /// How it ended.
    pub status: Status,
    /// What it rests on, most important first; all of it.
    pub evidence: Vec<Evidence>,
    /// What to do about it.
    pub remedy: String,
    /// The canonical faults that its failure predicts.
    pub predicts: Vec<String>,
    /// Whether it was skipped for want of access, and not because there was nothing to judge.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blind: bool,
}

/// The content of `check --output json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// One entry a check, in the order of the checklist.
    pub checks: Vec<CheckResult>,
    /// What is to be said about exceptions: unknown checks, expired ones, and such as nothing needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Remark>,
}

/// Something that is wrong with an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Where the exception is written: an object, or the configuration.
    pub at: String,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Results {
    /// How many ended so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|c| c.status == status).count()
    }

    /// The findings of all checks, with their check.
    pub fn findings(&self) -> impl Iterator<Item = (&CheckResult, &Evidence)> {
        self.checks.iter().flat_map(|c| c.evidence.iter().filter(|e| e.is_finding()).map(move |e| (c, e)))
    }

    /// The result of a check.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&CheckResult> {
        self.checks.iter().find(|c| c.id == id)
    }
}
