//! A webhook that is trusted, answers every time, and takes its time: nothing is refused, and every write that it is asked
//! about waits. The victim is the one of a throttled etcd disk.
//!
//! What shows the mechanism is asked through the API: a write of the kind that the webhook is asked about waits for as long as
//! the webhook thinks, and at the same time a write of another kind does not.

use super::{
    certificate::{Validity, host, start_server_that_thinks},
    webhook::{Asked, registration, shown},
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    etcd_disk::{look_at_writes, start_writer},
    look::seen,
    object::ObjectChange,
    victim::{Seen, api, metadata, place::quiet_worker, typed, until},
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::{api::PostParams, core::NamespaceResourceScope};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long the webhook thinks, in every answer.
const THINKS: Duration = Duration::from_millis(1000);
/// A write that takes longer is slow, some 50 times as long as on a healthy API server; a webhook alone makes it so.
const SLOW_MS: u64 = 500;
/// How long the API server may take to ask a webhook that has just been registered.
const LEARNS: Duration = Duration::from_secs(20);
/// The object of the writes that are only tried.
const TRIED: &str = "tried";

/// What the victim writes. The webhook has more time than it takes: nothing may be refused.
pub(super) const WRITES: Asked =
    Asked { operations: &["CREATE", "UPDATE"], resource: "configmaps", timeout: 10 };

static SPEC: FaultSpec = FaultSpec {
    fault: "control-plane-decoy",
    variant: "slow-webhook",
    title: "a webhook answers every time and late, refuses nothing, and every write of a namespace crawls",
    roots: &[&[Cause::WebhookSlow]],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::DECOY
};

/// The one drill.
pub(super) fn drill() -> Arc<dyn Fault> {
    Arc::new(SlowWebhook)
}

/// See the module.
struct SlowWebhook;

#[async_trait]
impl Fault for SlowWebhook {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    /// The API server itself is what a detector finds late; drills that judge it by its latency must not run beside.
    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().breaks(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![
            "start a client that writes one ConfigMap twice a second, and the server of a webhook".into(),
            format!(
                "register the webhook for the ConfigMaps of one namespace; it allows all after {} ms",
                THINKS.as_millis()
            ),
            "undo: delete the registration".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        start_writer(ctx).await?;
        start_server_that_thinks(ctx, &host(ctx), Validity::Now, THINKS).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let create = registration(ctx, &shown(ctx).await?, &WRITES)?;
        Ok(vec![Change::Object(ObjectChange::Create(create))])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        until(ctx, "a write that waits for the webhook alone", LEARNS, || async {
            Ok(match tried(ctx).await? {
                Ok(evidence) => Seen::Yes(evidence),
                Err(why) => Seen::NotYet(why),
            })
        })
        .await
    }

    /// Slow writes are the symptom of a slow etcd and of an overload, too: so they are tried with and without the webhook.
    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        let look = look_at_writes(ctx, SLOW_MS).await?;
        let Look::Broken(mut evidence) = look else { return Ok(look) };
        Ok(match tried(ctx).await? {
            Ok(more) => {
                evidence.extend(more);
                Look::Broken(evidence)
            }
            Err(why) => Look::Settling(why),
        })
    }
}

/// How long two writes take that nobody keeps: one that the webhook is asked about, and one that it is not. An error says
/// why that is not what a slow webhook makes of them.
async fn tried(ctx: &FaultContext) -> Result<Result<Vec<Evidence>, String>, FaultError> {
    let asked = time_of_write::<ConfigMap>(ctx).await?;
    let other = time_of_write::<ServiceAccount>(ctx).await?;
    Ok(judge(asked, other))
}

fn judge(asked: Duration, other: Duration) -> Result<Vec<Evidence>, String> {
    let ms = |time: Duration| format!("{} ms", time.as_millis());
    match asked >= THINKS && other * 2 < THINKS {
        true => Ok(vec![
            seen("a write that the webhook is asked about", ms(asked)),
            seen("a write that it is not asked about", ms(other)),
        ]),
        false => Err(format!(
            "a write that the webhook is asked about takes {}, and another one {}",
            ms(asked),
            ms(other)
        )),
    }
}

/// Tries to create an object without keeping it. Webhooks without side effects are asked all the same.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_that_waits_while_another_does_not_shows_a_slow_webhook() {
        let ms = Duration::from_millis;
        let shown = judge(ms(1004), ms(9)).expect("a slow webhook");
        assert_eq!((shown[0].value.as_str(), shown[1].value.as_str()), ("1004 ms", "9 ms"));
        for (asked, other) in [(12, 9), (1004, 900), (700, 9), (30, 1200)] {
            let why = judge(ms(asked), ms(other)).expect_err("something else");
            assert!(why.contains(&format!("takes {asked} ms")), "{why}");
        }
    }

    /// The victim's writes are slow only by the webhook: it must be slower than what counts as slow, and in time.
    #[test]
    fn it_is_late_and_in_time() {
        assert!(THINKS > Duration::from_millis(SLOW_MS));
        assert!(THINKS < Duration::from_secs(WRITES.timeout.into()));
    }
}
