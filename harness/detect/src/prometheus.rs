//! `--detector prometheus`: what a Prometheus (or an Alertmanager) fires, mapped to loops by the alerts' own labels or
//! by a file.
//!
//! Alerts are polled. An answer that cannot be had or read is said, and is never a finding; what fired last is
//! believed for a short while, because the API server in between may be the patient. Rules that cannot fire within
//! the budget are told of at the start, before anything is injected.

mod answer;
mod mapping;
mod rules;

use crate::{DetectError, Detector, memory::Memory};
use answer::{Alert, PollError};
use async_trait::async_trait;
use kube::{Client, client::Body};
use loopdrill_cluster::Target;
use loopdrill_model::{Diagnoses, Diagnosis, Timestamp};
pub use mapping::{Mapping, MappingError};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Where a lab's Prometheus is.
const IN_A_LAB: &str = "/api/v1/namespaces/loopdrill-monitoring/services/prometheus:9090/proxy";
/// Between two polls.
const EVERY: Duration = Duration::from_millis(500);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the first answer may take, with retries.
const FIRST: Duration = Duration::from_secs(15);
/// For how long the last answer is believed when no other comes.
const STALE: Duration = Duration::from_secs(15);

/// Where alerts come from and what they mean.
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    /// `http(s)://HOST[:PORT][/PATH]`, or `NAMESPACE/SERVICE:PORT` through the API server; a lab's own without it.
    pub from: Option<String>,
    /// What alerts without labels of ours mean.
    pub mapping: Mapping,
    /// How long the detector may take from the symptom on.
    pub budget: Duration,
}

impl Default for PrometheusOptions {
    fn default() -> Self {
        Self { from: None, mapping: Mapping::default(), budget: Duration::from_secs(20) }
    }
}

/// `--detector prometheus`.
#[derive(Debug)]
pub struct Prometheus {
    options: PrometheusOptions,
}

/// One server, however it is reached.
struct Server {
    client: Client,
    base: String,
    name: String,
}

impl Prometheus {
    /// The detector with these options.
    #[must_use]
    pub fn new(options: PrometheusOptions) -> Self {
        Self { options }
    }

    fn server(&self, target: &Target) -> Result<Server, String> {
        let Some(from) = self.options.from.as_deref() else {
            let name = "the lab's Prometheus (loopdrill-monitoring/prometheus:9090)".into();
            return Ok(Server { client: target.client.clone(), base: IN_A_LAB.into(), name });
        };
        if from.starts_with("http://") || from.starts_with("https://") {
            let uri = from
                .trim_end_matches('/')
                .parse::<http::Uri>()
                .map_err(|e| format!("{from:?} is no URL: {e}"))?;
            let base = uri.path().trim_end_matches('/').to_string();
            let root = format!(
                "{}://{}",
                uri.scheme_str().unwrap_or("http"),
                uri.authority().map_or("", |a| a.as_str())
            );
            let root = root.parse().map_err(|e| format!("{from:?} is no URL: {e}"))?;
            let client = Client::try_from(kube::Config::new(root)).map_err(|e| format!("{from}: {e}"))?;
            return Ok(Server { client, base, name: from.into() });
        }
        let parts = from.split_once('/').and_then(|(ns, rest)| Some((ns, rest.split_once(':')?)));
        match parts {
            Some((ns, (service, port))) if port.parse::<u16>().is_ok() => {
                let base = format!("/api/v1/namespaces/{ns}/services/{service}:{port}/proxy");
                Ok(Server { client: target.client.clone(), base, name: from.into() })
            }
            _ => Err(format!(
                "{from:?} names no Prometheus; use http(s)://HOST:PORT or NAMESPACE/SERVICE:PORT"
            )),
        }
    }
}

impl Server {
    async fn get(&self, path: &str) -> Result<String, PollError> {
        let request = http::Request::get(format!("{}{path}", self.base)).body(Body::empty());
        let request = request.map_err(|e| PollError::Refused(e.to_string()))?;
        let answer = async {
            let response = self.client.send(request).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect_bytes().await?;
            answer::text(status, &body)
        };
        timeout(ANSWER, answer).await.map_err(|_| PollError::Slow(ANSWER))?
    }

    /// What fires now: Prometheus' own answer, or an Alertmanager's.
    async fn alerts(&self) -> Result<Vec<Alert>, PollError> {
        match self.get("/api/v1/alerts").await {
            Err(PollError::Missing) => answer::alerts(&self.get("/api/v2/alerts").await?),
            other => answer::alerts(&other?),
        }
    }

    /// What its rules cannot do, if it tells its rules at all (an Alertmanager has none).
    async fn limits(&self, options: &PrometheusOptions) -> Result<Vec<String>, String> {
        let Ok(rules) = self.get("/api/v1/rules?type=alert").await else { return Ok(Vec::new()) };
        let targets = self.get("/api/v1/targets?state=active").await.unwrap_or_default();
        let rules = rules::alert_rules(&rules).map_err(|e| e.to_string())?;
        rules::limits(&rules, rules::scrape_interval(&targets), options)
    }
}

#[async_trait]
impl Detector for Prometheus {
    fn name(&self) -> &str {
        "prometheus"
    }

    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let server = self.server(&target).map_err(DetectError::Failed)?;
        let failed = |why: String| DetectError::Failed(format!("{}: {why}", server.name));
        let first = first_answer(&server, &stop).await.map_err(|e| failed(e.to_string()))?;
        let limits = server.limits(&self.options).await.map_err(failed)?;
        let mut core = Core {
            mapping: &self.options.mapping,
            memory: Memory::default(),
            out,
            limits,
            seen: Instant::now(),
            last: Diagnoses::default(),
        };
        core.publish(first);
        let _ = ready.send(());
        loop {
            tokio::select! {
                () = sleep(EVERY) => {}
                () = stop.cancelled() => return Ok(()),
            }
            let polled = tokio::select! {
                polled = server.alerts() => polled,
                () = stop.cancelled() => return Ok(()),
            };
            match polled {
                Ok(alerts) => core.publish(alerts),
                Err(e) => core.missed(&format!("{} does not tell its alerts: {e}", server.name)),
            }
        }
    }
}

async fn first_answer(server: &Server, stop: &CancellationToken) -> Result<Vec<Alert>, PollError> {
    let deadline = Instant::now() + FIRST;
    loop {
        match server.alerts().await {
            Err(e) if e.may_pass() && Instant::now() < deadline && !stop.is_cancelled() => sleep(EVERY).await,
            other => return other,
        }
    }
}

/// What fired last, and where it is published.
struct Core<'a> {
    mapping: &'a Mapping,
    memory: Memory,
    out: watch::Sender<Diagnoses>,
    limits: Vec<String>,
    seen: Instant,
    last: Diagnoses,
}

impl Core<'_> {
    fn publish(&mut self, alerts: Vec<Alert>) {
        let now = Timestamp::now();
        let mut found: Vec<Diagnosis> =
            alerts.iter().filter(|a| a.firing).filter_map(|a| a.diagnosis(self.mapping, now)).collect();
        found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        self.seen = Instant::now();
        let diagnoses = self.memory.stamp(found, now);
        self.last = Diagnoses { diagnoses, as_of: Some(now), trouble: self.limits.clone() };
        self.out.send_replace(self.last.clone());
    }

    /// No answer: the last one stands for a while, and is not made newer than it is.
    fn missed(&mut self, why: &str) {
        if self.seen.elapsed() > STALE {
            self.last = Diagnoses { trouble: vec![why.into()], ..Diagnoses::default() };
            self.out.send_replace(self.last.clone());
        }
    }
}

#[cfg(test)]
mod tests;
