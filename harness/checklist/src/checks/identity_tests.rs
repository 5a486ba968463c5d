use crate::{
    check::Status,
    snapshot::Input,
    testing::{NOW, Scene, time},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

fn key() -> String {
    ["AKIA", "IOSFODNN7EXAMPLE"].concat()
}

fn app(more: Value) -> Value {
    let mut pod = json!({"containers": [{"name": "app"}]});
    pod.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
    pod
}

#[test]
fn id_01_keys_in_secrets_config_maps_and_environments() {
    let secret =
        json!({"metadata": {"name": "cloud", "namespace": "shop"}, "data": {"id": STANDARD.encode(key())}});
    Scene::cluster().object(Input::Secrets, secret).check("ID-01").fails_with(&[
        "Secret shop/cloud",
        "entry id",
        "AWS",
    ]);
    let map = json!({"metadata": {"name": "cloud"}, "data": {"key.json": "{\"type\": \"service_account\", \"private_key\": \"x\"}"}});
    Scene::cluster()
        .object(Input::ConfigMaps, map)
        .check("ID-01")
        .fails_with(&["ConfigMap default/cloud", "GCP"]);
    let pod =
        json!({"containers": [{"name": "app", "env": [{"name": "AZURE_CLIENT_SECRET", "value": "s"}]}]});
    Scene::cluster().deployment("a", 1, pod).check("ID-01").fails_with(&[
        "Deployment shop/a",
        "container app",
        "Azure",
    ]);
    let good = json!({"metadata": {"name": "x"}, "data": {"password": "aHVudGVyMg=="}});
    Scene::cluster().object(Input::Secrets, good).check("ID-01").passes();
}

fn reaches(account: &str) -> Value {
    json!({"serviceAccountName": account, "containers": [{"name": "app", "env": [{"name": "AWS_REGION", "value": "x"}]}]})
}

fn account(name: &str, role: bool) -> Value {
    let annotations =
        if role { json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}) } else { json!({}) };
    json!({"metadata": {"name": name, "namespace": "shop", "annotations": annotations}})
}

#[test]
fn id_02_clouds_are_reached_by_ones_own_identity() {
    let scene = || Scene::cluster().object(Input::ServiceAccounts, account("app", true));
    scene().deployment("a", 1, reaches("app")).check("ID-02").passes();
    let shared = scene().deployment("a", 1, reaches("app")).deployment("b", 1, reaches("app"));
    shared.check("ID-02").ends(Status::Warn, &["shares its identity app"]);
    scene()
        .deployment("a", 1, reaches("default"))
        .check("ID-02")
        .fails_with(&["Deployment shop/a", "`default`"]);
    let plain =
        scene().object(Input::ServiceAccounts, account("plain", false)).deployment("a", 1, reaches("plain"));
    plain.check("ID-02").fails_with(&["plain is mapped to no identity"]);
    scene()
        .deployment("a", 1, app(json!({})))
        .check("ID-02")
        .ends(Status::Skip, &["no workload here names a cloud"]);
}

fn binding(name: &str, subjects: Value) -> Value {
    json!({"metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": subjects})
}

#[test]
fn id_03_administrators_are_few_and_named() {
    let with =
        |subjects: Value| Scene::cluster().object(Input::Bindings, binding("b", subjects)).check("ID-03");
    with(json!([{"kind": "Group", "name": "system:masters"}])).passes();
    with(json!([{"kind": "User", "name": "anna"}])).passes();
    with(json!(null)).passes();
    let default = json!([{"kind": "ServiceAccount", "namespace": "shop", "name": "default"}]);
    with(default).fails_with(&["ClusterRoleBinding b", "ServiceAccount shop/default"]);
    for crowd in [
        "system:authenticated",
        "system:unauthenticated",
        "system:serviceaccounts",
        "system:serviceaccounts:shop",
    ] {
        with(json!([{"kind": "Group", "name": crowd}])).fails_with(&[crowd]);
    }
    let many: Vec<_> = (0..6).map(|i| json!({"kind": "User", "name": format!("u{i}")})).collect();
    with(json!(many)).fails_with(&["6 subjects have cluster-admin", "User u3"]);
    let other = json!({"metadata": {"name": "v"}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "Group", "name": "system:authenticated"}]});
    Scene::cluster().object(Input::Bindings, other).check("ID-03").passes();
}

#[test]
fn id_04_tokens_expire() {
    let secret = json!({
        "metadata": {"name": "old", "namespace": "shop", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
    });
    Scene::cluster()
        .object(Input::Secrets, secret)
        .check("ID-04")
        .fails_with(&["Secret shop/old", "ServiceAccount robot"]);
    let projected = |seconds: u64| {
        let token =
            json!({"serviceAccountToken": {"path": "t", "audience": "vault", "expirationSeconds": seconds}});
        app(json!({"volumes": [{"name": "t", "projected": {"sources": [token]}}]}))
    };
    Scene::cluster().deployment("a", 1, projected(3600)).check("ID-04").passes();
    Scene::cluster()
        .deployment("a", 1, projected(31_536_000))
        .check("ID-04")
        .fails_with(&["Deployment shop/a", "8760 hours"]);
}

fn pull_secret(user: &str, more: Value) -> Value {
    let config = json!({"auths": {"registry.example": {"auth": STANDARD.encode(format!("{user}:secret"))}}});
    let mut meta = json!({"name": "pull", "namespace": "shop"});
    meta.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
    json!({"metadata": meta, "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": STANDARD.encode(config.to_string())}})
}

fn pulls() -> Scene {
    Scene::cluster().deployment("a", 1, app(json!({"imagePullSecrets": [{"name": "pull"}]})))
}

#[test]
fn id_05_pull_credentials_do_not_end_unnoticed() {
    let with =
        |user: &str, more: Value| pulls().object(Input::Secrets, pull_secret(user, more)).check("ID-05");
    with("AWS", json!({})).fails_with(&["Secret shop/pull", "lives 12 h", "registry.example"]);
    with("AWS", json!({"ownerReferences": [{"kind": "ExternalSecret", "name": "x"}]})).passes();
    with("ci", json!({})).ends(Status::Warn, &["static password"]);
    let noted = |day: &str| json!({"annotations": {"loopdrill.dev/expires": day}});
    with("ci", noted("2027-06-01")).passes();
    with("ci", noted("2026-11-26")).ends(Status::Warn, &["has to be replaced by"]);
    with("ci", noted("2026-11-01")).fails_with(&["was to be replaced by"]);
    with("ci", noted("soon")).ends(Status::Warn, &["static password"]);
    pulls().check("ID-05").fails_with(&["Secret shop/pull", "does not exist"]);
    Scene::cluster()
        .deployment("a", 1, app(json!({})))
        .check("ID-05")
        .ends(Status::Skip, &["no workload pulls"]);
    assert_eq!(time(NOW).to_string(), NOW);
}

#[test]
fn id_05_a_refused_pull_is_seen_also_without_a_secret() {
    let pod = json!({
        "metadata": {"name": "p", "namespace": "shop"}, "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Pending", "containerStatuses": [{"image": "registry.example/app:1", "state": {"waiting": {
            "reason": "ErrImagePull", "message": "failed to pull: 401 Unauthorized",
        }}}]},
    });
    Scene::cluster()
        .object(Input::Pods, pod.clone())
        .check("ID-05")
        .fails_with(&["Pod shop/p", "registry.example refuses"]);
    let mut missing = pod;
    missing["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = json!("not found");
    Scene::cluster().object(Input::Pods, missing).check("ID-05").ends(Status::Skip, &[]);
}
