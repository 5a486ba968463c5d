//! What looks like a lowered overlay MTU: requests to a backend that time out or fail. Here they do so at every
//! size.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    node::{Limits, NodeChange, Step, locate},
    object::{Create, ObjectChange, Patch},
    overlay_mtu::{BACKEND, front_address, look_at_front, must_have_places, places, start_front, tag},
    victim::{Latch, Look, READY_PORT, VICTIM_LABEL, Workload, pods_of},
};
use async_trait::async_trait;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use kube::{Api, ResourceExt, api::ListParams};
use loopdrill_model::{Capability, Cause, Evidence};
use loopdrill_target::ClusterFacts;
use serde_json::json;
use std::sync::Arc;

const FAULT: &str = "network-decoy";
/// The release that takes over in [`Trouble::Slow`].
const NEXT: &str = "backend-next";
/// How long it thinks: longer than the front waits.
const THINKS_MS: &str = "4000";
/// Of a hundred packets so many are lost.
const LOSS: u8 = 35;

const ON_NODES: &[Capability] = &[
    Capability::NodeAccess,
    Capability::NodeServiceManager,
    Capability::WorkerNodes(2),
    Capability::VxlanOverlay,
];
const IN_API: &[Capability] = &[Capability::WorkerNodes(2)];

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// So many of a hundred packets that leave the backend's node by the overlay are dropped.
    Dropped(u8),
    /// The cluster's DNS has no server.
    NoDns,
    /// The Service selects nobody.
    NoEndpoints,
    /// The Service selects a release that thinks for long.
    Slow,
}

static SPECS: [(FaultSpec, Trouble); 5] = [
    (
        FaultSpec {
            fault: FAULT,
            variant: "filter",
            title: "a packet filter drops all that a node's pods send to others",
            roots: &[&[Cause::TrafficFiltered]],
            needs: ON_NODES,
            ..FaultSpec::DECOY
        },
        Trouble::Dropped(100),
    ),
    (
        FaultSpec {
            fault: FAULT,
            variant: "loss",
            title: "a third of a node's packets to other nodes' pods is lost, whatever their size",
            roots: &[&[Cause::PacketLoss]],
            needs: ON_NODES,
            ..FaultSpec::DECOY
        },
        Trouble::Dropped(LOSS),
    ),
    (
        FaultSpec {
            fault: FAULT,
            variant: "no-dns",
            title: "the cluster's DNS is scaled to nothing, and a front does not find its backend",
            roots: &[&[Cause::DnsFailure]],
            needs: IN_API,
            ..FaultSpec::DECOY
        },
        Trouble::NoDns,
    ),
    (
        FaultSpec {
            fault: FAULT,
            variant: "no-endpoints",
            title: "a Service's selector matches no pod, and its front gets no connection",
            roots: &[&[Cause::NoReadyEndpoints]],
            needs: IN_API,
            ..FaultSpec::DECOY
        },
        Trouble::NoEndpoints,
    ),
    (
        FaultSpec {
            fault: FAULT,
            variant: "slow-backend",
            title: "a new release of a backend thinks for seconds, and its front answers with 504",
            roots: &[&[Cause::BackendSlow]],
            needs: IN_API,
            ..FaultSpec::DECOY
        },
        Trouble::Slow,
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
    async fn drops(&self, ctx: &FaultContext, percent: u8) -> Result<Change, FaultError> {
        let nodes = ctx.target.node_access()?;
        let sender = must_have_places(ctx)?.sender;
        let overlay = locate::overlay(nodes, sender, front_address(ctx).await?).await?;
        let tag = format!("{}_{}", tag(&ctx.target.run), self.spec.variant);
        let step = Step::DropOutgoing { tag, link: overlay.device, percent };
        Ok(Change::Node(NodeChange::plan(nodes, sender, vec![step], Limits::default()).await?))
    }
}

/// The Service gets its endpoints from the pods of `release`.
async fn selects(ctx: &FaultContext, release: &str) -> Result<Change, FaultError> {
    let field: (&[&str], _) = (&["spec", "selector", VICTIM_LABEL], Some(json!(release)));
    let (client, run) = (&ctx.target.client, &ctx.target.run);
    let patch = Patch::plan::<Service>(client, Some(&ctx.namespace), BACKEND, run, &[field]).await?;
    Ok(Change::Object(ObjectChange::Patch(patch)))
}

/// A backend that accepts connections and lets everybody wait, its own kubelet included.
fn slow_release(ctx: &FaultContext) -> Result<Change, FaultError> {
    let probe = json!({
        "httpGet": {"path": "/?bytes=1", "port": READY_PORT}, "periodSeconds": 1, "timeoutSeconds": 1,
        "failureThreshold": 600,
    });
    let backend = Workload::new(ctx, NEXT, &["payload-server", THINKS_MS]).tells_readiness();
    let backend = backend.on_node(must_have_places(ctx)?.sender).of_container("livenessProbe", probe);
    let create = Create::new(&backend.deployment(1), &ctx.target.run)?;
    Ok(Change::Object(ObjectChange::Create(create)))
}

/// The Deployment of the cluster's DNS, by the label that every distribution gives it.
async fn dns_scaled_down(ctx: &FaultContext) -> Result<Change, FaultError> {
    const SYSTEM: &str = "kube-system";
    let client = &ctx.target.client;
    let all: Api<Deployment> = Api::namespaced(client.clone(), SYSTEM);
    let params = ListParams::default().labels("k8s-app=kube-dns");
    let found = all.list(&params).await.map_err(FaultError::api("look for the cluster's DNS"))?;
    let [dns] = &found.items[..] else {
        let why = format!("{} Deployments in {SYSTEM} serve DNS, one is expected", found.items.len());
        return Err(FaultError::Unfit(why));
    };
    let field: (&[&str], _) = (&["spec", "replicas"], Some(json!(0)));
    let run = &ctx.target.run;
    let patch = Patch::plan::<Deployment>(client, Some(SYSTEM), &dns.name_any(), run, &[field]).await?;
    Ok(Change::Object(ObjectChange::Patch(patch)))
}

#[async_trait]
impl Fault for Decoy {
    fn spec(&self) -> &'static FaultSpec {
        self.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        // Names are resolved everywhere, and probes ask from every node.
        if self.trouble == Trouble::NoDns {
            return cluster
                .nodes
                .iter()
                .fold(footprint, |f, n| f.breaks(Resource::NodeNetwork(n.name.clone())));
        }
        let Some(places) = places(cluster) else { return footprint };
        [places.sender, places.receiver].into_iter().fold(footprint, |f, node| {
            let f = f.uses(Resource::NodeLife(node.into()));
            match self.trouble {
                Trouble::Dropped(_) => f.breaks(Resource::NodeNetwork(node.into())),
                _ => f.uses(Resource::NodeNetwork(node.into())),
            }
        })
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (sender, receiver) =
            places(cluster).map_or(("one worker", "another"), |p| (p.sender, p.receiver));
        let (change, undo) = match self.trouble {
            Trouble::Dropped(percent) => (
                format!("on {sender}: drop {percent} of 100 packets that leave by the overlay"),
                format!("the reverse, held and ended by {sender} itself"),
            ),
            Trouble::NoDns => ("scale the cluster's DNS to 0".into(), "scale it back".into()),
            Trouble::NoEndpoints => {
                ("let the backend's Service select pods that do not exist".into(), "select them again".into())
            }
            Trouble::Slow => (
                format!(
                    "let the backend's Service select a release that thinks {THINKS_MS} ms before it answers"
                ),
                "select the old one again, and delete the new one".into(),
            ),
        };
        vec![
            format!("start an HTTP front on {receiver} and its backend on {sender}"),
            change,
            format!("undo: {undo}"),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.latch.reset();
        start_front(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        Ok(match self.trouble {
            Trouble::Dropped(percent) => vec![self.drops(ctx, percent).await?],
            Trouble::NoDns => vec![dns_scaled_down(ctx).await?],
            Trouble::NoEndpoints => vec![selects(ctx, NEXT).await?],
            Trouble::Slow => vec![slow_release(ctx)?, selects(ctx, NEXT).await?],
        })
    }

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        let look = match look_at_front(ctx).await? {
            Look::Well if self.trouble == Trouble::Slow && self.latch.has_shown() => {
                // Its pod goes some time after its Deployment.
                match pods_of(ctx, NEXT).await?.is_empty() {
                    true => Look::Well,
                    false => Look::Settling("the slow release is still there".into()),
                }
            }
            other => other,
        };
        Ok(self.latch.judge(look))
    }
}
