//! What objects refer to: a second, lean look at those few kinds that refer to others. Pods of controllers are not among
//! them; their controller's template says the same once.

use super::{Builder, Owned, OwnerKey, objects, raw, template};
use crate::snapshot::{
    Autoscaler, Backend, Deadlines, Input, LostProbe, PolicyWires, Role, ServiceWires, WildcardRule, Wires,
};
use loopdrill_kubernetes::LabelSelector;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod spec;

/// The controller of CronJobs looks every ten seconds; a run with less time than that may never start.
const LEAST_DEADLINE: i64 = 10;

/// What Kubernetes puts on the roles that it makes for itself.
const BOOTSTRAPPING: &str = "kubernetes.io/bootstrapping";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Controller {
    api_version: String,
    metadata: raw::Meta,
    spec: ControllerSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ControllerSpec {
    selector: Option<Value>,
    template: Option<spec::Template>,
    job_template: Option<JobTemplate>,
    starting_deadline_seconds: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct JobSpec {
    template: spec::Template,
    active_deadline_seconds: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BarePod {
    metadata: raw::Meta,
    spec: spec::PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Service {
    metadata: raw::Meta,
    spec: ServiceSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ServiceSpec {
    selector: Option<BTreeMap<String, Option<String>>>,
    ports: Option<Vec<ServicePort>>,
    r#type: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ServicePort {
    name: Option<String>,
    port: u16,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawRole {
    metadata: raw::Meta,
    rules: Option<Vec<RawRule>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawRule {
    api_groups: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    verbs: Option<Vec<String>>,
}

fn parse<T: DeserializeOwned + Default>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_default()
}

impl Builder {
    /// Takes in what an object refers to. One that is not understood has been counted as such already, and refers to
    /// nothing.
    pub(super) fn wire(&mut self, input: Input, kind: &str, json: &str) {
        let own = if kind.is_empty() { input.own_kind() } else { kind };
        let wiring = &mut self.snapshot.wiring;
        match input {
            Input::Services => wiring.services.extend([service(parse(json))]),
            Input::Ingresses => wiring.backends.extend(backends(&parse(json))),
            Input::NetworkPolicies => wiring.policies.push(policy(&parse(json))),
            Input::Autoscalers => wiring.autoscalers.push(autoscaler(own, parse(json))),
            Input::Roles | Input::ClusterRoles => wiring.roles.extend(role(input.own_kind(), parse(json))),
            Input::ConfigMaps | Input::Secrets => {
                let object: raw::Bare = parse(json);
                let namespace = objects::namespace(&object.metadata);
                wiring.bundles.insert((input.own_kind().into(), namespace, object.metadata.name));
            }
            Input::Pods if kind.is_empty() && json.contains("\"ownerReferences\"") => {}
            Input::Pods if matches!(kind, "" | "Pod") => {
                let pod: BarePod = parse(json);
                let wires = wires_of(&pod.spec);
                self.wires.entry(of("Pod", &pod.metadata)).or_default().push_back(wires);
            }
            _ => self.controller(own, json),
        }
    }

    fn controller(&mut self, kind: &str, json: &str) {
        if !json.contains("emplate\"") {
            return;
        }
        let raw: Controller = parse(json);
        let key = of(kind, &raw.metadata);
        if let Some(wires) = wires_of_controller(kind, &raw.api_version, raw.spec) {
            self.wires.entry(key).or_default().push_back(wires);
        }
    }
}

/// Under which name a workload is known.
fn of(kind: &str, meta: &raw::Meta) -> OwnerKey {
    (kind.into(), objects::namespace(meta), objects::name(meta).unwrap_or_default())
}

/// The controllers' own hashes and counters, which are in no selector that people write.
const OF_CONTROLLERS: [&str; 3] =
    ["pod-template-hash", "controller-revision-hash", "pod-template-generation"];

impl Owned {
    /// Notes the labels of one more pod.
    pub(super) fn see(&mut self, labels: &BTreeMap<String, String>) {
        for (key, value) in labels {
            let known = self.workload.template.labels.get(key) == Some(value)
                || OF_CONTROLLERS.contains(&key.as_str());
            if !known {
                self.labels.insert((key.clone(), value.clone()));
            }
        }
    }

    /// Every label that one of its pods has.
    pub(super) fn all_labels(&self) -> BTreeSet<(String, String)> {
        let first =
            self.workload.template.labels.iter().filter(|(k, _)| !OF_CONTROLLERS.contains(&k.as_str()));
        first.map(|(k, v)| (k.clone(), v.clone())).chain(self.labels.iter().cloned()).collect()
    }
}

/// Kinds whose selector is a plain map of labels, and is their template's where there is none.
const PLAIN: [&str; 2] = ["ReplicationController", "DeploymentConfig"];

fn wires_of_controller(kind: &str, version: &str, spec: ControllerSpec) -> Option<Wires> {
    if let Some(job) = spec.job_template {
        let job = job.spec;
        let end =
            job.active_deadline_seconds.is_some() || job.template.spec.active_deadline_seconds.is_some();
        let start = spec.starting_deadline_seconds;
        let brief = start.is_some_and(|seconds| seconds < LEAST_DEADLINE);
        let deadlines = Deadlines { start: start.is_some(), end, brief };
        return Some(Wires { deadlines: Some(deadlines), ..wires_of(&job.template.spec) });
    }
    let template = spec.template?;
    // These versions have no default for it; what runs no image is a patch, and need not say it again.
    let must = version == "apps/v1" && template.spec.containers().any(|c| !c.image.is_empty());
    let plain = PLAIN.contains(&kind);
    let selector = spec.selector.as_ref().map(|value| label_selector(value, plain));
    Some(Wires {
        selector: selector.or_else(|| must.then(LabelSelector::default)),
        ..wires_of(&template.spec)
    })
}

/// A label selector, or the plain labels of a ReplicationController.
fn label_selector(value: &Value, is_plain: bool) -> LabelSelector {
    let plain = || {
        BTreeMap::<String, String>::deserialize(value)
            .ok()
            .map(|labels| LabelSelector { labels, ..LabelSelector::default() })
    };
    let full = !is_plain && (value.get("matchLabels").is_some() || value.get("matchExpressions").is_some());
    let read = || raw::Selector::deserialize(value).ok().map(|raw| template::selector(&raw));
    (if full { read() } else { plain() }).unwrap_or_default()
}

fn wires_of(spec: &spec::PodSpec) -> Wires {
    Wires {
        wants: spec.wants(),
        lost_probes: spec.containers().flat_map(spec::Container::lost_probes).collect::<Vec<LostProbe>>(),
        init: spec.init_names(),
        ..Wires::default()
    }
}

fn service(raw: Service) -> ((String, String), ServiceWires) {
    let key = (objects::namespace(&raw.metadata), raw.metadata.name);
    let selector = raw.spec.selector.unwrap_or_default();
    let ports = raw.spec.ports.unwrap_or_default();
    let wires = ServiceWires {
        selector: selector.into_iter().map(|(k, v)| (k, v.unwrap_or_default())).collect(),
        external: raw.spec.r#type == "ExternalName",
        ports: ports.into_iter().map(|p| (p.name.unwrap_or_default(), p.port)).collect(),
    };
    (key, wires)
}

/// Every Service that an Ingress names, in the form of today and in that of the versions before it.
fn backends(ingress: &Value) -> Vec<Backend> {
    let meta = raw::Meta::deserialize(&ingress["metadata"]).unwrap_or_default();
    let spec = &ingress["spec"];
    let paths = spec["rules"].as_array().into_iter().flatten();
    let paths = paths.flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
    let all = paths.map(|path| &path["backend"]).chain([&spec["defaultBackend"], &spec["backend"]]);
    let text = |v: &Value| v.as_str().map(str::to_string);
    let number = |v: &Value| v.as_u64().map(|n| n.to_string());
    // Each version has its own fields, and passes over those of the others.
    let today = ingress["apiVersion"] == "networking.k8s.io/v1";
    let one = |backend: &Value| {
        let new = &backend["service"];
        let old = if today { &Value::Null } else { backend };
        if today && !backend.is_null() && new.is_null() && backend["resource"].is_null() {
            return Some(("".into(), String::new()));
        }
        let service = text(&new["name"]).or_else(|| text(&old["serviceName"]))?;
        // A number in quotes is refused in the one, and a name in the other.
        let port = text(&new["port"]["name"]).or_else(|| number(&new["port"]["number"]));
        let port = port.or_else(|| text(&old["servicePort"])).or_else(|| number(&old["servicePort"]));
        Some((service, port.unwrap_or_default()))
    };
    let one = |backend: &Value| {
        let (service, port) = one(backend)?;
        Some(Backend { namespace: objects::namespace(&meta), ingress: meta.name.clone(), service, port })
    };
    let mut found: Vec<Backend> = Vec::new();
    for backend in all.filter_map(one) {
        if !found.contains(&backend) {
            found.push(backend);
        }
    }
    found
}

fn policy(raw: &raw::NetworkPolicy) -> PolicyWires {
    PolicyWires {
        namespace: objects::namespace(&raw.metadata),
        name: raw.metadata.name.clone(),
        selector: template::selector(&raw.spec.pod_selector),
    }
}

fn autoscaler(kind: &str, raw: raw::HorizontalPodAutoscaler) -> Autoscaler {
    let (of, target, least) = raw.target(kind);
    Autoscaler {
        declared: kind.into(),
        namespace: objects::namespace(&raw.metadata),
        kind: of,
        target: target.into(),
        least,
        name: raw.metadata.name,
    }
}

fn role(kind: &str, raw: RawRole) -> Option<Role> {
    if raw.metadata.labels.contains_key(BOOTSTRAPPING) {
        return None;
    }
    let wild = |all: &[String]| all.iter().any(|x| x == "*");
    let rule = |r: RawRule| WildcardRule {
        groups: r.api_groups.unwrap_or_default(),
        resources: r.resources.unwrap_or_default(),
        verbs: r.verbs.unwrap_or_default(),
    };
    // A rule about URLs and no resources gives nothing in the API.
    let rules = raw.rules.unwrap_or_default().into_iter().map(rule).filter(|r| !r.resources.is_empty());
    Some(Role {
        kind: kind.into(),
        namespace: if kind == "Role" { objects::namespace(&raw.metadata) } else { String::new() },
        name: raw.metadata.name,
        wildcards: rules.filter(|r| wild(&r.resources) || wild(&r.verbs)).collect(),
    })
}

/// Links what was taken in with the workloads that it belongs to.
pub(super) fn attach(
    workloads: &mut [crate::snapshot::Workload],
    mut wires: BTreeMap<OwnerKey, VecDeque<Wires>>,
    mut labels: BTreeMap<OwnerKey, BTreeSet<(String, String)>>,
) {
    for workload in workloads {
        let key = (workload.kind.clone(), workload.namespace.clone(), workload.name.clone());
        workload.wires = wires.get_mut(&key).and_then(VecDeque::pop_front).unwrap_or_default();
        let own = &workload.template.labels;
        let beside = labels.remove(&key).unwrap_or_default();
        workload.wires.pod_labels = beside.into_iter().filter(|(k, v)| own.get(k) != Some(v)).collect();
    }
}
