//! What looks like a revoked cloud role and is none: the cloud gives no verdict at all. Its API does not answer, or is too
//! busy. Both are done to the account of a lab, by its own objects; nobody else's cloud is touched.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look,
    object::{ObjectChange, Patch},
    revoked_iam::{
        aws::{self, Reader},
        silent_crash::look_for_crashes,
    },
    victim::{Seen, create, delete_pods, until, wait_ready},
};
use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::Resource;
use loopdrill_aws::{Action, WebIdentityClient};
use loopdrill_cloud::{DEPLOYMENT, NAMESPACE, SETTINGS, THROTTLE};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence, Source, Timestamp, signal::CloudWord};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const FAULT: &str = "identity-decoy";
/// The victim's name and that of its account.
const NAME: &str = "app";
const START: Duration = Duration::from_secs(60);
/// The front reads its settings every few seconds; a cloud that comes back starts anew.
const TAKES_HOLD: Duration = Duration::from_secs(60);
const NEEDS: &[Capability] = &[Capability::WorkerNodes(1), Capability::CloudIdentity];

/// What is done to the cloud.
struct Trouble {
    spec: FaultSpec,
    /// The change in words, and its undo.
    words: [&'static str; 2],
    plan: for<'a> fn(&'a FaultContext) -> BoxFuture<'a, Result<Patch, FaultError>>,
    /// What the cloud then answers.
    answer: CloudWord,
}

static TROUBLES: [Trouble; 2] = [
    Trouble {
        spec: FaultSpec {
            fault: FAULT,
            variant: "cloud-unreachable",
            title: "the cloud's API does not answer, and a workload that starts ends with code 1",
            roots: &[&[Cause::CloudUnreachable]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        words: ["scale the lab's cloud to 0", "scale it back"],
        plan: |ctx| patch::<Deployment>(ctx, DEPLOYMENT, &["spec", "replicas"], json!(0)).boxed(),
        answer: CloudWord::Silent,
    },
    Trouble {
        spec: FaultSpec {
            fault: FAULT,
            variant: "cloud-throttled",
            title: "the cloud throttles whoever wants a session, and a workload that starts ends with code 1",
            roots: &[&[Cause::CloudThrottled]],
            needs: NEEDS,
            ..FaultSpec::DECOY
        },
        words: ["let the lab's cloud throttle whoever wants a session", "let it answer again"],
        plan: |ctx| {
            let actions = json!(Action::AssumeRoleWithWebIdentity.to_string());
            patch::<ConfigMap>(ctx, SETTINGS, &["data", THROTTLE], actions).boxed()
        },
        answer: CloudWord::Throttled,
    },
];

/// All of them.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    TROUBLES.iter().map(|trouble| Arc::new(Decoy(trouble)) as Arc<dyn Fault>)
}

/// A field of one of the cloud's own objects.
async fn patch<K>(ctx: &FaultContext, name: &str, field: &[&str], value: Value) -> Result<Patch, FaultError>
where
    K: Resource<DynamicType = ()>,
{
    let (client, run) = (&ctx.target.client, &ctx.target.run);
    Ok(Patch::plan::<K>(client, Some(NAMESPACE), name, run, &[(field, Some(value))]).await?)
}

/// The drill of one trouble.
struct Decoy(&'static Trouble);

/// What the cloud answers now to a client with the victim's identity.
async fn answer_now(ctx: &FaultContext) -> Result<CloudWord, FaultError> {
    let target = &aws::cloud(&ctx.target.facts)?.aws;
    let token = aws::token(ctx, NAME).await?;
    let cloud = WebIdentityClient::of(target).await;
    let begun = cloud.begin(&target.role_arn(target.victim_role()), &token).await;
    Ok(begun.as_ref().map_or_else(CloudWord::from, |_| CloudWord::Accepted))
}

async fn wait_for_answer(ctx: &FaultContext, wanted: CloudWord) -> Result<Vec<Evidence>, FaultError> {
    until(ctx, "the cloud's answer", TAKES_HOLD, || async {
        let said = answer_now(ctx).await?;
        let told = format!("{said:?}").to_lowercase();
        Ok(match said == wanted {
            true => {
                let action = Action::AssumeRoleWithWebIdentity.to_string();
                Seen::Yes(vec![Evidence::new(action, told, Timestamp::now(), Source::cloud("sts"))])
            }
            false => Seen::NotYet(told),
        })
    })
    .await
}

#[async_trait]
impl Fault for Decoy {
    fn spec(&self) -> &'static FaultSpec {
        &self.0.spec
    }

    /// Every workload that uses the role is hit.
    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        aws::footprint(cluster)
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        let [change, undo] = self.0.words;
        vec![
            "start a workload that takes on a cloud role and reads an object".into(),
            format!("{change}, and start the workload anew"),
            format!("undo: {undo}"),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
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
        Ok(vec![Change::Object(ObjectChange::Patch((self.0.plan)(ctx).await?))])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        wait_for_answer(ctx, self.0.answer).await
    }

    /// A pod keeps the session that it has; only a new pod asks for one.
    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        delete_pods(ctx, NAME).await
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_for_crashes(ctx, NAME).await
    }

    /// A pod that starts before the cloud answers would only crash once more, and back off for longer.
    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        wait_for_answer(ctx, CloudWord::Accepted).await?;
        delete_pods(ctx, NAME).await
    }
}
