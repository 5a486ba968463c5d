//! Lowered overlay MTU: on the way from one node to another large packets vanish without a word.
//!
//! | variant | what is changed on the sending node | where the loss is counted |
//! |---|---|---|
//! | `df` | the vxlan marks its packets "don't fragment", and the path to the other node's tunnel end narrows | `tx_dropped` of the vxlan, the physical device stays clean |
//! | `filtered-icmp` | the vxlan's own MTU is lowered below that of the pods | `FragFails` of the node |
//!
//! In both, outgoing ICMP "fragmentation needed" is dropped, as firewalls do: no host can adapt.
//!
//! The path narrows by the MTU of one host route and not by that of the device: a device with a lower MTU
//! would also refuse what it receives, and so cut off the node's own kubelet.
//!
//! The victim is an HTTP front on one node and its backend on another. The backend's answers travel through
//! the fault; so the *sending* node is the backend's.

mod dns;
mod front;
mod report;
#[cfg(test)]
mod tests;
mod web;

pub(crate) use front::serve as serve_front;
pub(crate) use web::serve as serve_backend;

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Resource,
    node::{
        Limits, NodeChange, Step,
        locate::{self, Overlay},
    },
    victim::{
        self, Latch, Look, Seen, Workload, create, newest, place::quiet_worker, pods_of, seen, typed, until,
    },
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{ResourceExt, api::LogParams};
use loopdrill_model::{Capability, Cause, Evidence};
use loopdrill_target::ClusterFacts;
use report::Report;
use serde_json::json;
use std::{net::Ipv4Addr, sync::Arc, time::Duration};

const FRONT: &str = "front";
pub(crate) const BACKEND: &str = "backend";
/// How long a victim may take to start.
const START: Duration = Duration::from_secs(60);
/// A report older than that says nothing about now.
const FRESH_S: i64 = 15;
/// What a vxlan adds to a packet over IPv4.
const VXLAN_OVERHEAD: u32 = 50;
/// By how much the path gets too narrow.
const NARROWED: u32 = 100;
/// By how much the overlay's MTU is lowered. It stays above 1280, where the kernel would take IPv6 off the device.
const LOWERED: u32 = 150;

static DF: FaultSpec = FaultSpec {
    fault: "overlay-mtu",
    variant: "df",
    title: "the path under the overlay narrows, and large packets vanish silently",
    roots: &[&[Cause::OverlayMtu]],
    needs: NEEDS,
    ..FaultSpec::CANONICAL
};

static FILTERED_ICMP: FaultSpec = FaultSpec {
    fault: "overlay-mtu",
    variant: "filtered-icmp",
    title: "the overlay's MTU is lowered, and a filter swallows the ICMP that would say so",
    roots: &[&[Cause::OverlayMtu]],
    needs: NEEDS,
    ..FaultSpec::CANONICAL
};

const NEEDS: &[Capability] = &[
    Capability::NodeAccess,
    Capability::NodeServiceManager,
    Capability::WorkerNodes(2),
    Capability::VxlanOverlay,
];

/// Both variants.
pub fn variants() -> Vec<Arc<dyn Fault>> {
    [&DF, &FILTERED_ICMP].map(|spec| Arc::new(OverlayMtu::new(spec)) as Arc<dyn Fault>).into()
}

/// See the module.
struct OverlayMtu {
    spec: &'static FaultSpec,
    latch: Latch,
}

/// Where the victim's two parts run.
pub(crate) struct Places<'a> {
    /// The backend's node: what it sends is lost.
    pub(crate) sender: &'a str,
    /// The front's node.
    pub(crate) receiver: &'a str,
}

pub(crate) fn places(facts: &ClusterFacts) -> Option<Places<'_>> {
    let receiver = &quiet_worker(facts)?.name;
    let sender = &facts.workers().find(|n| n.name != *receiver)?.name;
    Some(Places { sender, receiver })
}

pub(crate) fn must_have_places(ctx: &FaultContext) -> Result<Places<'_>, FaultError> {
    places(&ctx.target.facts).ok_or_else(|| FaultError::Unfit("there are no two worker nodes".into()))
}

impl OverlayMtu {
    fn new(spec: &'static FaultSpec) -> Self {
        Self { spec, latch: Latch::default() }
    }

    /// What is changed on the sending node. The filter comes first, so that no host learns of the lower MTU.
    fn steps(&self, overlay: &Overlay, tag: String) -> Vec<Step> {
        let device = overlay.device.clone();
        let filter = Step::DropFragNeeded { tag };
        if self.spec.variant == DF.variant {
            let mtu = overlay.mtu + VXLAN_OVERHEAD - NARROWED;
            return vec![
                filter,
                Step::RouteMtu { peer: overlay.peer, mtu },
                Step::VxlanDf { link: device, on: true },
            ];
        }
        vec![filter, Step::LinkMtu { link: device, mtu: overlay.mtu - LOWERED }]
    }
}

#[async_trait]
impl Fault for OverlayMtu {
    fn spec(&self) -> &'static FaultSpec {
        self.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        let footprint = Footprint::default().uses(Resource::ControlPlane);
        let Some(places) = places(cluster) else { return footprint };
        [places.sender, places.receiver].into_iter().fold(footprint, |footprint, node| {
            footprint.uses(Resource::NodeLife(node.into())).breaks(Resource::NodeNetwork(node.into()))
        })
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (sender, receiver) =
            places(cluster).map_or(("one worker", "another"), |p| (p.sender, p.receiver));
        let change = if self.spec.variant == DF.variant {
            format!(
                "on {sender}: mark overlay packets \"don't fragment\" and narrow the path to {receiver} by {NARROWED} bytes"
            )
        } else {
            format!("on {sender}: lower the MTU of the overlay device by {LOWERED} bytes")
        };
        vec![
            format!("start an HTTP front on {receiver} and its backend on {sender}"),
            change,
            format!("on {sender}: drop outgoing ICMP \"fragmentation needed\""),
            format!("undo: the reverse, held and ended by {sender} itself"),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        self.latch.reset();
        start_front(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let nodes = ctx.target.node_access()?;
        let sender = must_have_places(ctx)?.sender;
        let overlay = locate::overlay(nodes, sender, front_address(ctx).await?).await?;
        let steps = self.steps(&overlay, tag(&ctx.target.run));
        let change = NodeChange::plan(nodes, sender, steps, Limits::default()).await?;
        Ok(vec![Change::Node(change)])
    }

    /// What the sender's own device lets out, and how a large answer fares.
    async fn held_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let mut evidence = vec![seen("MTU of the backend's device", device_mtu(ctx).await?)];
        if let Some(report) = reports(ctx, 1).await?.last() {
            let large = &report.large;
            evidence.push(seen(
                format!("an answer of {} bytes", large.bytes),
                format!("HTTP {} in {} ms", large.status, large.ms),
            ));
        }
        Ok(evidence)
    }

    fn on_its_way(&self) -> Option<String> {
        self.latch.on_its_way()
    }

    async fn symptom(&self, ctx: &FaultContext) -> Result<Option<Vec<Evidence>>, FaultError> {
        Ok(self.latch.judge(look(ctx).await?))
    }
}

/// Starts the front and its backend on two nodes, and waits until requests pass at every size.
pub(crate) async fn start_front(ctx: &FaultContext) -> Result<(), FaultError> {
    let places = must_have_places(ctx)?;
    create::<Service>(ctx, &service(ctx)).await?;
    let backend = Workload::new(ctx, BACKEND, &["payload-server"]).tells_readiness().on_node(places.sender);
    let front =
        Workload::new(ctx, FRONT, &["http-front", BACKEND]).tells_readiness().on_node(places.receiver);
    create(ctx, &backend.deployment(1)).await?;
    create(ctx, &front.deployment(1)).await?;
    victim::wait_ready(ctx, BACKEND, 1, START).await?;
    victim::wait_ready(ctx, FRONT, 1, START).await?;
    until(ctx, "a front that serves small and large answers", START, || async {
        Ok(match look(ctx).await? {
            Look::Well => Seen::Yes(()),
            Look::Settling(what) => Seen::NotYet(what),
            Look::Broken(_) => Seen::NotYet("large answers are lost before anything was changed".into()),
        })
    })
    .await
}

/// The name of our packet filter.
pub(crate) fn tag(run: &str) -> String {
    let run: String = run.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    format!("loopdrill_{run}")
}

fn service(ctx: &FaultContext) -> Service {
    typed(json!({
        "metadata": victim::metadata(ctx, BACKEND),
        "spec": {
            "selector": {victim::VICTIM_LABEL: BACKEND},
            "ports": [{"name": "http", "port": front::SERVICE_PORT, "targetPort": victim::READY_PORT}],
        },
    }))
}

async fn front_pod(ctx: &FaultContext) -> Result<Pod, FaultError> {
    let pods = pods_of(ctx, FRONT).await?;
    newest(&pods).cloned().ok_or_else(|| FaultError::Unfit("the front has no pod".into()))
}

pub(crate) async fn front_address(ctx: &FaultContext) -> Result<Ipv4Addr, FaultError> {
    let pod = front_pod(ctx).await?;
    let ip = pod.status.and_then(|status| status.pod_ip).unwrap_or_default();
    ip.parse().map_err(|_| FaultError::Unfit(format!("the front's address {ip:?} is not IPv4")))
}

/// The MTU of the device by which the sender's node and the backend's pod are connected; both ends have the same.
async fn device_mtu(ctx: &FaultContext) -> Result<String, FaultError> {
    let (nodes, sender) = (ctx.target.node_access()?, must_have_places(ctx)?.sender);
    let pods = pods_of(ctx, BACKEND).await?;
    let ip = newest(&pods).and_then(|pod| pod.status.as_ref()?.pod_ip.clone()).unwrap_or_default();
    let ip: Ipv4Addr =
        ip.parse().map_err(|_| FaultError::Unfit(format!("the backend's address {ip:?} is not IPv4")))?;
    let script = format!("cat /sys/class/net/$(ip -o route get {ip} | sed 's/.* dev //; s/ .*//')/mtu");
    let argv = ["sh", "-c", &script];
    Ok(nodes.exec(sender, &argv, None).await?.success(sender, &argv)?.trim().to_owned())
}

/// Reads the front's last two reports of its own requests. One bad request may be an accident; two are a
/// symptom.
async fn look(ctx: &FaultContext) -> Result<Look, FaultError> {
    Ok(report::judge(&reports(ctx, 2).await?))
}

/// Reads whether the front's requests suffer at all, whatever their size.
pub(crate) async fn look_at_front(ctx: &FaultContext) -> Result<Look, FaultError> {
    Ok(report::judge_suffering(&reports(ctx, report::SUFFERING).await?))
}

/// The front's last reports, oldest first.
async fn reports(ctx: &FaultContext, count: usize) -> Result<Vec<Report>, FaultError> {
    let pod = front_pod(ctx).await?.name_any();
    let tail_lines = i64::try_from(count).ok();
    let params = LogParams { since_seconds: Some(FRESH_S), tail_lines, ..LogParams::default() };
    let log = victim::api::<Pod>(ctx)
        .logs(&pod, &params)
        .await
        .map_err(FaultError::api(format!("read the log of {pod}")))?;
    Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
