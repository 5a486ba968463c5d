//! Finds the overlay on the way to a pod, from the kernel's own tables and never by a device's name.

use super::{all, df, mtu_of, name_of, netlink, route::way_to};
use crate::node::error::StepError;
use rtnetlink::{
    Handle,
    packet_route::{
        AddressFamily,
        link::{InfoVxlan, LinkMessage},
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
