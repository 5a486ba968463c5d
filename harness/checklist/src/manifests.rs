//! Manifests before they are applied: multi-document YAML and JSON, lists, and what only looks like a manifest.
//!
//! Whatever cannot be judged is an error with file and line, so that no file passes because it was not understood.

use crate::{
    ingest::Builder,
    snapshot::{Input, Origin, Snapshot},
};
use loopdrill_model::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a file cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is a template.
    #[error(
        "{file}:{line}: this is a template; render it first (`helm template`, `kustomize build`) and check the result"
    )]
    Template {
        /// The file.
        file: String,
        /// The line.
        line: usize,
    },
    /// It is not YAML.
    #[error("{file}:{line}: this is not YAML: {why}")]
    NotYaml {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// What the parser says.
        why: String,
    },
    /// It is YAML and no object of Kubernetes.
    #[error("{file}: document {document} is no Kubernetes object: {why}")]
    NoObject {
        /// The file.
        file: String,
        /// Which document, from 1.
        document: usize,
        /// What is missing.
        why: String,
    },
    /// An object's fields are not the API's.
    #[error("{file}: {object} is not understood: {why}; `kubectl apply --dry-run=server` says more")]
    Fields {
        /// The file.
        file: String,
        /// Kind and name.
        object: String,
        /// What is wrong.
        why: String,
    },
}

/// The inputs that manifests can hold, by kind and the start of their API group.
const KINDS: &[(&str, &str, Input)] = &[
    ("Namespace", "v1", Input::Namespaces),
    ("Pod", "v1", Input::Pods),
    ("Deployment", "apps/", Input::Deployments),
    ("StatefulSet", "apps/", Input::StatefulSets),
    ("DaemonSet", "apps/", Input::DaemonSets),
    ("CronJob", "batch/", Input::CronJobs),
    ("Job", "batch/", Input::CronJobs),
    ("Service", "v1", Input::Services),
    ("Ingress", "networking.k8s.io/", Input::Ingresses),
    ("NetworkPolicy", "networking.k8s.io/", Input::NetworkPolicies),
    ("PodDisruptionBudget", "policy/", Input::Budgets),
    ("PriorityClass", "scheduling.k8s.io/", Input::PriorityClasses),
    ("StorageClass", "storage.k8s.io/", Input::StorageClasses),
    ("PersistentVolume", "v1", Input::Volumes),
    ("PersistentVolumeClaim", "v1", Input::Claims),
    ("Secret", "v1", Input::Secrets),
    ("ConfigMap", "v1", Input::ConfigMaps),
    ("ServiceAccount", "v1", Input::ServiceAccounts),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io/", Input::Bindings),
];

/// Reads manifests into a snapshot.
pub struct Manifests {
    builder: Builder,
    others: BTreeMap<String, usize>,
    objects: usize,
}

impl Manifests {
    /// Nothing read yet.
    #[must_use]
    pub fn new(now: Timestamp, system: Vec<String>) -> Self {
        let mut builder = Builder::new(Origin::Manifests, now, system);
        KINDS.iter().for_each(|(_, _, input)| builder.read(*input));
        builder.read(Input::CsiNodes);
        Self { builder, others: BTreeMap::new(), objects: 0 }
    }

    /// Reads one file.
    ///
    /// # Errors
    /// The first [`ManifestError`] in it.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), ManifestError> {
        self.builder.from_file(Some(file.into()));
        for (at, document) in documents(file, text)?.into_iter().enumerate() {
            self.object(file, text, at + 1, document)?;
        }
        Ok(())
    }

    fn object(&mut self, file: &str, text: &str, document: usize, value: Value) -> Result<(), ManifestError> {
        let no_object = |why: &str| ManifestError::NoObject { file: file.into(), document, why: why.into() };
        let field = |name: &str| value[name].as_str().map(str::to_string);
        if !value.is_object() {
            return Err(no_object("it is no mapping with apiVersion and kind"));
        }
        let kind = field("kind").ok_or_else(|| no_object("kind is missing"))?;
        let version = field("apiVersion").ok_or_else(|| no_object("apiVersion is missing"))?;
        if kind.ends_with("List") && value["items"].is_array() {
            let items = value["items"].as_array().cloned().unwrap_or_default();
            return items.into_iter().try_for_each(|item| self.object(file, text, document, item));
        }
        let known = KINDS.iter().find(|(k, group, _)| *k == kind && version.starts_with(group));
        let Some((_, _, input)) = known else {
            *self.others.entry(format!("{kind} ({version})")).or_default() += 1;
            return Ok(());
        };
        if is_template(&kind, &value) {
            return Err(ManifestError::Template { file: file.into(), line: line_of_braces(text) });
        }
        let name = value["metadata"]["name"].as_str().unwrap_or("(without name)");
        let object = format!("{kind} {name}");
        self.objects += 1;
        self.builder.add_kind(*input, &kind, &value.to_string()).map_err(|error| ManifestError::Fields {
            file: file.into(),
            object,
            why: error.to_string(),
        })
    }

    /// How many objects were read that checks know.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// The snapshot, and what was left out because no check knows it.
    #[must_use]
    pub fn finish(self) -> (Snapshot, Vec<String>) {
        let left_out = self.others.into_iter().map(|(kind, n)| format!("{n} × {kind}")).collect();
        (self.builder.finish(), left_out)
    }
}

fn documents(file: &str, text: &str) -> Result<Vec<Value>, ManifestError> {
    let mut all = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        match Value::deserialize(document) {
            Ok(Value::Null) => {}
            Ok(value) => all.push(value),
            Err(_) if has_braces(text) => {
                return Err(ManifestError::Template { file: file.into(), line: line_of_braces(text) });
            }
            Err(error) => {
                let line = error.location().map_or(1, |l| l.line());
                return Err(ManifestError::NotYaml { file: file.into(), line, why: error.to_string() });
            }
        }
    }
    Ok(all)
}

fn has_braces(text: &str) -> bool {
    text.lines().any(|l| !l.trim_start().starts_with('#') && l.contains("{{"))
}

fn line_of_braces(text: &str) -> usize {
    text.lines().position(|l| !l.trim_start().starts_with('#') && l.contains("{{")).map_or(1, |at| at + 1)
}

/// Whether placeholders are left where the API wants values. Data and annotations may well hold braces.
fn is_template(kind: &str, value: &Value) -> bool {
    fn left(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains("{{"),
            Value::Array(items) => items.iter().any(left),
            Value::Object(fields) => {
                fields.iter().any(|(k, v)| k.contains("{{") || (k != "annotations" && left(v)))
            }
            _ => false,
        }
    }
    let data = matches!(kind, "ConfigMap" | "Secret");
    left(&value["metadata"]) || (!data && left(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifests, ManifestError> {
        let mut manifests = Manifests::new(Timestamp::UNIX_EPOCH, vec![]);
        manifests.add("a.yaml", text).map(|()| manifests)
    }

    fn error(text: &str) -> String {
        read(text).map(|m| m.objects()).expect_err("it is wrong").to_string()
    }

    #[test]
    fn documents_and_lists_are_taken_apart() {
        let text = "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n\
                    - {apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}}\n---\n---\n\
                    {\"apiVersion\": \"batch/v1\", \"kind\": \"Job\", \"metadata\": {\"name\": \"j\"}}\n---\n\
                    {apiVersion: x.example/v1, kind: Deployment, metadata: {name: other}}\n";
        let manifests = read(text).expect("good");
        assert_eq!(manifests.objects(), 3);
        let (snapshot, left_out) = manifests.finish();
        let names: Vec<_> = snapshot.workloads.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["Deployment shop/cart", "Job default/j"]);
        assert_eq!(left_out, ["1 × Deployment (x.example/v1)"]);
        assert_eq!(snapshot.workloads[0].file.as_deref(), Some("a.yaml"));
    }

    #[test]
    fn templates_are_told_with_their_line() {
        for text in [
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Values.name }}\n",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: \"{{ .Values.name }}\"\n",
            "kind: Deployment\napiVersion: apps/v1\n# {{ no }}\n{{- if .Values.x }}\nmetadata: {name: x}\n{{- end }}\n",
        ] {
            assert!(error(text).starts_with("a.yaml:4: this is a template"), "{}", error(text));
        }
        let fine =
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: alerts}\ndata: {a: \"{{ $labels.pod }}\"}\n";
        assert!(read(fine).is_ok(), "braces in data are data");
    }

    #[test]
    fn what_is_no_manifest_never_passes() {
        assert!(error("just text").contains("document 1 is no Kubernetes object"));
        assert!(error("a: b\n").contains("kind is missing"));
        assert!(error("kind: Pod\n").contains("apiVersion is missing"));
        assert!(error("a: [1, 2\nb: c\n").starts_with("a.yaml:2: this is not YAML"));
        assert!(error("\u{0}\u{1}binary").contains("YAML"));
        let odd = error("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: 5}\n");
        assert!(odd.starts_with("a.yaml: Pod p is not understood"), "{odd}");
        assert!(error("apiVersion: v1\nkind: Pod\nmetadata: {}\n").contains("(without name)"));
        assert_eq!(read("").expect("empty").objects(), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = read(&text);
        }
    }
}
