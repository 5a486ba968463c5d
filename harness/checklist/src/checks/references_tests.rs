use crate::{Input, Status, testing::Scene};
use serde_json::{Value, json};

fn pod(spec: Value) -> Value {
    let mut all = json!({"containers": [{"name": "c"}]});
    all.as_object_mut().expect("a map").extend(spec.as_object().expect("a map").clone());
    all
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop"}})
}

#[test]
fn what_pods_need_is_there_or_missed() {
    for (id, input, kind, name, spec) in [
        ("ID-06", Input::ServiceAccounts, "ServiceAccount", "robot", json!({"serviceAccountName": "robot"})),
        ("CO-10", Input::PriorityClasses, "PriorityClass", "gold", json!({"priorityClassName": "gold"})),
        (
            "CO-09",
            Input::ConfigMaps,
            "ConfigMap",
            "conf",
            json!({"volumes": [{"configMap": {"name": "conf"}}]}),
        ),
        ("CO-09", Input::Secrets, "Secret", "key", json!({"volumes": [{"secret": {"secretName": "key"}}]})),
        (
            "CO-09",
            Input::Secrets,
            "Secret",
            "key",
            json!({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "key"}}]}]}),
        ),
        (
            "CO-09",
            Input::ConfigMaps,
            "ConfigMap",
            "conf",
            json!({"initContainers": [{"name": "i", "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "a"}}}]}]}),
        ),
        (
            "CO-09",
            Input::Secrets,
            "Secret",
            "key",
            json!({"volumes": [{"projected": {"sources": [{"secret": {"name": "key"}}]}}]}),
        ),
        (
            "ST-06",
            Input::Claims,
            "PersistentVolumeClaim",
            "data",
            json!({"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}),
        ),
    ] {
        let missed = format!("Deployment shop/a: needs {kind} {name}");
        let with = |scene: Scene| scene.deployment("a", 1, pod(spec.clone()));
        with(Scene::cluster()).check(id).fails_with(&[&missed, "which does not exist"]);
        with(Scene::manifests()).check(id).ends(Status::Warn, &[&missed, "not in these manifests"]);
        with(Scene::cluster()).object(input, named(name)).check(id).passes();
        let elsewhere = json!({"metadata": {"name": name, "namespace": "bank"}});
        if kind != "PriorityClass" {
            with(Scene::cluster()).object(input, elsewhere).check(id).fails_with(&[&missed]);
        }
        let cron = json!({"metadata": {"name": "n", "namespace": "shop"},
                          "spec": {"jobTemplate": {"spec": {"template": {"spec": pod(spec.clone())}}}}});
        Scene::cluster().object(Input::CronJobs, cron).check(id).fails_with(&["CronJob shop/n: needs"]);
    }
}

#[test]
fn what_may_be_missing_or_is_always_there_is_not_missed() {
    let optional = json!({"volumes": [{"configMap": {"name": "x", "optional": true}}, {"configMap": {"name": "kube-root-ca.crt"}}]});
    Scene::cluster().deployment("a", 1, pod(optional)).check("CO-09").passes();
    let builtin = json!({"priorityClassName": "system-node-critical", "serviceAccountName": "default"});
    Scene::cluster().deployment("a", 1, pod(builtin.clone())).check("CO-10").passes();
    Scene::cluster().deployment("a", 1, pod(builtin)).check("ID-06").passes();
    Scene::cluster().deployment("a", 1, pod(json!({}))).check("CO-09").ends(Status::Skip, &[]);
}

#[test]
fn classes_of_claims_exist() {
    let claim =
        json!({"metadata": {"name": "data", "namespace": "shop"}, "spec": {"storageClassName": "fast"}});
    let fast = json!({"metadata": {"name": "fast"}, "provisioner": "x"});
    Scene::cluster()
        .object(Input::Claims, claim.clone())
        .check("ST-06")
        .fails_with(&["names StorageClass fast"]);
    Scene::cluster().object(Input::Claims, claim).object(Input::StorageClasses, fast).check("ST-06").passes();
    let by_hand =
        json!({"metadata": {"name": "data", "namespace": "shop"}, "spec": {"storageClassName": ""}});
    Scene::cluster().object(Input::Claims, by_hand).check("ST-06").passes();
}

#[test]
fn an_autoscaler_has_something_to_scale() {
    let scaler = |kind: &str, name: &str| json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"scaleTargetRef": {"kind": kind, "name": name}}});
    let with = |kind: &str, name: &str| {
        Scene::cluster()
            .deployment("a", 1, pod(json!({})))
            .object(Input::Autoscalers, scaler(kind, name))
            .check("CO-08")
    };
    with("Deployment", "a").passes();
    with("Deployment", "b").fails_with(&["HorizontalPodAutoscaler shop/s: scales Deployment b"]);
    with("StatefulSet", "a").fails_with(&["scales StatefulSet a"]);
    with("Widget", "w").passes();
}

#[test]
fn services_and_policies_select_pods() {
    let service = |selector: Value| json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"selector": selector}});
    let policy = |selector: Value| json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"podSelector": {"matchLabels": selector}}});
    for (labels, there) in
        [(json!({"app": "a"}), true), (json!({"app": "b"}), false), (json!({"app": "a", "tier": "x"}), false)]
    {
        let scene = || Scene::cluster().deployment("a", 1, pod(json!({})));
        let results = [
            scene().object(Input::Services, service(labels.clone())).check("NE-06"),
            scene().object(Input::NetworkPolicies, policy(labels.clone())).check("NE-08"),
        ];
        for result in results {
            if there { result.passes() } else { result.fails_with(&["shop/s: selects pods with"]) }
        }
    }
    let manifests = Scene::manifests().object(Input::Services, service(json!({"app": "b"})));
    manifests.check("NE-06").ends(Status::Warn, &["not in these manifests"]);
    let external = json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"type": "ExternalName", "selector": {"app": "b"}}});
    Scene::cluster().object(Input::Services, external).check("NE-06").ends(Status::Skip, &[]);
    Scene::cluster().object(Input::NetworkPolicies, policy(json!({}))).check("NE-08").ends(Status::Skip, &[]);
}

#[test]
fn labels_that_only_pods_have_count() {
    let one = json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"selector": {"statefulset.kubernetes.io/pod-name": "a-1"}}});
    let set = |replicas| Scene::cluster().workload(Input::StatefulSets, "a", replicas, pod(json!({})));
    set(2).object(Input::Services, one.clone()).check("NE-06").passes();
    set(1).object(Input::Services, one).check("NE-06").fails_with(&["a-1"]);
    let leader = json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"selector": {"app": "a", "role": "leader"}}});
    let seen = |role: &str| {
        json!({"metadata": {"name": format!("a-{role}"), "namespace": "shop", "labels": {"app": "a", "role": role},
                            "ownerReferences": [{"kind": "StatefulSet", "name": "a", "controller": true}]}})
    };
    let with = |roles: &[&str]| {
        let scene = set(2).object(Input::Services, leader.clone());
        roles.iter().fold(scene, |scene, role| scene.object(Input::Pods, seen(role))).check("NE-06")
    };
    with(&["follower", "leader"]).passes();
    with(&["follower", "follower"]).fails_with(&["role=leader"]);
}

#[test]
fn an_ingress_leads_to_a_port_that_exists() {
    let service = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"name": "http", "port": 80}]}});
    let backend = |name: &str, port: Value| json!({"service": {"name": name, "port": port}});
    let ingress = |backend: Value| json!({"metadata": {"name": "i", "namespace": "shop"}, "spec": {"rules": [{"http": {"paths": [{"backend": backend}]}}]}});
    let with = |backend: Value| {
        Scene::cluster()
            .object(Input::Services, service.clone())
            .object(Input::Ingresses, ingress(backend))
            .check("NE-07")
    };
    with(backend("web", json!({"number": 80}))).passes();
    with(backend("web", json!({"name": "http"}))).passes();
    with(json!({"serviceName": "web", "servicePort": 80})).passes();
    with(backend("web", json!({"number": 8080})))
        .fails_with(&["port 8080 of Service web, which has no such port"]);
    with(backend("wep", json!({"number": 80}))).fails_with(&["leads to Service wep, which does not exist"]);
    let part = Scene::manifests().object(Input::Ingresses, ingress(backend("web", json!({"number": 80}))));
    part.check("NE-07").ends(Status::Warn, &["not in these manifests"]);
}
