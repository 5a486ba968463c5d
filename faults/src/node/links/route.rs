//! A host route with an MTU of its own: the path to one neighbour narrows, and nothing else changes.
//!
//! Lowering the MTU of the device itself would also shrink what it receives, and so black-hole the node's own
//! connections. The route's MTU is not locked: with a lock the kernel would fragment even what is marked
//! "don't fragment".

use super::{all, must_link, name_of, netlink};
use crate::node::{error::StepError, mechanism::Mechanism};
use rtnetlink::{
    Handle, RouteMessageBuilder,
    packet_route::route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol, RouteScope,
    },
};
use serde::{Deserialize, Serialize};
use std::{fmt, net::Ipv4Addr};

/// Marks the route as ours (`ip route` shows it as `proto 217`).
const PROTOCOL: RouteProtocol = RouteProtocol::Other(217);

/// A host route with an MTU of its own to a neighbour: the path narrows, the device does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteMtu {
    /// The neighbour.
    pub peer: Ipv4Addr,
    /// The path's MTU.
    pub mtu: u32,
}

/// There was no host route to the peer; this is the way that packets took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Path {
    /// The device.
    pub(crate) dev: String,
    /// The gateway, where there was one.
    pub(crate) via: Option<Ipv4Addr>,
    /// The source address that the kernel chose.
    pub(crate) src: Option<Ipv4Addr>,
}

impl fmt::Display for RouteMtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "narrow the path to {} to an MTU of {}", self.peer, self.mtu)
    }
}

impl Mechanism for RouteMtu {
    type Before = Path;
    const BEFORE: &'static str = "path";

    /// How packets to the peer go now. Refuses a host route that is there already.
    fn snapshot(&self) -> Result<Path, StepError> {
        let peer = self.peer;
        if let Some(route) = host_route(peer)? {
            return Err(StepError::foreign(format!("the route to {peer}"), route));
        }
        netlink(async |handle| {
            let way = way_to(&handle, peer).await?;
            let links = all(handle.link().get().execute(), "list links").await?;
            let dev = links.iter().find(|link| link.header.index == way.oif).and_then(name_of);
            let dev = dev.ok_or_else(|| StepError::Unfit(format!("the route to {peer} names no device")))?;
            Ok(Path { dev: dev.into(), via: way.via, src: way.src })
        })
    }

    /// Adds the route on the way that packets took before.
    fn apply(&self, before: &Path) -> Result<(), StepError> {
        netlink(async |handle| {
            let oif = must_link(&handle, &before.dev).await?.header.index;
            let mut route = RouteMessageBuilder::<Ipv4Addr>::new()
                .destination_prefix(self.peer, 32)
                .output_interface(oif)
                .protocol(PROTOCOL)
                .scope(if before.via.is_some() { RouteScope::Universe } else { RouteScope::Link });
            if let Some(via) = before.via {
                route = route.gateway(via);
            }
            if let Some(src) = before.src {
                route = route.pref_source(src);
            }
            route.get_mut().attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(self.mtu)]));
            let added = handle.route().add(route.build()).execute().await;
            added.map_err(StepError::netlink(format!("add a route to {}", self.peer)))
        })
    }

    fn read(&self, _: &Path) -> Result<Option<String>, StepError> {
        let ours = own_mtu(self.peer)? == Some(self.mtu);
        Ok(ours.then(|| format!("route to {} mtu {}", self.peer, self.mtu)))
    }

    /// Removes our route, and the path MTUs that the kernel has learnt since.
    fn restore(&self, _: &Path) -> Result<(), StepError> {
        let peer = self.peer;
        netlink(async |handle| {
            for route in host_routes(&handle, peer).await? {
                if !is_ours(&route) {
                    return Err(StepError::foreign(format!("the route to {peer}"), describe(&route)));
                }
                if mtu_of(&route) != Some(self.mtu) {
                    return Err(StepError::foreign(format!("our route to {peer}"), describe(&route)));
                }
                let doing = format!("remove the route to {peer}");
                handle.route().del(route).execute().await.map_err(StepError::netlink(doing))?;
            }
            Ok(())
        })?;
        forget_path_mtus()
    }

    fn difference(&self, _: &Path) -> Result<Option<String>, StepError> {
        let route = host_route(self.peer)?;
        Ok(route.map(|route| format!("host route to {}: {route}, before: none", self.peer)))
    }
}

/// The MTU of our route, where it is there.
fn own_mtu(peer: Ipv4Addr) -> Result<Option<u32>, StepError> {
    netlink(async |handle| {
        Ok(host_routes(&handle, peer).await?.iter().find(|route| is_ours(route)).and_then(mtu_of))
    })
}

/// Any host route to the peer, described.
fn host_route(peer: Ipv4Addr) -> Result<Option<String>, StepError> {
    netlink(async |handle| Ok(host_routes(&handle, peer).await?.first().map(describe)))
}

/// Exceptions outlive the route that made them by ten minutes.
fn forget_path_mtus() -> Result<(), StepError> {
    let path = "/proc/sys/net/ipv4/route/flush";
    std::fs::write(path, "1").map_err(StepError::io(path))
}

/// The way to an address, as the kernel resolves it.
pub(super) struct Way {
    pub(super) oif: u32,
    pub(super) via: Option<Ipv4Addr>,
    pub(super) src: Option<Ipv4Addr>,
}

pub(super) async fn way_to(handle: &Handle, to: Ipv4Addr) -> Result<Way, StepError> {
    let doing = format!("look up the route to {to}");
    let request = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(to, 32).build();
    let routes = all(handle.route().get(request).execute(), &doing).await?;
    let route = routes.first().ok_or_else(|| StepError::Unfit(format!("there is no route to {to}")))?;
    let oif =
        route.attributes.iter().find_map(|a| if let RouteAttribute::Oif(i) = a { Some(*i) } else { None });
    Ok(Way {
        oif: oif.ok_or_else(|| StepError::Unfit(format!("the route to {to} names no device")))?,
        via: address(route, |a| if let RouteAttribute::Gateway(address) = a { Some(address) } else { None }),
        src: address(
            route,
            |a| if let RouteAttribute::PrefSource(address) = a { Some(address) } else { None },
        ),
    })
}

async fn host_routes(handle: &Handle, peer: Ipv4Addr) -> Result<Vec<RouteMessage>, StepError> {
    let request = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let routes = all(handle.route().get(request).execute(), "list routes").await?;
    let to_peer = |route: &RouteMessage| {
        route.header.table == RouteHeader::RT_TABLE_MAIN
            && route.header.destination_prefix_length == 32
            && route.attributes.contains(&RouteAttribute::Destination(RouteAddress::Inet(peer)))
    };
    Ok(routes.into_iter().filter(to_peer).collect())
}

fn is_ours(route: &RouteMessage) -> bool {
    route.header.protocol == PROTOCOL
}

fn mtu_of(route: &RouteMessage) -> Option<u32> {
    route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Metrics(metrics) => {
            metrics.iter().find_map(|m| if let RouteMetric::Mtu(mtu) = m { Some(*mtu) } else { None })
        }
        _ => None,
    })
}

fn address(route: &RouteMessage, of: impl Fn(&RouteAttribute) -> Option<&RouteAddress>) -> Option<Ipv4Addr> {
    route.attributes.iter().find_map(|a| match of(a) {
        Some(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    })
}

fn describe(route: &RouteMessage) -> String {
    let via = address(route, |a| if let RouteAttribute::Gateway(address) = a { Some(address) } else { None });
    let mtu = mtu_of(route).map_or_else(String::new, |mtu| format!(", MTU {mtu}"));
    match via {
        Some(via) => format!("via {via}, protocol {:?}{mtu}", route.header.protocol),
        None => format!("on link, protocol {:?}{mtu}", route.header.protocol),
    }
}
