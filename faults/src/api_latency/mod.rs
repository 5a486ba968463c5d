//! API latency: a client's calls of the API take long, with no more traffic than before, and everybody else's are swift.
//!
//! On a control plane that a provider keeps there is no etcd to throttle. This makes what a client sees of a slow one, through
//! the API alone; nobody outside of the drill's own namespace feels it, and it is undone by deleting what it created.
//!
//! | variant | what the calls wait for |
//! |---|---|
//! | [`slow_admission`] | an admission webhook that answers late |
//! | [`one_seat`] | their turn, in a priority level that takes one call at a time |
//!
//! Each hangs on a program of the drill, which gives up by itself some minutes after its start: so a drill that everybody forgot
//! is over, whoever has died.

pub(crate) mod one_seat;
pub(crate) mod slow_admission;

use crate::{
    Fault, FaultContext, FaultError,
    victim::{api, metadata, typed},
};
use kube::{api::PostParams, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::time::Instant;

const FAULT: &str = "api-latency";
/// A call that takes longer is slow, some 50 times as long as on a healthy API server.
const SLOW_MS: u64 = 500;
/// The object of the writes that are only tried.
const TRIED: &str = "tried";

/// All variants.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![Arc::new(slow_admission::SlowAdmission(&slow_admission::KIND)), Arc::new(one_seat::OneSeat)]
}

/// Tries to create an object without keeping it, as the harness and not as the victim. Webhooks without side effects are
/// asked all the same.
async fn time_of_write<K>(ctx: &FaultContext) -> Result<Duration, FaultError>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let object: K = typed(json!({"metadata": metadata(ctx, TRIED)}));
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let began = Instant::now();
    let doing = format!("try to create {} {TRIED}", K::kind(&()));
    api::<K>(ctx).create(&params, &object).await.map_err(FaultError::api(doing))?;
    Ok(began.elapsed())
}
