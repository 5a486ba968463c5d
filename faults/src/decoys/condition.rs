//! A decoy that is a few objects: one drill for all of them, and one definition each.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    object::{Create, ObjectChange},
    revoked_iam::{self, aws::Reader},
    victim::{
        Latch, Look, VICTIM_LABEL, Workload, api, create, describe, newest, place::quiet_worker, pods_of,
        seen, wait_for_namespace,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Pod},
};
use loopdrill_model::{Capability, Evidence};
use loopdrill_target::ClusterFacts;
use serde::Serialize;

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
    /// The objects that are wrong, in the order in which they come.
    pub(super) objects: fn(&Site<'_>) -> Result<Vec<Create>, FaultError>,
    /// What is seen of it.
    pub(super) symptom: Symptom,
}

/// What is seen of a victim that is not well.
#[derive(Debug, Clone, Copy)]
pub(super) enum Symptom {
    /// Its pod shows this.
    Pod(fn(&Pod) -> Option<Vec<Evidence>>),
    /// It has no pod at all.
    NoPod,
    /// Its claim is not bound.
    Unbound,
}

/// Where a condition is made.
pub(super) struct Site<'a> {
    pub(super) ctx: &'a FaultContext,
}

impl Site<'_> {
    /// The victim, on a worker that no other drill takes away.
    pub(super) fn pinned(&self, args: &[&str]) -> Result<Workload, FaultError> {
        let node = quiet_worker(&self.ctx.target.facts);
        let node = node.ok_or_else(|| FaultError::Unfit("there is no worker node".into()))?;
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
pub(super) struct Decoy {
    condition: &'static Condition,
    latch: Latch,
}

impl Decoy {
    pub(super) fn new(condition: &'static Condition) -> Self {
        Self { condition, latch: Latch::default() }
    }
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
        registry.chain(worker).fold(footprint, |f, node| {
            f.uses(Resource::NodeLife(node.clone())).uses(Resource::NodeNetwork(node.clone()))
        })
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec![self.condition.does.into(), "undo: delete it again".into()]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.latch.reset();
        wait_for_namespace(ctx).await?;
        match self.condition.pulls {
            true => create(ctx, &revoked_iam::pull::secret(ctx, NAME).await?).await.map(drop),
            false => Ok(()),
        }
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let objects = (self.condition.objects)(&Site { ctx })?;
        Ok(objects.into_iter().map(|o| Change::Object(ObjectChange::Create(o))).collect())
    }

    fn on_its_way(&self) -> Option<String> {
        self.latch.on_its_way()
    }

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        let look = match self.condition.symptom {
            Symptom::Pod(shows) => look_at_pod(ctx, shows).await?,
            Symptom::NoPod => look_for_pod(ctx).await?,
            Symptom::Unbound => look_at_claim(ctx).await?,
        };
        Ok(self.latch.judge(look))
    }
}

/// The condition is its objects: without them nothing is wrong any more.
async fn look_at_pod(
    ctx: &FaultContext,
    shows: fn(&Pod) -> Option<Vec<Evidence>>,
) -> Result<Look, FaultError> {
    let pods = pods_of(ctx, NAME).await?;
    Ok(match newest(&pods) {
        None if pods.is_empty() => Look::Well,
        None => Look::Settling("its pod is being deleted".into()),
        Some(pod) => shows(pod).map_or_else(|| Look::Settling(describe(pod)), Look::Broken),
    })
}

async fn look_for_pod(ctx: &FaultContext) -> Result<Look, FaultError> {
    let found = api::<Deployment>(ctx).get_opt(NAME).await;
    let Some(deployment) = found.map_err(FaultError::api(format!("read Deployment {NAME}")))? else {
        return Ok(Look::Well);
    };
    if !pods_of(ctx, NAME).await?.is_empty() {
        return Ok(Look::Settling("it has a pod".into()));
    }
    let conditions = deployment.status.and_then(|s| s.conditions).unwrap_or_default();
    let failure = conditions
        .iter()
        .find(|c| c.type_.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True"));
    Ok(match failure {
        Some(c) => {
            let why = c.message.clone().unwrap_or_default();
            Look::Broken(vec![seen(format!("pods of {VICTIM_LABEL}={NAME}"), format!("none: {why}"))])
        }
        None => Look::Settling("it has no pod yet".into()),
    })
}

async fn look_at_claim(ctx: &FaultContext) -> Result<Look, FaultError> {
    let found = api::<PersistentVolumeClaim>(ctx).get_opt(NAME).await;
    let phase = found
        .map_err(FaultError::api(format!("read claim {NAME}")))?
        .map(|c| c.status.and_then(|s| s.phase).unwrap_or_default());
    Ok(match phase.as_deref() {
        None => Look::Well,
        Some("Pending") => Look::Broken(vec![seen(format!("phase of claim {NAME}"), "Pending")]),
        Some(other) => Look::Settling(format!("claim {NAME} is {other}")),
    })
}

/// Symptoms of a pod.
pub(super) mod shows {
    use super::{Evidence, Pod, seen};
    use crate::victim::unscheduled;
    use k8s_openapi::api::core::v1::ContainerStatus;

    fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
        pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten())
    }

    fn waiting(pod: &Pod) -> Option<(&str, &str)> {
        let waiting = statuses(pod).find_map(|s| s.state.as_ref()?.waiting.as_ref())?;
        Some((waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or_default()))
    }

    /// It ends and starts anew.
    pub(crate) fn restarts(pod: &Pod) -> Option<Vec<Evidence>> {
        let status = statuses(pod).find(|s| s.restart_count >= 1)?;
        let last = status.last_state.as_ref()?.terminated.as_ref()?;
        let said = format!(
            "{} restarts, the last life ended with code {} ({})",
            status.restart_count,
            last.exit_code,
            last.reason.as_deref().unwrap_or("no reason")
        );
        Some(vec![seen("container", said)])
    }

    /// Its image does not come.
    pub(crate) fn no_image(pod: &Pod) -> Option<Vec<Evidence>> {
        let (reason, message) = waiting(pod)?;
        matches!(reason, "ErrImagePull" | "ImagePullBackOff")
            .then(|| vec![seen(format!("waiting: {reason}"), message)])
    }

    /// It has no node.
    pub(crate) fn no_node(pod: &Pod) -> Option<Vec<Evidence>> {
        unscheduled(pod).map(|why| vec![seen("the scheduler's answer", why)])
    }

    /// It has a node and does not get beyond creating its container.
    pub(crate) fn no_container(pod: &Pod) -> Option<Vec<Evidence>> {
        let (reason, _) = waiting(pod)?;
        let created = pod.metadata.creation_timestamp.as_ref()?.0;
        let age = jiff::Timestamp::now().duration_since(created).as_secs_f64();
        (reason == "ContainerCreating" && age > 5.0)
            .then(|| vec![seen(format!("waiting: {reason}"), format!("for {age:.0} s"))])
    }
}
