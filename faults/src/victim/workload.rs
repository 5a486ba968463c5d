//! What a victim's objects look like: one pod template with few choices, in a Deployment or alone.

use crate::FaultContext;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, PodSpec, PodTemplateSpec},
};
use loopdrill_cluster::{Fence, RUN_LABEL};
use loopdrill_kubernetes::well_known;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The port that a victim opens while it gets its work done.
pub const READY_PORT: u16 = 8080;

/// The label by which a victim's pods are found; its value is the workload's name.
pub const VICTIM_LABEL: &str = "loopdrill.dev/victim";

/// The user of victims that must not be root.
const NOBODY: u32 = 65532;

/// Where a victim's volume is mounted.
const MOUNT: &str = "/data";

/// The volume of a workload.
#[derive(Debug, Clone)]
pub enum Claim {
    /// A claim that exists.
    Named(String),
    /// A claim of its own for each pod of a StatefulSet.
    Template,
}

/// A victim: one container that runs a program of `programs::main`, without requests unless asked for, quick to
/// end, and placed anywhere unless said otherwise.
#[derive(Debug, Clone)]
pub struct Workload {
    name: String,
    namespace: String,
    run: String,
    image: String,
    pull: &'static str,
    args: Vec<String>,
    ready_port: bool,
    spec: Map<String, Value>,
    requests: Map<String, Value>,
    mounts: Vec<Value>,
    container: Map<String, Value>,
}

impl Workload {
    /// The workload `name` in the drill's namespace that runs `args`, for example `["sleep"]`.
    #[must_use]
    pub fn new(ctx: &FaultContext, name: &str, args: &[&str]) -> Self {
        let mut args: Vec<_> = args.iter().map(|a| (*a).to_owned()).collect();
        args.insert(0, "victim".into());
        let mut workload = Self {
            name: name.into(),
            namespace: ctx.namespace.clone(),
            run: ctx.target.run.clone(),
            image: ctx.target.image.clone(),
            pull: "IfNotPresent",
            args,
            ready_port: false,
            spec: Map::new(),
            requests: Map::new(),
            mounts: vec![],
            container: Map::new(),
        };
        if let Some(fence) = &ctx.target.facts.fence {
            workload.keep_to(fence);
        }
        workload
    }

    /// Keeps to what a cluster that is not ours asks for.
    fn keep_to(&mut self, fence: &Fence) {
        if !fence.selector.is_empty() {
            self.spec.insert("nodeSelector".into(), json!(fence.selector));
        }
        if fence.pull_secret.is_some() {
            self.spec.insert("imagePullSecrets".into(), json!([{"name": Fence::PULL_SECRET}]));
        }
        if fence.is_restricted() {
            let of_pod = json!({"runAsNonRoot": true, "runAsUser": NOBODY, "fsGroup": NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"}});
            self.spec.insert("securityContext".into(), of_pod);
            let of_container = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
            self.container.insert("securityContext".into(), of_container);
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program opens [`READY_PORT`] while it gets its work done.
    #[must_use]
    pub fn tells_readiness(mut self) -> Self {
        self.ready_port = true;
        self
    }

    /// May run on this node only.
    #[must_use]
    pub fn on_node(self, node: &str) -> Self {
        self.required(&json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}))
    }

    /// May run in this zone only.
    #[must_use]
    pub fn in_zone(self, zone: &str) -> Self {
        let mut labels = self.spec.get("nodeSelector").cloned().unwrap_or_else(|| json!({}));
        labels[well_known::ZONE] = zone.into();
        self.set("nodeSelector", labels)
    }

    /// Spreads over zones as far as that can be, and may run in any of them.
    #[must_use]
    pub fn spread_over_zones(self) -> Self {
        let labels = json!({"matchLabels": {VICTIM_LABEL: self.name}});
        let spread = json!([{"maxSkew": 1, "topologyKey": well_known::ZONE,
            "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": labels}]);
        self.set("topologySpreadConstraints", spread)
    }

    fn required(self, term: &Value) -> Self {
        let affinity =
            json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}});
        self.set("affinity", json!({"nodeAffinity": affinity}))
    }

    /// Runs as this ServiceAccount, with its token. Without it a victim has no token.
    #[must_use]
    pub fn account(self, name: &str) -> Self {
        self.account_without_token(name).set("automountServiceAccountToken", json!(true))
    }

    /// Runs as this ServiceAccount, without its token for the API.
    #[must_use]
    pub fn account_without_token(self, name: &str) -> Self {
        self.set("serviceAccountName", json!(name))
    }

    /// Pulls `image` with the credential in the Secret `secret` at every start.
    #[must_use]
    pub fn pulled(mut self, image: &str, secret: &str) -> Self {
        self.image = image.into();
        self.pull = "Always";
        self.set("imagePullSecrets", json!([{"name": secret}]))
    }

    /// Asks for that much of a core.
    #[must_use]
    pub fn cpu_millis(mut self, millis: u64) -> Self {
        self.requests.insert("cpu".into(), json!(format!("{millis}m")));
        self
    }

    /// Asks for that much memory.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.requests.insert("memory".into(), json!(bytes.to_string()));
        self
    }

    /// Writes to this claim.
    #[must_use]
    pub fn volume(mut self, claim: &Claim) -> Self {
        self.mounts.push(json!({"name": "data", "mountPath": MOUNT}));
        match claim {
            Claim::Template => self,
            Claim::Named(name) => {
                self.set("volumes", json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]))
            }
        }
    }

    /// Leaves a node that is lost after that many seconds.
    #[must_use]
    pub fn leaves_lost_node_after(self, seconds: u32) -> Self {
        let tolerate = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds});
        let both = [well_known::NOT_READY, well_known::UNREACHABLE].map(tolerate);
        self.set("tolerations", json!(both))
    }

    /// Runs this image instead of our own, with the credential of a Secret where one is needed.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        self.image = image.into();
        self
    }

    /// A field of the container, as the API has it.
    #[must_use]
    pub(crate) fn of_container(mut self, key: &str, value: Value) -> Self {
        self.container.insert(key.into(), value);
        self
    }

    /// A field of the pod's specification, as the API has it.
    #[must_use]
    pub(crate) fn set(mut self, key: &str, value: Value) -> Self {
        self.spec.insert(key.into(), value);
        self
    }

    fn labels(&self) -> Value {
        json!({RUN_LABEL: self.run, VICTIM_LABEL: self.name})
    }

    fn container(&self) -> Value {
        let mut container = json!({
            "name": "victim", "image": self.image, "imagePullPolicy": self.pull, "args": self.args,
            "resources": {"requests": self.requests}, "volumeMounts": self.mounts,
        });
        if self.ready_port {
            container["readinessProbe"] =
                json!({"tcpSocket": {"port": READY_PORT}, "periodSeconds": 1, "initialDelaySeconds": 1});
        }
        for (key, value) in &self.container {
            container[key] = value.clone();
        }
        container
    }

    fn pod_spec(&self) -> PodSpec {
        let mut spec = json!({
            "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 2, "containers": [self.container()],
        });
        self.spec.iter().for_each(|(key, value)| spec[key] = value.clone());
        typed(spec)
    }

    fn template(&self) -> PodTemplateSpec {
        let metadata = typed(json!({"labels": self.labels()}));
        PodTemplateSpec { metadata: Some(metadata), spec: Some(self.pod_spec()) }
    }

    /// A Deployment of that many pods.
    #[must_use]
    pub fn deployment(&self, replicas: u32) -> Deployment {
        typed(json!({
            "metadata": self.metadata(),
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {VICTIM_LABEL: self.name}},
                "template": self.template(),
            },
        }))
    }

    /// A StatefulSet of that many pods, each with a claim of `bytes` on the cluster's default class.
    #[must_use]
    pub fn stateful_set(&self, replicas: u32, bytes: u64) -> k8s_openapi::api::apps::v1::StatefulSet {
        typed(json!({
            "metadata": self.metadata(),
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {VICTIM_LABEL: self.name}},
                "serviceName": self.name, "template": self.template(),
                "volumeClaimTemplates": [{
                    "metadata": {"name": "data", "labels": self.labels()},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": bytes.to_string()}}},
                }],
            },
        }))
    }

    /// A pod alone.
    #[must_use]
    pub fn pod(&self) -> Pod {
        Pod { metadata: typed(self.metadata()), spec: Some(self.pod_spec()), status: None }
    }

    fn metadata(&self) -> Value {
        json!({"name": self.name, "namespace": self.namespace, "labels": self.labels()})
    }
}

/// The metadata of any other object of a victim.
pub(crate) fn metadata(ctx: &FaultContext, name: &str) -> Value {
    json!({"name": name, "namespace": ctx.namespace, "labels": {RUN_LABEL: ctx.target.run}})
}

/// Reads an object that we wrote ourselves.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value)
        .expect("the JSON that we build here has the API's form; the tests build all of it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};
    use loopdrill_cluster::ClusterFacts;

    fn workload() -> Workload {
        let ctx = context(&FakeApi::default(), ClusterFacts::default());
        Workload::new(&ctx, "w", &["sleep"])
    }

    #[tokio::test]
    async fn a_victim_is_ours_best_effort_and_has_no_token() {
        let pod = workload().pod();
        assert_eq!(pod.metadata.labels.expect("labels")[RUN_LABEL], "r1");
        let spec = pod.spec.expect("spec");
        assert_eq!(spec.automount_service_account_token, Some(false));
        let container = &spec.containers[0];
        assert_eq!(container.args.as_deref(), Some(&["victim".to_owned(), "sleep".to_owned()][..]));
        assert!(container.resources.as_ref().and_then(|r| r.requests.clone()).unwrap_or_default().is_empty());
    }

    #[tokio::test]
    async fn on_a_cluster_that_is_not_ours_a_victim_keeps_to_its_fence() {
        let fence = Fence {
            selector: [("pool".to_owned(), "drills".to_owned())].into(),
            pull_secret: Some(("n".into(), "s".into())),
            pod_security: "restricted".into(),
            pods: 9,
        };
        let facts = ClusterFacts { fence: Some(fence), ..ClusterFacts::default() };
        let ctx = context(&FakeApi::default(), facts);
        let spec = Workload::new(&ctx, "w", &["sleep"]).in_zone("a").pod().spec.expect("spec");
        let selector = spec.node_selector.expect("a selector");
        assert_eq!((selector["pool"].as_str(), selector[well_known::ZONE].as_str()), ("drills", "a"));
        assert_eq!(spec.image_pull_secrets.expect("a secret")[0].name, Fence::PULL_SECRET);
        assert_eq!(spec.security_context.and_then(|c| c.run_as_non_root), Some(true));
        let context = spec.containers[0].security_context.clone().expect("a context");
        assert_eq!(context.allow_privilege_escalation, Some(false));
    }

    #[tokio::test]
    async fn every_choice_has_the_apis_form() {
        let all = || {
            let w = workload().tells_readiness().on_node("n1").in_zone("a").account("x").pulled("i", "s");
            w.cpu_millis(5).memory_bytes(6).volume(&Claim::Named("c".into())).leaves_lost_node_after(1)
        };
        let deployment = all().deployment(2);
        let selector = deployment.spec.selector.match_labels.clone();
        let template = deployment.spec.template;
        let labels = template.metadata.and_then(|m| m.labels).expect("labels");
        assert!(selector.expect("selector").iter().all(|(k, v)| labels.get(k) == Some(v)));
        let spec = template.spec.expect("spec");
        assert_eq!(spec.service_account_name.as_deref(), Some("x"));
        assert_eq!(spec.tolerations.map(|t| t.len()), Some(2));
        assert_eq!(spec.volumes.map(|v| v.len()), Some(1));
        let set = workload().volume(&Claim::Template).stateful_set(1, 1 << 20);
        assert_eq!(set.spec.volume_claim_templates.map(|c| c.len()), Some(1));
    }
}
