//! Finds the overlay on the way to a pod, from the kernel's own tables and never by a device's name.

use super::{all, df, mtu_of, name_of, netlink, route::way_to};
use crate::node::error::StepError;
use rtnetlink::{
    Handle,
    packet_route::{
        AddressFamily,
        link::{InfoData, InfoGeneve, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
        neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage},
    },
};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// The overlay on the way to a pod of another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The vxlan device.
    pub device: String,
    /// Its MTU.
    pub mtu: u32,
    /// The device that encapsulated packets leave by.
    pub underlay: String,
    /// Its MTU.
    pub underlay_mtu: u32,
    /// The other node's end of the tunnel.
    pub peer: Ipv4Addr,
    /// The UDP port of the tunnel.
    pub port: u16,
}

/// The vxlan device on the way to `pod`, and the address to which it sends the packets for it.
pub(in crate::node) fn overlay_to(pod: Ipv4Addr) -> Result<Overlay, StepError> {
    netlink(async |handle| {
        let way = way_to(&handle, pod).await?;
        let links = all(handle.link().get().execute(), "list links").await?;
        let by_index = |index: u32| links.iter().find(|link| link.header.index == index);
        let device =
            by_index(way.oif).ok_or_else(|| StepError::Unfit(format!("the way to {pod} has no device")))?;
        let name = name_of(device).unwrap_or_default();
        let info = df::vxlan_of(device).ok_or_else(|| {
            StepError::Unfit(format!("packets to {pod} leave by {name}, which is no vxlan device"))
        })?;
        let peer = tunnel_end(&handle, way.oif, way.via.unwrap_or(pod)).await?;
        let underlay =
            match info.iter().find_map(|a| if let InfoVxlan::Link(i) = a { Some(*i) } else { None }) {
                Some(index) => index,
                None => way_to(&handle, peer).await?.oif,
            };
        let port = info.iter().find_map(|a| if let InfoVxlan::Port(port) = a { Some(*port) } else { None });
        let port = port.ok_or_else(|| StepError::Unfit(format!("{name} names no port of its tunnel")))?;
        let (underlay, underlay_mtu) = named(by_index(underlay))?;
        let (device, mtu) = named(Some(device))?;
        Ok(Overlay { device, mtu, underlay, underlay_mtu, peer, port })
    })
}

/// A tunnel over UDP that is told with each packet where it goes, by a program of the kernel's or by a switch: the kernel's
/// tables do not say which pods are behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tunnel {
    /// Its device.
    pub(crate) device: String,
    /// Its UDP port.
    pub(crate) port: u16,
}

/// The tunnel of that kind that has sent most.
pub(in crate::node) fn tunnel_here() -> Result<Option<Tunnel>, StepError> {
    netlink(async |handle| {
        let links = all(handle.link().get().execute(), "list links").await?;
        let up = links.iter().filter(|link| link.header.flags.contains(LinkFlags::Up));
        let tunnels = up.filter_map(|link| Some((sent(link), name_of(link)?, port_of(link)?)));
        let most = tunnels.max();
        Ok(most.map(|(_, device, port)| Tunnel { device: device.to_owned(), port }))
    })
}

/// The UDP port of a device that is such a tunnel.
pub(super) fn port_of(link: &LinkMessage) -> Option<u16> {
    if let Some(vxlan) = df::vxlan_of(link) {
        let by_packet = vxlan.iter().any(|a| matches!(a, InfoVxlan::CollectMetadata(true)));
        let port = vxlan.iter().find_map(|a| if let InfoVxlan::Port(port) = a { Some(*port) } else { None });
        return port.filter(|_| by_packet);
    }
    let infos = link.attributes.iter().find_map(|a| match a {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    })?;
    // Geneve has no table of its own: whether by packet or to one peer, nothing here says who is behind it.
    infos.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Geneve(attributes)) => {
            attributes.iter().find_map(|a| if let InfoGeneve::Port(port) = a { Some(*port) } else { None })
        }
        _ => None,
    })
}

/// How many packets a device has sent.
fn sent(link: &LinkMessage) -> u64 {
    let stats = link.attributes.iter().find_map(|a| match a {
        LinkAttribute::Stats64(stats) => Some(stats.tx_packets),
        _ => None,
    });
    stats.unwrap_or(0)
}

/// The MTU of the device by which packets to `pod` leave.
pub(in crate::node) fn mtu_to(pod: Ipv4Addr) -> Result<u32, StepError> {
    netlink(async |handle| {
        let way = way_to(&handle, pod).await?;
        let links = all(handle.link().get().execute(), "list links").await?;
        named(links.iter().find(|link| link.header.index == way.oif)).map(|(_, mtu)| mtu)
    })
}

fn named(link: Option<&LinkMessage>) -> Result<(String, u32), StepError> {
    link.and_then(|link| Some((name_of(link)?.to_owned(), mtu_of(link)?)))
        .ok_or_else(|| StepError::Unfit("the device on the way is unknown".into()))
}

/// Where the vxlan device sends what is meant for its neighbour `next`.
async fn tunnel_end(handle: &Handle, device: u32, next: Ipv4Addr) -> Result<Ipv4Addr, StepError> {
    let neighbours = all(handle.neighbours().get().execute(), "list neighbours").await?;
    let on_device = |n: &&NeighbourMessage| n.header.ifindex == device;
    let mac = neighbours
        .iter()
        .filter(on_device)
        .find(|n| destination(n) == Some(next))
        .and_then(link_address)
        .ok_or_else(|| StepError::Unfit(format!("the overlay does not know its neighbour {next}")))?;
    let request = handle.neighbours().get().set_address_family(AddressFamily::Bridge);
    let entries = all(request.execute(), "list forwarding entries").await?;
    entries
        .iter()
        .filter(on_device)
        .find(|n| link_address(n) == Some(mac))
        .and_then(destination)
        .ok_or_else(|| StepError::Unfit(format!("the overlay does not know where its neighbour {next} is")))
}

fn destination(neighbour: &NeighbourMessage) -> Option<Ipv4Addr> {
    neighbour.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(*address),
        // The kernel's forwarding entries are of family "bridge", so their address arrives as bytes.
        NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => {
            <[u8; 4]>::try_from(bytes.as_slice()).ok().map(Ipv4Addr::from)
        }
        _ => None,
    })
}

fn link_address(neighbour: &NeighbourMessage) -> Option<&[u8]> {
    neighbour.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::LinkLayerAddress(bytes) => Some(bytes.as_slice()),
        _ => None,
    })
}
