//! What a lab consists of, as a user writes it in YAML.

use crate::LabError;
use loopdrill_kubernetes::well_known;
use loopdrill_model::named;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// The specification of a lab. Everything has a default; unknown fields are errors.
///
/// ```yaml
/// name: demo
/// region: lab
/// nodes:
///   - role: control-plane
///     zone: a
///   - role: worker
///     zone: b
///     labels: { pool: batch }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct LabSpec {
    /// The lab's name, and therefore the kind cluster's.
    pub name: String,
    /// `topology.kubernetes.io/region` of all nodes.
    pub region: String,
    /// The port of this machine on which the API server answers; a free one where none is named.
    pub api_port: Option<u16>,
    /// The nodes, of which exactly one runs the control plane.
    pub nodes: Vec<NodeSpec>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NodeSpec {
    /// What it is.
    pub role: Role,
    /// `topology.kubernetes.io/zone`.
    #[serde(default = "NodeSpec::default_zone")]
    pub zone: String,
    /// `node.kubernetes.io/instance-type`.
    #[serde(default = "NodeSpec::default_type")]
    pub instance_type: String,
    /// More labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

named! {
    /// What a node is.
    pub enum Role {
        /// It runs the control plane.
        ControlPlane = "control-plane",
        /// It runs pods.
        Worker = "worker",
    }
}

impl NodeSpec {
    fn default_zone() -> String {
        "a".into()
    }

    fn default_type() -> String {
        "lab.small".into()
    }

    /// A node of this role in this zone.
    #[must_use]
    pub fn new(role: Role, zone: &str) -> Self {
        NodeSpec { role, zone: zone.into(), instance_type: Self::default_type(), labels: BTreeMap::new() }
    }
}

impl Default for LabSpec {
    /// One control plane in zone `a`, and a worker in each of the zones `a` and `b`.
    fn default() -> Self {
        LabSpec {
            name: "loopdrill".into(),
            region: "lab".into(),
            api_port: None,
            nodes: vec![
                NodeSpec::new(Role::ControlPlane, "a"),
                NodeSpec::new(Role::Worker, "a"),
                NodeSpec::new(Role::Worker, "b"),
            ],
        }
    }
}

impl LabSpec {
    /// The default lab under another name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        LabSpec { name: name.into(), ..LabSpec::default() }
    }

    /// Reads a specification from a file.
    ///
    /// # Errors
    /// [`LabError::Spec`] with file, line and remedy.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| LabError::Spec {
            file: file.clone(),
            line: None,
            what: format!("cannot be read ({error})"),
            remedy: "name an existing YAML file, or leave it out for the default lab".into(),
        })?;
        Self::parse(&text, &file)
    }

    /// Reads a specification from a text; `file` is what errors call it.
    ///
    /// # Errors
    /// [`LabError::Spec`] with file, line and remedy.
    pub fn parse(text: &str, file: &str) -> Result<Self, LabError> {
        if text.trim().is_empty() {
            return Ok(LabSpec::default());
        }
        let spec: LabSpec = serde_yaml::from_str(text).map_err(|error| LabError::Spec {
            file: file.into(),
            line: error.location().map(|location| location.line()),
            what: without_location(&error.to_string()),
            remedy:
                "a spec has name, region, apiPort and nodes, a node has role, zone, instanceType and labels"
                    .into(),
        })?;
        spec.check().map_err(|flaw| LabError::Spec {
            file: file.into(),
            line: flaw.near.as_deref().and_then(|near| line_of(text, near)),
            what: flaw.what,
            remedy: flaw.remedy.into(),
        })?;
        Ok(spec)
    }

    /// Whether a specification that was not read from a text makes sense.
    ///
    /// # Errors
    /// [`LabError::Spec`] with the remedy.
    pub fn validate(&self) -> Result<(), LabError> {
        self.check().map_err(|flaw| LabError::Spec {
            file: "the lab's specification".into(),
            line: None,
            what: flaw.what,
            remedy: flaw.remedy.into(),
        })
    }

    fn check(&self) -> Result<(), Flaw> {
        if !is_dns_label(&self.name, 40) {
            return Err(Flaw::new(
                format!("`{}` cannot be a lab's name", self.name),
                &self.name,
                "use up to 40 of a-z, 0-9 and -, beginning and ending with a letter or digit",
            ));
        }
        let planes = self.nodes.iter().filter(|n| n.role == Role::ControlPlane).count();
        if planes != 1 {
            return Err(Flaw::new(
                format!("{planes} of {} nodes are control planes", self.nodes.len()),
                "nodes",
                "give exactly one node `role: control-plane`",
            ));
        }
        self.nodes.iter().try_for_each(|node| node.check())
    }

    /// The nodes with their names, which are kind's: the second worker of lab `x` is `x-worker2`.
    #[must_use]
    pub fn named_nodes(&self) -> Vec<(String, &NodeSpec)> {
        let mut counts = BTreeMap::new();
        self.nodes
            .iter()
            .map(|node| {
                let count = counts.entry(node.role).or_insert(0_u32);
                *count += 1;
                let number = if *count == 1 { String::new() } else { count.to_string() };
                (format!("{}-{}{number}", self.name, node.role.name()), node)
            })
            .collect()
    }

    /// A node's labels, as clouds set them.
    #[must_use]
    pub fn labels_of(&self, node: &NodeSpec) -> BTreeMap<String, String> {
        let mut labels = node.labels.clone();
        labels.insert(well_known::REGION.into(), self.region.clone());
        labels.insert(well_known::ZONE.into(), node.zone.clone());
        labels.insert(well_known::INSTANCE_TYPE.into(), node.instance_type.clone());
        labels
    }
}

impl NodeSpec {
    fn check(&self) -> Result<(), Flaw> {
        for (what, value) in [("zone", &self.zone), ("instanceType", &self.instance_type)] {
            if value.is_empty() || !is_label_value(value) {
                return Err(Flaw::new(
                    format!("`{value}` cannot be a node's {what}"),
                    value,
                    "use letters, digits, - _ .",
                ));
            }
        }
        for (key, value) in &self.labels {
            let name = key.rsplit('/').next().unwrap_or_default();
            if name.is_empty() || !is_label_value(name) || !is_label_value(value) {
                return Err(Flaw::new(
                    format!("`{key}: {value}` is no label"),
                    key,
                    "use letters, digits, - _ .",
                ));
            }
            if key.split('/').next().is_some_and(|p| key.contains('/') && is_reserved(p)) {
                return Err(Flaw::new(
                    format!("nodes may not set label `{key}` themselves"),
                    key,
                    "use zone and instanceType, or a label without kubernetes.io in it",
                ));
            }
        }
        Ok(())
    }
}

struct Flaw {
    what: String,
    near: Option<String>,
    remedy: &'static str,
}

impl Flaw {
    fn new(what: String, near: &str, remedy: &'static str) -> Self {
        Flaw { what, near: Some(near.into()), remedy }
    }
}

/// Prefixes that a kubelet must not set on itself.
fn is_reserved(prefix: &str) -> bool {
    ["kubernetes.io", "k8s.io"].iter().any(|d| prefix == *d || prefix.ends_with(&format!(".{d}")))
}

fn is_dns_label(text: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= longest
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_label_value(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && edge(text.chars().next())
        && edge(text.chars().next_back())
}

fn line_of(text: &str, needle: &str) -> Option<usize> {
    text.lines().position(|line| !line.trim_start().starts_with('#') && line.contains(needle)).map(|n| n + 1)
}

/// A parser's message without the place, which we say ourselves.
fn without_location(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        LabSpec::parse(text, "lab.yaml").expect_err("must be refused").to_string()
    }

    #[test]
    fn names_are_those_of_kind() {
        let mut spec = LabSpec::named("x");
        spec.nodes.push(NodeSpec::new(Role::Worker, "c"));
        let names: Vec<_> = spec.named_nodes().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-control-plane", "x-worker", "x-worker2", "x-worker3"]);
    }

    #[test]
    fn the_default_has_workers_in_two_zones() {
        assert_eq!(LabSpec::parse("", "lab.yaml").expect("empty is the default"), LabSpec::default());
        let spec = LabSpec::parse("name: demo", "lab.yaml").expect("fine");
        assert_eq!((spec.name.as_str(), spec.nodes.len()), ("demo", 3));
        let labels = spec.labels_of(&spec.nodes[2]);
        assert_eq!(labels["topology.kubernetes.io/zone"], "b");
        assert_eq!(labels["topology.kubernetes.io/region"], "lab");
    }

    #[test]
    fn errors_have_file_line_and_remedy() {
        let unknown = error_of("name: demo\nnodes:\n  - role: control-plane\n    zome: a\n");
        assert!(unknown.starts_with("lab.yaml:4: ") && unknown.contains("zome"), "{unknown}");
        let role = error_of("nodes:\n  - role: master\n");
        assert!(role.starts_with("lab.yaml:2: ") && role.contains("control-plane"), "{role}");
        let name = error_of("# Big_Lab\nname: Big_Lab\n");
        assert!(name.starts_with("lab.yaml:2: ") && name.contains("a-z"), "{name}");
        let two = error_of("name: x\nnodes:\n  - role: worker\n");
        assert!(two.starts_with("lab.yaml:2: 0 of 1 nodes"), "{two}");
        let label = error_of("nodes:\n- role: control-plane\n  labels:\n    node-role.kubernetes.io/x: y\n");
        assert!(label.starts_with("lab.yaml:4: "), "{label}");
    }

    #[test]
    fn a_spec_survives_its_own_yaml() {
        let spec = LabSpec::named("again");
        let text = serde_yaml::to_string(&spec).expect("serialises");
        assert_eq!(LabSpec::parse(&text, "again").expect("parses"), spec);
    }
}
