//! Request fragmentation: enough free requests in sum, too little on every single node.
//!
//! Fillers that do nothing take so much of every node's requests that each keeps three quarters of what the
//! victim asks for. The victim then scales up, and its second pod stays Pending on a cluster that is idle. Fillers and
//! victim have the priority that the cluster gives to every pod, so neither makes room for the other; headroom of a
//! lower priority does.

mod capacity;

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    object::{Create, ObjectChange},
    victim::{Workload, create, look_at_all, pods_of, scale, unscheduled, wait_ready},
};
use async_trait::async_trait;
use capacity::Free;
pub(crate) use capacity::Room;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event, Pod},
};
use kube::{Api, ResourceExt, api::ListParams};
use loopdrill_cluster::{ClusterFacts, NodeFacts};
use loopdrill_model::{Capability, Cause, Evidence, Source, Timestamp};
use std::{sync::Arc, time::Duration};

const NAME: &str = "asker";
const START: Duration = Duration::from_secs(60);

static SPEC: FaultSpec = FaultSpec {
    fault: "request-fragmentation",
    variant: "fillers",
    title: "free requests suffice in sum and on no single node, and a pod stays Pending",
    roots: &[&[Cause::Fragmentation]],
    needs: &[Capability::WorkerNodes(2)],
    ..FaultSpec::CANONICAL
};

/// How much CPU the victim asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VictimRequest {
    /// That much.
    CpuMillis(u64),
    /// So many thousandths of what the smallest node can give.
    PerMille(u64),
}

impl Default for VictimRequest {
    /// So little that nodes end up more than 95 % requested, as fragmented nodes are.
    fn default() -> Self {
        VictimRequest::PerMille(60)
    }
}

impl VictimRequest {
    pub(crate) fn millis(self, facts: &ClusterFacts) -> u64 {
        match self {
            VictimRequest::CpuMillis(millis) => millis,
            VictimRequest::PerMille(share) => {
                let smallest = places(facts).map(|n| n.allocatable.cpu_millis).min().unwrap_or_default();
                (smallest * share / 1000).max(20)
            }
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Fragmentation {
    request: VictimRequest,
}

/// All variants.
#[must_use]
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![Arc::new(Fragmentation::default())]
}

/// Nodes on which the victim may run, a control plane without taints included.
fn places(facts: &ClusterFacts) -> impl Iterator<Item = &NodeFacts> {
    facts.nodes.iter().filter(|n| n.schedulable)
}

impl Fragmentation {
    /// The fault with a victim that asks for that much.
    #[must_use]
    pub fn new(request: VictimRequest) -> Self {
        Self { request }
    }

    fn request(&self, ctx: &FaultContext) -> u64 {
        self.request.millis(&ctx.target.facts)
    }
}

/// What the scheduler says about a pod that it refuses for want of CPU.
fn refused(pod: &Pod) -> Option<Vec<Evidence>> {
    let why = unscheduled(pod).filter(|why| why.contains("Insufficient cpu"))?;
    Some(vec![seen("the scheduler's answer", why)])
}

#[async_trait]
impl Fault for Fragmentation {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        places(cluster).fold(footprint, |f, n| {
            f.breaks(Resource::NodeCapacity(n.name.clone())).uses(Resource::NodeLife(n.name.clone()))
        })
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let request = self.request.millis(cluster);
        let names: Vec<_> = places(cluster).map(|n| n.name.as_str()).collect();
        vec![
            format!("start a workload that requests {request}m CPU"),
            format!(
                "create an idle filler pod on each of {} that leaves {}m CPU unrequested there",
                names.join(", "),
                capacity::keep(request)
            ),
            "scale the workload up by one".into(),
            "undo: delete the fillers".into(),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        let workload = Workload::new(ctx, NAME, &["sleep"]).cpu_millis(self.request(ctx));
        create(ctx, &workload.deployment(1)).await?;
        wait_ready(ctx, NAME, 1, START).await.map(drop)
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let request = self.request(ctx);
        let room = Room::settled(ctx).await?;
        let fillers = room.fillers(request).map_err(FaultError::Unfit)?;
        let filler = |(index, Free { node, millis }): (usize, Free)| {
            let filler =
                Workload::new(ctx, &format!("filler-{index}"), &["sleep"]).on_node(&node).cpu_millis(millis);
            Ok(Change::Object(ObjectChange::Create(Create::new(&filler.pod(), &ctx.target.run)?)))
        };
        fillers.into_iter().enumerate().map(filler).collect()
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let request = self.request(ctx);
        let room = Room::now(ctx).await?;
        match room.is_fragmented(request) {
            true => {
                let value = format!("{room}, request {request}m");
                Ok(vec![Evidence::new("unrequested CPU", value, Timestamp::now(), Source::api("pods"))])
            }
            false => Err(FaultError::Unfit(format!("a request of {request}m CPU is not fragmented: {room}"))),
        }
    }

    async fn trigger(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        scale::<Deployment>(ctx, NAME, 2).await
    }

    /// A pod of lower priority that gave way, as headroom does.
    async fn absorbed_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let events: Api<Event> = Api::all(ctx.target.client.clone());
        let params = ListParams::default().fields("reason=Preempted");
        let events = events.list(&params).await.map_err(FaultError::api("list what was preempted"))?;
        let pods = pods_of(ctx, NAME).await?;
        let by_us =
            |message: &str| pods.iter().filter_map(ResourceExt::uid).any(|uid| message.contains(&uid));
        let gave_way = |e: &Event| {
            let message = e.message.as_deref().filter(|m| by_us(m))?;
            let object = &e.involved_object;
            let name = object.name.as_deref().unwrap_or_default();
            let namespace = object.namespace.as_deref().unwrap_or_default();
            Some(seen(format!("pod {namespace}/{name} gave way"), message))
        };
        Ok(events.iter().filter_map(gave_way).collect())
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_at_all::<Deployment>(ctx, NAME, refused).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::victim::{
        place::tests::facts,
        testing::{self, pod},
    };

    #[test]
    fn the_default_request_leaves_nodes_more_than_95_percent_requested() {
        let facts = facts(&[("x", Some("a")), ("y", Some("b"))]);
        let request = VictimRequest::default().millis(&facts);
        let smallest = 2000;
        assert!(capacity::keep(request) * 100 <= smallest * 5, "{request}m of {smallest}m");
        assert_eq!(VictimRequest::CpuMillis(7).millis(&facts), 7);
        assert_eq!(VictimRequest::default().millis(&ClusterFacts::default()), 20);
    }

    #[test]
    fn only_a_pod_refused_for_want_of_cpu_is_broken() {
        let pod = |why| pod("b", testing::refused(why));
        assert!(refused(&pod("2 Insufficient cpu")).is_some());
        assert!(refused(&pod("2 node(s) had untolerated taint(s)")).is_none());
    }
}
