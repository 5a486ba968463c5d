use crate::{
    check::{CheckResult, Status},
    snapshot::{ApiLatency, Certificate, Etcd, EtcdMember, Input},
    testing::{Scene, time},
};

fn member(node: &str) -> EtcdMember {
    EtcdMember {
        node: node.into(),
        fsync_p99: Some(0.004),
        commit_p99: Some(0.012),
        syncs: 500,
        size_bytes: Some(100 << 20),
        quota_bytes: Some(2 << 30),
        ..EtcdMember::default()
    }
}

fn with(members: Vec<EtcdMember>, id: &str) -> CheckResult {
    Scene::cluster().set(|s| s.etcd = Some(Etcd { members })).check(id)
}

#[test]
fn cp_01_etcds_disk_is_fast() {
    with(vec![member("n1")], "CP-01").passes();
    with(vec![EtcdMember { fsync_p99: Some(0.03), ..member("n1") }], "CP-01")
        .ends(Status::Warn, &["etcd on n1", "fsync p99 is 30.0 ms"]);
    with(vec![EtcdMember { fsync_p99: Some(0.5), ..member("n1") }], "CP-01").fails_with(&["500.0 ms"]);
    with(vec![EtcdMember { commit_p99: Some(0.3), ..member("n1") }], "CP-01").fails_with(&["commit p99"]);
    with(vec![EtcdMember { syncs: 3, ..member("n1") }], "CP-01").ends(Status::Skip, &["fewer than 20 syncs"]);
    with(vec![], "CP-01").ends(Status::Skip, &["managed control plane"]);
}

#[test]
fn cp_02_the_api_answers_in_time() {
    let api = |p99: f64, rejected: u64, requests: u64| {
        let latency = ApiLatency {
            p99_seconds: [("LIST".to_string(), p99)].into(),
            rejected,
            requests,
            ..ApiLatency::default()
        };
        Scene::cluster().set(|s| s.api_latency = Some(latency)).check("CP-02")
    };
    api(0.2, 0, 100).passes();
    api(1.5, 0, 100).fails_with(&["verb LIST", "1.50 s"]);
    api(0.2, 7, 100).fails_with(&["rejected 7 requests"]);
    api(0.0, 0, 0).ends(Status::Skip, &[]);
}

#[test]
fn cp_03_etcd_has_room_and_company() {
    let three = || vec![member("n1"), member("n2"), member("n3")];
    with(three(), "CP-03").passes();
    with(vec![member("n1")], "CP-03").ends(Status::Warn, &["one member"]);
    with(vec![member("n1"), member("n2")], "CP-03").fails_with(&["2 members"]);
    with(vec![member("n1"), member("n1"), member("n2")], "CP-03").fails_with(&["3 members on 2 nodes"]);
    let mut full = three();
    full[1].size_bytes = Some(1800 << 20);
    with(full, "CP-03").fails_with(&["etcd on n2", "87 %"]);
    let mut alarmed = three();
    alarmed[2].alarms = vec!["NOSPACE".into()];
    with(alarmed, "CP-03").fails_with(&["etcd on n3", "NOSPACE"]);
}

#[test]
fn cp_04_certificates_have_time_left() {
    let ends = |at: &str| {
        let certificate =
            Certificate { node: "n1".into(), file: "pki/apiserver.crt".into(), not_after: time(at) };
        Scene::cluster().set(|s| s.certificates = vec![certificate]).check("CP-04")
    };
    ends("2027-11-24T00:00:00Z").passes();
    ends("2026-12-04T00:00:00Z").fails_with(&["Node n1", "pki/apiserver.crt ends in 10 days"]);
    ends("2026-11-20T00:00:00Z").fails_with(&["ended on"]);
    let clients = |seconds: f64| {
        let latency = ApiLatency { client_certificate_seconds: Some(seconds), ..ApiLatency::default() };
        Scene::cluster().set(|s| s.api_latency = Some(latency)).check("CP-04")
    };
    clients(7_776_000.0).passes();
    clients(604_800.0).fails_with(&["within 7 days"]);
    Scene::cluster().check("CP-04").ends(Status::Skip, &[]);
}

#[test]
fn without_access_to_etcd_nothing_passes() {
    let missing = |s: &mut crate::Snapshot| {
        let why = "no access to the nodes".to_string();
        s.inputs.insert(Input::Etcd, crate::snapshot::Availability::Missing(why));
    };
    for id in ["CP-01", "CP-03"] {
        Scene::cluster().set(missing).check(id).ends(Status::Skip, &["no access to the nodes"]);
    }
}
