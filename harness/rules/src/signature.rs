//! What a signature is, and the pack as rules and their tests.

use crate::{
    HEALTHY, RECORDINGS, SIGNATURES,
    table::{ALSO, OVERLAY},
};
use loopdrill_model::Cause;
use serde_json::{Value, json};

/// An intermediate series that several alerts share.
#[derive(Debug)]
pub struct Recording {
    /// Its name.
    pub record: &'static str,
    /// How it is computed.
    pub expr: &'static str,
}

/// One alert. In `expr`, `$W` stands for the window of rates, `$OVERLAY` for the devices of overlays.
#[derive(Debug)]
pub struct Signature {
    /// The alert's name.
    pub alert: &'static str,
    /// What it blames; the loop is the cause's.
    pub cause: Cause,
    /// When it fires.
    pub expr: &'static str,
    /// Seconds for which that must hold.
    pub hold: u64,
    /// How sure it is, 0 to 1: of several that fire, the surest is believed.
    pub confidence: f64,
    /// One line for people; may use the alert's labels.
    pub summary: &'static str,
    /// What it looks like when it is so.
    pub example: Example,
}

/// Series under which an alert fires, in promtool's notation, one sample every five seconds, and the labels it then
/// has beside its own.
#[derive(Debug)]
pub struct Example {
    /// Series and their values.
    pub series: &'static [(&'static str, &'static str)],
    /// Labels of the alert.
    pub labels: &'static [(&'static str, &'static str)],
}

/// The rule pack, for clusters that are scraped at some interval.
#[derive(Debug, Clone, Copy)]
pub struct Pack {
    /// The window of rates, in seconds: at least four scrape intervals.
    pub window: u64,
    /// Between two evaluations, in seconds.
    pub interval: u64,
}

impl Default for Pack {
    fn default() -> Self {
        Self { window: 60, interval: 15 }
    }
}

impl Pack {
    pub(crate) fn expr(&self, text: &str) -> String {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.replace("$W", &format!("{}s", self.window)).replace("$OVERLAY", OVERLAY)
    }

    /// The groups of rules, as both kinds of file have them.
    #[must_use]
    pub fn groups(&self) -> Value {
        let interval = format!("{}s", self.interval);
        let records = RECORDINGS.iter().map(|r| json!({ "record": r.record, "expr": self.expr(r.expr) }));
        let alerts = SIGNATURES.iter().map(|s| {
            json!({
                "alert": s.alert,
                "expr": self.expr(s.expr),
                "for": format!("{}s", s.hold),
                "labels": { "loop": s.cause.control_loop().name(), "cause": s.cause.name(), "severity": "critical" },
                "annotations": { "summary": s.summary, "confidence": s.confidence.to_string() },
            })
        });
        // One group: Prometheus evaluates its rules in order, so that alerts see the records of the same moment.
        json!([{ "name": "loopdrill", "interval": interval, "rules": records.chain(alerts).collect::<Vec<_>>() }])
    }

    /// A Prometheus rule file.
    #[must_use]
    pub fn rules(&self) -> String {
        yaml(&json!({ "groups": self.groups() }))
    }

    /// A `PrometheusRule` for the Prometheus operator.
    #[must_use]
    pub fn prometheus_rule(&self, namespace: &str) -> String {
        yaml(&json!({
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {
                "name": "loopdrill",
                "namespace": namespace,
                "labels": { "app.kubernetes.io/name": "loopdrill" },
            },
            "spec": { "groups": self.groups() },
        }))
    }

    /// Unit tests for `promtool test rules`: each example fires its alert, and a healthy cluster fires none.
    #[must_use]
    pub fn tests(&self, rules_file: &str) -> String {
        let at = format!("{}s", 60 + self.window);
        let input = |series: &[(&str, &str)]| -> Vec<Value> {
            let stretched = |values: &str| values.replace("$N", &(24 + self.window / 5).to_string());
            series.iter().map(|(s, v)| json!({ "series": s, "values": stretched(v) })).collect()
        };
        let fires = |s: &Signature, example: &Example| {
            let mut labels = json!({
                "loop": s.cause.control_loop().name(), "cause": s.cause.name(), "severity": "critical",
            });
            example.labels.iter().for_each(|(k, v)| labels[*k] = json!(v));
            let summary = example.labels.iter().fold(s.summary.to_string(), |text, (k, v)| {
                text.replace(&format!("{{{{ $labels.{k} }}}}"), v)
            });
            let annotations = json!({ "summary": summary, "confidence": s.confidence.to_string() });
            json!({
                "name": format!("{} fires", s.alert), "interval": "5s", "input_series": input(example.series),
                "alert_rule_test": [{
                    "eval_time": at, "alertname": s.alert,
                    "exp_alerts": [{ "exp_labels": labels, "exp_annotations": annotations }],
                }],
            })
        };
        let silent =
            SIGNATURES.iter().map(|s| json!({ "eval_time": at, "alertname": s.alert, "exp_alerts": [] }));
        let healthy = json!({
            "name": "a healthy cluster is silent", "interval": "5s", "input_series": input(HEALTHY),
            "alert_rule_test": silent.collect::<Vec<_>>(),
        });
        let also = |s: &'static Signature| {
            ALSO.iter().filter(|(alert, _)| *alert == s.alert).map(|(_, example)| example)
        };
        let each =
            SIGNATURES.iter().flat_map(|s| std::iter::once(&s.example).chain(also(s)).map(move |e| (s, e)));
        let tests: Vec<_> = each.map(|(s, e)| fires(s, e)).chain([healthy]).collect();
        yaml(&json!({ "rule_files": [rules_file], "evaluation_interval": "5s", "tests": tests }))
    }
}

fn yaml(value: &Value) -> String {
    let head = "# Generated by `loopdrill rules`; edit the table of signatures instead.\n";
    let named = |cause: &&Cause| SIGNATURES.iter().any(|s| s.cause == **cause);
    let silent: Vec<_> = Cause::ALL.iter().filter(|cause| !named(cause)).map(|cause| cause.name()).collect();
    let silent = format!("# No alert names these; `loopdrill diagnose` does: {}.\n", silent.join(", "));
    format!("{head}{silent}{}", serde_yaml::to_string(value).expect("plain data has a text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::Loop;
    use std::collections::BTreeSet;

    #[test]
    fn each_drilled_loop_has_an_alert_and_each_alert_a_name_of_its_own() {
        let loops: BTreeSet<_> = SIGNATURES.iter().map(|s| s.cause.control_loop()).collect();
        assert!(Loop::DRILLED.iter().all(|l| loops.contains(l)));
        let names: BTreeSet<_> = SIGNATURES.iter().map(|s| s.alert).collect();
        assert_eq!(names.len(), SIGNATURES.len());
        assert!(ALSO.iter().all(|(alert, _)| names.contains(alert)));
    }

    #[test]
    fn the_metrics_that_the_design_names_are_watched_under_exactly_these_names() {
        let all = Pack::default().rules();
        for metric in [
            "kube_pod_container_status_restarts_total",
            "kube_pod_status_phase{phase=\"Pending\"}",
            "kube_node_status_allocatable",
            "node_network_receive_drop_total",
            "node_network_transmit_drop_total",
            "kube_persistentvolumeclaim_status_phase{phase=\"Pending\"}",
            "etcd_disk_wal_fsync_duration_seconds",
            "apiserver_request_duration_seconds",
            "authorization_attempts_total{result=\"no-opinion\"}",
        ] {
            assert!(all.contains(metric), "{metric}");
        }
    }

    #[test]
    fn windows_are_filled_in_everywhere() {
        let pack = Pack { window: 15, interval: 1 };
        assert!(
            !pack.rules().contains("$W")
                && !pack.rules().contains("$OVERLAY")
                && pack.rules().contains("[15s]")
        );
        assert!(pack.prometheus_rule("monitoring").contains("kind: PrometheusRule"));
        assert!(!pack.tests("rules.yaml").contains("$N"));
    }
}
