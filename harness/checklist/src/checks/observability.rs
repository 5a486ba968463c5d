//! Observability: you cannot fix what you cannot see.

use crate::{
    check::{Area, Check, Finding, Severity, Stage, Verdict, fault},
    snapshot::{Input, Prometheus, Rule, Snapshot},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "OB-01",
        title: "The leading metric of each canonical fault is really scraped",
        stage: Stage::Operational,
        area: Area::Observability,
        severity: Severity::High,
        predicts: fault::ALL,
        needs: &[Input::Prometheus],
        manifests: false,
        why: "Control-plane signals degrade first and quietly. Whoever does not collect them learns of it from users.",
        remedy: "# kube-state-metrics, node_exporter, the API server and etcd as targets, for example:\n\
                 helm install monitoring prometheus-community/kube-prometheus-stack -n monitoring --create-namespace\n",
        judge: scraped,
    },
    Check {
        id: "OB-02",
        title: "Each loop has an alert that can fire within the detection budget",
        stage: Stage::Architectural,
        area: Area::Observability,
        severity: Severity::High,
        predicts: fault::ALL,
        needs: &[Input::Prometheus],
        manifests: false,
        why: "An alert that waits a quarter of an hour is not detection: `for`, scrape and evaluation interval add up.",
        remedy: "groups:\n  - name: loops\n    interval: 15s\n    rules:\n      - alert: EtcdDiskSlow\n        \
                 expr: histogram_quantile(0.99, rate(etcd_disk_wal_fsync_duration_seconds_bucket[1m])) > 0.1\n        \
                 for: 30s\n        labels: {loop: control-plane}\n",
        judge: alerts,
    },
    Check {
        id: "OB-03",
        title: "Services expose rate, errors and duration; nodes expose utilisation, saturation and errors",
        stage: Stage::Operational,
        area: Area::Observability,
        severity: Severity::Medium,
        predicts: fault::ALL,
        needs: &[
            Input::Surfaces,
            Input::Services,
            Input::Deployments,
            Input::StatefulSets,
            Input::DaemonSets,
            Input::Pods,
        ],
        manifests: false,
        why: "Is the application happy, is the node happy? Without these two answers every incident starts with a guess.",
        remedy: "# in the pod template, beside a handler that counts requests by code and measures their duration:\n\
                 metadata:\n  annotations:\n    prometheus.io/scrape: \"true\"\n    prometheus.io/port: \"8080\"\n",
        judge: surfaces,
    },
    Check {
        id: "OB-04",
        title: "Application logs are structured and say trace, span, pod, node and namespace",
        stage: Stage::Platform,
        area: Area::Observability,
        severity: Severity::Medium,
        predicts: fault::ALL,
        needs: &[Input::Logs],
        manifests: false,
        why: "A line that does not say where it is from cannot be joined with the event that explains it.",
        remedy: "# JSON lines with trace_id, span_id, pod_name, node_name, namespace; the last three from the downward API:\n\
                 env:\n  - name: POD_NAME\n    valueFrom: {fieldRef: {fieldPath: metadata.name}}\n  - name: NODE_NAME\n    \
                 valueFrom: {fieldRef: {fieldPath: spec.nodeName}}\n  - name: NAMESPACE\n    \
                 valueFrom: {fieldRef: {fieldPath: metadata.namespace}}\n",
        judge: logs,
    },
];

/// The leading metrics, with the loop that each belongs to.
pub const LEADING: [(&str, &str); 8] = [
    ("kube_pod_container_status_restarts_total", "identity"),
    ("kube_pod_status_phase", "compute"),
    ("kube_node_status_allocatable", "compute"),
    ("node_network_receive_drop_total", "network"),
    ("node_network_transmit_drop_total", "network"),
    ("kube_persistentvolumeclaim_status_phase", "storage"),
    ("etcd_disk_wal_fsync_duration_seconds_bucket", "control-plane"),
    ("apiserver_request_duration_seconds_bucket", "control-plane"),
];
const LOOPS: [&str; 5] = ["identity", "compute", "network", "storage", "control-plane"];
/// Within this time a loop's alert must be able to fire.
pub const BUDGET_SECONDS: f64 = 120.0;

fn nothing_scrapes(what: &str) -> Verdict {
    let value = format!(
        "no Prometheus was found in the cluster, so {what}; where metrics leave it by an agent, say so with \
         `externalMonitoring` in the configuration"
    );
    Verdict::looked(vec![Finding::fail("", value)], 0, "")
}

fn scraped(s: &Snapshot) -> Verdict {
    let Some(prometheus) = &s.prometheus else { return nothing_scrapes("no leading metric is collected") };
    // A managed control plane does not show its etcd to anybody.
    let hidden = s.etcd.as_ref().is_none_or(|e| e.members.is_empty());
    let wanted: Vec<_> = LEADING.iter().filter(|(m, _)| !(hidden && m.starts_with("etcd_"))).collect();
    let absent = wanted.iter().filter(|(m, _)| !prometheus.present.iter().any(|p| p == m));
    let tell = |(metric, of): &&&(&str, &str)| {
        Finding::fail(*metric, format!("has no current sample at {} (loop {of})", prometheus.at))
    };
    let findings = absent.map(|m| tell(&m)).collect();
    Verdict::looked(findings, wanted.len(), "leading metrics")
}

/// How long after a fault a rule fires at best.
fn delay(rule: &Rule, prometheus: &Prometheus) -> f64 {
    rule.for_seconds + rule.interval_seconds + prometheus.scrape_seconds
}

fn is_about(rule: &Rule, area: &str) -> bool {
    match &rule.control_loop {
        Some(name) => name == area,
        None => LEADING.iter().any(|(metric, of)| *of == area && rule.expr.contains(metric)),
    }
}

fn alerts(s: &Snapshot) -> Verdict {
    let Some(prometheus) = &s.prometheus else { return nothing_scrapes("no alert can fire") };
    let mut findings = Vec::new();
    for area in LOOPS {
        let of: Vec<&Rule> = prometheus.rules.iter().filter(|r| is_about(r, area)).collect();
        let fastest = of
            .iter()
            .filter(|r| r.healthy)
            .min_by(|a, b| delay(a, prometheus).total_cmp(&delay(b, prometheus)));
        let value = match fastest {
            Some(rule) if delay(rule, prometheus) <= BUDGET_SECONDS => continue,
            Some(rule) => format!(
                "its fastest alert, {}, takes {:.0} s (for {:.0}, evaluation {:.0}, scrape {:.0}); the budget is {BUDGET_SECONDS:.0} s",
                rule.name,
                delay(rule, prometheus),
                rule.for_seconds,
                rule.interval_seconds,
                prometheus.scrape_seconds
            ),
            None if of.is_empty() => "has no alert".to_string(),
            None => format!("its alerts cannot be evaluated: {}", of[0].name),
        };
        findings.push(Finding::fail(format!("loop {area}"), value));
    }
    Verdict::looked(findings, prometheus.rules.len(), "alerting rules")
}

fn surfaces(s: &Snapshot) -> Verdict {
    if s.surfaces.is_empty() {
        return Verdict::Skip("there is no application behind a Service, and no node could be asked".into());
    }
    let mut findings = Vec::new();
    for surface in &s.surfaces {
        let wanted: &[&str] = if surface.node {
            &["utilisation", "saturation", "errors"]
        } else {
            &["rate", "errors", "duration"]
        };
        match &surface.seen {
            Err(why) => findings.push(Finding::fail(&surface.object, why.clone())),
            Ok(seen) => {
                let lacks: Vec<_> =
                    wanted.iter().filter(|w| !seen.iter().any(|s| s == *w)).copied().collect();
                if !lacks.is_empty() {
                    findings
                        .push(Finding::fail(&surface.object, format!("exposes no {}", lacks.join(", no "))));
                }
            }
        }
    }
    // Applications first: they are the reader's own.
    findings.sort_by_key(|f| f.object.starts_with("Node "));
    Verdict::looked(findings, s.surfaces.len(), "services and nodes")
}

/// The fields that every line must have; `zone` where volumes are zonal.
pub const LOG_FIELDS: [&str; 5] = ["trace_id", "span_id", "pod_name", "node_name", "namespace"];

fn logs(s: &Snapshot) -> Verdict {
    let told: Vec<_> = s.logs.iter().filter(|l| l.lines > 0).collect();
    if told.is_empty() {
        return Verdict::Skip("no application pod has written a line".into());
    }
    let mut findings = Vec::new();
    for sample in &told {
        if sample.structured < sample.lines {
            let value =
                format!("{} of {} lines are not structured", sample.lines - sample.structured, sample.lines);
            findings.push(Finding::fail(&sample.object, value));
            continue;
        }
        let zone = sample.zonal.then_some("zone");
        let wanted = LOG_FIELDS.into_iter().chain(zone);
        let lacks: Vec<_> = wanted.filter(|f| !sample.fields.iter().any(|has| has == f)).collect();
        if !lacks.is_empty() {
            findings.push(Finding::fail(&sample.object, format!("lines lack {}", lacks.join(", "))));
        }
    }
    Verdict::looked(findings, told.len(), "workloads whose lines were sampled")
}

#[cfg(test)]
#[path = "observability_tests.rs"]
mod tests;
