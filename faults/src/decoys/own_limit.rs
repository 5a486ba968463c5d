//! A client that holds itself back, as client libraries do by a limit of their own: each of its calls waits before it is sent,
//! and the API server answers at once. Nothing is wrong with the cluster, and nobody may be blamed.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    etcd_disk::{Call, WRITER, allow_writing, judge_writes, last_writes},
    look::seen,
    object::{Create, ObjectChange},
    victim::{
        Workload, api,
        place::{a_worker, quiet_worker},
    },
};
use async_trait::async_trait;
use k8s_openapi::api::apps::v1::Deployment;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::Capability;
use std::sync::Arc;

/// Milliseconds that the client leaves between two calls, and would have one every half second.
const PAUSE_MS: &str = "2000";
/// A call that takes longer is slow, as in the drills that this one looks like.
const SLOW_MS: u64 = 500;

static SPEC: FaultSpec = FaultSpec {
    fault: "control-plane-decoy",
    variant: "own-limit",
    title: "a client's own limit makes each of its calls wait, and the API server is idle: nothing is wrong with it",
    roots: &[],
    needs: &[Capability::WorkerNodes(1)],
    ..FaultSpec::DECOY
};

/// The one drill.
pub(super) fn drill() -> Arc<dyn Fault> {
    Arc::new(OwnLimit)
}

/// See the module.
struct OwnLimit;

#[async_trait]
impl Fault for OwnLimit {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![
            format!(
                "start a client that would write twice a second, and lets itself do so every {PAUSE_MS} ms"
            ),
            "undo: delete it again".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        allow_writing(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let worker = a_worker(&ctx.target.facts)?;
        let writer = Workload::new(ctx, WRITER, &[WRITER, PAUSE_MS]).account(WRITER).on_node(&worker.name);
        let create = Create::new(&writer.deployment(1), &ctx.target.run)?;
        Ok(vec![Change::Object(ObjectChange::Create(create))])
    }

    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        let there = api::<Deployment>(ctx).get_opt(WRITER).await;
        if shown && there.map_err(FaultError::api("look for the writer"))?.is_none() {
            return Ok(Look::Well);
        }
        Ok(match last_writes(ctx).await? {
            Ok(calls) => judge(&calls),
            Err(why) => Look::Settling(why),
        })
    }
}

/// Slow calls are the symptom where most of the time is the client's own.
fn judge(calls: &[Call]) -> Look {
    let look = judge_writes(calls, SLOW_MS);
    let Look::Broken(mut evidence) = look else { return look };
    let own: Vec<u64> = calls.iter().filter_map(|c| c.own_ms.filter(|own| 2 * own > c.ms)).collect();
    if own.len() < calls.len() {
        return Look::Settling("calls are slow, and not by the client's own limit alone".into());
    }
    let least = own.into_iter().min().unwrap_or_default();
    evidence.push(seen("of that, waiting for its own limit", format!("{least} ms at least")));
    Look::Broken(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{Timestamp, ToSpan};

    #[test]
    fn only_a_client_that_waits_for_itself_shows_it() {
        let told = |own_ms: [Option<u64>; 3]| {
            let at = |n: i64| Timestamp::UNIX_EPOCH + n.seconds();
            let calls: Vec<_> = (1..)
                .zip(own_ms)
                .map(|(n, own_ms)| Call { at: at(n), ms: 1500, own_ms, error: None })
                .collect();
            judge(&calls)
        };
        let shown = told([Some(1490), Some(1480), Some(1495)]);
        assert!(
            matches!(&shown, Look::Broken(e) if e.last().is_some_and(|e| e.value == "1480 ms at least")),
            "{shown:?}"
        );
        for own in [[None; 3], [Some(1490), Some(10), Some(1495)]] {
            assert!(matches!(told(own), Look::Settling(_)), "the API server is slow as well: {own:?}");
        }
    }
}
