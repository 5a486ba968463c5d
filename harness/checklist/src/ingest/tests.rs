use super::*;
use crate::snapshot::KeyKind;
use serde_json::{Value, json};

fn built(objects: &[(Input, Value)]) -> Snapshot {
    let mut builder =
        Builder::new(Origin::Cluster("test".into()), Timestamp::UNIX_EPOCH, vec!["mine".into()]);
    for (input, object) in objects {
        let _ = builder.add(*input, &object.to_string());
    }
    builder.finish()
}

fn pod(name: &str, owner: Value, node: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "labels": {"pod-template-hash": "7f9"}, "ownerReferences": [owner]},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
    })
}

#[test]
fn pods_find_their_workload_and_node() {
    let replica_set = json!({"kind": "ReplicaSet", "name": "cart-7f9", "controller": true});
    let snapshot = built(&[
        (Input::Nodes, json!({"metadata": {"name": "n1"}})),
        (Input::Pods, pod("cart-7f9-a", replica_set.clone(), "n1")),
        (Input::Pods, pod("cart-7f9-b", replica_set, "")),
        (Input::Pods, pod("odd-1", json!({"kind": "Rollout", "name": "odd", "controller": true}), "n1")),
        (
            Input::Deployments,
            json!({
                "metadata": {"name": "cart", "namespace": "shop"},
                "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c"}]}}},
            }),
        ),
    ]);
    let names: Vec<_> = snapshot.workloads.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["Deployment shop/cart", "Rollout shop/odd"]);
    assert_eq!(
        snapshot.workloads[0].template.containers[0].cpu_request,
        Some(100),
        "a LimitRange's gift counts"
    );
    let places: Vec<_> = snapshot.pods.iter().map(|p| (p.workload, p.node)).collect();
    assert_eq!(places, [(0, Some(0)), (0, None), (1, Some(0))]);
}

#[test]
fn finished_and_half_deleted_pods_take_nothing() {
    let snapshot = built(&[
        (Input::Pods, json!({"metadata": {"name": "a"}, "status": {"phase": "Succeeded"}})),
        (Input::Pods, json!({"metadata": {"name": "b", "deletionTimestamp": "2026-01-01T00:00:00Z"}})),
    ]);
    assert_eq!(snapshot.pods.len(), 0);
    assert_eq!(snapshot.read(Input::Pods), 2);
}

#[test]
fn what_is_not_understood_is_counted() {
    let snapshot = built(&[
        (Input::Pods, json!({"metadata": {"name": "a"}, "spec": {"containers": "x"}})),
        (Input::Pods, json!({"metadata": {}})),
        (Input::Pods, json!({"metadata": {"name": "a"}})),
    ]);
    assert_eq!((snapshot.read(Input::Pods), snapshot.unreadable(Input::Pods)), (1, 2));
}

#[test]
fn no_value_of_a_secret_or_config_map_gets_in() {
    use base64::Engine as _;
    let key = ["AKIA", "IOSFODNN7EXAMPLE"].concat();
    let encoded = base64::engine::general_purpose::STANDARD.encode(&key);
    let snapshot = built(&[
        (
            Input::Secrets,
            json!({"metadata": {"name": "s"}, "data": {"id": encoded, "other": "aHVudGVyMg=="}}),
        ),
        (Input::ConfigMaps, json!({"metadata": {"name": "c"}, "data": {"id": key}})),
        (Input::Secrets, json!({"metadata": {"name": "plain"}, "data": {"password": "aHVudGVyMg=="}})),
    ]);
    let kinds: Vec<_> = snapshot.bundles.iter().map(|b| (b.kind.as_str(), b.keys.clone())).collect();
    let found = vec![("id".to_string(), KeyKind::AwsAccessKey)];
    assert_eq!(kinds, [("ConfigMap", found.clone()), ("Secret", found)]);
    let text = serde_json::to_string(&snapshot).expect("json");
    for secret in [key.as_str(), encoded.as_str(), "hunter2", "aHVudGVyMg"] {
        assert!(!text.contains(secret), "{secret} is in the snapshot");
    }
}

#[test]
fn reserved_and_named_namespaces_are_not_judged() {
    let names = ["shop", "kube-system", "loopdrill-storage", "mine"];
    let snapshot = built(&names.map(|n| (Input::Namespaces, json!({"metadata": {"name": n}}))));
    assert_eq!(names.map(|n| snapshot.judges(n)), [true, false, false, false]);
    let run = json!({"metadata": {"name": "drill", "labels": {RUN_LABEL: "x"}}});
    assert!(!built(&[(Input::Namespaces, run)]).judges("drill"));
}

#[test]
fn a_snapshot_survives_its_own_json() {
    let snapshot = built(&[(Input::Nodes, json!({"metadata": {"name": "n1"}}))]);
    let text = serde_json::to_string(&snapshot).expect("json");
    assert_eq!(serde_json::from_str::<Snapshot>(&text).expect("reads"), snapshot);
}

proptest::proptest! {
    #[test]
    fn no_json_makes_it_panic(text in "\\PC{0,64}", index in 0..Input::ALL.len()) {
        let mut builder = Builder::new(Origin::Manifests, Timestamp::UNIX_EPOCH, vec![]);
        let _ = builder.add(Input::ALL[index], &text);
        let _ = builder.finish();
    }
}
