//! Scenes for tests: snapshots of which a test says only what matters to it.

use crate::{
    check::{CheckResult, Results, Status},
    checks,
    config::Config,
    ingest::Builder,
    run::{Selection, run},
    snapshot::{Input, Origin, Snapshot},
};
use loopdrill_model::Timestamp;
use serde_json::{Value, json};

/// Results with these checks only.
pub(crate) fn results(of: &[(&str, Status)]) -> Results {
    let one = |(id, status): &(&str, Status)| {
        let check = checks::by_id(id).expect("a check");
        CheckResult {
            id: check.id.into(),
            title: check.title.into(),
            area: check.area,
            severity: check.severity,
            status: *status,
            evidence: vec![],
            remedy: check.remedy.into(),
            predicts: check.predicts.iter().map(ToString::to_string).collect(),
            blind: false,
        }
    };
    Results { checks: of.iter().map(one).collect(), exceptions: vec![] }
}

/// The time at which all scenes are.
pub(crate) const NOW: &str = "2026-11-24T12:00:00Z";

/// A cluster in which everything was read.
pub(crate) struct Scene(Builder);

impl Scene {
    pub(crate) fn cluster() -> Self {
        let mut builder = Builder::new(Origin::Cluster("test".into()), NOW.parse().expect("a time"), vec![]);
        Input::ALL.iter().for_each(|input| builder.read(*input));
        Self(builder)
    }

    /// Manifests, in which nothing is but what a test adds.
    pub(crate) fn manifests() -> Self {
        let mut builder = Builder::new(Origin::Manifests, NOW.parse().expect("a time"), vec![]);
        Input::ALL.iter().for_each(|input| builder.read(*input));
        Self(builder)
    }

    pub(crate) fn object(mut self, input: Input, object: Value) -> Self {
        self.0.add(input, &object.to_string()).expect("an object");
        self
    }

    pub(crate) fn node(self, name: &str, zone: &str, cpu: &str) -> Self {
        self.object(
            Input::Nodes,
            json!({
                "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": name}},
                "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]},
            }),
        )
    }

    pub(crate) fn workload(self, input: Input, name: &str, replicas: u32, pod: Value) -> Self {
        let object = json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": name}}, "spec": pod}},
        });
        self.object(input, object)
    }

    pub(crate) fn deployment(self, name: &str, replicas: u32, pod: Value) -> Self {
        self.workload(Input::Deployments, name, replicas, pod)
    }

    pub(crate) fn service(self, name: &str) -> Self {
        let object =
            json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": {"app": name}}});
        self.object(Input::Services, object)
    }

    pub(crate) fn set(mut self, change: impl FnOnce(&mut Snapshot)) -> Self {
        change(self.0.snapshot());
        self
    }

    pub(crate) fn build(self) -> Snapshot {
        self.0.finish()
    }

    /// The result of one check.
    pub(crate) fn check(self, id: &str) -> CheckResult {
        result(&self.build(), id)
    }
}

pub(crate) fn result(snapshot: &Snapshot, id: &str) -> CheckResult {
    let results = run(snapshot, &Selection { config: Config::default(), ..Selection::default() });
    results.checks.into_iter().find(|c| c.id == id).expect("a check")
}

impl CheckResult {
    /// The evidence in one text.
    pub(crate) fn text(&self) -> String {
        self.evidence.iter().map(|e| format!("{}: {}\n", e.object, e.value)).collect()
    }

    /// It failed, and the evidence names all of this.
    #[track_caller]
    pub(crate) fn fails_with(self, words: &[&str]) {
        self.ends(Status::Fail, words);
    }

    #[track_caller]
    pub(crate) fn passes(self) {
        self.ends(Status::Pass, &[]);
    }

    #[track_caller]
    pub(crate) fn ends(self, status: Status, words: &[&str]) {
        assert_eq!(self.status, status, "{}: {}", self.id, self.text());
        for word in words {
            assert!(self.text().contains(word), "{}: {word:?} is not in {}", self.id, self.text());
        }
    }
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}
