use crate::{check::Status, snapshot::Input, testing::Scene};
use serde_json::{Value, json};

fn class(name: &str, mode: &str, default: bool) -> Value {
    let annotations = json!({"storageclass.kubernetes.io/is-default-class": default.to_string()});
    json!({"metadata": {"name": name, "annotations": annotations}, "provisioner": "ebs.csi.aws.com", "volumeBindingMode": mode})
}

const WAITS: &str = "WaitForFirstConsumer";

#[test]
fn st_01_the_default_class_waits() {
    let with = |mode: &str| Scene::cluster().object(Input::StorageClasses, class("c", mode, true));
    with(WAITS).check("ST-01").passes();
    with("Immediate").check("ST-01").fails_with(&["StorageClass c", "binds immediately"]);
    with(WAITS)
        .object(Input::StorageClasses, class("d", WAITS, true))
        .check("ST-01")
        .ends(Status::Warn, &["c, d"]);
    let none = Scene::cluster().object(Input::StorageClasses, class("c", WAITS, false));
    none.check("ST-01").ends(Status::Warn, &["no StorageClass is the default"]);
    Scene::cluster().check("ST-01").ends(Status::Skip, &[]);
}

fn claim(class: &str) -> Value {
    json!({"metadata": {"name": "data", "namespace": "shop"}, "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"]}})
}

#[test]
fn st_02_zonal_classes_in_use_wait() {
    let with = |mode: &str, used: &str| {
        let scene = Scene::cluster().object(Input::StorageClasses, class("zonal", mode, false));
        scene.object(Input::Claims, claim(used)).check("ST-02")
    };
    with(WAITS, "zonal").passes();
    with("Immediate", "zonal").fails_with(&["StorageClass zonal", "1 claims"]);
    with("Immediate", "other").ends(Status::Skip, &["no zonal StorageClass is in use"]);
    let mut nfs = class("nfs", "Immediate", false);
    nfs["provisioner"] = json!("nfs.example");
    let scene =
        || Scene::cluster().object(Input::StorageClasses, nfs.clone()).object(Input::Claims, claim("nfs"));
    scene().check("ST-02").ends(Status::Skip, &[]);
    let driver = json!({"spec": {"drivers": [{"name": "nfs.example", "topologyKeys": ["x/zone"]}]}});
    scene().object(Input::CsiNodes, driver).check("ST-02").fails_with(&["StorageClass nfs"]);
}

#[test]
fn st_02_claims_without_a_class_use_the_default_one() {
    let bare = json!({"metadata": {"name": "data", "namespace": "shop"}, "spec": {}});
    let scene = Scene::cluster()
        .object(Input::StorageClasses, class("c", "Immediate", true))
        .object(Input::Claims, bare);
    scene.check("ST-02").fails_with(&["StorageClass c"]);
}

#[test]
fn st_03_replicas_with_data_spread() {
    let zones = || Scene::cluster().node("n1", "a", "1").node("n2", "b", "1");
    let spread = json!({"topologySpreadConstraints": [{"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "db"}}}]});
    zones().workload(Input::StatefulSets, "db", 3, spread).check("ST-03").passes();
    let host = json!({"topologySpreadConstraints": [{"topologyKey": "kubernetes.io/hostname"}]});
    zones()
        .workload(Input::StatefulSets, "db", 3, host)
        .check("ST-03")
        .fails_with(&["StatefulSet shop/db", "3 replicas"]);
    zones().workload(Input::StatefulSets, "db", 1, json!({})).check("ST-03").ends(Status::Skip, &[]);
    let one = Scene::cluster().node("n1", "a", "1").workload(Input::StatefulSets, "db", 3, json!({}));
    one.check("ST-03").ends(Status::Skip, &["fewer than two zones"]);
}

#[test]
fn st_04_writers_are_stateful_sets() {
    let pod = json!({"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
    let shared = json!({"metadata": {"name": "data", "namespace": "shop"}, "spec": {"accessModes": ["ReadWriteMany"]}});
    let with = |input: Input, claim: Value| {
        Scene::cluster().object(Input::Claims, claim).workload(input, "db", 1, pod.clone()).check("ST-04")
    };
    with(Input::Deployments, claim("c")).fails_with(&["Deployment shop/db", "claim data"]);
    with(Input::Deployments, shared).passes();
    with(Input::StatefulSets, claim("c")).passes();
    Scene::cluster().deployment("a", 1, json!({})).check("ST-04").ends(Status::Skip, &[]);
}

#[test]
fn st_05_zones_with_data_have_a_second_node() {
    let volume = |zones: &[&str]| {
        let term = json!({"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": zones}]});
        json!({
            "metadata": {"name": "pv"},
            "spec": {"claimRef": {"namespace": "shop", "name": "data"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}},
        })
    };
    let with = |zones: &[&str]| {
        Scene::cluster()
            .node("n1", "a", "1")
            .node("n2", "a", "1")
            .node("n3", "b", "1")
            .object(Input::Volumes, volume(zones))
    };
    with(&["a"]).check("ST-05").passes();
    with(&["b"]).check("ST-05").fails_with(&["zone b", "1 volumes in use and 1 nodes"]);
    with(&["a", "b"]).check("ST-05").ends(Status::Skip, &[]);
    let cordoned = with(&["a"]).set(|s| s.nodes[0].cordoned = true);
    cordoned.check("ST-05").fails_with(&["zone a"]);
}
