//! Two canonical faults at once that have nothing to do with each other: both must be named, and nothing else.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Hold,
    request_fragmentation::Fragmentation, revoked_iam::rbac::Rbac,
};
use async_trait::async_trait;
use loopdrill_model::{Capability, Cause, Evidence};
use loopdrill_target::ClusterFacts;

static SPEC: FaultSpec = FaultSpec {
    fault: "domino",
    variant: "two-faults",
    title: "a workload loses its rights while another finds no room, and one has nothing to do with the other",
    roots: &[&[Cause::RbacDenied], &[Cause::Fragmentation]],
    needs: &[Capability::WorkerNodes(2)],
    ..FaultSpec::DOMINO
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct TwoFaults {
    rights: Rbac,
    room: Fragmentation,
}

impl TwoFaults {
    fn both(&self) -> [&dyn Fault; 2] {
        [&self.rights, &self.room]
    }
}

#[async_trait]
impl Fault for TwoFaults {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let all = self.both().map(|fault| fault.footprint(cluster).0).into_iter().flatten();
        all.fold(Footprint::default(), |footprint, (resource, hold)| match hold {
            Hold::Uses => footprint.uses(resource),
            Hold::Breaks => footprint.breaks(resource),
        })
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        self.both().iter().flat_map(|fault| fault.dry_run(cluster)).collect()
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let [rights, room] = self.both();
        tokio::try_join!(rights.set_up(ctx), room.set_up(ctx)).map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let mut plan = self.rights.plan(ctx).await?;
        plan.extend(self.room.plan(ctx).await?);
        Ok(plan)
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let mut evidence = self.rights.in_force(ctx).await?;
        evidence.extend(self.room.in_force(ctx).await?);
        Ok(evidence)
    }

    async fn provoke(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let [rights, room] = self.both();
        tokio::try_join!(rights.provoke(ctx), room.provoke(ctx)).map(drop)
    }

    fn on_its_way(&self) -> Option<String> {
        self.rights.on_its_way().or_else(|| self.room.on_its_way())
    }

    /// Before it has shown, both must be ill; afterwards it is there for as long as one of them is.
    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        let shown = self.rights.has_shown() && self.room.has_shown();
        let (rights, room) = tokio::try_join!(self.rights.symptom(ctx), self.room.symptom(ctx))?;
        Ok(match (rights, room) {
            (Some(mut evidence), Some(more)) => {
                evidence.extend(more);
                Some(evidence)
            }
            (Some(evidence), None) | (None, Some(evidence)) if shown => Some(evidence),
            _ => None,
        })
    }

    async fn relieve(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let [rights, room] = self.both();
        tokio::try_join!(rights.relieve(ctx), room.relieve(ctx)).map(drop)
    }
}
