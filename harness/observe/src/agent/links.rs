//! Network interfaces as rtnetlink tells them, reduced to those that matter.

use loopdrill_model::signal::{Interface, LinkKind};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Stats64,
};

/// What one message tells.
struct Link {
    index: u32,
    name: String,
    up: bool,
    kind: Option<InfoKind>,
    /// The device that a tunnel sends by.
    over: Option<u32>,
    stats: Stats64,
}

fn read(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        up: message.header.flags.contains(LinkFlags::Up),
        kind: None,
        over: None,
        stats: Stats64::default(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Stats64(stats) => link.stats = *stats,
            LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| read_info(&mut link, info)),
            _ => {}
        }
    }
    link
}

fn read_info(link: &mut Link, info: &LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => link.kind = Some(kind.clone()),
        LinkInfo::Data(InfoData::Vxlan(attributes)) => {
            link.over = attributes.iter().find_map(|attribute| match attribute {
                InfoVxlan::Link(index) => Some(*index),
                _ => None,
            });
        }
        _ => {}
    }
}

fn is_tunnel(kind: &InfoKind) -> bool {
    matches!(
        kind,
        InfoKind::Vxlan
            | InfoKind::Geneve
            | InfoKind::Wireguard
            | InfoKind::IpIp
            | InfoKind::Ip6Tnl
            | InfoKind::SitTun
            | InfoKind::GreTun
            | InfoKind::GreTun6
            | InfoKind::GreTap
            | InfoKind::GreTap6
    )
}

/// Overlays, underlays and bridges; pods' ends, loopback and unused tunnels of every kernel are left out.
/// `default_route` is the interface of the node's default route.
pub(super) fn interfaces(
    node: &str,
    messages: &[LinkMessage],
    default_route: Option<&str>,
) -> Vec<Interface> {
    let links: Vec<_> = messages.iter().map(read).collect();
    let underlays: Vec<_> = links.iter().filter_map(|l| l.over).collect();
    let kind = |link: &Link| match &link.kind {
        // Kernels with ipip or gre have an idle `tunl0` or `gre0` in every namespace.
        Some(kind) if is_tunnel(kind) && link.up => Some(LinkKind::Overlay),
        _ if underlays.contains(&link.index) || default_route == Some(link.name.as_str()) => {
            Some(LinkKind::Underlay)
        }
        Some(InfoKind::Bridge) => Some(LinkKind::Other),
        _ => None,
    };
    links.iter().filter_map(|link| Some(interface(node, link, kind(link)?))).collect()
}

fn interface(node: &str, link: &Link, kind: LinkKind) -> Interface {
    let stats = &link.stats;
    Interface {
        node: node.into(),
        name: link.name.clone(),
        kind,
        rx_dropped: stats.rx_dropped,
        tx_dropped: stats.tx_dropped,
        tx_errors: match kind {
            // What could not be sent once it was wrapped. That there is no way to the other node is an error of another kind.
            LinkKind::Overlay => stats.tx_aborted_errors,
            LinkKind::Underlay | LinkKind::Other => stats.tx_errors,
        },
    }
}

/// The interface of the IPv4 default route in `/proc/net/route`.
pub(super) fn default_route(table: &str) -> Option<&str> {
    let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&"00000000") && row.get(7) == Some(&"00000000"))
        .min_by_key(|row| row.get(6).and_then(|metric| metric.parse::<u32>().ok()))
        .map(|row| row[0])
}

/// The interface of the IPv6 default route in `/proc/net/ipv6_route`.
pub(super) fn default_route_v6(table: &str) -> Option<&str> {
    let rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    // Every namespace has one by `lo` that refuses.
    rows.filter(|row| {
        row.len() == 10 && row[0].bytes().all(|b| b == b'0') && row[1] == "00" && row[9] != "lo"
    })
    .min_by_key(|row| u32::from_str_radix(row[5], 16).ok())
    .map(|row| row[9])
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt as _;
    use nix::sched::{CloneFlags, unshare};
    use std::{net::UdpSocket, process::Command};

    fn link(index: u32, name: &str, kind: Option<InfoKind>, data: Vec<InfoVxlan>) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        let mut stats = Stats64::default();
        stats.tx_dropped = u64::from(index) + (1 << 33);
        message.attributes = vec![LinkAttribute::IfName(name.into()), LinkAttribute::Stats64(stats)];
        if let Some(kind) = kind {
            let mut infos = vec![LinkInfo::Kind(kind)];
            if !data.is_empty() {
                infos.push(LinkInfo::Data(InfoData::Vxlan(data)));
            }
            message.attributes.push(LinkAttribute::LinkInfo(infos));
        }
        message
    }

    #[test]
    fn kinds_come_from_the_kernel_and_not_from_names() {
        let messages = [
            link(1, "lo", None, vec![]),
            link(2, "flannel.1", Some(InfoKind::Bridge), vec![]),
            link(3, "cni0", Some(InfoKind::Vxlan), vec![InfoVxlan::Link(4)]),
            link(4, "blue", Some(InfoKind::Veth), vec![]),
            link(5, "veth1", Some(InfoKind::Veth), vec![]),
            link(6, "uplink", None, vec![]),
        ];
        let all = interfaces("n", &messages, Some("uplink"));
        let kinds: Vec<_> = all.iter().map(|i| (i.name.as_str(), i.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("flannel.1", LinkKind::Other),
                ("cni0", LinkKind::Overlay),
                ("blue", LinkKind::Underlay),
                ("uplink", LinkKind::Underlay),
            ]
        );
        assert_eq!(all[1].tx_dropped, 3 + (1 << 33), "64 bits are kept");
    }

    #[test]
    fn the_default_route_with_the_lowest_metric() {
        let table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth1 00000000 010011AC 0003 0 0 100 00000000 0 0 0
eth0 00000000 010011AC 0003 0 0 0 00000000 0 0 0
eth2 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0
";
        assert_eq!(default_route(table), Some("eth0"));
        assert_eq!(default_route("Iface\n"), None);
        assert_eq!(default_route(""), None);
    }

    #[test]
    fn the_default_route_of_a_node_without_ipv4() {
        let zero = "0".repeat(32);
        let row = |to: &str, bits: &str, metric: &str, dev: &str| {
            format!(
                "{to} {bits} {zero} 00 fd000009000000000000000000000001 {metric} 00000001 00000000 00000003 {dev}\n"
            )
        };
        let table = [
            row(&zero, "00", "ffffffff", "lo"),
            row(&zero, "00", "00000400", "eth1"),
            row(&zero, "00", "00000100", "eth0"),
            row("fd000009000000000000000000000000", "40", "00000001", "eth2"),
        ];
        assert_eq!(default_route_v6(&table.concat()), Some("eth0"));
        assert_eq!(default_route_v6(&table[0]), None);
        assert_eq!(default_route_v6(""), None);
    }

    /// A node whose machines' network knows IPv6 alone, with a tunnel over it that is wider than the device below.
    const NODE: &str = "\
ip link set lo up
ip link add eth0 type veth peer name wire
ip link set wire up
ip link set eth0 up
ip -6 addr add fd00:9::1/64 dev eth0 nodad
ip -6 route add default via fd00:9::ff dev eth0 onlink
ip -6 neigh add fd00:9::2 lladdr 02:00:00:00:00:22 dev eth0 nud permanent
ip link add overlay7 type vxlan id 1 local fd00:9::1 dev eth0 dstport 8472 nolearning
ip link set overlay7 mtu 1430 up
ip addr add 10.244.1.0/32 dev overlay7
ip route add 10.244.2.0/24 via 10.244.2.0 dev overlay7 onlink src 10.244.1.0
ip neigh add 10.244.2.0 lladdr 02:00:00:00:00:02 dev overlay7 nud permanent
bridge fdb add 02:00:00:00:00:02 dev overlay7 dst fd00:9::2
ip link set eth0 mtu 1400
ip link set overlay7 mtu 1430";

    /// In a network namespace of its own.
    fn of_a_node(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                    eprintln!("skipped: needs root for a network namespace of its own ({errno})");
                    return;
                }
                for line in NODE.lines() {
                    let words: Vec<_> = line.split(' ').collect();
                    let status =
                        Command::new(words[0]).args(&words[1..]).status().expect("iproute2 is there");
                    assert!(status.success(), "{line}");
                }
                test();
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }

    #[test]
    fn over_ipv6_what_does_not_fit_below_the_tunnel_is_an_error_of_the_tunnel() {
        of_a_node(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let count = || {
                let messages: Vec<_> = runtime.block_on(async {
                    let (connection, handle, _) = rtnetlink::new_connection().expect("rtnetlink");
                    tokio::spawn(connection);
                    handle.link().get().execute().try_collect().await.expect("links")
                });
                let routes = std::fs::read_to_string("/proc/thread-self/net/ipv6_route").expect("routes");
                let all = interfaces("n", &messages, default_route_v6(&routes));
                let [below] = &all.iter().filter(|i| i.kind == LinkKind::Underlay).collect::<Vec<_>>()[..]
                else {
                    panic!("{all:?}")
                };
                let tunnel = all.iter().find(|i| i.kind == LinkKind::Overlay).expect("a tunnel");
                (tunnel.tx_errors, below.tx_errors + below.tx_dropped)
            };
            let socket = UdpSocket::bind("10.244.1.0:0").expect("an address of the node");
            let send = |bytes: usize| socket.send_to(&vec![0; bytes], "10.244.2.5:9").expect("a route");
            let before = count();
            send(1000);
            assert_eq!(count(), before, "what fits is sent");
            // The kernel learns from it and fragments the next one.
            send(1380);
            assert_eq!(count(), (before.0 + 1, before.1));
        });
    }
}
