//! Whatever a world has been through, its indexes say what its objects say.

use super::*;
use crate::{World, judge};
use loopdrill_model::{Observation, Signal, Source};
use proptest::prelude::*;
use std::time::Duration;

impl<T: Object + Clone> Store<T> {
    /// The same objects in a store whose indexes are built anew; with `all`, as if each of them were unwell.
    fn anew(&self, all: bool) -> Self {
        let mut fresh = Self { index: Index::default(), load: HashMap::new(), ..self.clone() };
        for (uid, seen) in &self.by_uid {
            let extra = if all { vec![Key::Unwell] } else { Vec::new() };
            fresh.index.change(uid, &[], [(self.traits.keys)(&seen.object), extra].concat());
            if let Some((node, amount)) = (self.traits.load)(&seen.object) {
                *fresh.load.entry(node.to_owned()).or_default() += amount;
            }
        }
        fresh
    }
}

impl World {
    fn anew(&self, all: bool) -> Self {
        let mut fresh = self.clone();
        let (known, new) = (&self.stores, &mut fresh.stores);
        new.pods = known.pods.anew(all);
        new.nodes = known.nodes.anew(all);
        new.claims = known.claims.anew(all);
        new.controllers = known.controllers.anew(all);
        new.services = known.services.anew(false);
        new.attachments = known.attachments.anew(false);
        new.quotas = known.quotas.anew(false);
        new.policies = known.policies.anew(false);
        let none = |e: &&Endpoints| e.ready + e.not_ready == 0;
        let empty = self.endpoints.values().map(|e| &e.value).filter(none);
        fresh.deserted = empty.map(|e| (e.namespace.clone(), e.service.clone())).collect();
        fresh
    }
}

/// Small numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let n = self.below(all.len() as u64);
        all[usize::try_from(n).expect("few")]
    }

    fn ago(&mut self, now: Timestamp, seconds: u64) -> Timestamp {
        now.checked_sub(Duration::from_secs(self.below(seconds))).expect("in range")
    }
}

const NODES: [&str; 3] = ["a", "b", "c"];
const WORDS: [&str; 4] = [
    "0/3 nodes are available: 3 Insufficient cpu.",
    "secret \"x\" not found",
    "Readiness probe failed: context deadline exceeded",
    "",
];

/// When the world begins.
const BEGIN: i64 = 1_800_000_000;

/// Versions that a container's life takes.
const LIFE: u64 = 16;

/// How that life of the pod's container ended; of each second pod long ago.
fn end(dice: &mut Dice, number: u64, life: u64) -> Terminated {
    let exit_code = [0, 1, 137, 255][usize::try_from(dice.below(4)).expect("few")];
    let second = i64::try_from(10 * life).expect("few") - [0, 1_500][usize::from(number % 2 == 1)];
    let finished_at =
        (!number.is_multiple_of(5)).then(|| Timestamp::from_second(BEGIN + second).expect("in range"));
    let reason = dice.of(&["Error", "OOMKilled", "Completed", "StartError"]).into();
    Terminated { exit_code, reason, started_at: finished_at, finished_at }
}

fn container(dice: &mut Dice, now: Timestamp, (number, life): (u64, u64)) -> Container {
    let reason = ["CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError", "ContainerCreating"];
    let state = match dice.below(4) {
        0 => ContainerState::Waiting { reason: dice.of(&reason).into(), message: dice.of(&WORDS).into() },
        1 => ContainerState::Terminated(end(dice, number, life)),
        _ => ContainerState::Running { since: Some(dice.ago(now, 2_000)) },
    };
    Container {
        name: "main".into(),
        init: number == 7,
        image: "image".into(),
        ready: dice.once_in(2),
        restarts: u32::try_from(life).expect("few"),
        state,
        last: life.checked_sub(1).map(|before| end(dice, number, before)),
        memory_limit_bytes: None,
        has_liveness_probe: false,
        has_readiness_probe: true,
        ports: Vec::new(),
    }
}

fn pod(dice: &mut Dice, now: Timestamp, version: u64) -> Pod {
    let version = version - dice.below(3).min(version);
    let (number, phase) =
        (dice.below(12), dice.of(&["Running", "Running", "Running", "Pending", "Failed", "Succeeded"]));
    let node = (phase != "Pending" || dice.once_in(3)).then(|| dice.of(&NODES).to_owned());
    let why = Unscheduled { reason: "Unschedulable".into(), message: WORDS[0].into(), since: None };
    Pod {
        namespace: dice.of(&["n", "m"]).into(),
        name: format!("pod-{number}"),
        uid: format!("pod-{number}-{}", dice.below(2)),
        version,
        created_at: dice.ago(now, 3_000),
        deleting: dice.once_in(8),
        phase: phase.into(),
        host_network: false,
        service_account: "account".into(),
        owner: dice.once_in(2).then(|| Subject::new(dice.of(&["Job", "ReplicaSet"]), "n", "owner")),
        labels: BTreeMap::from([("app".into(), dice.of(&["x", "y"]).into())]).into(),
        requests: Resources { cpu_millis: 100 * dice.below(12), pods: 1, ..Resources::default() },
        node_selector: Default::default(),
        node_affinity: Default::default(),
        placed_by_peers: false,
        tolerations: Default::default(),
        claims: if dice.once_in(4) { vec!["claim".into()] } else { Vec::new() },
        tokens: vec![String::new()],
        cloud: None,
        unscheduled: node.is_none().then_some(why),
        node,
        ready: dice.once_in(2),
        unready_since: dice.once_in(2).then(|| dice.ago(now, 600)),
        given_up: dice
            .once_in(9)
            .then(|| GivenUp { reason: "Evicted".into(), message: "low on memory".into() }),
        containers: vec![container(dice, now, (number, version / LIFE))],
        constraints: Default::default(),
        ways: Default::default(),
    }
}

fn node(dice: &mut Dice, now: Timestamp, version: u64) -> Node {
    let name = dice.of(&NODES);
    let labels = BTreeMap::from([("node-role.kubernetes.io/control-plane".to_owned(), String::new())]);
    Node {
        name: name.into(),
        uid: name.into(),
        version,
        created_at: dice.ago(now, 5_000),
        labels: if name == "a" { labels } else { BTreeMap::new() },
        ready: dice.of(&["True", "True", "True", "False", "Unknown"]).into(),
        ready_reason: String::new(),
        ready_message: String::new(),
        ready_since: Some(dice.ago(now, 900)),
        troubles: Vec::new(),
        unschedulable: dice.once_in(6),
        taints: Vec::new(),
        allocatable: Resources { cpu_millis: 2_000, pods: 9, ..Resources::default() },
    }
}

fn controller(dice: &mut Dice, version: u64) -> Controller {
    let kind = dice.of(&["Job", "ReplicaSet"]);
    Controller {
        kind: kind.into(),
        namespace: "n".into(),
        name: "owner".into(),
        uid: format!("owner-{kind}"),
        version,
        owner: None,
        desired: u32::try_from(dice.below(3)).expect("few"),
        ready: u32::try_from(dice.below(3)).expect("few"),
        troubles: Vec::new(),
        ..Controller::default()
    }
}

fn service(dice: &mut Dice, now: Timestamp, version: u64) -> Service {
    let (namespace, name) = (dice.of(&["n", "m"]), dice.of(&["one", "two"]));
    Service {
        namespace: namespace.into(),
        name: name.into(),
        uid: format!("{namespace}-{name}"),
        version,
        selector: BTreeMap::from([("app".into(), dice.of(&["x", "y", "z"]).into())]),
        created_at: Some(dice.ago(now, 900)),
        awaits_load_balancer: false,
        addresses: Vec::new(),
        ports: vec![80],
        ..Service::default()
    }
}

fn event(dice: &mut Dice, now: Timestamp, version: u64) -> KubeEvent {
    let reason = dice.of(&["Unhealthy", "BackOff", "FailedMount", "Started", "Failed", "FailedCreate"]);
    let (object_uid, count) =
        (format!("pod-{}-0", dice.below(12)), u32::try_from(dice.below(9)).expect("few"));
    KubeEvent {
        uid: format!("event-{}", dice.below(40)),
        version,
        object: Subject::new("Pod", "n", "p"),
        object_uid,
        warning: reason != "Started",
        reason: reason.into(),
        message: dice.of(&WORDS).into(),
        count,
        component: String::new(),
        first_at: Some(dice.ago(now, 900)),
        last_at: Some(dice.ago(now, 60)),
    }
}

fn signal(dice: &mut Dice, now: Timestamp, version: u64) -> Signal {
    match dice.below(20) {
        0..9 => Signal::Pod(Box::new(pod(dice, now, version))),
        9 | 10 => Signal::Node(node(dice, now, version)),
        11 => Signal::Controller(controller(dice, version)),
        12 => Signal::Service(service(dice, now, version)),
        13 | 14 => Signal::Endpoints(Endpoints {
            namespace: dice.of(&["n", "m"]).into(),
            service: dice.of(&["one", "two"]).into(),
            ready: u32::try_from(dice.below(2)).expect("few"),
            not_ready: 0,
        }),
        15..18 => Signal::Event(event(dice, now, version)),
        18 => {
            let number = dice.below(12);
            let uid = if dice.once_in(2) { String::new() } else { format!("pod-{number}-0") };
            Signal::Deleted(Deleted {
                object: Subject::new("Pod", dice.of(&["n", "m"]), format!("pod-{number}")),
                uid,
            })
        }
        _ => Signal::Tick,
    }
}

fn listed(now: Timestamp) -> Vec<Observation> {
    let resources =
        ["pods", "nodes", "persistentvolumeclaims", "persistentvolumes", "services", "endpointslices"];
    let works = |resource: &str| {
        let source = Source::api(resource);
        let signal = Signal::SourceState(SourceState { name: source.clone(), lost: None });
        Observation { at: now, source, signal }
    };
    resources.map(works).into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_world_of_many_changes_answers_as_one_built_anew(seed in 1..u64::MAX, changes in 1..160_u64) {
        let (mut dice, mut world) = (Dice(seed), World::new());
        let begin = Timestamp::from_second(BEGIN).expect("in range");
        listed(begin).iter().for_each(|o| world.apply(o));
        for version in 1..=changes {
            let at = begin.checked_add(Duration::from_millis(700 * version)).expect("in range");
            let signal = signal(&mut dice, at, version);
            world.apply(&Observation { at, source: Source::other("test"), signal });
        }
        let answer = judge(&world);
        prop_assert_eq!(&answer, &judge(&world.anew(false)), "its indexes are not in step");
        prop_assert_eq!(&answer, &judge(&world.anew(true)), "a rule missed what it did not look at");
    }
}
