use super::{LEADING, LOG_FIELDS};
use crate::{
    check::{CheckResult, Status},
    snapshot::{Etcd, EtcdMember, LogSample, Prometheus, Rule, Surface},
    testing::Scene,
};

fn prometheus() -> Prometheus {
    Prometheus {
        at: "Service monitoring/prometheus".into(),
        present: LEADING.iter().map(|(m, _)| (*m).to_string()).collect(),
        rules: ["identity", "compute", "network", "storage", "control-plane"]
            .map(|l| Rule {
                name: format!("of-{l}"),
                control_loop: Some(l.into()),
                for_seconds: 30.0,
                interval_seconds: 15.0,
                healthy: true,
                ..Rule::default()
            })
            .into(),
        scrape_seconds: 15.0,
    }
}

fn with(change: impl FnOnce(&mut Prometheus), id: &str) -> CheckResult {
    let mut found = prometheus();
    change(&mut found);
    let etcd = Etcd { members: vec![EtcdMember::default()] };
    Scene::cluster().set(|s| (s.prometheus, s.etcd) = (Some(found), Some(etcd))).check(id)
}

#[test]
fn ob_01_leading_metrics_have_samples() {
    with(|_| {}, "OB-01").passes();
    with(|p| p.present.retain(|m| !m.starts_with("etcd")), "OB-01")
        .fails_with(&["etcd_disk_wal_fsync", "loop control-plane"]);
    Scene::cluster().check("OB-01").fails_with(&["no Prometheus was found"]);
    let mut managed = prometheus();
    managed.present.retain(|m| !m.starts_with("etcd"));
    Scene::cluster().set(|s| s.prometheus = Some(managed)).check("OB-01").passes();
}

#[test]
fn ob_02_alerts_fire_in_time() {
    with(|_| {}, "OB-02").passes();
    with(|p| p.rules[2].for_seconds = 900.0, "OB-02")
        .fails_with(&["loop network", "of-network, takes 930 s"]);
    with(|p| drop(p.rules.remove(0)), "OB-02").fails_with(&["loop identity", "has no alert"]);
    with(|p| p.rules[0].healthy = false, "OB-02").fails_with(&["cannot be evaluated: of-identity"]);
    let by_metric = |p: &mut Prometheus| {
        p.rules[3].control_loop = None;
        p.rules[3].expr = "kube_persistentvolumeclaim_status_phase{phase=\"Pending\"} > 0".into();
    };
    with(by_metric, "OB-02").passes();
    Scene::cluster().check("OB-02").fails_with(&["no alert can fire"]);
}

#[test]
fn ob_03_services_and_nodes_are_measured() {
    let surface = |node: bool, seen: Result<&[&str], &str>| {
        let seen = seen.map(|s| s.iter().map(ToString::to_string).collect()).map_err(Into::into);
        let object = if node { "Node n1" } else { "Deployment shop/a" };
        Scene::cluster()
            .set(|s| s.surfaces = vec![Surface { object: object.into(), node, seen }])
            .check("OB-03")
    };
    surface(false, Ok(&["rate", "errors", "duration"])).passes();
    surface(false, Ok(&["rate"])).fails_with(&["Deployment shop/a", "no errors, no duration"]);
    surface(false, Err("asks for no scraping")).fails_with(&["asks for no scraping"]);
    surface(true, Ok(&["utilisation", "errors"])).fails_with(&["Node n1", "no saturation"]);
    Scene::cluster().check("OB-03").ends(Status::Skip, &[]);
}

#[test]
fn ob_04_lines_say_where_they_are_from() {
    let sample = |structured: u32, fields: &[&str], zonal: bool| {
        let fields = fields.iter().map(ToString::to_string).collect();
        let sample = LogSample { object: "Deployment shop/a".into(), zonal, lines: 5, structured, fields };
        Scene::cluster().set(|s| s.logs = vec![sample]).check("OB-04")
    };
    sample(5, &LOG_FIELDS, false).passes();
    sample(5, &LOG_FIELDS, true).fails_with(&["lines lack zone"]);
    sample(5, &LOG_FIELDS[2..], false).fails_with(&["lack trace_id, span_id"]);
    sample(3, &LOG_FIELDS, false).fails_with(&["2 of 5 lines are not structured"]);
    Scene::cluster().check("OB-04").ends(Status::Skip, &["no application pod has written"]);
}
