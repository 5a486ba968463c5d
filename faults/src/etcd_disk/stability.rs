//! Whether the control plane is as it was before: its leaders renew their leases, its pods are ready.

use crate::{
    FaultContext, FaultError,
    victim::{Seen, describe, is_ready, until},
};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, api::ListParams};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

const NAMESPACE: &str = "kube-system";
/// Controllers that work only while they hold a lease.
const LEADERS: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

/// Waits until every leader has renewed its lease since the first look, and the control plane's pods are ready.
pub(crate) async fn wait(ctx: &FaultContext, limit: Duration) -> Result<(), FaultError> {
    let first = Mutex::new(None::<BTreeMap<String, String>>);
    until(ctx, "controllers that lead again", limit, || async {
        let now = renewals(ctx).await?;
        let mut first = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = first.get_or_insert_with(|| now.clone());
        match now.iter().find(|(name, at)| before.get(*name) == Some(at)) {
            Some((name, _)) => Ok(Seen::NotYet(format!("{name} has not renewed its lease yet"))),
            None => Ok(Seen::Yes(())),
        }
    })
    .await?;
    until(ctx, "ready pods of the control plane", limit, || async {
        Ok(match not_ready(ctx).await? {
            Some(pod) => Seen::NotYet(pod),
            None => Seen::Yes(()),
        })
    })
    .await
}

/// When each leader last renewed its lease.
async fn renewals(ctx: &FaultContext) -> Result<BTreeMap<String, String>, FaultError> {
    let leases: Api<Lease> = Api::namespaced(ctx.target.client.clone(), NAMESPACE);
    let mut renewals = BTreeMap::new();
    for name in LEADERS {
        let lease =
            leases.get_opt(name).await.map_err(FaultError::api(format!("look at the lease of {name}")))?;
        if let Some(at) = lease.and_then(|lease| lease.spec?.renew_time) {
            renewals.insert(name.to_owned(), at.0.to_string());
        }
    }
    Ok(renewals)
}

async fn not_ready(ctx: &FaultContext) -> Result<Option<String>, FaultError> {
    let pods: Api<Pod> = Api::namespaced(ctx.target.client.clone(), NAMESPACE);
    let params = ListParams::default().labels("tier=control-plane");
    let pods = pods.list(&params).await.map_err(FaultError::api("list the control plane's pods"))?;
    Ok(pods.iter().find(|pod| !is_ready(pod)).map(describe))
}
