use crate::{
    check::Status,
    snapshot::{Input, NodeUsage},
    testing::Scene,
};
use serde_json::{Value, json};

fn pod(resources: Value) -> Value {
    json!({"containers": [{"name": "app", "resources": resources}]})
}

fn asks(cpu: &str) -> Value {
    pod(json!({"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"memory": "64Mi"}}))
}

#[test]
fn co_01_requests_are_set() {
    let with = |resources: Value| Scene::cluster().deployment("a", 1, pod(resources)).check("CO-01");
    with(json!({"requests": {"cpu": "1", "memory": "1Gi"}})).passes();
    with(json!({"limits": {"cpu": "1", "memory": "1Gi"}})).passes();
    with(json!({"requests": {"cpu": "1"}})).fails_with(&[
        "Deployment shop/a",
        "container app",
        "a memory request",
    ]);
    with(json!({})).fails_with(&["CPU and memory requests"]);
    Scene::cluster().check("CO-01").ends(Status::Skip, &["no application workload"]);
}

#[test]
fn co_01_kubernetes_own_workloads_are_not_the_users() {
    let own = json!({"metadata": {"name": "coredns", "namespace": "kube-system"}, "spec": {"template": {"spec": pod(json!({}))}}});
    Scene::cluster().object(Input::Deployments, own).check("CO-01").ends(Status::Skip, &[]);
}

#[test]
fn co_02_limits_are_set_and_in_proportion() {
    let with = |request: &str, limit: &str| {
        Scene::cluster()
            .deployment("a", 1, pod(json!({"requests": {"memory": request}, "limits": {"memory": limit}})))
            .check("CO-02")
    };
    with("64Mi", "128Mi").passes();
    with("64Mi", "200Mi").ends(Status::Warn, &["limit 200Mi for a request of 64Mi"]);
    with("64Mi", "1Gi").fails_with(&["container app"]);
    Scene::cluster().deployment("a", 1, asks("1")).check("CO-02").passes();
    Scene::cluster().deployment("a", 1, pod(json!({}))).check("CO-02").fails_with(&["lacks a memory limit"]);
}

#[test]
fn co_03_what_is_critical_has_a_priority() {
    let class = |name: &str, value: i64| json!({"metadata": {"name": name}, "value": value});
    let base = || {
        Scene::cluster()
            .service("a")
            .object(Input::PriorityClasses, class("system-node-critical", 2_000_000_000))
    };
    let two = || {
        base()
            .object(Input::PriorityClasses, class("high", 100))
            .object(Input::PriorityClasses, class("low", 1))
    };
    let first = json!({"priorityClassName": "high", "containers": [{"name": "app"}]});
    two().deployment("a", 1, first.clone()).check("CO-03").passes();
    two()
        .deployment("a", 1, pod(json!({})))
        .check("CO-03")
        .fails_with(&["Deployment shop/a", "no priorityClassName"]);
    base().deployment("a", 1, first.clone()).check("CO-03").fails_with(&["no PriorityClass beside"]);
    let same =
        base().object(Input::PriorityClasses, class("x", 1)).object(Input::PriorityClasses, class("y", 1));
    same.deployment("a", 1, first).check("CO-03").fails_with(&["same value"]);
    Scene::cluster().deployment("job", 1, pod(json!({}))).check("CO-03").ends(Status::Skip, &[]);
}

fn budget(name: &str, spec: Value) -> Value {
    let mut spec = spec;
    spec["selector"] = json!({"matchLabels": {"app": "a"}});
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

#[test]
fn co_04_budgets_exist_and_let_a_drain_go_on() {
    let with = |replicas: u32, spec: Value| {
        Scene::cluster()
            .deployment("a", replicas, pod(json!({})))
            .object(Input::Budgets, budget("b", spec))
            .check("CO-04")
    };
    with(2, json!({"maxUnavailable": 1})).passes();
    with(2, json!({"maxUnavailable": "50%"})).passes();
    with(3, json!({"minAvailable": 2})).passes();
    for blocked in [
        json!({"maxUnavailable": 0}),
        json!({"minAvailable": 2}),
        json!({"minAvailable": "100%"}),
        json!({"maxUnavailable": "0%"}),
    ] {
        with(2, blocked).fails_with(&["Deployment shop/a", "b allows none of its 2 pods"]);
    }
    with(1, json!({"minAvailable": 1})).fails_with(&["none of its 1 pods"]);
    Scene::cluster()
        .deployment("a", 2, pod(json!({})))
        .check("CO-04")
        .fails_with(&["has no PodDisruptionBudget"]);
    Scene::cluster().deployment("a", 1, pod(json!({}))).check("CO-04").ends(Status::Skip, &[]);
    let both = Scene::cluster()
        .deployment("a", 2, pod(json!({})))
        .object(Input::Budgets, budget("b", json!({"maxUnavailable": 1})))
        .object(Input::Budgets, budget("c", json!({"maxUnavailable": 1})));
    both.check("CO-04").fails_with(&["several PodDisruptionBudgets (b, c)"]);
}

fn running(scene: Scene, name: &str, node: &str, cpu: &str) -> Scene {
    let mut spec = asks(cpu);
    spec["nodeName"] = json!(node);
    scene.object(Input::Pods, json!({"metadata": {"name": name, "namespace": "other"}, "spec": spec}))
}

#[test]
fn co_05_one_more_pod_fits_on_one_node() {
    let two = || Scene::cluster().node("n1", "a", "2").node("n2", "b", "2");
    two().deployment("a", 1, asks("1500m")).check("CO-05").passes();
    let split = running(running(two(), "x", "n1", "1"), "y", "n2", "1");
    let result = split.deployment("a", 1, asks("1500m")).check("CO-05");
    result.fails_with(&["Deployment shop/a", "2 nodes have 2 CPU", "at most 1 CPU"]);
    two().deployment("a", 1, asks("5")).check("CO-05").fails_with(&["have 4 CPU"]);
    let picky = json!({"nodeSelector": {"disk": "fast"}, "containers": asks("1")["containers"]});
    two().deployment("a", 1, picky).check("CO-05").fails_with(&["no node is open to its pods"]);
    two().deployment("a", 1, pod(json!({}))).check("CO-05").ends(Status::Skip, &[]);
}

#[test]
fn co_06_full_on_paper_and_idle_in_fact() {
    let usage = |cpu: u64| NodeUsage { cpu_millis: cpu, memory_bytes: 4 << 30 };
    let full = |used: u64| {
        let scene = running(Scene::cluster().node("n1", "a", "2"), "x", "n1", "1900m");
        scene.set(|s| s.usage = [(0, usage(used))].into()).check("CO-06")
    };
    full(400).fails_with(&["pool all", "CPU: 95 % requested and 20 % used"]);
    full(600).passes();
    Scene::cluster().node("n1", "a", "2").check("CO-06").ends(Status::Skip, &[]);
    let idle = Scene::cluster().node("n1", "a", "2").set(|s| s.usage = [(0, usage(1))].into());
    idle.check("CO-06").passes();
}

#[test]
fn co_07_rules_survive_the_loss_of_a_node() {
    let apart = |topology: &str| {
        let term = json!({"topologyKey": topology, "labelSelector": {"matchLabels": {"app": "a"}}});
        json!({"containers": [{"name": "app"}], "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}})
    };
    let three = || Scene::cluster().node("n1", "a", "2").node("n2", "b", "2").node("n3", "b", "2");
    three().deployment("a", 2, apart("kubernetes.io/hostname")).check("CO-07").passes();
    three()
        .deployment("a", 3, apart("kubernetes.io/hostname"))
        .check("CO-07")
        .fails_with(&["after the loss of one node there are 2"]);
    three()
        .deployment("a", 2, apart("topology.kubernetes.io/zone"))
        .check("CO-07")
        .fails_with(&["there are 1"]);
    let one = json!({"containers": [{"name": "app"}], "nodeSelector": {"kubernetes.io/hostname": "n1"}});
    three().deployment("a", 1, one).check("CO-07").fails_with(&["leaves it n1 alone"]);
    three().deployment("a", 9, pod(json!({}))).check("CO-07").passes();
    Scene::cluster().deployment("a", 1, pod(json!({}))).check("CO-07").ends(Status::Skip, &[]);
}
