//! How objects are read, by their input: those with a few fields here, the others by whoever reads them.

use super::{
    Builder, IngestError, RUN_LABEL, bundle, ingress, parse, raw,
    template::{amounts, given, node_terms, scrapes, selector},
};
use crate::snapshot::{
    Binding, Claim, Disruptions, Input, Namespace, Node, PodDisruptionBudget, PriorityClass, Service,
    ServiceAccount, StorageClass, Volume, is_reserved,
};
use loopdrill_kubernetes::{LabelSelector, READY, Resources, Taint, budget_selects, is_true, well_known};
use serde_json::Value;
use std::collections::BTreeMap;

/// Annotations by which a ServiceAccount becomes an identity of a cloud. Azure's is of no use to pods without its label,
/// by which the template tells of it.
const MAPPED: [&str; 2] = ["eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account"];

lean! {
    RawNode { metadata: raw::Meta, spec: NodeSpec, status: NodeStatus }
    NodeSpec { unschedulable: bool, taints: Vec<RawTaint> }
    RawTaint { key: String, value: String, effect: String }
    NodeStatus { allocatable: BTreeMap<String, raw::Text>, conditions: Vec<Condition> }
    Condition { r#type: String, status: String }
    RawService { metadata: raw::Meta, spec: ServiceSpec }
    ServiceSpec { selector: BTreeMap<String, String>, r#type: String, publish_not_ready_addresses: bool }
    RawPodDisruptionBudget { api_version: String, metadata: raw::Meta, spec: BudgetSpec }
    BudgetSpec { selector: Option<raw::Selector>, min_available: Option<Value>, max_unavailable: Option<Value> }
    RawPriorityClass { metadata: raw::Meta, value: i64, global_default: bool }
    RawStorageClass {
        metadata: raw::Meta,
        provisioner: String,
        volume_binding_mode: String,
        parameters: BTreeMap<String, String>,
        allowed_topologies: Vec<Topology>,
    }
    Topology { match_label_expressions: Vec<raw::Expression> }
    RawCsiNode { spec: CsiNodeSpec }
    CsiNodeSpec { drivers: Vec<RawCsiDriver> }
    RawCsiDriver { name: String, topology_keys: Vec<String> }
    RawPersistentVolume { metadata: raw::Meta, spec: PersistentVolumeSpec }
    PersistentVolumeSpec { storage_class_name: String, claim_ref: Option<Reference>, node_affinity: VolumeAffinity }
    Reference { namespace: String, name: String }
    VolumeAffinity { required: raw::NodeTerms }
    RawServiceAccount { metadata: raw::Meta, image_pull_secrets: Vec<raw::Named> }
    RawBinding { metadata: raw::Meta, role_ref: RoleRef, subjects: Vec<RawSubject> }
    RoleRef { kind: String, name: String }
    RawSubject { kind: String, namespace: String, name: String }
}

impl Builder {
    /// Takes an object in, by its input.
    pub(super) fn take(&mut self, input: Input, kind: &str, json: &str) -> Result<(), IngestError> {
        let s = &mut self.snapshot;
        let all = s.is_manifests();
        match input {
            Input::Namespaces => self.namespace(&parse(json)?)?,
            Input::Nodes => s.nodes.push(node(&parse(json)?)?),
            Input::Pods => self.makes_pods(kind, json)?,
            Input::Deployments => self.workload("Deployment", &parse(json)?)?,
            Input::StatefulSets => self.workload("StatefulSet", &parse(json)?)?,
            Input::DaemonSets => self.workload("DaemonSet", &parse(json)?)?,
            Input::CronJobs => self.cron_job(parse(json)?)?,
            Input::Autoscalers => self.scaling.autoscaler(kind, &parse(json)?),
            Input::Services => s.services.extend(service(&parse(json)?)?),
            Input::Ingresses => s.ingresses.push(ingress::ingress(&parse(json)?, self.file.clone())?),
            Input::NetworkPolicies => self.network_policy(&parse(json)?)?,
            Input::Budgets => s.budgets.extend(budget(&parse(json)?)?),
            Input::PriorityClasses => s.priority_classes.push(priority_class(&parse(json)?)?),
            Input::StorageClasses => s.storage_classes.push(storage_class(&parse(json)?, self.file.clone())?),
            Input::Volumes => s.volumes.push(volume(&parse(json)?)?),
            Input::Claims => s.claims.push(claim(&parse(json)?)?),
            Input::CsiNodes => s.zonal_provisioners.extend(zonal_drivers(&parse(json)?)),
            Input::Secrets => s.bundles.extend(bundle::secret(&parse(json)?, all, self.file.clone())?),
            Input::ConfigMaps => s.bundles.extend(bundle::config_map(&parse(json)?, all, self.file.clone())?),
            Input::ServiceAccounts => s.service_accounts.push(service_account(&parse(json)?)?),
            Input::Bindings => s.admins.extend(binding(&parse(json)?, self.file.clone())?),
            // What is measured is filled in and not taken from objects.
            _ => {}
        }
        Ok(())
    }

    fn namespace(&mut self, raw: &raw::Bare) -> Result<(), IngestError> {
        let name = name(&raw.metadata)?;
        let labels = &raw.metadata.labels;
        let system = is_reserved(&name) || labels.contains_key(RUN_LABEL) || self.system.contains(&name);
        let enforced = labels.get("pod-security.kubernetes.io/enforce").is_some_and(|l| l != "privileged");
        self.snapshot.namespaces.insert(name, Namespace { system, enforced });
        Ok(())
    }

    fn network_policy(&mut self, raw: &raw::NetworkPolicy) -> Result<(), IngestError> {
        let (namespace, does) = network_policy(raw)?;
        match does {
            ToAll::Denies => self.snapshot.default_deny.push(namespace),
            ToAll::Allows => {
                self.open.insert(namespace);
            }
            ToAll::Neither => {}
        }
        Ok(())
    }
}

pub(super) fn name(meta: &raw::Meta) -> Result<String, IngestError> {
    // The API server completes what `generateName` starts.
    given(&meta.name).or_else(|| given(&meta.generate_name)).ok_or(IngestError::NoName)
}

pub(super) fn namespace(meta: &raw::Meta) -> String {
    given(&meta.namespace).unwrap_or_else(|| "default".into())
}

fn node(raw: &RawNode) -> Result<Node, IngestError> {
    let conditions = raw.status.conditions.iter().map(|c| (c.r#type.as_str(), c.status.as_str()));
    Ok(Node {
        name: name(&raw.metadata)?,
        labels: raw.metadata.labels.clone(),
        taints: raw
            .spec
            .taints
            .iter()
            .map(|t| Taint { key: t.key.clone(), value: t.value.clone(), effect: t.effect.clone() })
            .collect(),
        cordoned: raw.spec.unschedulable,
        ready: is_true(conditions, READY),
        allocatable: Resources::of(amounts(&raw.status.allocatable)),
    })
}

fn service(raw: &RawService) -> Result<Option<Service>, IngestError> {
    let service = Service {
        namespace: namespace(&raw.metadata),
        name: name(&raw.metadata)?,
        selector: raw.spec.selector.clone(),
        scrape: scrapes(&raw.metadata.annotations),
        unready: raw.spec.publish_not_ready_addresses,
    };
    // Without a selector somebody else keeps the endpoints; that of an ExternalName is ignored.
    let leads = !service.selector.is_empty() && raw.spec.r#type != "ExternalName";
    Ok(leads.then_some(service))
}

/// What a policy does to a whole namespace's incoming traffic.
enum ToAll {
    /// It denies by default.
    Denies,
    /// It allows everything, whatever others deny.
    Allows,
    /// It is about some pods, or some traffic.
    Neither,
}

fn network_policy(raw: &raw::NetworkPolicy) -> Result<(String, ToAll), IngestError> {
    name(&raw.metadata)?;
    let spec = &raw.spec;
    let all = selector(&spec.pod_selector).is_empty();
    let incoming = spec.policy_types.is_empty() || spec.policy_types.iter().any(|t| t == "Ingress");
    let everywhere = |s: &raw::Sender| s.ip_block.cidr == "0.0.0.0/0" && s.ip_block.except.is_empty();
    let anything = |rule: &raw::IngressRule| {
        rule.ports.is_empty() && (rule.from.is_empty() || rule.from.iter().any(everywhere))
    };
    let does = match spec.ingress.as_slice() {
        _ if !all || !incoming => ToAll::Neither,
        [] => ToAll::Denies,
        rules if rules.iter().any(anything) => ToAll::Allows,
        // Whom it does not name is denied.
        rules if rules.iter().all(|r| !r.from.is_empty() && r.from.iter().all(is_narrow)) => ToAll::Denies,
        _ => ToAll::Neither,
    };
    Ok((namespace(&raw.metadata), does))
}

/// Whether a sender is some pods, or some namespaces, and not whatever there is in the cluster.
fn is_narrow(sender: &raw::Sender) -> bool {
    let pods = sender.pod_selector.as_ref().map(selector);
    let namespaces = sender.namespace_selector.as_ref().map(selector);
    match (pods, namespaces) {
        (None, None) => false,
        (Some(_), None) => true,
        (pods, Some(namespaces)) => !namespaces.is_empty() || pods.is_some_and(|p| !p.is_empty()),
    }
}

/// The budget, where it selects anything: without a selector it does not, and with an empty one it did not before
/// `policy/v1`.
fn budget(raw: &RawPodDisruptionBudget) -> Result<Option<PodDisruptionBudget>, IngestError> {
    let spec = &raw.spec;
    let name = name(&raw.metadata)?;
    let allows = match (&spec.max_unavailable, &spec.min_available) {
        (Some(_), Some(_)) => return Err(IngestError::BothShares),
        (Some(max), None) => share(max, Disruptions::MaxUnavailable, Disruptions::MaxUnavailablePercent)?,
        (None, Some(min)) => share(min, Disruptions::MinAvailable, Disruptions::MinAvailablePercent)?,
        // The API sets no default, and the controller expects no pod then, so that none may go.
        (None, None) => Disruptions::MaxUnavailable(0),
    };
    Ok(Some(PodDisruptionBudget {
        namespace: namespace(&raw.metadata),
        name,
        selector: spec.selector.as_ref().map(selector).filter(|s| means_something(&raw.api_version, s)),
        allows,
    }))
}

/// Whether the selector selects any pod at all: an empty one does not in every version.
fn means_something(api_version: &str, selector: &LabelSelector) -> bool {
    !selector.is_empty() || budget_selects(api_version, Some(selector), &BTreeMap::new())
}

/// A number of pods, or a text that is a percentage: the API takes no number in quotes.
fn share(
    value: &Value,
    number: fn(u32) -> Disruptions,
    percent: fn(u32) -> Disruptions,
) -> Result<Disruptions, IngestError> {
    let whole = || value.as_u64().and_then(|n| u32::try_from(n).ok()).map(number);
    let share = |text: &str| text.strip_suffix('%')?.parse().ok().filter(|share| *share <= 100).map(percent);
    let read = value.as_str().map_or_else(whole, share);
    read.ok_or_else(|| IngestError::Share(value.as_str().map_or_else(|| value.to_string(), Into::into)))
}

fn priority_class(raw: &RawPriorityClass) -> Result<PriorityClass, IngestError> {
    Ok(PriorityClass { name: name(&raw.metadata)?, value: raw.value, default: raw.global_default })
}

fn storage_class(raw: &RawStorageClass, file: Option<String>) -> Result<StorageClass, IngestError> {
    let annotations = &raw.metadata.annotations;
    Ok(StorageClass {
        name: name(&raw.metadata)?,
        provisioner: raw.provisioner.clone(),
        waits: raw.volume_binding_mode == "WaitForFirstConsumer",
        default: well_known::is_default_class(annotations),
        regional: is_regional(&raw.parameters),
        zoned: raw
            .allowed_topologies
            .iter()
            .flat_map(|t| &t.match_label_expressions)
            .any(|e| is_zone_label(&e.key)),
        file,
    })
}

/// Whether parameters ask for volumes that several zones hold: a regional disk of Google's, a zone-redundant one of
/// Azure's. Azure's names are read without regard to case.
fn is_regional(parameters: &BTreeMap<String, String>) -> bool {
    parameters.iter().any(|(name, value)| {
        let value = value.to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "replication-type" => value == "regional-pd",
            "type" => value == "hyperdisk-balanced-high-availability",
            "skuname" | "storageaccounttype" => value.ends_with("_zrs"),
            _ => false,
        }
    })
}

/// Whether a label tells the zone of a node, by whatever driver's name.
fn is_zone_label(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(_, name)| name.ends_with("zone") || name == "location")
}

fn zonal_drivers(raw: &RawCsiNode) -> Vec<String> {
    let zonal = |d: &&RawCsiDriver| d.topology_keys.iter().any(|k| is_zone_label(k));
    raw.spec.drivers.iter().filter(zonal).map(|d| d.name.clone()).collect()
}

fn volume(raw: &RawPersistentVolume) -> Result<Volume, IngestError> {
    let terms = node_terms(&raw.spec.node_affinity.required);
    let zones = terms.iter().flat_map(|t| &t.expressions).filter(|e| is_zone_label(&e.key));
    let mut zones: Vec<String> = zones.flat_map(|e| e.values.clone()).filter(|z| !z.is_empty()).collect();
    zones.sort();
    zones.dedup();
    let class = given(&raw.spec.storage_class_name)
        .or_else(|| raw.metadata.annotations.get(well_known::OLD_CLASS).and_then(|c| given(c)));
    Ok(Volume {
        name: name(&raw.metadata)?,
        class,
        zones,
        claim: raw.spec.claim_ref.as_ref().map(|c| (c.namespace.clone(), c.name.clone())),
    })
}

/// The class that a claim names; `None` is the default one. The older annotation still goes before the field.
pub(super) fn class_of(raw: &raw::Claim) -> Option<String> {
    raw.metadata.annotations.get(well_known::OLD_CLASS).or(raw.spec.storage_class_name.as_ref()).cloned()
}

fn claim(raw: &raw::Claim) -> Result<Claim, IngestError> {
    let has = |mode: &str| raw.spec.access_modes.iter().any(|m| m == mode);
    let one_node = has("ReadWriteOnce") || has("ReadWriteOncePod");
    Ok(Claim {
        namespace: namespace(&raw.metadata),
        name: name(&raw.metadata)?,
        class: class_of(raw),
        shared: has("ReadWriteMany") || (has("ReadOnlyMany") && !one_node),
    })
}

fn service_account(raw: &RawServiceAccount) -> Result<ServiceAccount, IngestError> {
    Ok(ServiceAccount {
        namespace: namespace(&raw.metadata),
        name: name(&raw.metadata)?,
        mapped: MAPPED.iter().any(|k| raw.metadata.annotations.get(*k).is_some_and(|v| !v.trim().is_empty())),
        pull_secrets: raw.image_pull_secrets.iter().map(|s| s.name.clone()).collect(),
    })
}

/// The binding to a ClusterRole, of which not every one gives all rights.
fn binding(raw: &RawBinding, file: Option<String>) -> Result<Option<Binding>, IngestError> {
    let (name, role) = (name(&raw.metadata)?, &raw.role_ref);
    let subjects = raw.subjects.iter().map(subject).collect();
    let other = Some(role.name.clone()).filter(|role| role != "cluster-admin");
    Ok((role.kind == "ClusterRole").then_some(Binding { name, role: other, subjects, file }))
}

/// Whom a binding is for. A user `system:serviceaccount:NAMESPACE:NAME` is that account.
fn subject(raw: &RawSubject) -> String {
    let account = raw.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    match (raw.kind.as_str(), account, raw.namespace.as_str()) {
        ("User", Some((namespace, name)), _) => format!("ServiceAccount {namespace}/{name}"),
        ("ServiceAccount", _, namespace) => format!("ServiceAccount {namespace}/{}", raw.name),
        (kind, _, _) => format!("{kind} {}", raw.name),
    }
}
