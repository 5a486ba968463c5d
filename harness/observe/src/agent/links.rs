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
/// `default_route` is the interface of the IPv4 default route.
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
    Interface {
        node: node.into(),
        name: link.name.clone(),
        kind,
        rx_dropped: link.stats.rx_dropped,
        tx_dropped: link.stats.tx_dropped,
        tx_errors: link.stats.tx_errors,
    }
}

/// The interface of the IPv4 default route in `/proc/net/route`.
pub(super) fn default_route(table: &str) -> Option<&str> {
    let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&"00000000") && row.get(7) == Some(&"00000000"))
        .min_by_key(|row| row.get(6).and_then(|metric| metric.parse::<u32>().ok()))
        .map(|row| row[0])
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
