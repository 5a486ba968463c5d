//! Two canonical faults at once that have nothing to do with each other: both must be named, and nothing else.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Hold, Look,
    request_fragmentation::Fragmentation, revoked_iam::rbac::Rbac,
};
use async_trait::async_trait;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};

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

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let [rights, room] = self.both();
        tokio::try_join!(rights.trigger(ctx), room.trigger(ctx)).map(drop)
    }

    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        let [rights, room] = self.both();
        tokio::try_join!(rights.look(ctx, shown), room.look(ctx, shown))
            .map(|(rights, room)| as_one(rights, room))
    }

    async fn after_undo(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let [rights, room] = self.both();
        tokio::try_join!(rights.after_undo(ctx), room.after_undo(ctx)).map(drop)
    }
}

/// Two victims as one: it is broken when both are, and well when both are. Whatever else they show is neither.
fn as_one(rights: Look, room: Look) -> Look {
    match (rights, room) {
        (Look::Broken(mut evidence), Look::Broken(more)) => {
            evidence.extend(more);
            Look::Broken(evidence)
        }
        (Look::Well, Look::Well) => Look::Well,
        (rights, room) => Look::Settling(format!(
            "the workload that needs its rights {}, the one that needs room {}",
            words(&rights),
            words(&room)
        )),
    }
}

fn words(look: &Look) -> String {
    match look {
        Look::Well => "is well".into(),
        Look::Settling(what) => format!("is neither well nor broken ({what})"),
        Look::Broken(evidence) => {
            let first = evidence.first().map(|e| format!(" ({}: {})", e.signal, e.value));
            format!("is broken{}", first.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::seen;

    #[test]
    fn two_victims_are_one_only_where_they_agree() {
        let well = || Look::Well;
        let settling = || Look::Settling("starting".into());
        let broken = || Look::Broken(vec![seen("signal", "value")]);
        assert_eq!(as_one(well(), well()), Look::Well);
        assert!(matches!(as_one(broken(), broken()), Look::Broken(evidence) if evidence.len() == 2));
        for (rights, room) in [
            (broken(), well()),
            (well(), broken()),
            (broken(), settling()),
            (settling(), broken()),
            (well(), settling()),
            (settling(), well()),
            (settling(), settling()),
        ] {
            assert!(
                matches!(as_one(rights.clone(), room.clone()), Look::Settling(_)),
                "{rights:?}, {room:?}"
            );
        }
        let Look::Settling(what) = as_one(broken(), well()) else { panic!("one bit, the other did not") };
        assert!(what.contains("is broken (signal: value), the one that needs room is well"), "{what}");
    }
}
