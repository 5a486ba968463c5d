//! A workload that leads by a lease, as controllers do: a holder that cannot renew it in time must not go on, and ends.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams},
};
use serde_json::json;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// The lease's name.
const LEASE: &str = "leader";
/// Between two renewals.
const RETRY: Duration = Duration::from_millis(500);
/// A holder that has not renewed for so long no longer leads. Shorter than the ten seconds of Kubernetes' own
/// controllers, which fall by the same rule a little later.
const DEADLINE: Duration = Duration::from_secs(2);
/// For so long a new life tries to get it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Leads until the lease is lost.
pub(crate) async fn hold_forever() -> ExitCode {
    let Ok(config) = Config::incluster() else { return ExitCode::from(2) };
    let Ok(client) = Client::try_from(config) else { return ExitCode::from(2) };
    let leases: Api<Lease> = Api::default_namespaced(client);
    let (mut renewed, mut limit) = (Instant::now(), PATIENCE);
    loop {
        if let Ok(true) = timeout(limit, renew(&leases)).await {
            (renewed, limit) = (Instant::now(), DEADLINE);
        }
        if renewed.elapsed() >= limit {
            return ExitCode::from(1);
        }
        sleep(RETRY).await;
    }
}

async fn renew(leases: &Api<Lease>) -> bool {
    let now = format!("{:.6}", Timestamp::now());
    let patch = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE},
        "spec": {"holderIdentity": "the-leader", "leaseDurationSeconds": 4, "renewTime": now},
    });
    leases.patch(LEASE, &PatchParams::apply("leader").force(), &Patch::Apply(&patch)).await.is_ok()
}
