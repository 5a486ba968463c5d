//! A webhook that is trusted, answers every time, and takes its time: nothing is refused, and every write that it is asked
//! about waits. The victim is the one of a throttled etcd disk.
//!
//! It is asked about the drill's namespace alone, and passed over where it is not there. Its server ends the fault itself
//! some minutes after its start, whoever has died: it answers at once from then on.
//!
//! What shows the mechanism is asked through the API: a write of the kind that the webhook is asked about waits for as long as
//! the webhook thinks, and at the same time a write of another kind does not.

use super::{SLOW_MS, time_of_write};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    decoys::{certificate, webhook},
    etcd_disk::{look_at_writes, start_writer},
    look::seen,
    object::{LASTS, ObjectChange, ends_at},
    victim::{Seen, place::quiet_worker, until},
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};
use std::time::Duration;

/// How long the webhook thinks, in every answer.
const THINKS: Duration = Duration::from_millis(1000);
/// How long the API server may take to ask a webhook that has just been registered.
const LEARNS: Duration = Duration::from_secs(20);

/// A drill with such a webhook.
pub(crate) struct Kind {
    pub(crate) spec: FaultSpec,
    /// What the victim writes.
    pub(crate) asked: webhook::Asked,
    pub(crate) breaks: Resource,
}

/// The canonical one.
pub(crate) static KIND: Kind = Kind {
    spec: FaultSpec {
        fault: super::FAULT,
        variant: "slow-admission",
        title: "an admission webhook answers late, and every write of a client crawls with no more traffic than before",
        roots: &[&[Cause::WebhookSlow]],
        needs: &[Capability::WorkerNodes(1)],
        ..FaultSpec::CANONICAL
    },
    // Three times what it takes, so that its answer is waited for; without one the write is let through.
    asked: webhook::Asked {
        operations: &["CREATE", "UPDATE"],
        resource: "configmaps",
        timeout: 3,
        otherwise: "Ignore",
    },
    breaks: Resource::OwnApiCalls,
};

/// See the module.
pub(crate) struct SlowAdmission(pub(crate) &'static Kind);

#[async_trait]
impl Fault for SlowAdmission {
    fn spec(&self) -> &'static FaultSpec {
        &self.0.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().breaks(self.0.breaks.clone());
        quiet_worker(cluster).into_iter().fold(footprint, |f, n| f.uses_node(&n.name))
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![
            "start a client that writes one ConfigMap twice a second, and the server of a webhook".into(),
            format!(
                "register the webhook for the ConfigMaps of one namespace; it allows all after {} ms",
                THINKS.as_millis()
            ),
            format!("after {} s the server answers at once, whatever happened", LASTS.as_secs()),
            "undo: delete the registration".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        start_writer(ctx).await?;
        certificate::start_self_certified(ctx, THINKS, ends_at()).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let shown = certificate::self_certified(ctx).await?;
        let create = webhook::registration(ctx, &shown, &self.0.asked)?.ends(ends_at());
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
        for kind in [&KIND, &crate::decoys::slow_webhook::KIND] {
            assert!(THINKS < Duration::from_secs(kind.asked.timeout.into()), "{}", kind.spec.id());
        }
    }

    /// A webhook that is left behind must not be able to refuse anything.
    #[test]
    fn the_canonical_one_refuses_nothing_and_ends_soon() {
        assert_eq!((KIND.asked.otherwise, KIND.asked.timeout), ("Ignore", 3));
        assert_eq!(KIND.breaks, Resource::OwnApiCalls);
    }
}
