//! A made-up cluster of any size, told as signals: Deployments of twenty pods with a Service each, every tenth of them with
//! volumes, evenly over nodes of three zones.

use crate::parts::*;
use loopdrill_model::{Observation, Signal, Source, Subject, Timestamp, signal::*};
use std::{collections::BTreeMap, time::Duration};

const EVENTS: usize = 5_000;
/// What an observer lists.
const LISTED: [&str; 17] = [
    "pods",
    "nodes",
    "events",
    "persistentvolumeclaims",
    "persistentvolumes",
    "storageclasses",
    "volumeattachments",
    "deployments",
    "replicasets",
    "statefulsets",
    "jobs",
    "services",
    "endpointslices",
    "leases",
    "resourcequotas",
    "roles",
    "rolebindings",
];

/// Where the tellings go.
type Tell<'a> = &'a mut dyn FnMut(Observation);

pub(crate) struct Cluster {
    nodes: usize,
    pods: usize,
    now: Timestamp,
    version: u64,
    changes: usize,
}

impl Cluster {
    pub(crate) fn new(nodes: usize, pods: usize) -> Self {
        let now = Timestamp::from_second(1_790_000_000).unwrap_or_default();
        Self { nodes, pods, now, version: 1, changes: 0 }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn pass(&mut self, seconds: f64) {
        self.now = self.now.checked_add(Duration::from_secs_f64(seconds)).unwrap_or(self.now);
    }

    fn ago(&self, seconds: u64) -> Timestamp {
        self.now.checked_sub(Duration::from_secs(seconds)).unwrap_or(self.now)
    }

    fn tell(&mut self, tell: Tell<'_>, resource: &str, signal: Signal) {
        self.version += 1;
        tell(Observation { at: self.now, source: Source::api(resource), signal });
    }

    /// Everything there is.
    pub(crate) fn tell_all(&mut self, tell: Tell<'_>) {
        for n in 0..self.nodes {
            self.tell(tell, "nodes", Signal::Node(self.node(n)));
        }
        let class = StorageClass {
            name: "fast".into(),
            uid: "fast".into(),
            version: 1,
            binding_mode: "WaitForFirstConsumer".into(),
            provisioner: "disks.example.com".into(),
        };
        self.tell(tell, "storageclasses", Signal::StorageClass(class));
        for s in 0..self.services() {
            self.tell(tell, "services", Signal::Service(self.service(s)));
            let endpoints = self.endpoints(s, PODS_OF_A_SERVICE);
            self.tell(tell, "endpointslices", endpoints);
            self.tell(tell, "replicasets", Signal::Controller(self.controller(s, "ReplicaSet")));
            self.tell(tell, "deployments", Signal::Controller(self.controller(s, "Deployment")));
        }
        for p in 0..self.pods {
            self.tell(tell, "pods", Signal::Pod(Box::new(self.pod(p))));
            self.tell_volume(tell, p);
        }
        for e in 0..EVENTS {
            let event = self.event(e * 7 % self.pods, "Pulled", false);
            self.tell(tell, "events", Signal::Event(event));
        }
        for resource in LISTED {
            let name = Source::api(resource);
            self.tell(tell, resource, Signal::SourceState(SourceState { name, lost: None }));
        }
    }

    fn tell_volume(&mut self, tell: Tell<'_>, p: usize) {
        if !has_volume(p) {
            return;
        }
        let pod = self.pod(p);
        let (claim, volume) = (&pod.claims[0], format!("pvc-{}", pod.uid));
        let bound = Claim {
            namespace: pod.namespace.clone(),
            name: claim.clone(),
            uid: format!("claim-{p:08}-4a54-11ef-9454-0242ac120002"),
            version: self.version,
            created_at: self.ago(90_000),
            deleting: false,
            phase: "Bound".into(),
            class: Some("fast".into()),
            volume: Some(volume.clone()),
            selected_node: pod.node.clone(),
            once_per_pod: false,
            grows: false,
            conditions: vec![],
        };
        self.tell(tell, "persistentvolumeclaims", Signal::Claim(bound));
        let zone = Requirement::new("topology.kubernetes.io/zone", "In", [zone(p % self.nodes)]);
        let made = Volume {
            name: volume.clone(),
            uid: format!("volume-{p:08}-4a54-11ef-9454-0242ac120002"),
            version: self.version,
            phase: "Bound".into(),
            class: Some("fast".into()),
            node_affinity: vec![NodeTerm::labels(vec![zone])],
            driver: Some("disks.example.com".into()),
        };
        self.tell(tell, "persistentvolumes", Signal::Volume(made));
        let attached = Attachment {
            name: format!("csi-{volume}"),
            uid: format!("attachment-{p:08}-4a54-11ef-9454-0242ac120002"),
            version: self.version,
            volume,
            node: pod.node.clone().unwrap_or_default(),
            attached: true,
            deleting: false,
        };
        self.tell(tell, "volumeattachments", Signal::Attachment(attached));
    }

    /// One thing of a busy, healthy cluster: mostly pods that come and go, and what follows from that.
    pub(crate) fn change(&mut self, tell: Tell<'_>) {
        self.changes += 1;
        let n = self.changes.wrapping_mul(7919);
        match n % 10 {
            0..6 => {
                let pod = self.pod(n % self.pods);
                self.tell(tell, "pods", Signal::Pod(Box::new(pod)));
            }
            6..8 => {
                let endpoints = self.endpoints(n % self.services(), PODS_OF_A_SERVICE);
                self.tell(tell, "endpointslices", endpoints);
            }
            8 => {
                let event = self.event(n % self.pods, "Started", false);
                self.tell(tell, "events", Signal::Event(event));
            }
            _ => {
                let node = self.node(n % self.nodes);
                self.tell(tell, "nodes", Signal::Node(node));
            }
        }
    }

    /// Fifty things go wrong: crashes, pods without a place, nodes that are down, Services without pods, and the like.
    pub(crate) fn break_some(&mut self, tell: Tell<'_>) {
        let (step, nodes) = (self.pods / 400, self.nodes);
        for i in 0..300 {
            let mut pod = self.pod(i * step);
            pod.ready = false;
            pod.unready_since = Some(self.ago(300));
            match i % 6 {
                0 | 1 => crash(&mut pod, self.ago(20)),
                2 | 3 => unplace(&mut pod, self.ago(300), nodes),
                4 => pod.containers[0].ready = false,
                _ => wait(&mut pod),
            }
            self.tell(tell, "pods", Signal::Pod(Box::new(pod)));
            let event = self.event(i * step, if i % 2 == 0 { "BackOff" } else { "Unhealthy" }, true);
            self.tell(tell, "events", Signal::Event(event));
        }
        for n in 0..self.nodes.min(10) {
            let mut node = self.node(n);
            node.ready = "Unknown".into();
            node.ready_since = Some(self.ago(200));
            self.tell(tell, "nodes", Signal::Node(node));
        }
        for s in 0..self.services().min(20) {
            let mut service = self.service(s);
            service.selector = BTreeMap::from([("app".into(), "nobody".into())]);
            self.tell(tell, "services", Signal::Service(service));
            let none = self.endpoints(s, 0);
            self.tell(tell, "endpointslices", none);
        }
    }

    fn services(&self) -> usize {
        (self.pods / PODS_OF_A_SERVICE).max(1)
    }

    fn node(&self, n: usize) -> Node {
        let labels = [
            ("kubernetes.io/hostname", node_name(n)),
            ("kubernetes.io/arch", "amd64".into()),
            ("kubernetes.io/os", "linux".into()),
            ("node.kubernetes.io/instance-type", "m7i.4xlarge".into()),
            ("topology.kubernetes.io/region", "eu-central-1".into()),
            ("topology.kubernetes.io/zone", zone(n)),
        ];
        Node {
            name: node_name(n),
            uid: format!("node-{n:08}-4a54-11ef-9454-0242ac120002"),
            version: self.version,
            created_at: self.ago(900_000),
            labels: labels.map(|(k, v)| (k.to_owned(), v)).into(),
            ready: "True".into(),
            ready_reason: "KubeletReady".into(),
            ready_message: String::new(),
            ready_since: Some(self.ago(800_000)),
            troubles: vec![],
            unschedulable: false,
            taints: vec![],
            allocatable: Resources {
                cpu_millis: 15_890,
                memory_bytes: 60 << 30,
                pods: 110,
                ..Resources::default()
            },
        }
    }

    fn pod(&self, p: usize) -> Pod {
        let service = p / PODS_OF_A_SERVICE;
        let hash = format!("{:x}", 0x6d4c_f56d_u64 + service as u64);
        let namespace = namespace(service);
        let names = (
            format!("registry.example.com/team/service-{service}:v1.24.{}", service % 50),
            "istio/proxyv2:1.24.1",
        );
        Pod {
            name: format!("service-{service}-{hash}-{:05x}", p % PODS_OF_A_SERVICE),
            uid: format!("{p:08x}-4a54-11ef-9454-0242ac120002"),
            version: self.version,
            created_at: self.ago(90_000),
            deleting: false,
            phase: "Running".into(),
            node: Some(node_name(p % self.nodes)),
            host_network: false,
            service_account: format!("service-{service}"),
            owner: Some(Subject::new("ReplicaSet", &namespace, format!("service-{service}-{hash}"))),
            labels: [
                ("app", format!("service-{service}")),
                ("version", "v1".into()),
                ("pod-template-hash", hash),
            ]
            .map(|(k, v)| (k.to_owned(), v))
            .into_iter()
            .collect::<BTreeMap<_, _>>()
            .into(),
            requests: Resources { cpu_millis: 250, memory_bytes: 512 << 20, pods: 1, ..Resources::default() },
            node_selector: BTreeMap::from([("kubernetes.io/os".into(), "linux".into())]).into(),
            node_affinity: Default::default(),
            placed_by_peers: false,
            tolerations: Vec::from(["not-ready", "unreachable"].map(toleration)).into(),
            claims: if has_volume(p) { vec![format!("data-{p}")] } else { vec![] },
            tokens: vec![String::new()],
            cloud: None,
            unscheduled: None,
            ready: true,
            unready_since: None,
            given_up: None,
            constraints: Default::default(),
            ways: Default::default(),
            containers: vec![self.container("main", &names.0), self.container("istio-proxy", names.1)],
            namespace,
        }
    }

    fn container(&self, name: &str, image: &str) -> Container {
        Container {
            name: name.into(),
            init: false,
            image: image.into(),
            ready: true,
            restarts: 0,
            state: ContainerState::Running { since: Some(self.ago(80_000)) },
            last: None,
            memory_limit_bytes: Some(1 << 30),
            has_liveness_probe: true,
            has_readiness_probe: true,
            ports: vec![],
        }
    }

    fn service(&self, s: usize) -> Service {
        Service {
            namespace: namespace(s),
            name: format!("service-{s}"),
            uid: format!("service-{s:08}-4a54-11ef-9454-0242ac120002"),
            version: self.version,
            selector: BTreeMap::from([("app".into(), format!("service-{s}"))]),
            created_at: Some(self.ago(900_000)),
            awaits_load_balancer: false,
            addresses: vec![format!("10.{}.{}.{}", s / 65_536, s / 256 % 256, s % 256)],
            ports: vec![80],
            ..Service::default()
        }
    }

    fn endpoints(&self, s: usize, ready: usize) -> Signal {
        let ready = u32::try_from(ready).unwrap_or_default();
        Signal::Endpoints(Endpoints {
            namespace: namespace(s),
            service: format!("service-{s}"),
            ready,
            not_ready: 0,
        })
    }

    fn controller(&self, s: usize, kind: &str) -> Controller {
        let hash = format!("{:x}", 0x6d4c_f56d_u64 + s as u64);
        let of_deployment = kind == "Deployment";
        Controller {
            kind: kind.into(),
            namespace: namespace(s),
            name: if of_deployment { format!("service-{s}") } else { format!("service-{s}-{hash}") },
            uid: format!("{kind}-{s:08}-4a54-11ef-9454-0242ac120002"),
            version: self.version,
            owner: (!of_deployment).then(|| Subject::new("Deployment", namespace(s), format!("service-{s}"))),
            desired: 20,
            ready: 20,
            troubles: vec![],
            ..Controller::default()
        }
    }

    fn event(&self, p: usize, reason: &str, warning: bool) -> KubeEvent {
        let pod = self.pod(p);
        let message = match reason {
            "BackOff" => "Back-off restarting failed container main in pod",
            "Unhealthy" => "Readiness probe failed: HTTP probe failed with statuscode: 503",
            _ => "Successfully pulled image \"registry.example.com/team/service:v1\" in 1.2s",
        };
        KubeEvent {
            uid: format!("event-{p}-{reason}"),
            version: self.version,
            object: Subject::new("Pod", pod.namespace, pod.name),
            object_uid: pod.uid,
            warning,
            reason: reason.into(),
            message: message.into(),
            count: if warning { 12 } else { 1 },
            component: "kubelet".into(),
            first_at: Some(self.ago(if warning { 600 } else { 5 })),
            last_at: Some(self.ago(5)),
        }
    }
}
