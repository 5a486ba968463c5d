//! Each metric that is asked for because of the rules is read by one: without its samples some finding is another.

use crate::{scene::*, scenes::*};
use loopdrill_model::{
    Observation, Signal, Source,
    metrics::{self, FAMILIES, Family, Reader},
    signal::Histogram,
};

/// Scenes in which rules go by metrics.
pub(crate) const SCENES: &[fn(&mut Scene)] = &[
    rbac_revoked,
    bad_token,
    throttled,
    slow_etcd_and_database,
    stalled_etcd,
    crowded,
    webhook_unreachable,
    slow_webhook,
    webhook_passed_over,
    full_level,
    hidden_etcd,
];

#[test]
fn without_a_metric_some_finding_is_another() {
    let told: Vec<_> = SCENES
        .iter()
        .map(|tell| {
            let mut scene = Scene::lab();
            tell(&mut scene);
            scene
        })
        .collect();
    for family in FAMILIES.iter().filter(|f| f.readers.contains(&Reader::Rules)) {
        let read = told.iter().any(|scene| scene.diagnoses() != diagnoses_without(family, &scene.told));
        assert!(read, "no rule reads {}", family.name);
    }
}

fn diagnoses_without(family: &Family, told: &[Observation]) -> Vec<loopdrill_model::Diagnosis> {
    let other = |o: &&Observation| match &o.signal {
        Signal::Metric(m) => m.name != family.name,
        Signal::Histogram(h) => h.name != family.name,
        _ => true,
    };
    let rest: Vec<_> = told.iter().filter(other).cloned().collect();
    loopdrill_attribution::judge(&world(&rest)).diagnoses
}

fn slow_etcd_and_database(s: &mut Scene) {
    commits(s, 0);
    slow_etcd(s);
    commits(s, 20);
}

/// So many commits of etcd's database that took 50 ms.
fn commits(s: &mut Scene, count: u64) {
    let histogram = Histogram {
        name: metrics::BACKEND_COMMIT.name.into(),
        labels: Default::default(),
        buckets: vec![(0.032, 0), (0.064, count)],
        sum: 0.0,
        count,
    };
    let source = Source::metrics(&format!("etcd/{}", s.name("cp")));
    s.see_from(source, Signal::Histogram(histogram));
}

fn hidden_etcd(s: &mut Scene) {
    for second in 1..=12 {
        requests(s, 10 * second, 2 * second);
        writes_to_etcd(s, "update", 0, 2 * second);
        s.pass(1.0);
    }
}

fn stalled_etcd(s: &mut Scene) {
    let (writes, _) = steady(s, 40);
    for _ in 0..7 {
        fsyncs(s, writes, 0);
        s.metric(&format!("etcd/{}", s.name("cp")), metrics::PENDING_PROPOSALS.name, &[], 7.0);
        s.pass(1.0);
    }
}

/// More requests than the API server takes: some wait, some are turned away.
fn crowded(s: &mut Scene) {
    let (writes, asked) = steady(s, 40);
    for second in 1..=12_u32 {
        fsyncs(s, writes + 30 * u64::from(second), 0);
        requests(s, asked + 400 * u64::from(second), 0);
        s.metric("apiserver", metrics::QUEUED_REQUESTS.name, &[], 80.0);
        let by_accounts = [("flow_schema", "service-accounts")];
        s.metric("apiserver", metrics::DISPATCHED_REQUESTS.name, &by_accounts, f64::from(400 * second));
        s.metric("apiserver", metrics::REJECTED_REQUESTS.name, &[], f64::from(10 * second));
        s.pass(1.0);
    }
}

fn webhook_unreachable(s: &mut Scene) {
    for (failed, pause) in [(3.0, 5.0), (4.0, 13.0), (5.0, 1.0)] {
        let labels = [("error_type", "calling_webhook_error")];
        s.metric("apiserver", metrics::WEBHOOK_REJECTIONS.name, &labels, failed);
        s.pass(pause);
    }
}

/// A webhook that does not answer in time, for which requests are let through then.
pub(crate) fn webhook_passed_over(s: &mut Scene) {
    slow_webhook(s);
    let (writes, asked) = (520, 1016);
    for second in 1..=12_u32 {
        fsyncs(s, writes + 10 * u64::from(second), 0);
        requests(s, asked + 18 * u64::from(second), 24 + 2 * u64::from(second));
        webhook_calls(s, 0, 24 + 2 * u64::from(second));
        let labels = [("name", "w.example.com")];
        s.metric("apiserver", metrics::WEBHOOK_FAIL_OPEN.name, &labels, f64::from(2 * second));
        s.pass(1.0);
    }
}
