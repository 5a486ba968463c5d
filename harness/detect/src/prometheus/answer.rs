//! The answers of Prometheus and Alertmanager to "what fires?", and an alert as a diagnosis.

use super::mapping::Mapping;
use loopdrill_model::{Diagnosis, Evidence, Source, Subject, Timestamp};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    /// None in time.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// There is nothing at this address.
    #[error("there is none; make a lab with `lab up --with monitoring`, or name yours with --prometheus")]
    Missing,
    /// It, or what is in between, refused.
    #[error("{0}")]
    Refused(String),
    /// The answer is not one.
    #[error("the answer is none of Prometheus or Alertmanager: {0}")]
    Garbled(String),
}

impl PollError {
    /// Whether asking again may help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, PollError::Slow(_) | PollError::Refused(_))
    }
}

impl From<kube::Error> for PollError {
    fn from(error: kube::Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = cause.to_string();
            source = cause.source();
        }
        PollError::Refused(first_line(&text))
    }
}

/// The body of an answer with status 200.
pub(super) fn text(status: u16, body: &[u8]) -> Result<String, PollError> {
    match status {
        200 => Ok(String::from_utf8_lossy(body).into_owned()),
        404 => Err(PollError::Missing),
        _ => Err(PollError::Refused(format!(
            "status {status}: {}",
            first_line(&String::from_utf8_lossy(body))
        ))),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alert {
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    since: Option<Timestamp>,
    value: String,
    pub(super) firing: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Prometheus { data: Data },
    Alertmanager(Vec<Managed>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Prometheus { alerts: Vec<Own> },
    OldAlertmanager(Vec<Managed>),
}

#[derive(Deserialize)]
struct Own {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    state: String,
    #[serde(rename = "activeAt")]
    since: Option<Timestamp>,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Managed {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(rename = "startsAt")]
    since: Option<Timestamp>,
    status: Managing,
}

#[derive(Deserialize)]
struct Managing {
    state: String,
}

/// Reads an answer.
pub(super) fn alerts(text: &str) -> Result<Vec<Alert>, PollError> {
    let answer: Answer = serde_json::from_str(text).map_err(|e| PollError::Garbled(e.to_string()))?;
    Ok(match answer {
        Answer::Prometheus { data: Data::Prometheus { alerts } } => {
            alerts.into_iter().map(Alert::from).collect()
        }
        Answer::Prometheus { data: Data::OldAlertmanager(alerts) } | Answer::Alertmanager(alerts) => {
            alerts.into_iter().map(Alert::from).collect()
        }
    })
}

impl From<Own> for Alert {
    fn from(a: Own) -> Self {
        let name = a.labels.get("alertname").cloned().unwrap_or_default();
        let firing = a.state == "firing";
        Alert { name, labels: a.labels, annotations: a.annotations, since: a.since, value: a.value, firing }
    }
}

impl From<Managed> for Alert {
    fn from(a: Managed) -> Self {
        let name = a.labels.get("alertname").cloned().unwrap_or_default();
        // What somebody silenced is nobody's alarm.
        let firing = a.status.state == "active";
        let value = String::new();
        Alert { name, labels: a.labels, annotations: a.annotations, since: a.since, value, firing }
    }
}

/// Labels that name an object, and its kind; those with a namespace first.
const OBJECTS: &[(&str, &str, bool)] = &[
    ("pod", "Pod", true),
    ("persistentvolumeclaim", "PersistentVolumeClaim", true),
    ("statefulset", "StatefulSet", true),
    ("deployment", "Deployment", true),
    ("daemonset", "DaemonSet", true),
    ("node", "Node", false),
    ("persistentvolume", "PersistentVolume", false),
];

impl Alert {
    /// What it says as a finding; `None` when nobody says which loop it is about.
    pub(super) fn diagnosis(&self, mapping: &Mapping, now: Timestamp) -> Option<Diagnosis> {
        let meaning = mapping.meaning(&self.name, &self.labels)?;
        let since = self.since.unwrap_or(now).min(now);
        let confidence = self.annotations.get("confidence").and_then(|c| c.parse::<f64>().ok());
        let evidence =
            |signal: String, value: &str| Evidence::new(signal, value, since, Source::other("prometheus"));
        let mut facts = vec![evidence(format!("alert {}", self.name), &self.value)];
        let said = self.annotations.get("summary").or_else(|| self.annotations.get("description"));
        facts.extend(said.map(|text| evidence("it says".into(), text)));
        Some(Diagnosis {
            control_loop: meaning.control_loop,
            cause: meaning.cause,
            subjects: self.subjects(),
            confidence: confidence.filter(|c| c.is_finite()).unwrap_or(0.5).clamp(0.0, 1.0),
            evidence: facts,
            chain: Vec::new(),
            first_evidence_at: since,
            diagnosed_at: now,
        })
    }

    fn subjects(&self) -> Vec<Subject> {
        let label = |name: &str| self.labels.get(name).filter(|v| !v.is_empty());
        let namespace = label("namespace");
        let found = OBJECTS.iter().filter_map(|(name, kind, namespaced)| match (label(name)?, namespace) {
            (object, Some(ns)) if *namespaced => Some(Subject::new(*kind, ns, object)),
            (object, _) if !namespaced => Some(Subject::new(*kind, "", object)),
            _ => None,
        });
        let found: Vec<_> = found.collect();
        match (found.is_empty(), namespace, label("instance")) {
            (true, Some(ns), _) => vec![Subject::new("Namespace", ns, ns)],
            (true, None, Some(instance)) => vec![Subject::new("Instance", "", instance)],
            _ => found,
        }
    }
}
