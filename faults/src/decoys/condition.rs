//! A decoy that is a few objects: one drill for all of them, and one definition each.

pub(super) mod shows;
pub(super) mod words;

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    object::{Create, ObjectChange},
    revoked_iam::{self, aws::Reader},
    victim::{
        Seen, VICTIM_LABEL, Workload, api, create, delete_pods, describe, newest,
        place::{a_worker, quiet_worker},
        pods_of, until, wait_for_namespace,
    },
};
use async_trait::async_trait;
use futures::future::BoxFuture;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Pod},
};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Evidence};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// Every victim's name: it must not tell what is wrong with it.
pub(super) const NAME: &str = "app";

/// One decoy.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) spec: FaultSpec,
    /// What is made, in one sentence.
    pub(super) does: &'static str,
    /// Whether it needs a copy of the lab's pull secret, called like the victim.
    pub(super) pulls: bool,
    /// What else is there and well before it.
    pub(super) before: Option<Before>,
    /// The objects that are wrong, in the order in which they come.
    pub(super) objects: fn(&Site<'_>) -> Result<Vec<Create>, FaultError>,
    /// What is seen of it.
    pub(super) symptom: Symptom,
    /// Whose words show that it is this condition, and no other with the same symptom.
    pub(super) told: Told,
}

/// Makes what is there before the condition, and waits until it is well.
pub(super) type Before = for<'a> fn(&'a FaultContext) -> BoxFuture<'a, Result<(), FaultError>>;

impl Condition {
    /// A condition to which the rest is to be added.
    pub(super) const PLAIN: Condition = Condition {
        spec: FaultSpec::DECOY,
        does: "",
        pulls: false,
        before: None,
        objects: |_| Ok(Vec::new()),
        symptom: Symptom::NoPod,
        told: Told::Symptom(""),
    };
}

/// Who says what is wrong. The words are those of Kubernetes, or of the victim's own program.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// What is seen of the symptom says it.
    Symptom(&'static str),
    /// An event in the drill's namespace says it.
    Event(&'static str),
    /// The victim's log says it, that of its last life where it has ended.
    Log(&'static str),
    /// Whom the victim asks says it, asked in its place.
    Answer(Asks),
}

/// Asks in the victim's place; `None` is another answer than the one that the condition is about.
pub(super) type Asks = for<'a> fn(&'a FaultContext) -> BoxFuture<'a, Result<Option<Evidence>, FaultError>>;

/// What is seen of a victim that is not well.
#[derive(Debug, Clone, Copy)]
pub(super) enum Symptom {
    /// Its pod shows this.
    Pod(fn(&Pod) -> Option<Vec<Evidence>>),
    /// One of its pods shows this.
    AnyPod(fn(&Pod) -> Option<Vec<Evidence>>),
    /// It has no pod at all.
    NoPod,
    /// Its claim is not bound.
    Unbound,
    /// Nothing is wrong: its pod is ready, and was not started twice.
    Healthy,
}

/// Where a condition is made.
pub(super) struct Site<'a> {
    pub(super) ctx: &'a FaultContext,
}

impl Site<'_> {
    /// The victim, on a worker that no other drill takes away.
    pub(super) fn pinned(&self, args: &[&str]) -> Result<Workload, FaultError> {
        let node = a_worker(&self.ctx.target.facts)?;
        Ok(self.victim(args).on_node(&node.name))
    }

    /// The victim, placed by the scheduler.
    pub(super) fn victim(&self, args: &[&str]) -> Workload {
        Workload::new(self.ctx, NAME, args)
    }

    /// Will create `object`.
    pub(super) fn creates<K>(&self, object: &K) -> Result<Create, FaultError>
    where
        K: kube::Resource<DynamicType = ()> + Serialize,
    {
        Create::new(object, &self.ctx.target.run).map_err(FaultError::from)
    }

    /// Will create the victim as a Deployment of one pod.
    pub(super) fn runs(&self, victim: &Workload) -> Result<Vec<Create>, FaultError> {
        Ok(vec![self.creates(&victim.deployment(1))?])
    }

    /// Will create the victim as a workload of the cloud, with its account.
    pub(super) fn reads_from_cloud(&self, reader: Reader<'_>) -> Result<Vec<Create>, FaultError> {
        let reader = Reader { name: NAME, ..reader };
        Ok(vec![
            self.creates(&revoked_iam::aws::account(self.ctx, NAME)?)?,
            self.creates(&reader.workload(self.ctx)?.deployment(1))?,
        ])
    }

    pub(super) fn facts(&self) -> &ClusterFacts {
        &self.ctx.target.facts
    }
}

/// The drill of one condition.
#[derive(Debug)]
struct Decoy {
    condition: &'static Condition,
}

/// The drills of all conditions of a table.
pub(super) fn drills(conditions: &'static [Condition]) -> impl Iterator<Item = Arc<dyn Fault>> {
    conditions.iter().map(|condition| Arc::new(Decoy { condition }) as Arc<dyn Fault>)
}

#[async_trait]
impl Fault for Decoy {
    fn spec(&self) -> &'static FaultSpec {
        &self.condition.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let mut footprint = Footprint::default().uses(Resource::ControlPlane);
        if self.condition.pulls {
            footprint = footprint.uses(Resource::Registry);
        }
        if self.condition.spec.needs.contains(&Capability::CloudIdentity) {
            let roles = cluster.cloud.iter().map(|cloud| cloud.aws.victim_role());
            footprint = roles.fold(footprint, |f, role| f.uses(Resource::CloudRole(role.into())));
        }
        let registry = cluster.registry.iter().filter(|_| self.condition.pulls).map(|r| &r.node);
        let worker = quiet_worker(cluster).map(|n| &n.name);
        registry.chain(worker).fold(footprint, |f, node| f.uses_node(node))
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![self.condition.does.into(), "undo: delete it again".into()]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        wait_for_namespace(ctx).await?;
        if self.condition.pulls {
            create(ctx, &revoked_iam::pull::secret(ctx, NAME).await?).await?;
        }
        match self.condition.before {
            Some(before) => before(ctx).await,
            None => Ok(()),
        }
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let objects = (self.condition.objects)(&Site { ctx })?;
        Ok(objects.into_iter().map(|o| Change::Object(ObjectChange::Create(o))).collect())
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        match self.condition.symptom {
            Symptom::NoPod => until_refused(ctx).await,
            _ => Ok(()),
        }
    }

    /// The condition is its objects: once it has shown, nothing is wrong any more when they are gone.
    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        let found = match self.condition.symptom {
            Symptom::Pod(shows) => look_at_pod(ctx, shows).await?,
            Symptom::AnyPod(shows) => match pods_of(ctx, NAME).await?.iter().find_map(shows) {
                Some(evidence) => Some(Look::Broken(evidence)),
                None => look_at_pod(ctx, |_| None).await?,
            },
            Symptom::NoPod => look_for_pod(ctx).await?,
            Symptom::Unbound => look_at_claim(ctx).await?,
            Symptom::Healthy => look_at_pod(ctx, shows::health).await?,
        };
        Ok(match found {
            Some(Look::Broken(evidence)) => words::look(ctx, self.condition.told, evidence).await?,
            Some(look) => look,
            None if shown => Look::Well,
            None => Look::Settling(format!("{NAME} is not there")),
        })
    }
}

async fn deployment(ctx: &FaultContext) -> Result<Option<Deployment>, FaultError> {
    let found = api::<Deployment>(ctx).get_opt(NAME).await;
    found.map_err(FaultError::api(format!("read Deployment {NAME}")))
}

/// What the pod shows; `None` when it is gone with its Deployment.
async fn look_at_pod(
    ctx: &FaultContext,
    shows: fn(&Pod) -> Option<Vec<Evidence>>,
) -> Result<Option<Look>, FaultError> {
    let pods = pods_of(ctx, NAME).await?;
    Ok(match newest(&pods) {
        Some(pod) => Some(shows(pod).map_or_else(|| Look::Settling(describe(pod)), Look::Broken)),
        None if !pods.is_empty() => Some(Look::Settling("its pod is being deleted".into())),
        None => deployment(ctx).await?.map(|_| Look::Settling("it has no pod yet".into())),
    })
}

/// How long the API server may take to know what it is to refuse: it remembers for half a minute that a namespace has no
/// limits.
const LEARNS: Duration = Duration::from_secs(45);

/// The API server refuses by a policy or a webhook some moments after it has stored it. A pod that slipped in before is
/// deleted, so that its controller asks for another one. What is seen in the end is for the look to tell.
pub(super) async fn until_refused(ctx: &FaultContext) -> Result<(), FaultError> {
    let refused = until(ctx, "a pod that is refused", LEARNS, || async {
        if pods_of(ctx, NAME).await?.iter().any(|pod| pod.metadata.deletion_timestamp.is_none()) {
            delete_pods(ctx, NAME).await?;
        }
        Ok(match look_for_pod(ctx).await? {
            Some(Look::Settling(why)) => Seen::NotYet(why),
            Some(Look::Well | Look::Broken(_)) | None => Seen::Yes(()),
        })
    });
    match refused.await {
        Err(FaultError::TimedOut { .. }) => Ok(()),
        other => other,
    }
}

/// Why the Deployment gets no pod; `None` when it is gone.
pub(super) async fn look_for_pod(ctx: &FaultContext) -> Result<Option<Look>, FaultError> {
    if !pods_of(ctx, NAME).await?.is_empty() {
        return Ok(Some(Look::Settling("it has a pod".into())));
    }
    Ok(deployment(ctx).await?.map(|found| why_no_pod(&found)))
}

fn why_no_pod(deployment: &Deployment) -> Look {
    let mut conditions = deployment.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let failure = conditions
        .find(|c| c.type_.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True"));
    match failure {
        Some(c) => {
            let why = c.message.as_deref().unwrap_or_default();
            Look::Broken(vec![seen(format!("pods of {VICTIM_LABEL}={NAME}"), format!("none: {why}"))])
        }
        None => Look::Settling("it has no pod yet".into()),
    }
}

/// The phase of the claim; `None` when it is gone.
async fn look_at_claim(ctx: &FaultContext) -> Result<Option<Look>, FaultError> {
    let found = api::<PersistentVolumeClaim>(ctx).get_opt(NAME).await;
    let found = found.map_err(FaultError::api(format!("read claim {NAME}")))?;
    let phase = found.map(|c| c.status.and_then(|s| s.phase).unwrap_or_default());
    Ok(phase.map(|phase| match phase.as_str() {
        "Pending" => Look::Broken(vec![seen(format!("phase of claim {NAME}"), "Pending")]),
        other => Look::Settling(format!("claim {NAME} is {other:?}")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object::testing::FakeApi, victim::testing::context};
    use serde_json::json;

    /// As on a fast machine, where the controller asks for a pod before the API server knows of the policy.
    #[tokio::test(start_paused = true)]
    async fn a_pod_that_came_before_it_was_refused_is_made_anew() {
        for came in [true, false] {
            let api = FakeApi::default();
            let ctx = context(&api, ClusterFacts::default());
            let pod = format!("/api/v1/namespaces/{}/pods/app-1", ctx.namespace);
            let other = format!("/api/v1/namespaces/{}/pods/other", ctx.namespace);
            let labelled = |name: &str| json!({"metadata": {"name": name, "labels": {VICTIM_LABEL: name}}});
            api.put(&other, labelled("other"));
            if came {
                api.put(&pod, labelled(NAME));
            }
            let refused = json!([{"type": "ReplicaFailure", "status": "True", "message": "denied request"}]);
            api.put(
                &format!("/apis/apps/v1/namespaces/{}/deployments/{NAME}", ctx.namespace),
                json!({"metadata": {"name": NAME}, "status": {"conditions": refused}}),
            );
            until_refused(&ctx).await.expect("refused in the end");
            assert_eq!((api.object(&pod), api.count("DELETE")), (None, usize::from(came)));
            assert!(api.object(&other).is_some());
            assert!(matches!(look_for_pod(&ctx).await.expect("an answer"), Some(Look::Broken(_))));
        }
    }

    /// Where nothing refuses it, the look tells so, and the drill does not pass.
    #[tokio::test(start_paused = true)]
    async fn a_pod_that_nobody_refuses_is_for_the_look_to_tell() {
        let api = FakeApi::default();
        let ctx = context(&api, ClusterFacts::default());
        let deployment = format!("/apis/apps/v1/namespaces/{}/deployments/{NAME}", ctx.namespace);
        api.put(&deployment, json!({"metadata": {"name": NAME}}));
        until_refused(&ctx).await.expect("the look tells");
        assert!(matches!(look_for_pod(&ctx).await.expect("an answer"), Some(Look::Settling(_))));
    }
}
