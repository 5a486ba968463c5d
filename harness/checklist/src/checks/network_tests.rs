use crate::{
    check::Status,
    snapshot::{Input, OverlayLink, PairProbe},
    testing::Scene,
};
use serde_json::{Value, json};

#[test]
fn ne_01_pods_behind_services_say_when_they_are_ready() {
    let ready = json!({"containers": [{"name": "app", "readinessProbe": {"tcpSocket": {"port": 1}}}, {"name": "sidecar"}]});
    let silent = json!({"containers": [{"name": "app"}]});
    Scene::cluster().service("a").deployment("a", 1, ready).check("NE-01").passes();
    let bad =
        Scene::cluster().service("a").deployment("a", 1, silent.clone()).deployment("b", 1, silent.clone());
    bad.check("NE-01").fails_with(&["Deployment shop/a", "Service a leads to it"]);
    Scene::cluster().service("x").deployment("a", 1, silent).check("NE-01").ends(Status::Skip, &[]);
}

#[test]
fn ne_02_namespaces_deny_by_default() {
    let with = |spec: Value| {
        let policy = json!({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec});
        Scene::cluster().deployment("a", 1, json!({})).object(Input::NetworkPolicies, policy).check("NE-02")
    };
    with(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})).passes();
    with(json!({"podSelector": {}})).passes();
    for open in [
        json!({"podSelector": {"matchLabels": {"app": "a"}}}),
        json!({"podSelector": {}, "policyTypes": ["Egress"]}),
        json!({"podSelector": {}, "ingress": [{}]}),
    ] {
        with(open).fails_with(&["Namespace shop"]);
    }
    Scene::cluster().deployment("a", 1, json!({})).check("NE-02").fails_with(&["Namespace shop"]);
    Scene::cluster().deployment("a", 1, json!({"hostNetwork": true})).check("NE-02").ends(Status::Skip, &[]);
}

fn link(node: &str, mtu: u32) -> OverlayLink {
    OverlayLink {
        node: node.into(),
        device: "flannel.1".into(),
        kind: "vxlan".into(),
        mtu,
        underlay: "eth0".into(),
        underlay_mtu: 1500,
    }
}

#[test]
fn ne_03_the_encapsulation_has_room() {
    let with = |links: Vec<OverlayLink>| {
        Scene::cluster().node("n1", "a", "1").node("n2", "a", "1").set(|s| s.links = links).check("NE-03")
    };
    with(vec![link("n1", 1450), link("n2", 1450)]).passes();
    with(vec![link("n1", 1450), link("n2", 1451)]).fails_with(&[
        "Node n2",
        "at most 1450",
        "disagree about the MTU of vxlan: 1450, 1451",
    ]);
    with(vec![link("n1", 1450), link("n2", 1400)]).fails_with(&["1400, 1450"]);
    with(vec![link("n1", 1450)]).ends(Status::Warn, &["Node n2"]);
    with(vec![]).ends(Status::Skip, &["no node has an overlay device"]);
    let ip = OverlayLink { kind: "ipip".into(), mtu: 1480, ..link("n1", 0) };
    with(vec![ip.clone(), OverlayLink { node: "n2".into(), ..ip }]).passes();
}

#[test]
fn ne_04_full_size_payloads_pass_between_all_nodes() {
    let probe = |from: &str, to: &str, passed, lost| PairProbe {
        from: from.into(),
        to: to.into(),
        bytes: 1400,
        passed,
        lost,
    };
    let with = |probes: Vec<PairProbe>| {
        Scene::cluster().node("n1", "a", "1").node("n2", "a", "1").set(|s| s.probes = probes).check("NE-04")
    };
    with(vec![probe("n1", "n2", 3, 0), probe("n2", "n1", 3, 0)]).passes();
    with(vec![probe("n1", "n2", 0, 3), probe("n2", "n1", 3, 0)])
        .fails_with(&["n1 → n2", "none of 3 payloads of 1400"]);
    with(vec![probe("n1", "n2", 3, 0)]).fails_with(&["n2 → n1", "no probe came to an end"]);
    with(vec![probe("n1", "n2", 2, 1), probe("n2", "n1", 3, 0)]).ends(Status::Warn, &["1 of 3"]);
    Scene::cluster().node("n1", "a", "1").check("NE-04").ends(Status::Skip, &[]);
}

#[test]
fn ne_05_ingresses_choose_their_times() {
    let with = |annotations: Value| {
        let ingress = json!({"metadata": {"name": "i", "namespace": "shop", "annotations": annotations}});
        Scene::cluster().object(Input::Ingresses, ingress).check("NE-05")
    };
    let nginx = "nginx.ingress.kubernetes.io/proxy";
    with(json!({format!("{nginx}-read-timeout"): "30", format!("{nginx}-buffer-size"): "8k"})).passes();
    with(json!({"alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=30"}))
        .passes();
    with(json!({format!("{nginx}-read-timeout"): "30"})).fails_with(&["Ingress shop/i", "no buffers"]);
    with(json!(null)).fails_with(&["neither timeouts nor buffers"]);
    Scene::cluster().check("NE-05").ends(Status::Skip, &["no Ingress"]);
}
