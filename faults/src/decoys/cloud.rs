//! What looks like a revoked cloud role and is none: the cloud gives no verdict at all. Its API does not answer, or is too
//! busy. Both are done to the account of a lab, by its own objects; nobody else's cloud is touched.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint,
    object::{ObjectChange, Patch},
    revoked_iam::{
        aws::{self, Reader},
        silent_crash::look_at,
    },
    victim::{Latch, Seen, create, delete_pods, until, wait_ready},
};
use async_trait::async_trait;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use loopdrill_aws::{Action, Answer, Door};
use loopdrill_cloud::{DEPLOYMENT, NAMESPACE, SETTINGS, THROTTLE};
use loopdrill_model::{Capability, Cause, Evidence, Source, Timestamp};
use loopdrill_target::ClusterFacts;
use serde_json::json;
use std::{sync::Arc, time::Duration};

const FAULT: &str = "identity-decoy";
/// The victim's name and that of its account.
const NAME: &str = "app";
const START: Duration = Duration::from_secs(60);
/// The front reads its settings every few seconds; a cloud that comes back starts anew.
const TAKES_HOLD: Duration = Duration::from_secs(60);
const NEEDS: &[Capability] = &[Capability::WorkerNodes(1), Capability::CloudIdentity];

/// What the cloud does instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Silent,
    Throttles,
}

static SPECS: [(FaultSpec, Trouble); 2] = [
    (
        FaultSpec {
            fault: FAULT,
            variant: "cloud-unreachable",
            title: "the cloud's API does not answer, and a workload that starts ends with code 1",
            roots: &[&[Cause::CloudUnreachable]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        Trouble::Silent,
    ),
    (
        FaultSpec {
            fault: FAULT,
            variant: "cloud-throttled",
            title: "the cloud throttles whoever wants a session, and a workload that starts ends with code 1",
            roots: &[&[Cause::CloudThrottled]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        Trouble::Throttles,
    ),
];

/// All of them.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    let decoy = |(spec, trouble): &'static (FaultSpec, Trouble)| {
        Arc::new(Decoy { spec, trouble: *trouble, latch: Latch::default() }) as Arc<dyn Fault>
    };
    SPECS.iter().map(decoy)
}

struct Decoy {
    spec: &'static FaultSpec,
    trouble: Trouble,
    latch: Latch,
}

impl Decoy {
    /// What the cloud says now to whoever comes as the victim does.
    async fn asked(&self, ctx: &FaultContext) -> Result<Answer, FaultError> {
        let target = &aws::cloud(&ctx.target.facts)?.aws;
        let token = aws::token(ctx, NAME).await?;
        let begun = Door::of(target).await.begin(&target.role_arn(target.victim_role()), &token).await;
        Ok(begun.as_ref().map_or_else(Answer::from, |_| Answer::Accepted))
    }

    async fn waits_for(&self, ctx: &FaultContext, wanted: Answer) -> Result<Vec<Evidence>, FaultError> {
        until(ctx, "the cloud's answer", TAKES_HOLD, || async {
            let said = self.asked(ctx).await?;
            let told = format!("{said:?}").to_lowercase();
            Ok(match said == wanted {
                true => Seen::Yes(vec![Evidence {
                    signal: Action::AssumeRoleWithWebIdentity.to_string(),
                    value: told,
                    at: Timestamp::now(),
                    source: Source::cloud("sts"),
                }]),
                false => Seen::NotYet(told),
            })
        })
        .await
    }
}

#[async_trait]
impl Fault for Decoy {
    fn spec(&self) -> &'static FaultSpec {
        self.spec
    }

    /// Whoever lives from the role notices.
    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        aws::footprint(cluster)
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        let (change, undo) = match self.trouble {
            Trouble::Silent => ("scale the lab's cloud to 0", "scale it back"),
            Trouble::Throttles => {
                ("let the lab's cloud throttle whoever wants a session", "let it answer again")
            }
        };
        vec![
            "start a workload that takes on a cloud role and reads an object".into(),
            format!("{change}, and start the workload anew"),
            format!("undo: {undo}"),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.latch.reset();
        create(ctx, &aws::account(ctx, NAME)?).await?;
        create(ctx, &Reader { name: NAME, ..Reader::WELL }.workload(ctx)?.deployment(1)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        if !aws::cloud(&ctx.target.facts)?.of_lab {
            return Err(FaultError::Unfit(
                "the cloud is not a lab's own; what others live from is not switched off".into(),
            ));
        }
        let (client, run) = (&ctx.target.client, &ctx.target.run);
        let patch = match self.trouble {
            Trouble::Silent => {
                let field: (&[&str], _) = (&["spec", "replicas"], Some(json!(0)));
                Patch::plan::<Deployment>(client, Some(NAMESPACE), DEPLOYMENT, run, &[field]).await?
            }
            Trouble::Throttles => {
                let actions = Action::AssumeRoleWithWebIdentity.to_string();
                let field: (&[&str], _) = (&["data", THROTTLE], Some(json!(actions)));
                Patch::plan::<ConfigMap>(client, Some(NAMESPACE), SETTINGS, run, &[field]).await?
            }
        };
        Ok(vec![Change::Object(ObjectChange::Patch(patch))])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let wanted = match self.trouble {
            Trouble::Silent => Answer::Silent,
            Trouble::Throttles => Answer::Throttled,
        };
        self.waits_for(ctx, wanted).await
    }

    /// Who has a session keeps it; who starts anew asks for one.
    async fn provoke(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        Ok(self.latch.judge(look_at(ctx, NAME).await?))
    }

    /// A pod that starts before the cloud answers would only crash once more, and back off for longer.
    async fn relieve(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.waits_for(ctx, Answer::Accepted).await?;
        delete_pods(ctx, NAME).await
    }
}
