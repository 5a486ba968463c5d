//! From the API's JSON to a [`Snapshot`], one object at a time, keeping only what checks need.
//!
//! Invariants:
//! - Values of Secrets and ConfigMaps are judged here and dropped here.
//! - An object that cannot be understood is counted for its input, and never passes for a healthy one.
//! - Memory grows with workloads and nodes, and by a few words for each pod.

mod keys;
mod objects;
mod raw;
mod template;

use crate::snapshot::{
    Amount, Availability, Input, Namespace, Origin, Pod, Snapshot, Template, Workload, is_reserved,
};
use loopdrill_model::Timestamp;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};

/// The label on everything that a run of ours creates.
const RUN_LABEL: &str = "loopdrill.dev/run";

/// Why an object was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Its fields have other types than the API's.
    #[error("not understood: {0}")]
    Fields(#[from] serde_json::Error),
    /// It has no name.
    #[error("it has no metadata.name")]
    NoName,
}

/// Who made a pod: kind, namespace and name.
type OwnerKey = (String, String, String);

/// Pods of one owner.
struct Owned {
    key: OwnerKey,
    template: Template,
    pods: u32,
}

struct LoosePod {
    owner: u32,
    node: String,
    requests: Amount,
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
        let known =
            self.snapshot.inputs.entry(input).or_insert(Availability::Read { objects: 0, unreadable: 0 });
        if let Availability::Read { objects, unreadable } = known {
            *if result.is_ok() { objects } else { unreadable } += 1;
        }
        result
    }

    fn take(&mut self, input: Input, kind: &str, json: &str) -> Result<(), IngestError> {
        let s = &mut self.snapshot;
        match input {
            Input::Namespaces => self.namespace(&parse(json)?)?,
            Input::Nodes => s.nodes.push(objects::node(&parse(json)?)?),
            Input::Pods => self.pod(&parse(json)?)?,
            Input::Deployments => self.workload("Deployment", &parse(json)?)?,
            Input::StatefulSets => self.workload("StatefulSet", &parse(json)?)?,
            Input::DaemonSets => self.workload("DaemonSet", &parse(json)?)?,
            Input::CronJobs if kind == "Job" => self.workload("Job", &parse(json)?)?,
            Input::CronJobs => self.cron_job(parse(json)?)?,
            Input::Services => s.services.extend(objects::service(&parse(json)?)?),
            Input::Ingresses => s.ingresses.push(objects::ingress(&parse(json)?, self.file.clone())?),
            Input::NetworkPolicies => s.default_deny.extend(objects::default_deny(&parse(json)?)?),
            Input::Budgets => s.budgets.extend(objects::budget(&parse(json)?)?),
            Input::PriorityClasses => s.priority_classes.push(objects::priority_class(&parse(json)?)?),
            Input::StorageClasses => {
                s.storage_classes.push(objects::storage_class(&parse(json)?, self.file.clone())?)
            }
            Input::Volumes => s.volumes.push(objects::volume(&parse(json)?)?),
            Input::Claims => s.claims.push(objects::claim(&parse(json)?)?),
            Input::CsiNodes => s.zonal_provisioners.extend(objects::zonal_drivers(&parse(json)?)),
            Input::Secrets => s.bundles.extend(objects::secret(&parse(json)?, self.file.clone())?),
            Input::ConfigMaps => s.bundles.extend(objects::config_map(&parse(json)?, self.file.clone())?),
            Input::ServiceAccounts => s.service_accounts.push(objects::service_account(&parse(json)?)?),
            Input::Bindings => s.admins.extend(objects::admin(&parse(json)?, self.file.clone())?),
            // What is measured is filled in and not taken from objects.
            _ => {}
        }
        Ok(())
    }

    fn namespace(&mut self, raw: &raw::Bare) -> Result<(), IngestError> {
        let name = objects::name(&raw.metadata)?;
        let labels = &raw.metadata.labels;
        let system = is_reserved(&name) || labels.contains_key(RUN_LABEL) || self.system.contains(&name);
        let enforced = labels.get("pod-security.kubernetes.io/enforce").is_some_and(|l| l != "privileged");
        self.snapshot.namespaces.insert(name, Namespace { system, enforced });
        Ok(())
    }

    fn workload(&mut self, kind: &str, raw: &raw::Workload) -> Result<(), IngestError> {
        let spec = &raw.spec;
        let workload = Workload {
            kind: kind.into(),
            namespace: objects::namespace(&raw.metadata),
            name: objects::name(&raw.metadata)?,
            replicas: spec.replicas.unwrap_or(1),
            template: template::template(&spec.template.metadata, &spec.template.spec),
            claim_templates: spec
                .volume_claim_templates
                .iter()
                .map(|c| c.spec.storage_class_name.clone())
                .collect(),
            file: self.file.clone(),
        };
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
        let key = owner_of(&raw.metadata, name);
        let index = match self.owner_index.get(&key) {
            Some(index) => *index,
            None => {
                let index = u32::try_from(self.owners.len()).unwrap_or(u32::MAX);
                let template = template::template(&raw.metadata, &raw.spec);
                self.owners.push(Owned { key: key.clone(), template, pods: 0 });
                self.owner_index.insert(key, index);
                index
            }
        };
        self.owners[index as usize].pods += 1;
        let statuses = raw.status.container_statuses.iter().chain(&raw.status.init_container_statuses);
        self.refused.extend(statuses.filter_map(refused_host).map(|host| (index, host)));
        let requests = template::requests(&raw.spec);
        self.pods.push(LoosePod { owner: index, node: raw.spec.node_name.clone(), requests });
        Ok(())
    }

    /// The snapshot, with pods linked to their workloads and nodes.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        let known = self.known_workloads();
        let mut of_owner = Vec::with_capacity(self.owners.len());
        for owned in self.owners {
            let known = known.get(&owned.key).copied();
            let index = known.unwrap_or(self.snapshot.workloads.len());
            match known {
                Some(at) => adopt(&mut self.snapshot.workloads[at], &owned),
                None => self.snapshot.workloads.push(orphan(owned)),
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
        tidy_up(self.snapshot)
    }

    fn known_workloads(&self) -> HashMap<OwnerKey, usize> {
        let key = |w: &Workload| (w.kind.clone(), w.namespace.clone(), w.name.clone());
        self.snapshot.workloads.iter().enumerate().map(|(at, w)| (key(w), at)).collect()
    }
}

/// Order that does not depend on which list came first.
fn tidy_up(mut snapshot: Snapshot) -> Snapshot {
    snapshot.zonal_provisioners.sort();
    snapshot.zonal_provisioners.dedup();
    snapshot.default_deny.sort();
    snapshot.default_deny.dedup();
    snapshot.bundles.sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
    snapshot
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, IngestError> {
    Ok(serde_json::from_str(json)?)
}

/// The controller behind a pod, as far as its name tells: a ReplicaSet of a Deployment carries its name, and a Job
/// of a CronJob, too.
fn owner_of(meta: &raw::Meta, name: String) -> OwnerKey {
    let namespace = objects::namespace(meta);
    let Some(owner) = meta.owner_references.iter().find(|o| o.controller) else {
        return ("Pod".into(), namespace, name);
    };
    // Static pods belong to their node and carry its name.
    if owner.kind == "Node" {
        let base = name.strip_suffix(&owner.name).and_then(|n| n.strip_suffix('-')).unwrap_or(&name);
        return ("Pod".into(), namespace, base.into());
    }
    let base = || owner.name.rsplit_once('-').map(|(base, end)| (base.to_string(), end));
    match (owner.kind.as_str(), base()) {
        ("ReplicaSet", Some((base, hash)))
            if meta.labels.get("pod-template-hash").is_some_and(|h| h == hash) =>
        {
            ("Deployment".into(), namespace, base)
        }
        ("Job", Some((base, time))) if !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit()) => {
            ("CronJob".into(), namespace, base)
        }
        (kind, _) => (kind.into(), namespace, owner.name.clone()),
    }
}

/// The image's host, where a registry wants other credentials.
fn refused_host(status: &raw::ContainerStatus) -> Option<String> {
    const PULL: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];
    const REFUSED: [&str; 6] = [
        "401 Unauthorized",
        "403 Forbidden",
        "unauthorized",
        "authentication required",
        "no basic auth",
        "denied",
    ];
    let waiting = &status.state.waiting;
    let refused =
        PULL.contains(&waiting.reason.as_str()) && REFUSED.iter().any(|r| waiting.message.contains(r));
    refused.then(|| status.image.split('/').next().unwrap_or_default().to_string())
}

/// What only real pods show: requests that a LimitRange gave them, an identity that a webhook gave them.
fn adopt(workload: &mut Workload, owned: &Owned) {
    workload.template.identity |= owned.template.identity;
    let given: BTreeMap<&str, _> = owned.template.containers.iter().map(|c| (c.name.as_str(), c)).collect();
    for container in &mut workload.template.containers {
        let Some(real) = given.get(container.name.as_str()) else { continue };
        container.cpu_request = container.cpu_request.or(real.cpu_request);
        container.memory_request = container.memory_request.or(real.memory_request);
        container.cpu_limit = container.cpu_limit.or(real.cpu_limit);
        container.memory_limit = container.memory_limit.or(real.memory_limit);
    }
    workload.template.requests = workload.template.requests.max(owned.template.requests);
}

/// Pods of a controller that was not read are a workload of their own.
fn orphan(owned: Owned) -> Workload {
    let (kind, namespace, name) = owned.key;
    Workload {
        kind,
        namespace,
        name,
        replicas: owned.pods,
        template: owned.template,
        claim_templates: Vec::new(),
        file: None,
    }
}

#[cfg(test)]
mod tests;
