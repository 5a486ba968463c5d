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
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

const OBJECT: &str = "written-again-and-again";
/// Two calls a second; after a slow call the next one follows, but never more than one at a time.
const PACE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

/// One call as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// When it ended.
    pub(crate) at: Timestamp,
    /// How long it took in milliseconds.
    pub(crate) ms: u64,
    /// Of that, how long it waited before it was sent, where the client has a limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own_ms: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// A client's own limit: so long between two calls.
struct OwnLimit {
    pause: Duration,
    sent: Option<Instant>,
}

impl OwnLimit {
    /// Waits for the next call's turn, and says how long.
    async fn wait(&mut self) -> Duration {
        let wait = self.sent.map_or(Duration::ZERO, |sent| self.pause.saturating_sub(sent.elapsed()));
        sleep(wait).await;
        self.sent = Some(Instant::now());
        wait
    }
}

/// Writes until the kubelet says stop; no more often than a limit of its own allows, where it has one.
pub(crate) async fn write_forever(own: Option<Duration>) -> ExitCode {
    let Ok(config) = Config::incluster() else { return ExitCode::from(2) };
    let Ok(client) = Client::try_from(config) else { return ExitCode::from(2) };
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut own = own.map(|pause| OwnLimit { pause, sent: None });
    for round in 0_u64.. {
        pace.tick().await;
        let waited = match &mut own {
            Some(own) => Some(own.wait().await),
            None => None,
        };
        let call = timed(waited, write(&maps, round)).await;
        println!("{}", serde_json::to_string(&call).expect("plain data serialises"));
    }
    ExitCode::SUCCESS
}

/// The call as its caller sees it, with the time that it had waited before.
async fn timed(waited: Option<Duration>, work: impl Future<Output = kube::Result<()>>) -> Call {
    let start = Instant::now();
    let error = match timeout(PATIENCE, work).await {
        Ok(result) => result.err().map(|error| error.to_string()),
        Err(_) => Some("no answer".into()),
    };
    let millis = |time: Duration| time.as_millis().try_into().unwrap_or(u64::MAX);
    let ms = millis(waited.unwrap_or_default() + start.elapsed());
    Call { at: Timestamp::now(), ms, own_ms: waited.map(millis), error }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_client_waited_for_itself_is_part_of_its_call_and_told_apart() {
        let call = timed(Some(Duration::from_secs(2)), async { Ok(()) }).await;
        assert_eq!(call.own_ms, Some(2000));
        assert!(call.ms >= 2000, "{call:?}");
        assert_eq!(timed(None, async { Ok(()) }).await.own_ms, None);
    }

    /// The first call is sent at once, and the next one no sooner than the limit has it.
    #[tokio::test]
    async fn a_limit_of_its_own_keeps_calls_apart() {
        let pause = Duration::from_secs(3600);
        let mut own = OwnLimit { pause, sent: None };
        assert_eq!(own.wait().await, Duration::ZERO);
        let next = timeout(Duration::from_millis(50), own.wait()).await;
        assert!(next.is_err(), "{next:?}");
        let mut none = OwnLimit { pause: Duration::ZERO, sent: Some(Instant::now()) };
        assert_eq!(none.wait().await, Duration::ZERO);
    }
}
