//! The victim: an ordinary client that writes one small object at a steady pace, and says on standard
//! output how long each call took.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval, timeout};

const OBJECT: &str = "written-again-and-again";
/// Two calls a second; after a slow call the next one follows, but never more than one at a time.
const PACE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

/// One call as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    /// When it ended.
    pub(super) at: Timestamp,
    /// How long it took in milliseconds.
    pub(super) ms: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// Writes until the kubelet says stop.
pub(crate) async fn write_forever() -> ExitCode {
    let Ok(config) = Config::incluster() else { return ExitCode::from(2) };
    let Ok(client) = Client::try_from(config) else { return ExitCode::from(2) };
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u64.. {
        pace.tick().await;
        let call = timed(write(&maps, round)).await;
        println!("{}", serde_json::to_string(&call).expect("plain data serialises"));
    }
    ExitCode::SUCCESS
}

async fn timed(work: impl Future<Output = kube::Result<()>>) -> Call {
    let start = Instant::now();
    let error = match timeout(PATIENCE, work).await {
        Ok(result) => result.err().map(|error| error.to_string()),
        Err(_) => Some("no answer".into()),
    };
    Call { at: Timestamp::now(), ms: start.elapsed().as_millis().try_into().unwrap_or(u64::MAX), error }
}

async fn write(maps: &Api<ConfigMap>, round: u64) -> kube::Result<()> {
    let patch = Patch::Merge(json!({"data": {"round": round.to_string()}}));
    match maps.patch(OBJECT, &PatchParams::default(), &patch).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let metadata = json!({"metadata": {"name": OBJECT}});
            let object = serde_json::from_value(metadata).map_err(kube::Error::SerdeError)?;
            maps.create(&PostParams::default(), &object).await.map(drop)
        }
        other => other.map(drop),
    }
}
