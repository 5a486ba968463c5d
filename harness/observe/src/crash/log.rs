//! How much a container that ended had to say. The text itself is dropped as it arrives.

use super::Failure;
use crate::sink::Sink;
use futures::AsyncReadExt;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::api::LogParams;
use kube::{Api, Client};
use loopdrill_model::signal::{Log, Pod};
use loopdrill_model::{Signal, Source, Subject};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// More than this is as good as this: the question is whether it said anything.
const MOST_BYTES: i64 = 4096;
const LIMIT: Duration = Duration::from_secs(4);

pub(super) struct Logs {
    client: Client,
    sink: Sink,
    measured: HashMap<String, HashSet<(String, u32)>>,
    gate: Arc<Semaphore>,
}

impl Logs {
    pub(super) fn new(client: Client, sink: Sink) -> Self {
        Self { client, sink, measured: HashMap::new(), gate: Arc::new(Semaphore::new(2)) }
    }

    pub(super) fn forget(&mut self, uid: &str) {
        self.measured.remove(uid);
    }

    /// Measures what `failure` left, once.
    pub(super) fn measure(&mut self, pod: &Pod, failure: &Failure) {
        let lives = self.measured.entry(pod.uid.clone()).or_default();
        if lives.contains(&(failure.container.clone(), failure.life)) {
            return;
        }
        // When two are under way, the next state of the pod brings another chance.
        let Ok(place) = self.gate.clone().try_acquire_owned() else { return };
        lives.insert((failure.container.clone(), failure.life));
        let api = Api::namespaced(self.client.clone(), &pod.namespace);
        let (pod, failure, sink) = (pod.clone(), failure.clone(), self.sink.clone());
        tokio::spawn(async move {
            let _place = place;
            let bytes = match tokio::time::timeout(LIMIT, bytes(&api, &pod.name, &failure)).await {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(why)) => return tracing::debug!(pod = pod.name, why, "no log to measure"),
                Err(_) => return tracing::debug!(pod = pod.name, "the log did not come in time"),
            };
            let log = Log {
                pod: Subject::new("Pod", &pod.namespace, &pod.name),
                uid: pod.uid,
                container: failure.container,
                restarts: failure.life,
                bytes,
            };
            let _ = sink.send(&Source::api("pods/log"), Signal::Log(log)).await;
        });
    }
}

/// The size of the log of one life. When the container began another one meanwhile, what was read may be of
/// that, and is read again.
async fn bytes(api: &Api<ApiPod>, pod: &str, failure: &Failure) -> Result<u64, String> {
    let read = size(api, pod, &failure.container, failure.previous).await;
    if failure.previous {
        return read;
    }
    match restarts(api, pod, &failure.container).await?.checked_sub(failure.life) {
        Some(0) => read,
        Some(1) => size(api, pod, &failure.container, true).await,
        _ => Err("it restarted too often meanwhile".into()),
    }
}

async fn restarts(api: &Api<ApiPod>, pod: &str, container: &str) -> Result<u32, String> {
    let now = crate::reduce::pod(&api.get(pod).await.map_err(|e| e.to_string())?);
    now.containers.iter().find(|c| c.name == container).map(|c| c.restarts).ok_or_else(|| "it is gone".into())
}

async fn size(api: &Api<ApiPod>, pod: &str, container: &str, previous: bool) -> Result<u64, String> {
    let params = LogParams {
        container: Some(container.into()),
        previous,
        limit_bytes: Some(MOST_BYTES),
        ..LogParams::default()
    };
    let log = api.log_stream(pod, &params).await.map_err(|e| e.to_string())?;
    futures::pin_mut!(log);
    let (mut buffer, mut bytes) = ([0; 1024], 0);
    loop {
        match log.read(&mut buffer).await.map_err(|e| e.to_string())? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}
