//! From the API's JSON to a [`Snapshot`], one object at a time, keeping only what checks need.
//!
//! Invariants:
//! - Values of Secrets and ConfigMaps are judged here and dropped here.
//! - An object that cannot be understood is counted for its input, and never passes for a healthy one.
//! - Memory grows with workloads and nodes, and by a few words for each pod.

#[macro_use]
mod raw;
mod bundle;
mod declared;
mod defaults;
mod ingress;
mod keys;
mod live;
mod objects;
mod peers;
mod placeholder;
mod pod;
mod pull;
mod scaling;
mod template;
mod wiring;

use crate::snapshot::{Availability, Input, Origin, Pod, Snapshot, Wires, Workload};
use defaults::Defaults;
use loopdrill_kubernetes::Resources;
use loopdrill_model::Timestamp;
use scaling::Scaling;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// The label on everything that a run of ours creates.
const RUN_LABEL: &str = "loopdrill.dev/run";

/// Labels by which a Job's pods say whose they are.
const OF_JOBS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

/// Why an object was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Its fields have other types than the API's.
    #[error("not understood: {0}")]
    Fields(#[from] serde_json::Error),
    /// A budget that the API refuses.
    #[error("minAvailable and maxUnavailable exclude each other; keep one")]
    BothShares,
    /// A share that is neither a number nor a percentage.
    #[error("{0:?} is neither a number of pods nor a percentage up to 100 %")]
    Share(String),
    /// It has no name.
    #[error("it has no metadata.name")]
    NoName,
}

/// Who made a pod: kind, namespace and name.
type OwnerKey = (String, String, String);

/// Pods of one owner.
struct Owned {
    workload: Workload,
    pods: u32,
    /// Labels that some of its pods have and the first has not.
    labels: BTreeSet<(String, String)>,
}

struct LoosePod {
    owner: u32,
    node: String,
    requests: Resources,
}

/// Builds a snapshot.
pub struct Builder {
    snapshot: Snapshot,
    system: Vec<String>,
    file: Option<String>,
    owners: Vec<Owned>,
    owner_index: HashMap<OwnerKey, u32>,
    pods: Vec<LoosePod>,
    refused: Vec<(u32, String)>,
    /// Of objects with one name, those of each, in their order.
    wires: BTreeMap<OwnerKey, VecDeque<Wires>>,
    scaling: Scaling,
    defaults: Defaults,
    /// Namespaces in which a policy allows everything.
    open: BTreeSet<String>,
}

impl Builder {
    /// An empty one. Namespaces in `system` are not judged, beside those that Kubernetes reserves.
    #[must_use]
    pub fn new(origin: Origin, taken_at: Timestamp, system: Vec<String>) -> Self {
        Self {
            snapshot: Snapshot::empty(origin, taken_at),
            system,
            file: None,
            owners: Vec::new(),
            owner_index: HashMap::new(),
            pods: Vec::new(),
            refused: Vec::new(),
            wires: BTreeMap::new(),
            scaling: Scaling::default(),
            defaults: Defaults::default(),
            open: BTreeSet::new(),
        }
    }

    /// What is known so far beside objects of the API, to be filled in.
    pub fn snapshot(&mut self) -> &mut Snapshot {
        &mut self.snapshot
    }

    /// The file from which the next objects are.
    pub fn from_file(&mut self, file: Option<String>) {
        self.file = file;
    }

    /// `input` is complete, even if it holds nothing.
    pub fn read(&mut self, input: Input) {
        self.snapshot.inputs.entry(input).or_insert(Availability::Read { objects: 0, unreadable: 0 });
    }

    /// `input` cannot be read.
    pub fn missing(&mut self, input: Input, why: impl Into<String>) {
        self.snapshot.inputs.insert(input, Availability::Missing(why.into()));
    }

    /// Takes one object in.
    ///
    /// # Errors
    /// [`IngestError`] when it is not understood; it is counted as such.
    pub fn add(&mut self, input: Input, json: &str) -> Result<(), IngestError> {
        self.add_kind(input, "", json)
    }

    /// Takes one object of a kind in, where several kinds belong to one input.
    ///
    /// # Errors
    /// As for [`Builder::add`].
    pub fn add_kind(&mut self, input: Input, kind: &str, json: &str) -> Result<(), IngestError> {
        let result = self.take(input, kind, json);
        if result.is_ok() {
            self.excepted(input, kind, json);
            self.wire(input, kind, json);
        }
        let known =
            self.snapshot.inputs.entry(input).or_insert(Availability::Read { objects: 0, unreadable: 0 });
        if let Availability::Read { objects, unreadable } = known {
            *if result.is_ok() { objects } else { unreadable } += 1;
        }
        result
    }

    /// Whatever makes pods and has no input of its own.
    fn makes_pods(&mut self, kind: &str, json: &str) -> Result<(), IngestError> {
        match kind {
            "" | "Pod" => self.pod(&parse(json)?),
            "CronJob" => self.cron_job(parse(json)?),
            "PodTemplate" => {
                let raw::PodTemplate { metadata, template } = parse(json)?;
                let spec = raw::WorkloadSpec { template, ..raw::WorkloadSpec::default() };
                self.workload(kind, &raw::Workload { metadata, spec })
            }
            "Revision" => {
                let raw::Pod { metadata, spec, .. } = parse(json)?;
                let template = raw::Template { metadata: metadata.clone(), spec };
                let spec = raw::WorkloadSpec { template, ..raw::WorkloadSpec::default() };
                self.workload(kind, &raw::Workload { metadata, spec })
            }
            "LimitRange" => {
                self.defaults.limit_range(&parse(json)?);
                Ok(())
            }
            _ => self.workload(kind, &parse(json)?),
        }
    }

    fn workload(&mut self, kind: &str, raw: &raw::Workload) -> Result<(), IngestError> {
        let (meta, spec) = (&raw.metadata, &raw.spec);
        let key = (kind.to_string(), objects::namespace(meta), objects::name(meta)?);
        let mut workload = Workload {
            replicas: spec.replicas.unwrap_or(1),
            template: pod::template(&key.1, &spec.template.metadata, &spec.template.spec),
            claim_templates: pod::claim_templates(&spec.template.spec, &spec.volume_claim_templates),
            ..self.bare(&key, &[meta, &spec.template.metadata], &spec.template.spec)
        };
        if kind == "Job" {
            let given = OF_JOBS.map(|label| (label.to_string(), meta.name.clone()));
            workload.template.labels.extend(given.into_iter().filter(|(_, name)| !name.is_empty()));
        }
        self.scaling.declared(&key, meta, spec);
        self.snapshot.workloads.push(workload);
        Ok(())
    }

    fn cron_job(&mut self, raw: raw::CronJob) -> Result<(), IngestError> {
        self.workload("CronJob", &raw::Workload { metadata: raw.metadata, spec: raw.spec.job_template.spec })
    }

    fn pod(&mut self, raw: &raw::Pod) -> Result<(), IngestError> {
        let name = objects::name(&raw.metadata)?;
        let done = matches!(raw.status.phase.as_str(), "Succeeded" | "Failed");
        if done || raw.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let key = live::owner_of(&raw.metadata, name);
        // In manifests every pod is one of its own, whatever its name.
        let alone = key.0 == "Pod" && self.snapshot.is_manifests();
        let index = match self.owner_index.get(&key) {
            Some(index) if !alone => *index,
            _ => {
                let index = u32::try_from(self.owners.len()).unwrap_or(u32::MAX);
                let workload = self.of_pod(&key, raw);
                self.owners.push(Owned { workload, pods: 0, labels: BTreeSet::new() });
                self.owner_index.insert(key, index);
                index
            }
        };
        self.owners[index as usize].pods += 1;
        self.owners[index as usize].see(&raw.metadata.labels);
        let statuses = raw.status.container_statuses.iter().chain(&raw.status.init_container_statuses);
        self.refused.extend(statuses.filter_map(live::refused_host).map(|host| (index, host)));
        let requests = template::requests(&raw.spec);
        self.pods.push(LoosePod { owner: index, node: raw.spec.node_name.clone(), requests });
        Ok(())
    }

    /// What pods like this one are to the checks.
    fn of_pod(&self, key: &OwnerKey, raw: &raw::Pod) -> Workload {
        Workload {
            template: pod::template(&key.1, &raw.metadata, &raw.spec),
            claim_templates: pod::claim_templates(&raw.spec, &[]),
            ..self.bare(key, &[&raw.metadata], &raw.spec)
        }
    }

    /// Names and what is read, without the pods.
    fn bare(
        &self,
        (kind, namespace, name): &OwnerKey,
        annotated: &[&raw::Meta],
        pod: &raw::PodSpec,
    ) -> Workload {
        Workload {
            kind: kind.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
            reads: pod::reads(pod),
            annotated_keys: pod::annotated_keys(annotated),
            file: self.file.clone(),
            ..Workload::default()
        }
    }

    /// The snapshot, with pods linked to their workloads and nodes.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        self.scaling.apply(&mut self.snapshot);
        let known = self.known_workloads();
        let mut of_owner = Vec::with_capacity(self.owners.len());
        let mut labels = BTreeMap::new();
        for owned in self.owners {
            let own = key(&owned.workload);
            if !(own.0 == "Pod" && self.snapshot.is_manifests()) {
                labels.insert(own.clone(), owned.all_labels());
            }
            let known = known.get(&own).copied();
            let index = known.unwrap_or(self.snapshot.workloads.len());
            match known {
                Some(at) => live::adopt(&mut self.snapshot.workloads[at], &owned),
                None => {
                    let Owned { workload, pods, .. } = owned;
                    self.snapshot.workloads.push(Workload { replicas: pods, ..workload });
                }
            }
            of_owner.push(u32::try_from(index).unwrap_or(u32::MAX));
        }
        let nodes: HashMap<&str, u32> =
            self.snapshot.nodes.iter().map(|n| n.name.as_str()).zip(0..).collect();
        let place = |pod: LoosePod| Pod {
            workload: of_owner[pod.owner as usize],
            node: nodes.get(pod.node.as_str()).copied(),
            requests: pod.requests,
        };
        let pods = self.pods.into_iter().map(place).collect();
        self.snapshot.refused_pulls =
            self.refused.into_iter().map(|(o, host)| (of_owner[o as usize], host)).collect();
        self.snapshot.refused_pulls.sort();
        self.snapshot.refused_pulls.dedup();
        self.snapshot.pods = pods;
        wiring::attach(&mut self.snapshot.workloads, self.wires, labels);
        self.snapshot.default_deny.retain(|namespace| !self.open.contains(namespace));
        if self.snapshot.is_manifests() {
            scaling::without_containers(&mut self.snapshot);
            self.defaults.apply(&mut self.snapshot.workloads);
        }
        tidy_up(self.snapshot)
    }

    fn known_workloads(&self) -> HashMap<OwnerKey, usize> {
        self.snapshot.workloads.iter().enumerate().map(|(at, w)| (key(w), at)).collect()
    }
}

/// Order that does not depend on which list came first.
fn tidy_up(mut snapshot: Snapshot) -> Snapshot {
    snapshot.zonal_provisioners.sort();
    snapshot.zonal_provisioners.dedup();
    snapshot.default_deny.sort();
    snapshot.default_deny.dedup();
    let roles = &snapshot.wiring.roles;
    let all: BTreeSet<&str> =
        roles.iter().filter(|r| r.kind == "ClusterRole" && r.is_all()).map(|r| r.name.as_str()).collect();
    snapshot.admins.retain(|b| b.role.as_deref().is_none_or(|role| all.contains(role)));
    snapshot.bundles.sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
    snapshot
}

fn key(workload: &Workload) -> OwnerKey {
    (workload.kind.clone(), workload.namespace.clone(), workload.name.clone())
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, IngestError> {
    Ok(serde_json::from_str(json)?)
}

#[cfg(test)]
mod tests;
