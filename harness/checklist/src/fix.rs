//! What can be done about findings, with the names of the objects at hand: a patch where the checklist knows one, else
//! the check's remedy with its placeholders filled in.
//!
//! A patch is what `kubectl apply --server-side` and kustomize take: the object's name and the fields to be set. Numbers
//! in it are a start and no measurement, which its first line says.

use crate::{
    check::{CheckResult, Evidence, Results},
    checks::SMALL,
    snapshot::{Autoscaler, Container, Snapshot, Workload},
};
use loopdrill_kubernetes::{LabelSelector, Requirement};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What begins every patch.
const NOTICE: &str = "# A start, with usual numbers: measure, then choose your own.\n";

/// A patch of an object, or a new object, that answers some checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The object of the findings, as evidence names it.
    pub object: String,
    /// A file name for it.
    pub file: String,
    /// The checks that it answers.
    pub checks: Vec<String>,
    /// Whether it is a new object, and no change of one.
    pub adds: bool,
    /// The YAML.
    pub yaml: String,
}

/// What a check wants to be changed.
enum Change {
    /// Fields of the pod's specification.
    Pod(Value),
    /// Fields of the workload's own specification.
    Own(Value),
    /// A new object.
    New(Value),
}

type Fix = fn(&Snapshot, &Workload, &Evidence) -> Option<Change>;

/// The checks that have a patch.
const FIXES: &[(&str, Fix)] = &[
    ("CO-01", |_, w, _| pod(w, requests)),
    ("CO-02", |_, w, _| pod(w, limits)),
    ("CO-04", |s, w, e| e.value.contains("has no PodDisruptionBudget").then(|| budget(s, w))),
    ("CO-12", |s, w, _| second_pod(s, w)),
    ("CO-13", |_, w, _| deadlines(w)),
    ("NE-01", |_, w, _| probe(w)),
    ("ST-03", |_, w, e| e.value.contains("no topologySpreadConstraints").then(|| spread(w))?),
];

/// Patches for all findings that have one, one file an object. The order is that of the results.
#[must_use]
pub fn patches(results: &Results, snapshot: &Snapshot) -> Vec<Patch> {
    let workloads: BTreeMap<String, &Workload> =
        snapshot.workloads.iter().map(|w| (w.to_string(), w)).collect();
    let mut changed: BTreeMap<String, (Vec<String>, Value)> = BTreeMap::new();
    let mut patches = Vec::new();
    for (check, evidence) in results.findings() {
        let Some((_, fix)) = FIXES.iter().find(|(id, _)| *id == check.id) else { continue };
        // Where no container is declared, the rest is somewhere else, and so is what a patch would be for.
        let declared = |w: &&&Workload| !w.template.containers.is_empty();
        let Some(w) = workloads.get(&evidence.object).filter(declared) else { continue };
        let (object, id) = (evidence.object.clone(), check.id.clone());
        match fix(snapshot, w, evidence) {
            Some(Change::New(value)) => {
                patches.push(patch(object, w, vec![id], Some(&value["kind"]), &value));
            }
            Some(change) => {
                let Some(body) = of_workload(w, change) else { continue };
                let (checks, known) = changed.entry(object).or_insert_with(|| (Vec::new(), json!({})));
                if !checks.contains(&id) {
                    checks.push(id);
                    merge(known, body);
                }
            }
            None => {}
        }
    }
    patches.extend(changed.into_iter().filter_map(|(object, (checks, value))| {
        let w = workloads.get(&object)?;
        Some(patch(object, w, checks, None, &value))
    }));
    patches
}

/// Workloads by their name in evidence.
pub(crate) fn workloads(snapshot: &Snapshot) -> BTreeMap<String, &Workload> {
    snapshot.workloads.iter().map(|w| (w.to_string(), w)).collect()
}

fn patch(object: String, w: &Workload, checks: Vec<String>, new: Option<&Value>, value: &Value) -> Patch {
    let kind = new.and_then(Value::as_str).unwrap_or(&w.kind).to_lowercase();
    // A map of texts, numbers and lists is always YAML; if it were not, the notice alone would patch nothing.
    let yaml = serde_yaml::to_string(value).unwrap_or_else(|e| format!("# {e}\n"));
    Patch {
        object,
        file: format!("{kind}-{}-{}.yaml", w.namespace, w.name),
        checks,
        adds: new.is_some(),
        yaml: format!("{NOTICE}{yaml}"),
    }
}

/// The `apiVersion` of what can be patched.
fn version(kind: &str) -> Option<&'static str> {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" => Some("apps/v1"),
        "CronJob" => Some("batch/v1"),
        // Pods and Jobs cannot be changed where it matters.
        _ => None,
    }
}

/// The whole patch of a workload.
fn of_workload(w: &Workload, change: Change) -> Option<Value> {
    let version = version(&w.kind)?;
    let spec = match change {
        Change::Own(spec) => spec,
        Change::Pod(pod) if w.kind == "CronJob" => {
            json!({"jobTemplate": {"spec": {"template": {"spec": pod}}}})
        }
        Change::Pod(pod) => json!({"template": {"spec": pod}}),
        Change::New(_) => return None,
    };
    Some(json!({"apiVersion": version, "kind": w.kind, "metadata": metadata(w), "spec": spec}))
}

fn metadata(w: &Workload) -> Value {
    // A manifest that names no namespace gets the one of whoever applies it, and so must its patch.
    if w.namespace == "default" {
        json!({"name": w.name})
    } else {
        json!({"name": w.name, "namespace": w.namespace})
    }
}

/// Puts `more` into `value`: maps field by field, lists of named things by their names.
fn merge(value: &mut Value, more: Value) {
    match (value, more) {
        (Value::Object(fields), Value::Object(more)) => {
            for (key, inner) in more {
                merge(fields.entry(key).or_insert(Value::Null), inner);
            }
        }
        (Value::Array(items), Value::Array(more)) => {
            for item in more {
                match items.iter_mut().find(|i| !i["name"].is_null() && i["name"] == item["name"]) {
                    Some(known) => merge(known, item),
                    None => items.push(item),
                }
            }
        }
        (value, more) => *value = more,
    }
}

/// What is to be changed at each container of a pod.
fn pod(w: &Workload, change: fn(&Container) -> Option<Value>) -> Option<Change> {
    let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for container in &w.template.containers {
        let Some(mut fields) = change(container) else { continue };
        fields["name"] = json!(container.name);
        let list = if w.wires.init.contains(&container.name) { "initContainers" } else { "containers" };
        lists.entry(list).or_default().push(fields);
    }
    (!lists.is_empty()).then(|| Change::Pod(json!(lists)))
}

fn requests(c: &Container) -> Option<Value> {
    let mut requests = Map::new();
    if c.cpu_request.is_none() {
        requests.insert("cpu".into(), json!(SMALL.0));
    }
    if c.memory_request.is_none() {
        requests.insert("memory".into(), json!(SMALL.1));
    }
    (!requests.is_empty()).then(|| json!({"resources": {"requests": requests}}))
}

fn limits(c: &Container) -> Option<Value> {
    match (c.memory_limit, c.memory_request) {
        (None, None) => {
            Some(json!({"resources": {"requests": {"memory": SMALL.1}, "limits": {"memory": SMALL.1}}}))
        }
        (None, Some(request)) => Some(json!({"resources": {"limits": {"memory": bytes(request)}}})),
        // The limit may well be needed, so it is the request that grows.
        (Some(limit), Some(request)) if limit > request.saturating_mul(2) => {
            Some(json!({"resources": {"requests": {"memory": bytes(limit.div_ceil(2))}}}))
        }
        _ => None,
    }
}

/// Bytes in the API's notation, exactly.
fn bytes(n: u64) -> String {
    let units = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let exact = units.iter().find(|(_, size)| n > 0 && n.is_multiple_of(*size));
    exact.map_or_else(|| n.to_string(), |(unit, size)| format!("{}{unit}", n / size))
}

/// Which pods are the workload's own.
fn own_pods(w: &Workload) -> Value {
    let labels = || LabelSelector { labels: w.template.labels.clone(), ..LabelSelector::default() };
    let selector = w.wires.selector.clone().filter(|s| !s.is_empty()).unwrap_or_else(labels);
    let mut fields = Map::new();
    if !selector.labels.is_empty() {
        fields.insert("matchLabels".into(), json!(selector.labels));
    }
    if !selector.expressions.is_empty() {
        fields.insert("matchExpressions".into(), selector.expressions.iter().map(expression).collect());
    }
    Value::Object(fields)
}

fn expression(r: &Requirement) -> Value {
    let operator = format!("{:?}", r.operator);
    // `Exists` and `DoesNotExist` must not have any.
    match r.values.as_slice() {
        [] => json!({"key": r.key, "operator": operator}),
        values => json!({"key": r.key, "operator": operator, "values": values}),
    }
}

fn budget(s: &Snapshot, w: &Workload) -> Change {
    let mut metadata = metadata(w);
    if has_budget(s, &w.namespace, &w.name) {
        metadata["name"] = json!(format!("{}-{}", w.name, w.kind.to_lowercase()));
    }
    Change::New(json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"maxUnavailable": 1, "selector": own_pods(w)},
    }))
}

/// Whether there is a budget of this name, be it about other pods or not understood.
fn has_budget(s: &Snapshot, namespace: &str, name: &str) -> bool {
    s.sources.contains_key(&format!("PodDisruptionBudget {namespace}/{name}"))
        || s.budgets.iter().any(|b| b.namespace == namespace && b.name == name)
}

/// A second pod of a Deployment without volumes: where there is one, it may well have room for one writer only.
/// Where an autoscaler decides how many there are, a number here changes nothing.
fn second_pod(s: &Snapshot, w: &Workload) -> Option<Change> {
    let of = |a: &Autoscaler| a.kind == w.kind && a.namespace == w.namespace && a.target == w.name;
    if s.wiring.autoscalers.iter().any(of) {
        return None;
    }
    let may = w.kind == "Deployment" && w.replicas == 1 && w.template.claims.is_empty();
    may.then(|| Change::Own(json!({"replicas": 2})))
}

fn deadlines(w: &Workload) -> Option<Change> {
    let has = w.wires.deadlines?;
    let mut spec = json!({});
    if !has.start || has.brief {
        spec["startingDeadlineSeconds"] = json!(600);
    }
    if !has.end {
        spec["jobTemplate"] = json!({"spec": {"activeDeadlineSeconds": 3600}});
    }
    Some(Change::Own(spec))
}

/// A probe that the first container with a port takes connections there.
fn probe(w: &Workload) -> Option<Change> {
    let first =
        w.template.containers.iter().find(|c| !c.ports.is_empty() && !w.wires.init.contains(&c.name))?;
    // A probe that the API refuses would stay beside what a patch adds.
    if first.odd_probe {
        return None;
    }
    let port = first.ports.first()?.number;
    let probe = json!({"tcpSocket": {"port": port}, "periodSeconds": 5});
    Some(Change::Pod(json!({"containers": [{"name": first.name, "readinessProbe": probe}]})))
}

fn spread(w: &Workload) -> Option<Change> {
    (w.kind == "StatefulSet").then(|| {
        let constraint = json!({
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": own_pods(w),
        });
        Change::Pod(json!({"topologySpreadConstraints": [constraint]}))
    })
}

/// A check's remedy with the names of the object at which it found something.
#[must_use]
pub fn remedy(check: &CheckResult, evidence: &Evidence, workload: Option<&Workload>) -> String {
    let (kind, full) = evidence.object.split_once(' ').unwrap_or_default();
    let (namespace, name) = full.split_once('/').unwrap_or(("", full));
    let namespace = if kind == "Namespace" { name } else { namespace };
    // A binding is about an account, and that is what needs another.
    let account = evidence
        .value
        .split("ServiceAccount ")
        .nth(1)
        .and_then(|a| a.split([' ', ',']).next()?.split_once('/'));
    let (namespace, app) = account.filter(|_| namespace.is_empty()).unwrap_or((namespace, name));
    let wanted = evidence.value.strip_prefix("needs ").and_then(|v| v.split([' ', ':', ',']).nth(1));
    let mut text = check.remedy.clone();
    if let Some(w) = workload {
        let labels: Vec<_> = w.template.labels.iter().map(|(k, v)| format!("{k}: {v}")).collect();
        text = text.replace("{app: APP}", &format!("{{{}}}", labels.join(", ")));
    }
    let kind_and_name = format!("{}/{name}", kind.to_lowercase());
    let text = text.replace("KIND/NAME", if name.is_empty() { "KIND/NAME" } else { &kind_and_name });
    // What is missing is what has to be made, not what asks for it.
    filled(&text, &[("NAMESPACE", namespace), ("NAME", wanted.unwrap_or(name)), ("APP", app)])
}

/// Replaces words in capitals that are known; a word that has no value stays as it is.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let mut all = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let value = values.iter().find(|(known, value)| *known == word && !value.is_empty());
        all.push_str(value.map_or(word, |(_, value)| value));
        all.push_str(&part[word.len()..]);
    }
    all
}

#[cfg(test)]
#[path = "fix_tests.rs"]
mod tests;
