//! The target file as its author writes it.

use jiff::civil::Date;
use loopdrill_kubernetes::Labels;
use loopdrill_suite::{FileError, Known, Step, unknown};
use serde::Deserialize;
use std::{fs, path::Path};

/// Which cluster may be drilled, and how far.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TargetFile {
    /// The version of this format. This build reads 1.
    pub version: u32,
    /// The kubeconfig's context.
    pub context: String,
    /// The uid of the namespace `kube-system`: names come again, uids do not.
    pub cluster_uid: String,
    /// What the cluster is for, such as `staging`.
    pub environment: String,
    /// The nodes on which victims may run and which may be touched.
    #[serde(default)]
    pub nodes: Nodes,
    /// The namespaces that drills may make and work in; `*` at the end stands for the rest of a name.
    #[serde(default = "TargetFile::drill_namespaces")]
    pub namespaces: Vec<String>,
    /// The drills that may be run: a fault, or `fault/variant`.
    pub faults: Vec<String>,
    /// How far a run may go.
    pub blast_radius: BlastRadius,
    /// The image of this program.
    pub image: Image,
    /// The Pod Security level that the drills' namespaces enforce, and that victims are made for.
    #[serde(default)]
    pub pod_security: PodSecurity,
    /// Where zonal volumes come from, where that cannot be found.
    #[serde(default)]
    pub storage: Storage,
    /// Pods that wait for a node may make an autoscaler buy one.
    #[serde(default)]
    pub may_buy_nodes: bool,
    /// The built-in detector may start one small pod on each of these nodes, which asks the others.
    #[serde(default)]
    pub probes: bool,
    /// Why a cluster that looks like production may be drilled nevertheless.
    pub production: Option<Production>,
}

/// Nodes by their labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nodes {
    /// The labels that a node must have. None: all workers.
    #[serde(default)]
    pub selector: Labels,
}

/// How far a run may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BlastRadius {
    /// At most so many nodes are touched by a drill.
    pub nodes: usize,
    /// At most so many pods of ours are there at a time.
    pub pods: usize,
    /// At most so many percent of the ready nodes are touched by a drill.
    pub share: usize,
    /// After so many minutes a run is ended, undone and cleaned.
    pub minutes: u64,
    /// The default StorageClass may be another one for a while.
    #[serde(default)]
    pub default_class: bool,
    /// What pods of one node send to another may be lost for a while, whosever they are.
    #[serde(default)]
    pub node_network: bool,
    /// The API server may answer slowly for a while, whoever asks it.
    #[serde(default)]
    pub control_plane: bool,
    /// All pods of one node may count as not ready for a while, whosever they are.
    #[serde(default)]
    pub node_pods: bool,
}

/// The image of this program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Image {
    /// Its reference, as the cluster's nodes pull it; by digest, best.
    pub name: String,
    /// The Secret that pulls it, as NAMESPACE/NAME; it is copied to each drill's namespace and goes with it.
    pub pull_secret: Option<String>,
}

impl Image {
    /// Namespace and name of the pull secret.
    #[must_use]
    pub fn secret(&self) -> Option<(&str, &str)> {
        self.pull_secret.as_deref()?.split_once('/')
    }
}

/// A Pod Security level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodSecurity {
    /// Everything is admitted.
    Privileged,
    /// What is commonly done is admitted.
    #[default]
    Baseline,
    /// Victims run without root and without any capability.
    Restricted,
}

impl PodSecurity {
    /// Its name, as the label has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PodSecurity::Privileged => "privileged",
            PodSecurity::Baseline => "baseline",
            PodSecurity::Restricted => "restricted",
        }
    }
}

/// Where zonal volumes come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Storage {
    /// A StorageClass that binds `WaitForFirstConsumer`.
    pub class: Option<String>,
    /// The zones in which volumes may be made. None: those of the workers.
    #[serde(default)]
    pub zones: Vec<String>,
}

/// An exception that expires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Production {
    /// Why it may be drilled.
    pub reason: String,
    /// The last day on which it may.
    pub until: Date,
}

/// Where in the file, and what is wrong there.
type Flaw = (Vec<Step>, String);

impl TargetFile {
    /// The version of the format that this build reads.
    pub const VERSION: u32 = 1;

    fn drill_namespaces() -> Vec<String> {
        vec!["drill-*".into()]
    }

    /// Reads and checks a file; `known` are the drills that exist.
    ///
    /// # Errors
    /// When it cannot be read, or says something that cannot be: with line, column and the nearest word.
    pub fn read(file: &Path, known: &[Known]) -> Result<Self, FileError> {
        let text =
            fs::read_to_string(file).map_err(|source| FileError::Unreadable { file: file.into(), source })?;
        Self::parse(&file.display().to_string(), &text, known)
    }

    /// Reads and checks a text that came from `file`.
    ///
    /// # Errors
    /// As [`TargetFile::read`].
    pub fn parse(file: &str, text: &str, known: &[Known]) -> Result<Self, FileError> {
        let target: Self = loopdrill_suite::parse(file, text)?;
        match target.first_flaw(known) {
            Some((path, what)) => Err(loopdrill_suite::wrong(file, text, &path, &what)),
            None => Ok(target),
        }
    }

    fn first_flaw(&self, known: &[Known]) -> Option<Flaw> {
        self.bad_name()
            .or_else(|| self.bad_fault(known))
            .or_else(|| self.bad_limit())
            .or_else(|| self.bad_part())
    }

    fn bad_name(&self) -> Option<Flaw> {
        if self.version != Self::VERSION {
            let what = format!("version {} is not one that this build reads (1)", self.version);
            return Some((vec![Step::Key("version")], what));
        }
        let names = [
            ("context", &self.context),
            ("cluster-uid", &self.cluster_uid),
            ("environment", &self.environment),
        ];
        let (key, _) = names.into_iter().find(|(_, value)| value.trim().is_empty())?;
        let what = "it must not be empty; `loopdrill target init` writes what it sees";
        Some((vec![Step::Key(key)], what.into()))
    }

    fn bad_fault(&self, known: &[Known]) -> Option<Flaw> {
        if self.faults.is_empty() {
            let what = "name at least one fault that may be run here, such as revoked-iam/rbac";
            return Some((vec![Step::Key("faults")], what.into()));
        }
        let names: Vec<String> = known.iter().flat_map(|k| [k.id.fault.clone(), k.id.to_string()]).collect();
        let (at, wrong) = self.faults.iter().enumerate().find(|(_, f)| !names.contains(f))?;
        let what = unknown("drill", wrong, names.iter().map(String::as_str));
        Some((vec![Step::Key("faults"), Step::Index(at)], what))
    }

    fn bad_limit(&self) -> Option<Flaw> {
        let b = &self.blast_radius;
        let bad = |key, what: &str| Some((vec![Step::Key("blast-radius"), Step::Key(key)], what.to_string()));
        match () {
            () if b.pods == 0 => bad("pods", "a drill without a pod has no victim; allow at least 4"),
            () if !(1..=100).contains(&b.share) => bad("share", "a share is between 1 and 100 percent"),
            () if !(1..=1440).contains(&b.minutes) => bad("minutes", "allow between 1 and 1440 minutes"),
            () => None,
        }
    }

    fn bad_part(&self) -> Option<Flaw> {
        if self.namespaces.is_empty() || self.namespaces.iter().any(|n| n.trim_end_matches('*').is_empty()) {
            let what = "name the namespaces that drills may make, such as `drill-*`; a star alone allows all of them";
            return Some((vec![Step::Key("namespaces")], what.into()));
        }
        if self.image.pull_secret.is_some()
            && self.image.secret().is_none_or(|(a, b)| a.is_empty() || b.is_empty())
        {
            let what = "name the Secret as NAMESPACE/NAME";
            return Some((vec![Step::Key("image"), Step::Key("pull-secret")], what.into()));
        }
        if self.probes && self.image.pull_secret.is_some() {
            let what = "probes are not given the pull secret of the image; name an image that needs none, or leave them out";
            return Some((vec![Step::Key("probes")], what.into()));
        }
        let exception = self.production.as_ref().filter(|p| p.reason.trim().is_empty())?;
        let what = format!("drills on production until {} need their reason", exception.until);
        Some((vec![Step::Key("production"), Step::Key("reason")], what))
    }

    /// Whether drills may make this namespace and work in it.
    #[must_use]
    pub fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        })
    }

    /// Whether victims may run on a node with these labels.
    #[must_use]
    pub fn has_node(&self, labels: &Labels) -> bool {
        self.nodes.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use loopdrill_model::{FaultId, Group, Loop};

    pub(crate) fn known() -> Vec<Known> {
        let known = |fault: &str, variant: &str| Known {
            id: FaultId::new(fault, variant),
            group: Group::Canonical,
            control_loop: Some(Loop::Identity),
        };
        vec![
            known("revoked-iam", "rbac"),
            known("request-fragmentation", "fillers"),
            known("cross-az-pvc", "cordon"),
            known("cross-az-pvc", "immediate"),
        ]
    }

    pub(crate) const GOOD: &str = "\
version: 1
context: staging
cluster-uid: 6e6c2a3a-5a0f-4b0c-9f1e-0d8a6c1d2e3f
environment: staging
nodes:
  selector: {pool: drills}
namespaces: [drill-*]
faults: [revoked-iam/rbac, request-fragmentation]
blast-radius: {nodes: 2, pods: 20, share: 50, minutes: 30}
image:
  name: registry.example.com/loopdrill@sha256:0123
";

    pub(crate) fn file(change: impl FnOnce(String) -> String) -> Result<TargetFile, FileError> {
        TargetFile::parse("staging.yaml", &change(GOOD.into()), &known())
    }

    #[test]
    fn a_good_file_is_read_with_careful_defaults() {
        let file = file(|t| t).expect("good");
        assert_eq!(file.pod_security, PodSecurity::Baseline);
        assert!(!file.may_buy_nodes && !file.blast_radius.default_class && file.production.is_none());
        assert!(file.has_namespace("drill-x") && !file.has_namespace("kube-system"));
        assert!(!file.has_node(&Labels::new()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_the_nearest_word() {
        let wrong: [(&str, &str, &str); 14] = [
            ("a word that is none", "environment:", "enviroment:"),
            ("a version to come", "version: 1", "version: 2"),
            ("no cluster", "6e6c2a3a-5a0f-4b0c-9f1e-0d8a6c1d2e3f", "\"\""),
            ("a fault that is none", "revoked-iam/rbac", "revoked-iam/rback"),
            ("no fault", "[revoked-iam/rbac, request-fragmentation]", "[]"),
            ("no share", "share: 50", "share: 0"),
            ("no end", "minutes: 30", "minutes: 0"),
            ("no pod", "pods: 20", "pods: 0"),
            ("a limit that is missing", "nodes: 2, ", ""),
            ("a limit below nothing", "nodes: 2", "nodes: -1"),
            ("all namespaces", "[drill-*]", "['*']"),
            ("a secret without a namespace", "0123\n", "0123\n  pull-secret: pull\n"),
            ("a level that is none", "image:", "pod-security: restrict\nimage:"),
            (
                "an exception without a reason",
                "image:",
                "production: {reason: '', until: 2026-12-01}\nimage:",
            ),
        ];
        let told = wrong.map(|(what, from, to)| {
            let error = file(|t| t.replacen(from, to, 1)).expect_err(what);
            format!("{what}\n  {error}")
        });
        insta::assert_snapshot!(told.join("\n"));
    }
}
