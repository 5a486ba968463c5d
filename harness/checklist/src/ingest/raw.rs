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
        ephemeral_containers: Vec<Container>,
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
    Handler { exec: Option<Exec>, http_get: Option<Action> }
    Lifecycle { post_start: Handler, pre_stop: Handler }
    Probe { exec: Option<Exec>, http_get: Option<Action>, tcp_socket: Option<Action>, grpc: Option<Action> }
    Action { port: Text, http_headers: Vec<Header> }
    Header { name: String, value: String }
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
        aws_elastic_block_store: Option<Disk>,
        gce_persistent_disk: Option<Disk>,
        azure_disk: Option<Disk>,
        cinder: Option<Disk>,
        vsphere_volume: Option<Disk>,
    }
    Disk { read_only: bool }
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
    AutoscalerSpec { scale_target_ref: Scaled, min_replicas: Option<u32>, min_replica_count: Option<u32> }
    CronJob { metadata: Meta, spec: CronJobSpec }
    CronJobSpec { job_template: JobTemplate }
    JobTemplate { spec: WorkloadSpec }

    // --- of the rest, what several readers look at
    NetworkPolicy { metadata: Meta, spec: PolicySpec }
    PolicySpec { pod_selector: Selector, policy_types: Vec<String>, ingress: Vec<IngressRule> }
    IngressRule { from: Vec<Sender>, ports: Vec<IgnoredAny> }
    Sender { ip_block: Addresses, pod_selector: Option<Selector>, namespace_selector: Option<Selector> }
    Addresses { cidr: String, except: Vec<String> }
    Ingress { metadata: Meta, spec: IngressSpec }
    IngressSpec { ingress_class_name: String }
    Claim { metadata: Meta, spec: ClaimSpec }
    ClaimSpec { storage_class_name: Option<String>, access_modes: Vec<String> }
}

/// By it KEDA keeps a number of pods, whatever there is to do.
const PAUSED: &str = "autoscaling.keda.sh/paused-replicas";

impl HorizontalPodAutoscaler {
    /// What it scales, and how many pods it leaves at least. KEDA's leaves one as long as there is anything to do.
    pub(super) fn target(&self, kind: &str) -> (String, &str, u32) {
        let (Scaled { kind: of, name }, spec) = (&self.spec.scale_target_ref, &self.spec);
        if kind != "ScaledObject" {
            return (of.clone(), name, spec.min_replicas.unwrap_or(1));
        }
        let of = if of.is_empty() { "Deployment" } else { of };
        let paused = self.metadata.annotations.get(PAUSED).and_then(|pods| pods.parse().ok());
        (of.into(), name, paused.unwrap_or_else(|| spec.min_replica_count.unwrap_or_default().max(1)))
    }
}

impl Volume {
    /// The kind of a disk that one node alone can write on, where it is named here and not by a claim.
    pub(super) fn disk(&self) -> Option<&'static str> {
        let all = [
            ("awsElasticBlockStore", &self.aws_elastic_block_store),
            ("gcePersistentDisk", &self.gce_persistent_disk),
            ("azureDisk", &self.azure_disk),
            ("cinder", &self.cinder),
            ("vsphereVolume", &self.vsphere_volume),
        ];
        let writes = |disk: &Option<Disk>| disk.as_ref().is_some_and(|d| !d.read_only);
        all.into_iter().find(|(_, disk)| writes(disk)).map(|(name, _)| name)
    }
}

impl Action {
    fn asks(&self) -> bool {
        !matches!(self.port.0.as_str(), "" | "0")
    }
}

impl Probe {
    /// Whether it says what is to be done, once and in full. The API refuses one that does not.
    pub(super) fn has_handler(&self) -> bool {
        self.handlers() == [true]
    }

    /// Whether it says what is to be done, and not so that the API takes it.
    pub(super) fn is_odd(&self) -> bool {
        !matches!(self.handlers().as_slice(), [] | [true])
    }

    /// Its handlers, each with whether it is said in full.
    fn handlers(&self) -> Vec<bool> {
        let runs = self.exec.as_ref().map(|e| !e.command.is_empty());
        let asks = [&self.http_get, &self.tcp_socket, &self.grpc].map(|a| a.as_ref().map(Action::asks));
        asks.into_iter().chain([runs]).flatten().collect()
    }

    /// What it sends along.
    pub(super) fn headers(&self) -> impl Iterator<Item = &Header> {
        self.http_get.iter().flat_map(|a| &a.http_headers)
    }
}
