//! Lowered overlay MTU: on the way from one node to another large packets vanish without a word.
//!
//! | variant | what is changed on the sending node | where the loss is counted |
//! |---|---|---|
//! | `df` | the vxlan marks its packets "don't fragment", and the path to the other node's tunnel end narrows | `tx_dropped` of the vxlan, the physical device stays clean |
//! | `filtered-icmp` | the vxlan's own MTU is lowered below that of the pods | `FragFails` of the node |
//! | [`path`] | a packet filter that the kernel owns drops what is too long below the vxlan, or where there is none | as `df`; else nowhere |
//!
//! In the first two, outgoing ICMP "fragmentation needed" is dropped, as firewalls do: no host can adapt.
//!
//! The path narrows by the MTU of one host route and not by that of the device: a device with a lower MTU
//! would also refuse what it receives, and so cut off the node's own kubelet.
//!
//! The victim is an HTTP proxy on one node and its backend on another. The backend's answers travel through
//! the fault; so the *sending* node is the backend's.

pub(crate) mod dns;
pub(crate) mod path;
mod proxy;
mod report;
#[cfg(test)]
mod tests;
mod web;

pub(crate) use proxy::serve as serve_proxy;
pub(crate) use web::serve as serve_backend;

use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    look::seen,
    node::{
        DropFragNeeded, Limits, LinkMtu, NodeChange, RouteMtu, Step, VxlanDf,
        locate::{self, Overlay},
    },
    victim::{self, Seen, Workload, create, newest, place::quiet_worker, pods_of, typed, until},
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{ResourceExt, api::LogParams};
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence};
use report::Report;
use serde_json::json;
use std::{net::Ipv4Addr, sync::Arc, time::Duration};

pub(crate) const PROXY: &str = "front";
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

const NEEDS: &[Capability] = &[
    Capability::NodeAccess,
    Capability::NodeServiceManager,
    Capability::WorkerNodes(2),
    Capability::VxlanOverlay,
];

/// One way in which large packets get lost.
struct Variant {
    spec: FaultSpec,
    /// What is changed on the sending node, told its name and that of the receiving one.
    does: fn(&str, &str) -> String,
    /// The steps beside the filter.
    steps: fn(&Overlay) -> Vec<Step>,
}

static DF: Variant = Variant {
    spec: FaultSpec {
        fault: "overlay-mtu",
        variant: "df",
        title: "the path under the overlay narrows, and large packets vanish silently",
        roots: &[&[Cause::OverlayMtu]],
        needs: NEEDS,
        ..FaultSpec::CANONICAL
    },
    does: |sender, receiver| {
        format!(
            "on {sender}: mark overlay packets \"don't fragment\" and narrow the path to {receiver} by {NARROWED} bytes"
        )
    },
    steps: |overlay| {
        let mtu = overlay.mtu + VXLAN_OVERHEAD - NARROWED;
        let narrow = RouteMtu { peer: overlay.peer, mtu };
        vec![narrow.into(), VxlanDf { link: overlay.device.clone(), on: true }.into()]
    },
};

static FILTERED_ICMP: Variant = Variant {
    spec: FaultSpec {
        fault: "overlay-mtu",
        variant: "filtered-icmp",
        title: "the overlay's MTU is lowered, and a filter swallows the ICMP that would say so",
        roots: &[&[Cause::OverlayMtu]],
        needs: NEEDS,
        ..FaultSpec::CANONICAL
    },
    does: |sender, _| format!("on {sender}: lower the MTU of the overlay device by {LOWERED} bytes"),
    steps: |overlay| vec![LinkMtu { link: overlay.device.clone(), mtu: overlay.mtu - LOWERED }.into()],
};

/// All variants.
pub fn variants() -> Vec<Arc<dyn Fault>> {
    vec![Arc::new(OverlayMtu(&DF)), Arc::new(OverlayMtu(&FILTERED_ICMP)), Arc::new(path::Path)]
}

/// The fault in one of its variants.
struct OverlayMtu(&'static Variant);

/// Where the victim's two parts run.
pub(crate) struct Places<'a> {
    /// The backend's node: what it sends is lost.
    pub(crate) sender: &'a str,
    /// The proxy's node.
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

/// Both nodes' networks.
fn footprint(cluster: &ClusterFacts) -> Footprint {
    let footprint = Footprint::default().uses(Resource::ControlPlane);
    let Some(places) = places(cluster) else { return footprint };
    [places.sender, places.receiver].into_iter().fold(footprint, |footprint, node| {
        footprint.uses(Resource::NodeLife(node.into())).breaks(Resource::NodeNetwork(node.into()))
    })
}

impl OverlayMtu {
    /// What is changed on the sending node. The filter comes first, so that no host learns of the lower MTU.
    fn steps(&self, overlay: &Overlay, tag: String) -> Vec<Step> {
        let mut steps = vec![DropFragNeeded { tag }.into()];
        steps.extend((self.0.steps)(overlay));
        steps
    }
}

#[async_trait]
impl Fault for OverlayMtu {
    fn spec(&self) -> &'static FaultSpec {
        &self.0.spec
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        footprint(cluster)
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (sender, receiver) =
            places(cluster).map_or(("one worker", "another"), |p| (p.sender, p.receiver));
        vec![
            format!("start an HTTP proxy on {receiver} and its backend on {sender}"),
            (self.0.does)(sender, receiver),
            format!("on {sender}: drop outgoing ICMP \"fragmentation needed\""),
            format!("undo: the reverse, held and ended by {sender} itself"),
        ]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        start_proxy(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let nodes = ctx.target.node_access()?;
        let sender = must_have_places(ctx)?.sender;
        let overlay = locate::overlay(nodes, sender, proxy_address(ctx).await?).await?;
        let steps = self.steps(&overlay, tag(&ctx.target.run));
        let change = NodeChange::plan(nodes, sender, steps, Limits::default()).await?;
        Ok(vec![Change::Node(change)])
    }

    /// What the sender's own device lets out, and how a large answer fares.
    async fn absorbed_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        let mut evidence = vec![seen("MTU of the backend's device", device_mtu(ctx).await?)];
        if let Some(report) = reports(ctx, &proxy_pod(ctx).await?, 1).await?.last() {
            let large = &report.large;
            evidence.push(seen(
                format!("an answer of {} bytes", large.bytes),
                format!("HTTP {} in {} ms", large.status, large.ms),
            ));
        }
        Ok(evidence)
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_at_large_answers(ctx).await
    }
}

/// Starts the proxy and its backend on two nodes, and waits until requests pass at every size.
pub(crate) async fn start_proxy(ctx: &FaultContext) -> Result<(), FaultError> {
    let places = must_have_places(ctx)?;
    create::<Service>(ctx, &service(ctx)).await?;
    let backend = Workload::new(ctx, BACKEND, &["payload-server"]).tells_readiness().on_node(places.sender);
    let proxy =
        Workload::new(ctx, PROXY, &["http-front", BACKEND]).tells_readiness().on_node(places.receiver);
    create(ctx, &backend.deployment(1)).await?;
    create(ctx, &proxy.deployment(1)).await?;
    victim::wait_ready(ctx, BACKEND, 1, START).await?;
    victim::wait_ready(ctx, PROXY, 1, START).await?;
    until(ctx, "a proxy that serves small and large answers", START, || async {
        Ok(match look_at_large_answers(ctx).await? {
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
            "ports": [{"name": "http", "port": proxy::SERVICE_PORT, "targetPort": victim::READY_PORT}],
        },
    }))
}

async fn proxy_pod(ctx: &FaultContext) -> Result<Pod, FaultError> {
    let pods = pods_of(ctx, PROXY).await?;
    newest(&pods).cloned().ok_or_else(|| FaultError::Unfit("the proxy has no pod".into()))
}

pub(crate) async fn proxy_address(ctx: &FaultContext) -> Result<Ipv4Addr, FaultError> {
    let pod = proxy_pod(ctx).await?;
    let ip = pod.status.and_then(|status| status.pod_ip).unwrap_or_default();
    ip.parse().map_err(|_| FaultError::Unfit(format!("the proxy's address {ip:?} is not IPv4")))
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

/// Whether large answers are lost, by the proxy's last two reports of its own requests. One bad request may be an
/// accident; two are a symptom.
async fn look_at_large_answers(ctx: &FaultContext) -> Result<Look, FaultError> {
    look_at_reports(ctx, 2, report::judge).await
}

/// Whether the proxy's requests suffer at all, whatever their size.
pub(crate) async fn look_at_all_answers(ctx: &FaultContext) -> Result<Look, FaultError> {
    look_at_reports(ctx, report::SUFFERING, report::judge_suffering).await
}

async fn look_at_reports(
    ctx: &FaultContext,
    count: usize,
    judge: fn(&[Report]) -> Look,
) -> Result<Look, FaultError> {
    let pods = pods_of(ctx, PROXY).await?;
    let Some(pod) = newest(&pods) else { return Ok(Look::Settling("the proxy has no pod".into())) };
    Ok(match reports(ctx, pod, count).await {
        Ok(reports) => judge(&reports),
        Err(e) => Look::Settling(e.to_string()),
    })
}

/// The proxy's last reports, oldest first.
async fn reports(ctx: &FaultContext, proxy: &Pod, count: usize) -> Result<Vec<Report>, FaultError> {
    let (name, tail_lines) = (proxy.name_any(), i64::try_from(count).ok());
    let params = LogParams { since_seconds: Some(FRESH_S), tail_lines, ..LogParams::default() };
    let log = victim::api::<Pod>(ctx).logs(&name, &params).await;
    let log = log.map_err(FaultError::api(format!("read the log of {name}")))?;
    Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
