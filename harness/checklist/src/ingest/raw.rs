//! The API's objects, with the fields that are looked at and nothing else.
//!
//! Unknown fields are passed over and absent or null ones are empty, so objects of every version that has these
//! fields under these names are understood; a field of another type makes the object unreadable.

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use std::{collections::BTreeMap, fmt};

type Map = BTreeMap<String, String>;

/// What is not there, or null, is empty.
fn lenient<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

macro_rules! lean {
    ($($name:ident { $($(#[$attr:meta])* $field:ident: $ty:ty),* $(,)? })*) => {
        $(#[derive(Debug, Default, Clone, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(super) struct $name {
            $(#[serde(deserialize_with = "lenient")] $(#[$attr])* pub(super) $field: $ty,)*
        })*
    };
}

/// A number or a text, such as a port, a quantity or a percentage.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }
            fn visit_str<E>(self, v: &str) -> Result<Text, E> {
                Ok(Text(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Text, E> {
                Ok(Text(v.to_string()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Text, E> {
                Ok(Text(v.to_string()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Text, E> {
                Ok(Text(v.to_string()))
            }
        }
        d.deserialize_any(Visitor)
    }
}

lean! {
    Meta {
        name: String,
        namespace: String,
        labels: Map,
        annotations: Map,
        owner_references: Vec<Owner>,
        creation_timestamp: Option<String>,
        deletion_timestamp: Option<String>,
    }
    Owner { kind: String, name: String, controller: bool }
    Bare { metadata: Meta }

    // --- pods and what makes them
    Pod { metadata: Meta, spec: PodSpec, status: PodStatus }
    PodStatus { phase: String, container_statuses: Vec<ContainerStatus>, init_container_statuses: Vec<ContainerStatus> }
    ContainerStatus { image: String, state: State }
    State { waiting: Waiting }
    Waiting { reason: String, message: String }
    PodSpec {
        node_name: String,
        service_account_name: String,
        priority_class_name: String,
        host_network: bool,
        containers: Vec<Container>,
        init_containers: Vec<Container>,
        overhead: BTreeMap<String, Text>,
        resources: Resources,
        node_selector: Map,
        affinity: Affinity,
        topology_spread_constraints: Vec<Spread>,
        tolerations: Vec<Toleration>,
        volumes: Vec<Volume>,
        image_pull_secrets: Vec<Named>,
    }
    Named { name: String }
    Container {
        name: String,
        restart_policy: String,
        resources: Resources,
        readiness_probe: Option<IgnoredAny>,
        ports: Vec<Port>,
        env: Vec<Env>,
    }
    Resources { requests: BTreeMap<String, Text>, limits: BTreeMap<String, Text> }
    Port { name: String, container_port: u16 }
    Env { name: String, value: String }
    Affinity { node_affinity: NodeAffinity, pod_affinity: PodAffinity, pod_anti_affinity: PodAffinity }
    NodeAffinity { #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")] required: NodeTerms }
    NodeTerms { node_selector_terms: Vec<NodeTerm> }
    NodeTerm { match_expressions: Vec<Expression> }
    PodAffinity { #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")] required: Vec<PodTerm> }
    PodTerm { topology_key: String, label_selector: Selector }
    Selector { match_labels: Map, match_expressions: Vec<Expression> }
    Expression { key: String, operator: String, values: Vec<String> }
    Spread { topology_key: String, when_unsatisfiable: String }
    Toleration { key: String, operator: String, value: String, effect: String }
    Volume { persistent_volume_claim: ClaimSource, ephemeral: Option<IgnoredAny>, projected: Projected }
    ClaimSource { claim_name: String }
    Projected { sources: Vec<Projection> }
    Projection { service_account_token: Option<TokenProjection> }
    TokenProjection { audience: String, expiration_seconds: u64 }
    Template { metadata: Meta, spec: PodSpec }
    Workload { metadata: Meta, spec: WorkloadSpec }
    WorkloadSpec { replicas: Option<u32>, template: Template, volume_claim_templates: Vec<Claim> }
    CronJob { metadata: Meta, spec: CronJobSpec }
    CronJobSpec { job_template: JobTemplate }
    JobTemplate { spec: WorkloadSpec }

    // --- the rest, by kind
    Node { metadata: Meta, spec: NodeSpec, status: NodeStatus }
    NodeSpec { unschedulable: bool, taints: Vec<Taint> }
    Taint { key: String, value: String, effect: String }
    NodeStatus { allocatable: BTreeMap<String, Text>, conditions: Vec<Condition> }
    Condition { r#type: String, status: String }
    Service { metadata: Meta, spec: ServiceSpec }
    ServiceSpec { selector: Map }
    NetworkPolicy { metadata: Meta, spec: PolicySpec }
    PolicySpec { pod_selector: Selector, policy_types: Vec<String>, ingress: Vec<IgnoredAny> }
    Budget { metadata: Meta, spec: BudgetSpec }
    BudgetSpec { selector: Selector, min_available: Option<Text>, max_unavailable: Option<Text> }
    PriorityClass { metadata: Meta, value: i64, global_default: bool }
    StorageClass { metadata: Meta, provisioner: String, volume_binding_mode: String }
    CsiNode { spec: CsiNodeSpec }
    CsiNodeSpec { drivers: Vec<CsiDriver> }
    CsiDriver { name: String, topology_keys: Vec<String> }
    PersistentVolume { metadata: Meta, spec: PersistentVolumeSpec }
    PersistentVolumeSpec { storage_class_name: String, claim_ref: Option<Reference>, node_affinity: VolumeAffinity }
    Reference { namespace: String, name: String }
    VolumeAffinity { required: NodeTerms }
    Claim { metadata: Meta, spec: ClaimSpec }
    ClaimSpec { storage_class_name: Option<String>, access_modes: Vec<String> }
    Secret { metadata: Meta, r#type: String, data: Map, string_data: Map }
    ConfigMap { metadata: Meta, data: Map }
    ServiceAccount { metadata: Meta, image_pull_secrets: Vec<Named> }
    Binding { metadata: Meta, role_ref: RoleRef, subjects: Vec<Subject> }
    RoleRef { kind: String, name: String }
    Subject { kind: String, namespace: String, name: String }
}
