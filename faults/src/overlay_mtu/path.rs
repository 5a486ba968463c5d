//! Large packets vanish on the path from one node to another, by a packet filter that the kernel owns: for clusters of which
//! nobody knows more than a kubeconfig.
//!
//! One short-lived pod in the sending node's network, with `NET_ADMIN` and nothing else, adds the filter. Where a vxlan leads
//! to the other node's pods, the filter is below it, as a path that got too narrow would be. Where the kernel's tables do not say
//! that, it drops what is forwarded to them and, below a vxlan or geneve that is told its destination with each packet (Cilium's,
//! Antrea's, OVN's), what goes to the other node. The kernel removes it with the process, however that ends; the process ends when it no longer feels the harness's pulse; the
//! rule itself ends after some minutes; and what it has dropped, by the kernel's own count, is the proof that it bit. The host's filters see a packet that is still to be
//! segmented whole: so all of a TCP stream's longer writes are lost, not only its full segments.

use super::{
    NARROWED, VXLAN_OVERHEAD, look_at_large_answers, must_have_places, places, proxy_address, start_proxy,
};
use crate::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look,
    node::{
        locate::{self, Tunnel},
        owned::{Network, Owned, TooLong},
    },
    object::{Create, LASTS, ObjectChange, ends_at},
    programs::last_moment,
    victim::{
        Seen,
        holder::{self, Reach, hold, holder, say},
        pulse, until,
    },
};
use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use loopdrill_cluster::ClusterFacts;
use loopdrill_model::{Capability, Cause, Evidence, Source};
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, process::ExitCode, time::Duration};

/// The pod that holds the filter.
const AGENT: &str = "path";
/// The table's name on the node.
const TABLE: &str = "path_filter";
/// How long the first dropped packet may take.
const BITES: Duration = Duration::from_secs(30);

pub(super) static SPEC: FaultSpec = FaultSpec {
    fault: "overlay-mtu",
    variant: "path",
    title: "large packets vanish on the path from one node to another",
    roots: &[&[Cause::OverlayMtu]],
    needs: &[Capability::WorkerNodes(2)],
    ..FaultSpec::CANONICAL
};

/// See the module.
pub(super) struct Path;

#[async_trait]
impl Fault for Path {
    fn spec(&self) -> &'static FaultSpec {
        &SPEC
    }

    fn footprint(&self, cluster: &ClusterFacts) -> Footprint {
        super::footprint(cluster)
    }

    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String> {
        let (sender, receiver) =
            places(cluster).map_or(("one worker", "another"), |p| (p.sender, p.receiver));
        vec![
            format!("start an HTTP proxy on {receiver} and its backend on {sender}"),
            format!(
                "start a pod in the network of {sender} with NET_ADMIN, which changes packet filters, and no other right"
            ),
            format!(
                "by an nftables table that the kernel removes with that pod's process, drop what goes to the pods of {receiver} \
                 and is within {NARROWED} bytes of the MTU or longer"
            ),
            format!(
                "that process ends when this one has not told for {} s that it lives",
                pulse::LOST.as_secs()
            ),
            format!("after {} s its rule matches nothing any more, whatever happened", LASTS.as_secs()),
            "undo: delete the pod".into(),
        ]
    }

    fn held_by(&self) -> &'static str {
        "the kernel of the sending node, for as long as one process lives"
    }

    /// Whether the agent is admitted is asked first.
    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        pulse::start(ctx, agent(ctx, Ipv4Addr::UNSPECIFIED, None, None)?).await?;
        start_proxy(ctx).await
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let receiver = must_have_places(ctx)?.receiver;
        let node = Api::<Node>::all(ctx.target.client.clone()).get(receiver).await;
        let node = node.map_err(FaultError::api(format!("read node {receiver}")))?;
        let address = node_address(&node);
        let network = node.spec.and_then(|spec| spec.pod_cidr);
        let agent = agent(ctx, proxy_address(ctx).await?, network.as_deref(), address)?;
        let create = Create::new(&agent, &ctx.target.run)?.ends(ends_at());
        Ok(vec![Change::Object(ObjectChange::Create(create))])
    }

    async fn in_force(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        until(ctx, "a first dropped packet", BITES, || async {
            Ok(match holder::told(ctx, AGENT).await? {
                Some(Told::Drops { what, dropped }) if dropped > 0 => Seen::Yes(count(ctx, &what, dropped)?),
                Some(Told::Drops { what, .. }) => {
                    Seen::NotYet(format!("of {what} the kernel has dropped none"))
                }
                Some(Told::Refused(why)) => return Err(FaultError::Unfit(why)),
                None => Seen::NotYet("the pod that holds the filter has said nothing".into()),
            })
        })
        .await
    }

    async fn look(&self, ctx: &FaultContext, _shown: bool) -> Result<Look, FaultError> {
        look_at_large_answers(ctx).await
    }

    async fn absorbed_by(&self, ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        Ok(match holder::told(ctx, AGENT).await? {
            Some(Told::Drops { what, dropped }) => count(ctx, &what, dropped)?,
            Some(Told::Refused(_)) | None => vec![],
        })
    }
}

/// The kernel of the sending node says so.
fn count(ctx: &FaultContext, what: &str, dropped: u64) -> Result<Vec<Evidence>, FaultError> {
    let source = Source::node(must_have_places(ctx)?.sender);
    let value = format!("{dropped} of {what}");
    Ok(vec![Evidence::new("packets that the kernel dropped", value, Timestamp::now(), source)])
}

/// The address by which other nodes reach this one, where that is of IPv4.
fn node_address(node: &Node) -> Option<Ipv4Addr> {
    let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    addresses.filter(|a| a.type_ == "InternalIP").find_map(|a| a.address.parse().ok())
}

/// The pod that holds the filter on the sending node. It is as bare as a pod in the node's network can be.
fn agent(
    ctx: &FaultContext,
    proxy: Ipv4Addr,
    network: Option<&str>,
    receiver: Option<Ipv4Addr>,
) -> Result<Pod, FaultError> {
    let sender = must_have_places(ctx)?.sender;
    let own = format!("{proxy}/32");
    let (pod, node) = (proxy.to_string(), receiver.map(|address| address.to_string()));
    let args: Vec<_> =
        ["narrow-path", &pod, network.unwrap_or(&own)].into_iter().chain(node.as_deref()).collect();
    Ok(holder(ctx, AGENT, &args, sender, Reach::Network).pod())
}

/// What the process that holds the filter says, a line a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    /// It is there and has dropped so many.
    Drops { what: String, dropped: u64 },
    /// There is none.
    Refused(String),
}

impl Told {
    fn of(installed: &Result<(String, Owned), String>) -> Self {
        match installed {
            Err(why) => Told::Refused(why.clone()),
            Ok((what, owned)) => match owned.dropped() {
                Ok(Some(dropped)) => Told::Drops { what: what.clone(), dropped },
                Ok(None) => Told::Refused("somebody removed the filter".into()),
                Err(e) => Told::Refused(e.to_string()),
            },
        }
    }
}

/// Which path is to be narrowed, and until when.
pub(crate) struct Wanted {
    /// A pod at its end.
    pub(crate) pod: Ipv4Addr,
    /// All pods there.
    pub(crate) pods: Network,
    pub(crate) until: Timestamp,
    /// Their node.
    pub(crate) node: Option<Ipv4Addr>,
}

impl Wanted {
    /// Reads a program's arguments; an error says which one is missing.
    pub(crate) fn read(args: &[String]) -> Result<Self, &'static str> {
        let pod = args.first().and_then(|a| a.parse().ok()).ok_or("the address of a pod")?;
        let pods = args.get(1).and_then(|a| Network::parse(a)).ok_or("the network of the node's pods")?;
        let rest = args.get(2..).unwrap_or_default();
        let (node, until) = match rest {
            [node, until] => (Some(node.parse().map_err(|_| "the address of the pod's node")?), Some(until)),
            rest => (None, rest.first()),
        };
        Ok(Self { pod, pods, until: last_moment(until)?, node })
    }

    fn drops(&self) -> Result<Vec<TooLong>, String> {
        let until = self.until;
        if let Ok(overlay) = locate::overlay_here(self.pod) {
            let than = overlay.mtu + VXLAN_OVERHEAD - NARROWED;
            let to = Network::of_one(overlay.peer);
            return Ok(vec![TooLong { to, tunnel: Some(overlay.port), than, until }]);
        }
        let mtu = locate::mtu_to(self.pod).map_err(|e| e.to_string())?;
        let forwarded = TooLong { to: self.pods, tunnel: None, than: mtu.saturating_sub(NARROWED), until };
        let tunnel = locate::tunnel_here().map_err(|e| e.to_string())?;
        let below = self.node.zip(tunnel).map(|(node, Tunnel { port, .. })| TooLong {
            to: Network::of_one(node),
            tunnel: Some(port),
            // Geneve without options adds as much as vxlan.
            than: (mtu + VXLAN_OVERHEAD).saturating_sub(NARROWED),
            until,
        });
        Ok(std::iter::once(forwarded).chain(below).collect())
    }

    fn install(&self) -> Result<(String, Owned), String> {
        let drops = self.drops()?;
        let owned = Owned::install(TABLE, &drops).map_err(|e| e.to_string())?;
        let what: Vec<_> = drops.iter().map(ToString::to_string).collect();
        Ok((what.join(", and of "), owned))
    }
}

/// Narrows the path until its last moment, or until the harness is not heard any more. A refusal is told for as long, so that it can be read.
pub(crate) async fn narrow(wanted: Wanted) -> ExitCode {
    let until = wanted.until;
    // It asks the kernel on a runtime of its own.
    let installed = tokio::task::spawn_blocking(move || wanted.install()).await;
    let installed = installed.map_err(|e| e.to_string()).and_then(|installed| installed);
    // The table goes with it.
    hold(until, async |_| say(|| Told::of(&installed)).await).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        node::testing::{on_a_node, run},
        object::testing::FakeApi,
        victim::testing::context,
    };
    use std::net::UdpSocket;

    #[tokio::test]
    async fn the_program_is_told_which_path() {
        let facts = crate::victim::place::tests::facts(&[("x", Some("a")), ("y", Some("b"))]);
        let ctx = context(&FakeApi::default(), facts);
        let (proxy, receiver) = (Ipv4Addr::new(10, 244, 2, 7), Ipv4Addr::new(192, 0, 2, 9));
        for (network, node) in [(Some("10.244.2.0/24"), Some(receiver)), (None, None)] {
            let spec = agent(&ctx, proxy, network, node).expect("two nodes").spec.expect("spec");
            assert_eq!(spec.host_network, Some(true));
            let args = spec.containers[0].args.clone().expect("arguments");
            let wanted = Wanted::read(&args[2..]).map_err(ToOwned::to_owned).expect("they are read");
            assert_eq!((wanted.pod, wanted.node), (proxy, node));
            assert_eq!(wanted.pods.to_string(), network.unwrap_or("10.244.2.7/32"));
            assert!(wanted.until > Timestamp::now());
        }
    }

    #[test]
    fn what_it_says_is_what_is_read() {
        for told in [
            Told::Drops { what: "UDP to 10.0.0.2:8472 of more than 1400 bytes".into(), dropped: 3 },
            Told::Refused("no".into()),
        ] {
            let line = serde_json::to_string(&told).expect("a line");
            assert_eq!(serde_json::from_str::<Told>(&line).expect("read"), told);
        }
    }

    /// Adds devices and routes to a namespace like a node, and sends a short and a long packet to a pod of another node.
    fn sent_by(network: &str, pod: Ipv4Addr) -> (Vec<String>, Option<u64>) {
        let mut seen = (vec![], None);
        on_a_node(|| {
            for line in network.lines() {
                run(&line.split(' ').collect::<Vec<_>>(), None).expect("a node's network");
            }
            let pods = Network::parse("10.245.2.0/24").expect("a network");
            let until = Timestamp::from_second(Timestamp::now().as_second() + 60).expect("a moment");
            let wanted = Wanted { pod, pods, until, node: Some(Ipv4Addr::new(10, 9, 0, 2)) };
            let drops = wanted.drops().expect("a way");
            let owned = Owned::install(TABLE, &drops).expect("a table");
            let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
            for length in [100, 1350] {
                // The kernel may say at once that a packet was dropped.
                let _ = socket.send_to(&vec![0; length], (pod, 9));
            }
            seen = (drops.iter().map(ToString::to_string).collect(), owned.dropped().expect("read"));
        });
        seen
    }

    fn kernel_has_geneve() -> bool {
        let mut has = false;
        on_a_node(|| has = run(&["ip", "link", "add", "probe9", "type", "geneve", "external"], None).is_ok());
        has
    }

    #[test]
    fn below_a_tunnel_that_is_told_where_each_packet_goes_the_long_ones_are_lost() {
        let pod = Ipv4Addr::new(10, 245, 2, 7);
        for (kind, port) in [("vxlan external dstport 8473", 8473), ("geneve external dstport 6081", 6081)] {
            let network = format!(
                "ip link add tunnel9 type {kind}\n\
                 ip link set tunnel9 mtu 1400 up\n\
                 ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 dev eth0 nud permanent\n\
                 ip route add 10.245.2.0/24 encap ip id 7 dst 10.9.0.2 dev tunnel9\n\
                 ip neigh add {pod} lladdr 02:00:00:00:00:08 dev tunnel9 nud permanent\n\
                 ip link set wire up"
            );
            if kind.starts_with("geneve") && !kernel_has_geneve() {
                eprintln!("skipped: this kernel has no geneve");
                continue;
            }
            let (what, dropped) = sent_by(&network, pod);
            let below = format!("UDP to 10.9.0.2:{port} of more than 1350 bytes");
            assert_eq!(
                what,
                ["forwarded packets to 10.245.2.0/24 of more than 1300 bytes".to_owned(), below]
            );
            assert_eq!(dropped, Some(1), "{kind}");
        }
    }

    #[test]
    fn without_a_tunnel_only_what_is_forwarded_is_lost() {
        let network = "ip route add 10.245.2.0/24 via 10.9.0.2 dev eth0";
        let (what, dropped) = sent_by(network, Ipv4Addr::new(10, 245, 2, 7));
        assert_eq!(what, ["forwarded packets to 10.245.2.0/24 of more than 1400 bytes"]);
        assert_eq!(dropped, Some(0), "what the node itself sends is not forwarded");
    }
}
