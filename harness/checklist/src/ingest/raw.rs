//! The API's objects, with the fields that are looked at and nothing else.
//!
//! Unknown fields are passed over and absent or null ones are empty, so objects of every version that has these
//! fields under these names are understood; a field of another type makes the object unreadable. What one reader alone
//! looks at stands with that reader.

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use std::{collections::BTreeMap, fmt};

type Map = BTreeMap<String, String>;

/// What is not there, or null, is empty.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// Makes types of lines `name { fields }`.
macro_rules! lean {
    ($($name:ident { $($(#[$attr:meta])* $field:ident: $ty:ty),* $(,)? })*) => {
        $(#[derive(Debug, Default, Clone, ::serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(super) struct $name {
            $(#[serde(deserialize_with = "crate::ingest::raw::lenient")] $(#[$attr])* pub(super) $field: $ty,)*
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
        generate_name: String,
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
        service_account: String,
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
        readiness_probe: Probe,
        liveness_probe: Probe,
        startup_probe: Probe,
        lifecycle: Lifecycle,
        ports: Vec<Port>,
        env: Vec<Env>,
        env_from: Vec<EnvFrom>,
        command: Vec<String>,
        args: Vec<String>,
    }
    Exec { command: Vec<String> }
    Handler { exec: Option<Exec> }
    Lifecycle { post_start: Handler, pre_stop: Handler }
    Probe { exec: Option<Exec>, http_get: Option<IgnoredAny>, tcp_socket: Option<IgnoredAny>, grpc: Option<IgnoredAny> }
    Resources { requests: BTreeMap<String, Text>, limits: BTreeMap<String, Text> }
    Port { name: String, container_port: u16 }
    Env { name: String, value: String, value_from: EnvSource }
    EnvSource { secret_key_ref: KeyRef, config_map_key_ref: KeyRef }
    KeyRef { name: String, key: String }
    EnvFrom { secret_ref: Named, config_map_ref: Named }
    Affinity { node_affinity: NodeAffinity, pod_affinity: PodAffinity, pod_anti_affinity: PodAffinity }
    NodeAffinity { #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")] required: NodeTerms }
    NodeTerms { node_selector_terms: Vec<NodeTerm> }
    NodeTerm { match_expressions: Vec<Expression>, match_fields: Vec<Expression> }
    PodAffinity {
        #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
        required: Vec<PodTerm>,
        #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
        preferred: Vec<PreferredTerm>,
    }
    PreferredTerm { pod_affinity_term: PodTerm }
    PodTerm {
        topology_key: String,
        label_selector: Option<Selector>,
        namespaces: Vec<String>,
        namespace_selector: Option<Selector>,
        mismatch_label_keys: Vec<String>,
    }
    Selector { match_labels: Map, match_expressions: Vec<Expression> }
    Expression { key: String, operator: String, values: Vec<String> }
    Spread {
        topology_key: String,
        when_unsatisfiable: String,
        max_skew: u32,
        label_selector: Option<Selector>,
        match_label_keys: Vec<String>,
    }
    Toleration { key: String, operator: String, value: String, effect: String }
    Volume {
        persistent_volume_claim: ClaimSource,
        ephemeral: Option<Ephemeral>,
        projected: Projected,
        secret: SecretSource,
        config_map: Named,
    }
    Ephemeral { volume_claim_template: Claim }
    SecretSource { secret_name: String }
    ClaimSource { claim_name: String }
    Projected { sources: Vec<Projection> }
    Projection { service_account_token: Option<TokenProjection>, secret: Named, config_map: Named }
    TokenProjection { audience: String, expiration_seconds: u64 }
    Template { metadata: Meta, spec: PodSpec }
    Workload { metadata: Meta, spec: WorkloadSpec }
    WorkloadSpec {
        replicas: Option<u32>,
        template: Template,
        volume_claim_templates: Vec<Claim>,
        workload_ref: Option<Scaled>,
    }
    Scaled { kind: String, name: String }
    PodTemplate { metadata: Meta, template: Template }
    LimitRange { metadata: Meta, spec: LimitRangeSpec }
    LimitRangeSpec { limits: Vec<LimitRangeItem> }
    LimitRangeItem {
        max: BTreeMap<String, Text>,
        min: BTreeMap<String, Text>,
        r#type: String, default: BTreeMap<String, Text>, default_request: BTreeMap<String, Text> }
    HorizontalPodAutoscaler { metadata: Meta, spec: AutoscalerSpec }
    AutoscalerSpec { scale_target_ref: Scaled, min_replicas: Option<u32> }
    CronJob { metadata: Meta, spec: CronJobSpec }
    CronJobSpec { job_template: JobTemplate }
    JobTemplate { spec: WorkloadSpec }

    // --- of the rest, what several readers look at
    NetworkPolicy { metadata: Meta, spec: PolicySpec }
    PolicySpec { pod_selector: Selector, policy_types: Vec<String>, ingress: Vec<IngressRule> }
    IngressRule { from: Vec<Sender>, ports: Vec<IgnoredAny> }
    Sender { ip_block: Addresses }
    Addresses { cidr: String, except: Vec<String> }
    Ingress { metadata: Meta, spec: IngressSpec }
    IngressSpec { ingress_class_name: String }
    Claim { metadata: Meta, spec: ClaimSpec }
    ClaimSpec { storage_class_name: Option<String>, access_modes: Vec<String> }
}

impl Probe {
    /// Whether it says what is to be done. The API refuses one that does not.
    pub(super) fn has_handler(&self) -> bool {
        self.exec.is_some() || self.http_get.is_some() || self.tcp_socket.is_some() || self.grpc.is_some()
    }
}
