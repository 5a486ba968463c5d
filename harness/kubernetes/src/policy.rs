//! NetworkPolicies: which traffic they let through, as far as objects tell.
//!
//! Invariants:
//! - Pods that no policy selects for a direction are open in it; of those that one selects, only what some rule allows
//!   is. Policies only add up.
//! - Who is no pod (an address outside, a node) is allowed by blocks of addresses alone.

use crate::{Labels, selector::LabelSelector, selector::selects};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One rule: any of the ports, to or from any of the peers. None of either is all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyRule {
    /// Ports of the side that is connected to.
    pub ports: Vec<PolicyPort>,
    /// Who is on the other side.
    pub peers: Vec<PolicyPeer>,
}

/// A port, or a range of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyPort {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// A number; `None` is every port, or the one of `name`.
    pub port: Option<u16>,
    /// The end of a range that begins with `port`.
    pub end: Option<u16>,
    /// The name of a container's port.
    pub name: String,
}

/// Who may be on the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyPeer {
    /// Pods by label; beside a namespace selector, all of those where it is absent.
    pub pods: Option<LabelSelector>,
    /// Namespaces by label; the policy's own where it is absent.
    pub namespaces: Option<LabelSelector>,
    /// A block of addresses.
    pub block: Option<AddressBlock>,
}

/// `ipBlock`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressBlock {
    /// In CIDR notation.
    pub cidr: String,
    /// What of it is left out.
    pub except: Vec<String>,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// The labels of its namespace; `None` when they are not known.
    pub namespace_labels: Option<&'a Labels>,
    /// Its own labels.
    pub labels: &'a Labels,
    /// Its address, when it is known.
    pub address: Option<IpAddr>,
}

/// The port that is connected to.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'a str,
    /// Its number in the pod; `None` when it is not known.
    pub port: Option<u16>,
    /// The names that its pod gives to that port.
    pub names: &'a [String],
}

impl PolicyRule {
    /// Whether it may let through what is connected to `to`, with `peer` on the other side, for a policy in namespace
    /// `own`. What is not known counts as allowed.
    #[must_use]
    pub fn allows(&self, own: &str, peer: &Endpoint<'_>, to: &Destination<'_>) -> bool {
        (self.ports.is_empty() || self.ports.iter().any(|p| p.covers(to)))
            && (self.peers.is_empty() || self.peers.iter().any(|p| p.is(own, peer)))
    }
}

impl PolicyPort {
    fn covers(&self, to: &Destination<'_>) -> bool {
        if self.protocol != to.protocol {
            return false;
        }
        match (self.port, to.port) {
            (Some(first), Some(port)) => (first..=self.end.unwrap_or(first)).contains(&port),
            (None, _) if self.name.is_empty() => true,
            (None, _) => to.names.contains(&self.name),
            (Some(_), None) => true,
        }
    }
}

impl PolicyPeer {
    fn is(&self, own: &str, peer: &Endpoint<'_>) -> bool {
        if let Some(block) = &self.block {
            return peer.address.is_none_or(|address| block.holds(address));
        }
        let here = match &self.namespaces {
            None => peer.namespace == own,
            Some(s) => s.is_empty() || peer.namespace_labels.is_none_or(|labels| s.matches(labels)),
        };
        here && (self.pods.is_none() || selects(self.pods.as_ref(), peer.labels))
    }
}

impl AddressBlock {
    fn holds(&self, address: IpAddr) -> bool {
        within(&self.cidr, address) && !self.except.iter().any(|cidr| within(cidr, address))
    }
}

/// Whether an address lies in a block of CIDR notation; what cannot be read holds nothing.
fn within(cidr: &str, address: IpAddr) -> bool {
    let Some((network, bits)) = cidr.split_once('/') else { return false };
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (network, address) {
        (IpAddr::V4(n), IpAddr::V4(a)) => same(u128::from(n.to_bits()), u128::from(a.to_bits()), bits, 32),
        (IpAddr::V6(n), IpAddr::V6(a)) => same(n.to_bits(), a.to_bits(), bits, 128),
        _ => false,
    }
}

fn same(a: u128, b: u128, bits: u32, width: u32) -> bool {
    let rest = width.saturating_sub(bits);
    a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn selector(pairs: &[(&str, &str)]) -> LabelSelector {
        LabelSelector { labels: labels(pairs), expressions: vec![] }
    }

    fn asks(rule: &PolicyRule, namespace: &str, app: &str, port: u16) -> bool {
        let (own, space) = (labels(&[("app", app)]), labels(&[("name", namespace)]));
        let address = "10.244.1.7".parse().ok();
        let peer = Endpoint { namespace, namespace_labels: Some(&space), labels: &own, address };
        let names = ["pg".to_owned()];
        let names = if port == 5432 { &names[..] } else { &[] };
        rule.allows("shop", &peer, &Destination { protocol: "TCP", port: Some(port), names })
    }

    #[test]
    fn an_empty_rule_allows_all_and_each_part_narrows_it() {
        assert!(asks(&PolicyRule::default(), "data", "web", 80));
        let from_api = PolicyPeer { pods: Some(selector(&[("app", "api")])), ..PolicyPeer::default() };
        let rule = PolicyRule { peers: vec![from_api.clone()], ..PolicyRule::default() };
        assert!(asks(&rule, "shop", "api", 80));
        assert!(!asks(&rule, "shop", "web", 80));
        assert!(!asks(&rule, "data", "api", 80), "pods of the policy's own namespace");
        let anywhere = PolicyPeer { namespaces: Some(selector(&[])), ..from_api };
        let rule = PolicyRule { peers: vec![anywhere], ..PolicyRule::default() };
        assert!(asks(&rule, "data", "api", 80));
    }

    #[test]
    fn ports_are_numbers_names_ranges_or_all_of_a_protocol() {
        let tcp = |p: PolicyPort| PolicyRule {
            ports: vec![PolicyPort { protocol: "TCP".into(), ..p }],
            ..PolicyRule::default()
        };
        let rule = tcp(PolicyPort { port: Some(5000), end: Some(6000), ..PolicyPort::default() });
        assert!(asks(&rule, "shop", "web", 5432));
        assert!(!asks(&rule, "shop", "web", 80));
        let rule = tcp(PolicyPort { name: "pg".into(), ..PolicyPort::default() });
        assert!(asks(&rule, "shop", "web", 5432));
        assert!(!asks(&rule, "shop", "web", 80));
        assert!(asks(&tcp(PolicyPort::default()), "shop", "web", 80));
        let udp = PolicyPort { protocol: "UDP".into(), ..PolicyPort::default() };
        assert!(!asks(&PolicyRule { ports: vec![udp], ..PolicyRule::default() }, "shop", "web", 80));
    }

    #[test]
    fn blocks_hold_addresses_of_their_own_family() {
        let block = |cidr: &str, except: &[&str]| PolicyRule {
            peers: vec![PolicyPeer {
                block: Some(AddressBlock {
                    cidr: cidr.into(),
                    except: except.iter().map(ToString::to_string).collect(),
                }),
                ..PolicyPeer::default()
            }],
            ..PolicyRule::default()
        };
        assert!(asks(&block("0.0.0.0/0", &[]), "data", "x", 80));
        assert!(asks(&block("10.244.0.0/16", &[]), "data", "x", 80));
        assert!(!asks(&block("10.244.0.0/16", &["10.244.1.0/24"]), "data", "x", 80));
        assert!(!asks(&block("10.245.0.0/16", &[]), "data", "x", 80));
        assert!(!asks(&block("::/0", &[]), "data", "x", 80));
        assert!(!asks(&block("nonsense", &[]), "data", "x", 80));
    }
}
