//! A client that keeps a seat of the API server taken and gives it nothing to do: it lists what is not older than a version
//! that is far ahead. The API server waits some seconds for that version to come, and says then that it has not.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{ListParams, VersionMatch},
};
use std::{process::ExitCode, time::Duration};
use tokio::time::{sleep, timeout};

/// Questions under way at any time. A second one would make who waits for two of its own calls wait past its patience.
pub(super) const AT_ONCE: usize = 1;
/// So far ahead is no version within a drill's time.
const AHEAD: u64 = 1 << 40;
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until then, with a pause after each answer, so that an API server that answers at once is not asked much either.
pub(crate) async fn list_forever(pause: Duration, until: Timestamp) -> ExitCode {
    let Ok(config) = Config::incluster() else { return ExitCode::from(2) };
    let Ok(client) = Client::try_from(config) else { return ExitCode::from(2) };
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let asking = (0..AT_ONCE).map(|_| ask(&maps, pause, until));
    futures::future::join_all(asking).await;
    std::future::pending().await
}

async fn ask(maps: &Api<ConfigMap>, pause: Duration, until: Timestamp) {
    let mut ahead: Option<String> = None;
    while Timestamp::now() < until {
        let params = match &ahead {
            None => ListParams::default(),
            Some(version) => ListParams::default().matching(VersionMatch::NotOlderThan).at(version),
        };
        // What comes back does not matter, but for the version at the beginning.
        if let Ok(Ok(list)) = timeout(PATIENCE, maps.list(&params)).await
            && ahead.is_none()
        {
            ahead = list.metadata.resource_version.as_deref().and_then(far_ahead);
        }
        sleep(pause).await;
    }
}

fn far_ahead(version: &str) -> Option<String> {
    let version: u64 = version.parse().ok()?;
    Some(version.saturating_add(AHEAD).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_does_not_come() {
        assert_eq!(far_ahead("7").as_deref(), Some("1099511627783"));
        assert_eq!(far_ahead("soon"), None);
    }
}
