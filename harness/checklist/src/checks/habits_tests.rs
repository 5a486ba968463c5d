use crate::{Input, Status, testing::Scene};
use serde_json::{Value, json};

fn role(input: Input, groups: &[&str], resources: &[&str], verbs: &[&str]) -> crate::CheckResult {
    let rules = json!([{"apiGroups": groups, "resources": resources, "verbs": verbs}]);
    let object = json!({"metadata": {"name": "r", "namespace": "shop"}, "rules": rules});
    Scene::cluster().object(input, object).check("ID-07")
}

#[test]
fn a_wildcard_is_judged_by_how_far_it_reaches() {
    role(Input::ClusterRoles, &["*"], &["*"], &["*"]).fails_with(&["ClusterRole r: grants * on * of *"]);
    role(Input::Roles, &[""], &["*"], &["get"]).fails_with(&["Role shop/r: grants get on * of core"]);
    role(Input::Roles, &[""], &["secrets"], &["*"]).fails_with(&["grants * on secrets"]);
    role(Input::ClusterRoles, &["rbac.authorization.k8s.io"], &["clusterroles"], &["*"])
        .fails_with(&["clusterroles"]);
    role(Input::ClusterRoles, &["mine.example"], &["*"], &["*"]).ends(Status::Warn, &["of mine.example"]);
    role(Input::Roles, &["apps"], &["deployments"], &["*"])
        .ends(Status::Warn, &["grants * on deployments of apps"]);
    role(Input::Roles, &["apps"], &["deployments"], &["get"]).passes();
    let own = json!({"metadata": {"name": "admin", "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
                     "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    Scene::cluster().object(Input::ClusterRoles, own).check("ID-07").ends(Status::Skip, &[]);
    let urls = json!({"metadata": {"name": "r"}, "rules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}]});
    Scene::cluster().object(Input::ClusterRoles, urls).check("ID-07").passes();
}

fn workload(selector: Value, labels: Value) -> Value {
    json!({"metadata": {"name": "a", "namespace": "shop"},
           "spec": {"selector": selector, "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}]}}}})
}

#[test]
fn a_selector_matches_its_template() {
    let with = |selector: Value, labels: Value| {
        Scene::cluster().object(Input::Deployments, workload(selector, labels)).check("CO-11")
    };
    with(json!({"matchLabels": {"app": "a"}}), json!({"app": "a", "more": "x"})).passes();
    with(json!({"matchLabels": {"app": "a"}}), json!({"app": "b"}))
        .fails_with(&["asks for app=a, and its template has app=b"]);
    with(json!({"matchLabels": {"app": "a"}}), json!(null)).fails_with(&["has no label"]);
    with(json!({}), json!({"app": "a"})).fails_with(&["no selector that is understood"]);
    let expression = json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]});
    with(expression.clone(), json!({"app": "b"})).passes();
    with(expression, json!({"app": "c"})).fails_with(&["app In a|b"]);
}

#[test]
fn one_pod_behind_a_service_is_told() {
    let pod = || json!({"containers": [{"name": "c"}]});
    let served = |replicas| Scene::cluster().service("a").deployment("a", replicas, pod());
    served(1).check("CO-12").fails_with(&["Deployment shop/a: Service a leads to one pod"]);
    served(2).check("CO-12").passes();
    let scaler = |least: u32| {
        json!({"metadata": {"name": "s", "namespace": "shop"},
               "spec": {"minReplicas": least, "scaleTargetRef": {"kind": "Deployment", "name": "a"}}})
    };
    served(1).object(Input::Autoscalers, scaler(3)).check("CO-12").passes();
    served(3).object(Input::Autoscalers, scaler(1)).check("CO-12").fails_with(&["leads to one pod"]);
    let store = Scene::cluster().service("a").workload(Input::StatefulSets, "a", 1, pod());
    store.check("CO-12").ends(Status::Warn, &["StatefulSet shop/a"]);
    Scene::cluster().deployment("a", 1, pod()).check("CO-12").ends(Status::Skip, &[]);
}

#[test]
fn a_cron_job_has_an_end() {
    let with = |start: bool, end: bool, in_pod: bool| {
        let mut job = json!({"metadata": {"name": "n", "namespace": "shop"},
                             "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}}});
        if start {
            job["spec"]["startingDeadlineSeconds"] = json!(60);
        }
        if end {
            job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] = json!(60);
        }
        if in_pod {
            job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["activeDeadlineSeconds"] = json!(60);
        }
        Scene::cluster().object(Input::CronJobs, job).check("CO-13")
    };
    with(false, false, false).fails_with(&["CronJob shop/n: has neither"]);
    with(true, false, false).ends(Status::Warn, &["no activeDeadlineSeconds"]);
    with(false, true, false).ends(Status::Warn, &["no startingDeadlineSeconds"]);
    with(true, true, false).passes();
    with(true, false, true).passes();
}

#[test]
fn probes_ask_ports_that_are_declared() {
    let with = |probe: Value| {
        let container =
            json!({"name": "c", "ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": probe});
        Scene::cluster().deployment("a", 1, json!({"containers": [container]})).check("NE-09")
    };
    with(json!({"httpGet": {"port": "http"}})).passes();
    with(json!({"tcpSocket": {"port": 8080}})).passes();
    with(json!({"grpc": {"port": 8080}})).passes();
    with(json!({"exec": {"command": ["true"]}})).passes();
    // The API refuses a name without a letter.
    with(json!({"httpGet": {"port": "8080"}})).fails_with(&["asks port \"8080\""]);
    with(json!({"httpGet": {"port": "metrics"}}))
        .fails_with(&["container c: its readiness probe asks port \"metrics\""]);
    with(json!({"httpGet": {"port": 9090}})).ends(Status::Warn, &["asks port 9090"]);
    let startup = json!({"containers": [{"name": "c", "startupProbe": {"tcpSocket": {"port": "x"}}}]});
    Scene::cluster().deployment("a", 1, startup).check("NE-09").fails_with(&["its startup probe"]);
}
