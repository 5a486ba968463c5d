//! A small cluster that is told as observations, second by second.

use loopdrill_attribution::{Judgement, World, judge};
use loopdrill_model::{Cause, Diagnosis, Observation, Signal, Source, Subject, Timestamp, signal::*};
use std::{collections::BTreeMap, time::Duration};

pub(crate) const MI: u64 = 1 << 20;

/// Observations in the order in which they were made, and a clock.
pub(crate) struct Scene {
    pub(crate) told: Vec<Observation>,
    now: Timestamp,
    version: u64,
    salt: u64,
}

impl Scene {
    /// A control plane and two workers of 2 cores in zones a and b, and everything listed.
    pub(crate) fn lab() -> Self {
        Self::lab_with_names(0)
    }

    /// The same cluster to somebody who is called in: everything is listed at once, and nothing was watched.
    pub(crate) fn called_in() -> Self {
        Self::listed(0)
    }

    /// The same with other names: of nodes, zones, links, namespaces and whatever is told later.
    pub(crate) fn lab_with_names(salt: u64) -> Self {
        let mut scene = Self::listed(salt);
        scene.pass(65.0);
        scene
    }

    fn listed(salt: u64) -> Self {
        let now = Timestamp::from_second(1_790_000_000).expect("in range");
        let mut scene = Self { told: Vec::new(), now, version: 1, salt };
        for (node, zone) in [("cp", "a"), ("w1", "a"), ("w2", "b")] {
            let node = scene.new_node(node, zone);
            scene.see(Signal::Node(node));
        }
        for mode in ["WaitForFirstConsumer", "Immediate"] {
            let class = StorageClass {
                name: scene.name(mode),
                uid: mode.into(),
                version: 1,
                binding_mode: mode.into(),
                provisioner: "disks".into(),
            };
            scene.see(Signal::StorageClass(class));
        }
        for resource in LISTED {
            scene.works(resource);
        }
        scene
    }

    /// What `plain` is called in this scene.
    pub(crate) fn name(&self, plain: &str) -> String {
        if self.salt == 0 {
            return plain.to_owned();
        }
        let hash = plain.bytes().fold(self.salt, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        format!("x{hash:x}")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The moment so many seconds ago; still to come when they are negative.
    pub(crate) fn ago(&self, seconds: f64) -> Timestamp {
        let by = Duration::from_secs_f64(seconds.abs());
        let moment = if seconds < 0.0 { self.now.checked_add(by) } else { self.now.checked_sub(by) };
        moment.expect("in range")
    }

    pub(crate) fn see(&mut self, signal: Signal) {
        self.see_from(Source::other("test"), signal);
    }

    pub(crate) fn see_from(&mut self, source: Source, signal: Signal) {
        self.told.push(Observation { at: self.now, source, signal });
    }

    fn works(&mut self, resource: &str) {
        let name = Source::api(resource);
        self.see(Signal::SourceState(SourceState { name, lost: None }));
    }

    /// Time goes on, with a tick every half second.
    pub(crate) fn pass(&mut self, seconds: f64) {
        let mut left = seconds;
        while left > 1e-9 {
            let step = left.min(0.5);
            self.now = self.now.checked_add(Duration::from_secs_f64(step)).expect("in range");
            self.see(Signal::Tick);
            left -= step;
        }
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    fn new_node(&mut self, node: &str, zone: &str) -> Node {
        let name = self.name(node);
        let mut labels = BTreeMap::from([("topology.kubernetes.io/zone".into(), self.name(zone))]);
        labels.insert("kubernetes.io/hostname".into(), name.clone());
        let mut taints = Vec::new();
        if node == "cp" {
            labels.insert("node-role.kubernetes.io/control-plane".into(), String::new());
            taints.push(Taint {
                key: "node-role.kubernetes.io/control-plane".into(),
                value: String::new(),
                effect: "NoSchedule".into(),
            });
        }
        Node {
            uid: format!("node-{node}"),
            name,
            version: self.next_version(),
            created_at: self.ago(3600.0),
            labels,
            ready: "True".into(),
            ready_reason: "KubeletReady".into(),
            ready_message: String::new(),
            ready_since: Some(self.ago(3500.0)),
            troubles: vec![],
            unschedulable: false,
            taints,
            allocatable: Resources { cpu_millis: 2000, memory_bytes: 8192 * MI, ..Resources::default() },
        }
    }

    /// Tells a node of the lab in a new state.
    pub(crate) fn node(&mut self, node: &str, change: impl FnOnce(&mut Node)) {
        let name = self.name(node);
        let mut known = self
            .told
            .iter()
            .rev()
            .find_map(|o| match &o.signal {
                Signal::Node(n) if n.name == name => Some(n.clone()),
                _ => None,
            })
            .expect("a node of the lab");
        known.version = self.next_version();
        change(&mut known);
        self.see_from(Source::api("nodes"), Signal::Node(known));
    }

    /// A pod of namespace `ns` that runs on `w1`.
    pub(crate) fn new_pod(&mut self, pod: &str) -> Pod {
        let name = self.name(pod);
        Pod {
            namespace: self.name("ns"),
            uid: format!("pod-{pod}"),
            name,
            version: self.next_version(),
            created_at: self.now,
            deleting: false,
            phase: "Running".into(),
            node: Some(self.name("w1")),
            host_network: false,
            service_account: self.name("account"),
            owner: None,
            labels: Default::default(),
            requests: Resources::default(),
            node_selector: Default::default(),
            node_affinity: Default::default(),
            placed_by_peers: false,
            tolerations: Default::default(),
            claims: vec![],
            tokens: vec![String::new()],
            cloud: None,
            unscheduled: None,
            unready_since: None,
            given_up: None,
            constraints: Default::default(),
            ways: Default::default(),
            ready: true,
            containers: vec![self.new_container("main")],
        }
    }

    pub(crate) fn new_container(&self, container: &str) -> Container {
        Container {
            name: self.name(container),
            init: false,
            image: format!("{}/{}:1", self.name("registry.example.com"), self.name("image")),
            ready: true,
            restarts: 0,
            state: ContainerState::Running { since: Some(self.now) },
            last: None,
            memory_limit_bytes: None,
            has_liveness_probe: false,
            has_readiness_probe: false,
            ports: vec![],
        }
    }

    pub(crate) fn see_pod(&mut self, mut pod: Pod) -> Pod {
        pod.version = self.next_version();
        self.see_from(Source::api("pods"), Signal::Pod(Box::new(pod.clone())));
        pod
    }

    /// A running pod.
    pub(crate) fn pod(&mut self, pod: &str, change: impl FnOnce(&mut Pod)) -> Pod {
        let mut new = self.new_pod(pod);
        change(&mut new);
        self.see_pod(new)
    }

    /// A pod that the scheduler gave up on just now.
    pub(crate) fn unscheduled(&mut self, pod: &str, message: &str, change: impl FnOnce(&mut Pod)) -> Pod {
        let now = self.now;
        let why = Unscheduled { reason: "Unschedulable".into(), message: message.into(), since: Some(now) };
        self.pod(pod, |p| {
            p.phase = "Pending".into();
            p.node = None;
            p.ready = false;
            p.containers.clear();
            p.unscheduled = Some(why);
            change(p);
        })
    }

    /// The pod's first container waits.
    pub(crate) fn waiting(&mut self, mut pod: Pod, reason: &str, message: &str) -> Pod {
        pod.phase = "Pending".into();
        pod.ready = false;
        pod.containers[0].ready = false;
        pod.containers[0].state = ContainerState::Waiting { reason: reason.into(), message: message.into() };
        self.see_pod(pod)
    }

    /// The pod's first container ends now, for the `restarts + 1`th time.
    pub(crate) fn dies(&mut self, mut pod: Pod, exit_code: i32, reason: &str, restarts: u32) -> Pod {
        let end = Terminated {
            exit_code,
            reason: reason.into(),
            started_at: Some(self.ago(2.0)),
            finished_at: Some(self.now),
        };
        let container = &mut pod.containers[0];
        container.restarts = restarts;
        container.ready = false;
        if restarts > 0 {
            container.last.get_or_insert_with(|| end.clone());
        }
        container.state = ContainerState::Terminated(end);
        pod.ready = false;
        self.see_pod(pod)
    }

    /// The container runs again, and remembers its last end.
    pub(crate) fn runs_again(&mut self, mut pod: Pod) -> Pod {
        let (now, container) = (self.now, &mut pod.containers[0]);
        if let ContainerState::Terminated(end) = &container.state {
            container.last = Some(end.clone());
        }
        container.restarts += 1;
        container.state = ContainerState::Running { since: Some(now) };
        container.ready = true;
        pod.ready = true;
        self.see_pod(pod)
    }

    /// The container ends with this code again and again, over a good ten seconds.
    pub(crate) fn crash_loop(&mut self, pod: Pod, exit_code: i32, reason: &str) -> Pod {
        let pod = self.dies(pod, exit_code, reason, 0);
        self.pass(1.0);
        let pod = self.runs_again(pod);
        self.pass(1.0);
        let pod = self.dies(pod, exit_code, reason, 1);
        self.pass(10.0);
        pod
    }

    /// The newest life of the pod's first container said this.
    pub(crate) fn says(&mut self, pod: &Pod, kind: ClueKind) {
        self.says_after(pod, kind, 0);
    }

    /// It says so, and then so many lines more.
    pub(crate) fn says_after(&mut self, pod: &Pod, kind: ClueKind, lines_after: u32) {
        let container = &pod.containers[0];
        self.see_from(
            Source::api("pods/log"),
            Signal::Clue(Clue {
                pod: Subject::new("Pod", &pod.namespace, &pod.name),
                uid: pod.uid.clone(),
                container: container.name.clone(),
                restarts: container.restarts,
                place: CluePlace::Log,
                kind,
                lines: 1,
                lines_after,
            }),
        );
    }

    pub(crate) fn event(&mut self, object: (&str, &str), uid: &str, reason: &str, message: &str) {
        self.repeated(object, uid, reason, message, 1);
    }

    /// An event that has come so often.
    pub(crate) fn repeated(
        &mut self,
        object: (&str, &str),
        uid: &str,
        reason: &str,
        message: &str,
        count: u32,
    ) {
        let event = KubeEvent {
            uid: format!("event-{uid}-{reason}"),
            version: self.next_version(),
            object: Subject::new(object.0, self.name("ns"), self.name(object.1)),
            object_uid: uid.into(),
            warning: true,
            reason: reason.into(),
            message: message.into(),
            count,
            component: "test".into(),
            first_at: Some(self.now),
            last_at: Some(self.now),
        };
        self.see_from(Source::api("events"), Signal::Event(event));
    }

    /// An event that was first seen by the cluster so many seconds ago, and last.
    pub(crate) fn past_event(
        &mut self,
        object: (&str, &str),
        uid: &str,
        (reason, message): (&str, &str),
        (count, first, last): (u32, f64, f64),
    ) {
        let event = KubeEvent {
            uid: format!("event-{uid}-{reason}-{first}"),
            version: self.next_version(),
            object: Subject::new(object.0, self.name("ns"), self.name(object.1)),
            object_uid: uid.into(),
            warning: true,
            reason: reason.into(),
            message: message.into(),
            count,
            component: "test".into(),
            first_at: Some(self.ago(first)),
            last_at: Some(self.ago(last)),
        };
        self.see_from(Source::api("events"), Signal::Event(event));
    }

    pub(crate) fn grant(&mut self, uid: &str, verbs: &[&str]) {
        let rule = Rule {
            verbs: verbs.iter().map(ToString::to_string).collect(),
            groups: vec![String::new()],
            resources: vec!["configmaps".into()],
            names: vec![],
        };
        let grant = Grant {
            binding: Subject::new("RoleBinding", self.name("ns"), self.name(uid)),
            uid: uid.into(),
            version: self.next_version(),
            account: Subject::new("ServiceAccount", self.name("ns"), self.name("account")),
            rules: if verbs.is_empty() { vec![] } else { vec![rule] },
        };
        self.see(Signal::Grant(grant));
    }

    pub(crate) fn gone(&mut self, kind: &str, name: &str, uid: &str) {
        let namespace = if kind == "Node" { String::new() } else { self.name("ns") };
        let object = Subject::new(kind, namespace, self.name(name));
        self.see(Signal::Deleted(Deleted { object, uid: uid.into() }));
    }

    pub(crate) fn may(&mut self, verb: &str, allowed: bool) {
        self.see(Signal::AccessReview(AccessReview {
            account: Subject::new("ServiceAccount", self.name("ns"), self.name("account")),
            verb: verb.into(),
            group: String::new(),
            resource: "configmaps".into(),
            namespace: self.name("ns"),
            name: String::new(),
            allowed,
        }));
    }

    /// The ARN of the cloud role in this scene.
    pub(crate) fn role_arn(&self) -> String {
        format!("arn:aws:iam::123456789012:role/{}", self.name("role"))
    }

    /// A running pod that takes the cloud role on, as one on EKS does.
    pub(crate) fn cloud_pod(&mut self, pod: &str) -> Pod {
        let (role, endpoint) = (self.role_arn(), String::new());
        self.pod(pod, |p| {
            p.tokens = vec!["sts.amazonaws.com".into()];
            p.cloud = Some(CloudIdentity { role, endpoint });
        })
    }

    /// The cloud role as it is now.
    pub(crate) fn cloud_role(&mut self, change: impl FnOnce(&mut CloudRole)) {
        let mut role = CloudRole {
            role: self.role_arn(),
            trust: "aaaa".into(),
            trusts_web_identity: true,
            grants: vec![self.name("reads")],
            sessions_revoked_before: None,
            denials: vec![],
        };
        change(&mut role);
        self.see_from(Source::cloud("iam"), Signal::CloudRole(role));
    }

    /// What the cloud says to the account's token, and then to its session.
    pub(crate) fn cloud_says(&mut self, session: CloudWord, object: Option<CloudWord>) {
        for (api, word) in [("sts", Some(session)), ("s3", object)] {
            let Some(word) = word else { continue };
            let account = Subject::new("ServiceAccount", self.name("ns"), self.name("account"));
            let (role, api, endpoint) = (self.role_arn(), api.to_owned(), String::new());
            self.see(Signal::CloudAnswer(CloudAnswer { account, role, api, endpoint, word }));
        }
    }

    pub(crate) fn claim(&mut self, claim: &str, change: impl FnOnce(&mut Claim)) -> Claim {
        let mut new = Claim {
            namespace: self.name("ns"),
            name: self.name(claim),
            uid: format!("claim-{claim}"),
            version: self.next_version(),
            created_at: self.now,
            deleting: false,
            phase: "Pending".into(),
            class: Some(self.name("WaitForFirstConsumer")),
            volume: None,
            selected_node: None,
            once_per_pod: false,
            grows: false,
            conditions: vec![],
        };
        change(&mut new);
        self.see(Signal::Claim(new.clone()));
        new
    }

    /// A volume in zone `zone` that is bound to the claim.
    pub(crate) fn bound_claim(&mut self, claim: &str, zone: &str) {
        let volume = self.name(&format!("volume-of-{claim}"));
        let requirement = Requirement::new("topology.kubernetes.io/zone", "In", [self.name(zone)]);
        let new = Volume {
            name: volume.clone(),
            uid: format!("volume-{claim}"),
            version: self.next_version(),
            phase: "Bound".into(),
            class: Some(self.name("WaitForFirstConsumer")),
            node_affinity: vec![NodeTerm::labels(vec![requirement])],
            driver: Some("disks".into()),
        };
        self.see(Signal::Volume(new));
        self.claim(claim, |c| {
            c.phase = "Bound".into();
            c.volume = Some(volume);
        });
    }

    pub(crate) fn metric(&mut self, source: &str, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let metric = Metric { name: name.into(), labels, value };
        self.see_from(Source::metrics(source), Signal::Metric(metric));
    }

    pub(crate) fn judge(&self) -> Judgement {
        judge(&world(&self.told))
    }

    pub(crate) fn diagnoses(&self) -> Vec<Diagnosis> {
        self.judge().diagnoses
    }

    pub(crate) fn causes(&self) -> Vec<Cause> {
        self.diagnoses().iter().filter_map(|d| d.cause).collect()
    }
}

/// What the API server lists.
const LISTED: [&str; 16] = [
    "pods",
    "nodes",
    "events",
    "persistentvolumeclaims",
    "persistentvolumes",
    "storageclasses",
    "volumeattachments",
    "deployments",
    "replicasets",
    "services",
    "endpointslices",
    "leases",
    "resourcequotas",
    "roles",
    "rolebindings",
    "clusterrolebindings",
];

/// The world that these observations make.
pub(crate) fn world(told: &[Observation]) -> World {
    let mut world = World::new();
    told.iter().for_each(|o| world.apply(o));
    world
}

/// Whether the first finding has a subject of this kind and name.
pub(crate) fn is_about(diagnosis: &Diagnosis, kind: &str, name: &str) -> bool {
    diagnosis.subjects.iter().any(|s| s.kind == kind && s.name == name)
}
