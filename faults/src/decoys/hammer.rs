//! A client without manners: it reads one small object again and again, with hundreds of requests under way. It
//! reads from the API server's cache, so that etcd has no part in it.

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Config, api::GetParams};
use std::{process::ExitCode, time::Duration};

/// Requests under way at any time.
pub(super) const AT_ONCE: usize = 300;
/// So many share a connection: servers allow no more than a hundred or two each.
const A_CONNECTION: usize = 80;
const OBJECT: &str = "kube-root-ca.crt";
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the kubelet says stop.
pub(crate) async fn hammer_forever() -> ExitCode {
    let mut clients = Vec::new();
    for _ in 0..AT_ONCE.div_ceil(A_CONNECTION) {
        let Ok(config) = Config::incluster() else { return ExitCode::from(2) };
        let Ok(client) = Client::try_from(config) else { return ExitCode::from(2) };
        clients.push(Api::<ConfigMap>::default_namespaced(client));
    }
    let asking = (0..AT_ONCE).map(|n| ask_forever(&clients[n % clients.len()]));
    join_all(asking).await;
    ExitCode::SUCCESS
}

async fn ask_forever(maps: &Api<ConfigMap>) {
    let cached = GetParams::any();
    loop {
        // What comes back does not matter; a refusal is asked again a moment later.
        let answer = tokio::time::timeout(PATIENCE, maps.get_with(OBJECT, &cached)).await;
        if !matches!(answer, Ok(Ok(_))) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
