use super::*;
use crate::{
    Input,
    run::{Selection, run},
    testing::Scene,
};

fn of(scene: Scene) -> (Vec<Patch>, Results, Snapshot) {
    let snapshot = scene.build();
    let results = run(&snapshot, &Selection::default());
    (patches(&results, &snapshot), results, snapshot)
}

fn yaml(patch: &Patch) -> Value {
    serde_yaml::from_str(&patch.yaml).expect("YAML")
}

fn bare() -> Value {
    json!({"initContainers": [{"name": "proxy", "restartPolicy": "Always"}],
           "containers": [{"name": "app", "ports": [{"containerPort": 8080}], "resources": {"requests": {"memory": "100Mi"}}}]})
}

#[test]
fn one_patch_answers_all_that_can_be_answered_at_an_object() {
    let (patches, ..) = of(Scene::cluster().service("cart").deployment("cart", 1, bare()));
    let patch = patches.iter().find(|p| !p.adds).expect("a patch");
    assert_eq!(patch.checks, ["CO-01", "CO-02", "CO-12", "NE-01"]);
    assert_eq!(patch.file, "deployment-shop-cart.yaml");
    let value = yaml(patch);
    assert_eq!((&value["apiVersion"], &value["metadata"]["namespace"]), (&json!("apps/v1"), &json!("shop")));
    assert_eq!(value["spec"]["replicas"], 2);
    let pod = &value["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["resources"]["requests"], json!({"cpu": "100m"}));
    assert_eq!(pod["containers"][0]["resources"]["limits"], json!({"memory": "100Mi"}));
    assert_eq!(pod["containers"][0]["readinessProbe"]["tcpSocket"]["port"], 8080);
    assert_eq!(pod["initContainers"][0]["name"], "proxy", "a sidecar is an init container to the API");
}

/// Applies a patch as the API does, where lists are merged by name.
fn patched(mut object: Value, patch: &Patch) -> Value {
    merge(&mut object, yaml(patch));
    object
}

#[test]
fn what_a_patch_answers_is_answered() {
    let object = json!({
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "cart"}},
                 "template": {"metadata": {"labels": {"app": "cart"}}, "spec": bare()}},
    });
    let scene = |object: &Value| Scene::cluster().service("cart").object(Input::Deployments, object.clone());
    let (before, ..) = of(scene(&object));
    let patch = before.iter().find(|p| !p.adds).expect("a patch");
    let (_, results, _) = of(scene(&patched(object, patch)));
    for id in &patch.checks {
        assert_eq!(
            results.get(id).map(|c| c.status),
            Some(crate::Status::Pass),
            "{id}: {:?}",
            results.get(id)
        );
    }
}

#[test]
fn a_budget_is_about_the_workloads_own_pods() {
    let (patches, ..) = of(Scene::cluster().deployment("cart", 2, bare()));
    let budget = patches.iter().find(|p| p.adds).expect("a new object");
    assert_eq!(budget.file, "poddisruptionbudget-shop-cart.yaml");
    assert_eq!(
        yaml(budget)["spec"],
        json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "cart"}}})
    );
}

#[test]
fn what_cannot_be_changed_gets_no_patch() {
    let pod =
        json!({"metadata": {"name": "p", "namespace": "shop"}, "spec": {"containers": [{"name": "c"}]}});
    assert_eq!(of(Scene::cluster().object(Input::Pods, pod)).0, []);
}

#[test]
fn remedies_name_the_object() {
    let (_, results, snapshot) =
        of(Scene::cluster().deployment("cart", 2, json!({"containers": [], "serviceAccountName": "robot"})));
    let of = |id: &str| {
        let check = results.get(id).expect("there");
        let evidence = check.evidence.first().expect("a finding");
        remedy(check, evidence, workloads(&snapshot).get(&evidence.object).copied())
    };
    assert!(of("ID-06").contains("metadata: {name: robot, namespace: shop}"), "{}", of("ID-06"));
    assert!(of("CO-04").contains("metadata: {name: cart, namespace: shop}"), "{}", of("CO-04"));
    assert!(of("CO-04").contains("matchLabels: {app: cart}"), "{}", of("CO-04"));
    assert!(of("NE-02").contains("namespace: shop}"), "{}", of("NE-02"));
}

#[test]
fn only_whole_words_are_filled_in() {
    let text = "kubectl -n NAMESPACE get NAME # MYNAME, NAMES: NAME";
    assert_eq!(
        filled(text, &[("NAMESPACE", ""), ("NAME", "x")]),
        "kubectl -n NAMESPACE get x # MYNAME, NAMES: x"
    );
}

#[test]
fn no_second_pod_is_made_for_a_volume() {
    let mut pod = bare();
    pod["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    let (patches, ..) = of(Scene::cluster().service("db").deployment("db", 1, pod));
    assert!(patches.iter().all(|p| !p.checks.contains(&"CO-12".to_string())), "{patches:?}");
}

#[test]
fn bytes_are_exact() {
    assert_eq!([1 << 30, 100 << 20, 1 << 10, 1000, 0].map(bytes), ["1Gi", "100Mi", "1Ki", "1000", "0"]);
}

#[test]
fn a_new_budget_takes_no_name_that_is_taken() {
    let name = |scene: Scene| {
        let (patches, ..) = of(scene.deployment("cart", 3, bare()));
        yaml(patches.iter().find(|p| p.adds).expect("a budget"))["metadata"]["name"].clone()
    };
    let taken = json!({"metadata": {"name": "cart", "namespace": "shop"},
                       "spec": {"selector": {"matchLabels": {"app": "other"}}}});
    assert_eq!(name(Scene::cluster()), "cart");
    assert_eq!(name(Scene::cluster().object(Input::Budgets, taken)), "cart-deployment");
}

#[test]
fn a_part_of_a_workload_gets_no_patch() {
    let (patches, ..) = of(Scene::cluster().deployment("cart", 3, json!({})));
    assert_eq!(patches, []);
}

#[test]
fn no_patch_is_made_that_would_change_nothing() {
    let has = |scene: Scene, id: &str| of(scene).0.iter().any(|p| p.checks.iter().any(|c| c == id));
    let alone = || Scene::cluster().service("cart").deployment("cart", 1, bare());
    assert!(has(alone(), "CO-12") && has(alone(), "NE-01"));
    let scaler = json!({"metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"minReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "cart"}}});
    assert!(!has(alone().object(Input::Autoscalers, scaler), "CO-12"));
    let mut odd = bare();
    odd["containers"][0]["readinessProbe"] = json!({"httpGet": {"path": "/"}});
    assert!(!has(Scene::cluster().service("cart").deployment("cart", 1, odd), "NE-01"));
    let replicas = |pod: Value| Scene::manifests().workload(Input::StatefulSets, "db", 3, pod);
    assert!(has(replicas(bare()), "ST-03"));
    let mut pinned = bare();
    pinned["nodeSelector"] = json!({"topology.kubernetes.io/zone": "a"});
    assert!(!has(replicas(pinned), "ST-03"));
}
