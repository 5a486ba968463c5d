//! A workload that lives from the API: it lists the ConfigMaps of its namespace with its own projected token.
//!
//! When the API says no it ends with code 1 and without a word, as so many real programs do. When the API does
//! not answer it waits: that is no verdict on its identity.

use super::{ready::Ready, workload::READY_PORT};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Config, api::ListParams};
use std::{process::ExitCode, time::Duration};

const PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn call_forever() -> ExitCode {
    let Ok(config) = Config::incluster() else { return ExitCode::from(2) };
    let Ok(client) = Client::try_from(config) else { return ExitCode::from(2) };
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut ready = None;
    loop {
        match tokio::time::timeout(PATIENCE, maps.list(&ListParams::default().limit(10))).await {
            Ok(Ok(_)) if ready.is_none() => ready = Ready::open(READY_PORT).await.ok(),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403) => {
                return ExitCode::from(1);
            }
            Ok(_) | Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}
