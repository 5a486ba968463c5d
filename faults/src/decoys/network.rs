//! What looks like a lowered overlay MTU: requests to a backend that time out or fail. Here they do so at every
//! size.

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    node::{DropOutgoing, Limits, NodeChange, locate},
    object::{Create, ObjectChange, Patch},
    overlay_mtu::{BACKEND, look_at_all_answers, must_have_places, places, proxy_address, start_proxy, tag},
    victim::{READY_PORT, VICTIM_LABEL, Workload, pods_of},
};
use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use kube::{Api, ResourceExt, api::ListParams};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause};
use serde_json::json;
use std::sync::Arc;

const FAULT: &str = "network-decoy";
/// The release that takes over from the backend, where there is one.
const NEXT: &str = "backend-next";
/// How long it thinks: longer than the front waits.
const THINKS_MS: &str = "4000";
/// Of a hundred packets so many are lost.
const LOSS: u8 = 35;
/// The undo of what the backend's node holds.
const HELD: &str = "the reverse, held and ended by that node itself";

const ON_NODES: &[Capability] = &[
    Capability::NodeAccess,
    Capability::NodeServiceManager,
    Capability::WorkerNodes(2),
    Capability::VxlanOverlay,
];
const IN_API: &[Capability] = &[Capability::WorkerNodes(2)];

/// The changes that a trouble plans.
type Changes<'a> = BoxFuture<'a, Result<Vec<Change>, FaultError>>;

/// What is done to a healthy front and its backend.
struct Trouble {
    spec: FaultSpec,
    breaks: Breaks,
    /// What is changed, told the backend's node.
    does: fn(&str) -> String,
    /// How that is undone.
    undo: &'static str,
    plan: for<'a> fn(&'a FaultContext) -> Changes<'a>,
    /// A workload that comes with the trouble, and must be gone before all is well again.
    brings: Option<&'static str>,
}

/// What nobody else can use meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    /// Only what is the drill's own.
    Nothing,
    /// The network of the victim's two nodes.
    ItsNodes,
    /// The network of all nodes: names are resolved everywhere, and probes ask from every node.
    AllNodes,
}

static TROUBLES: [Trouble; 5] = [
    Trouble {
        spec: FaultSpec {
            fault: FAULT,
            variant: "filter",
            title: "a packet filter drops all that a node's pods send to others",
            roots: &[&[Cause::TrafficFiltered]],
            needs: ON_NODES,
            ..FaultSpec::DECOY
        },
        breaks: Breaks::ItsNodes,
        does: |sender| format!("on {sender}: drop 100 of 100 packets that leave by the overlay"),
        undo: HELD,
        plan: |ctx| drops(ctx, 100).boxed(),
        brings: None,
    },
    Trouble {
        spec: FaultSpec {
            fault: FAULT,
            variant: "loss",
            title: "a third of a node's packets to other nodes' pods is lost, whatever their size",
            roots: &[&[Cause::PacketLoss]],
            needs: ON_NODES,
            ..FaultSpec::DECOY
        },
        breaks: Breaks::ItsNodes,
        does: |sender| format!("on {sender}: drop {LOSS} of 100 packets that leave by the overlay"),
        undo: HELD,
        plan: |ctx| drops(ctx, LOSS).boxed(),
        brings: None,
    },
    Trouble {
        spec: FaultSpec {
            fault: FAULT,
            variant: "no-dns",
            title: "the cluster's DNS is scaled to nothing, and a front does not find its backend",
            roots: &[&[Cause::DnsFailure]],
            needs: IN_API,
            ..FaultSpec::DECOY
        },
        breaks: Breaks::AllNodes,
        does: |_| "scale the cluster's DNS to 0".into(),
        undo: "scale it back",
        plan: |ctx| async move { Ok(vec![dns_scaled_down(ctx).await?]) }.boxed(),
        brings: None,
    },
    Trouble {
        spec: FaultSpec {
            fault: FAULT,
            variant: "no-endpoints",
            title: "a Service's selector matches no pod, and its front gets no connection",
            roots: &[&[Cause::NoReadyEndpoints]],
            needs: IN_API,
            ..FaultSpec::DECOY
        },
        breaks: Breaks::Nothing,
        does: |_| "let the backend's Service select pods that do not exist".into(),
        undo: "select them again",
        plan: |ctx| async move { Ok(vec![selects(ctx, NEXT).await?]) }.boxed(),
        brings: None,
    },
    Trouble {
        spec: FaultSpec {
            fault: FAULT,
            variant: "slow-backend",
            title: "a new release of a backend thinks for seconds, and its front answers with 504",
            roots: &[&[Cause::BackendSlow]],
            needs: IN_API,
            ..FaultSpec::DECOY
        },
        breaks: Breaks::Nothing,
        does: |_| {
            format!("let the backend's Service select a release that thinks {THINKS_MS} ms before it answers")
        },
        undo: "select the old one again, and delete the new one",
        plan: |ctx| async move { Ok(vec![slow_release(ctx)?, selects(ctx, NEXT).await?]) }.boxed(),
        brings: Some(NEXT),
    },
];

/// All of them.
pub(super) fn variants() -> impl Iterator<Item = Arc<dyn Fault>> {
    TROUBLES.iter().map(|trouble| Arc::new(Decoy(trouble)) as Arc<dyn Fault>)
}

/// The drill of one trouble.
struct Decoy(&'static Trouble);

async fn drops(ctx: &FaultContext, percent: u8) -> Result<Vec<Change>, FaultError> {
    let nodes = ctx.target.node_access()?;
    let sender = must_have_places(ctx)?.sender;
    let overlay = locate::overlay(nodes, sender, proxy_address(ctx).await?).await?;
    let tag = format!("{}_{}", tag(&ctx.target.run), ctx.id.variant);
    let step = DropOutgoing { tag, link: overlay.device, percent }.into();
    Ok(vec![Change::Node(NodeChange::plan(nodes, sender, vec![step], Limits::default()).await?)])
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
        &self.0.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        if self.0.breaks == Breaks::AllNodes {
            let nodes = cluster.nodes.iter().map(|n| n.name.clone());
            return nodes.fold(footprint, |f, node| f.breaks(Resource::NodeNetwork(node)));
        }
        let Some(places) = places(cluster) else { return footprint };
        [places.sender, places.receiver].into_iter().fold(footprint, |f, node| {
            let f = f.uses(Resource::NodeLife(node.into()));
            match self.0.breaks {
                Breaks::ItsNodes => f.breaks(Resource::NodeNetwork(node.into())),
                Breaks::Nothing | Breaks::AllNodes => f.uses(Resource::NodeNetwork(node.into())),
            }
        })
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (sender, receiver) =
            places(cluster).map_or(("one worker", "another"), |p| (p.sender, p.receiver));
        vec![
            format!("start an HTTP front on {receiver} and its backend on {sender}"),
            (self.0.does)(sender),
            format!("undo: {}", self.0.undo),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        start_proxy(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        (self.0.plan)(ctx).await
    }

    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        let look = look_at_all_answers(ctx).await?;
        match self.0.brings {
            // Its pod goes some time after its Deployment.
            Some(workload) if shown && look == Look::Well && !pods_of(ctx, workload).await?.is_empty() => {
                Ok(Look::Settling(format!("{workload} is still there")))
            }
            _ => Ok(look),
        }
    }
}
