//! The mechanisms against a real kernel, in a network namespace of the test's own.

use super::{
    df::{self, Df, VxlanDf},
    lookup,
    mtu::{self, LinkMtu, Mtu},
    route::RouteMtu,
};
use crate::node::{
    error::run,
    filter::{DropFragNeeded, DropOutgoing, FilterTool, NoFilter},
    held::{Held, Limits},
    mechanism::Mechanism,
    step::Step,
};
use nix::sched::{CloneFlags, unshare};
use rtnetlink::packet_route::link::{InfoData, InfoGeneve, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage};
use std::net::Ipv4Addr;

/// Runs `test` on a thread with a fresh network namespace that looks like a node with flannel. Without the
/// right to make one the test is skipped, and says so.
pub(crate) fn on_a_node(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                eprintln!("skipped: needs root for a network namespace of its own ({errno})");
                return;
            }
            for line in NODE.lines() {
                run(&line.split(' ').collect::<Vec<_>>(), None).expect("a node's network");
            }
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

const NODE: &str = "\
ip link set lo up
ip link add eth0 type veth peer name wire
ip link set eth0 up
ip addr add 10.9.0.1/24 dev eth0
ip link add overlay7 type vxlan id 1 local 10.9.0.1 dev eth0 dstport 8472 nolearning
ip link set overlay7 mtu 1450 up
ip addr add 10.244.1.0/32 dev overlay7
ip route add 10.244.2.0/24 via 10.244.2.0 dev overlay7 onlink
ip neigh add 10.244.2.0 lladdr 02:00:00:00:00:02 dev overlay7 nud permanent
bridge fdb add 02:00:00:00:00:02 dev overlay7 dst 10.9.0.2";

const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

fn shown(command: &str) -> String {
    run(&command.split(' ').collect::<Vec<_>>(), None).expect("iproute2")
}

#[test]
fn the_overlay_is_found_by_the_way_to_a_pod() {
    on_a_node(|| {
        let found = lookup::overlay_to(Ipv4Addr::new(10, 244, 2, 7)).expect("overlay");
        assert_eq!((found.device.as_str(), found.mtu), ("overlay7", 1450));
        assert_eq!((found.underlay.as_str(), found.underlay_mtu, found.peer), ("eth0", 1500, PEER));
        let other = lookup::overlay_to(PEER).expect_err("the underlay is no overlay");
        assert!(other.to_string().contains("eth0, which is no vxlan device"), "{other}");
    });
}

/// Not every kernel that runs tests has geneve, so what it would say is written here.
#[test]
fn a_tunnel_that_is_told_where_each_packet_goes_is_known_by_its_kind() {
    let link = |data: InfoData| {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Data(data)]));
        link
    };
    let by_packet = |yes| InfoData::Vxlan(vec![InfoVxlan::Port(8473), InfoVxlan::CollectMetadata(yes)]);
    assert_eq!(lookup::port_of(&link(by_packet(true))), Some(8473));
    assert_eq!(lookup::port_of(&link(by_packet(false))), None, "the kernel's tables say where it leads");
    let geneve = InfoData::Geneve(vec![InfoGeneve::Id(7), InfoGeneve::Port(6081)]);
    assert_eq!(lookup::port_of(&link(geneve)), Some(6081));
    assert_eq!(lookup::port_of(&LinkMessage::default()), None);
    on_a_node(|| assert_eq!(lookup::tunnel_here().expect("links"), None));
}

#[test]
fn the_mtu_goes_down_and_comes_back() {
    on_a_node(|| {
        let lower = |link: &str, mtu| LinkMtu { link: link.into(), mtu };
        let (step, before) = (lower("overlay7", 1300), Mtu { mtu: 1450 });
        assert_eq!(step.snapshot().expect("snapshot"), before);
        assert!(lower("overlay7", 1450).snapshot().is_err(), "nothing to lower");
        step.apply(&before).expect("apply");
        assert!(shown("ip link show overlay7").contains("mtu 1300"));
        step.restore(&before).expect("restore");
        assert_eq!(mtu::get("overlay7").expect("read"), Some(1450));
        mtu::set("overlay7", 1350).expect("someone else");
        step.restore(&before).expect_err("a foreign value stays");
        assert_eq!(mtu::get("none").expect("read"), None);
        lower("none", 1300).restore(&before).expect("gone with its device");
        lower("none", 1300).apply(&before).expect_err("nothing is created");
    });
}

#[test]
fn df_is_set_while_the_device_is_up() {
    on_a_node(|| {
        let mark = |link: &str| VxlanDf { link: link.into(), on: true };
        let (step, before) = (mark("overlay7"), Df { df: 0 });
        assert_eq!(step.snapshot().expect("snapshot"), before);
        step.apply(&before).expect("apply");
        assert!(shown("ip -d link show overlay7").contains("df set"));
        step.snapshot().expect_err("set already");
        step.restore(&before).expect("restore");
        step.restore(&before).expect("restore twice");
        assert_eq!(df::get("overlay7").expect("read"), Some(0));
        mark("eth0").snapshot().expect_err("no vxlan");
        assert!(
            shown("ip -d link show overlay7").contains("vxlan id 1 local 10.9.0.1 dev eth0"),
            "nothing else changes"
        );
    });
}

#[test]
fn the_path_to_one_peer_narrows() {
    on_a_node(|| {
        let step = RouteMtu { peer: PEER, mtu: 1400 };
        let path = step.snapshot().expect("snapshot");
        assert_eq!((path.dev.as_str(), path.via, path.src), ("eth0", None, Some(Ipv4Addr::new(10, 9, 0, 1))));
        let before = shown("ip route show table all");
        step.apply(&path).expect("apply");
        assert!(shown("ip route get 10.9.0.2").contains("mtu 1400"));
        assert!(!shown("ip route get 10.9.0.3").contains("mtu"), "other peers keep their path");
        assert_eq!(step.read(&path).expect("read").as_deref(), Some("route to 10.9.0.2 mtu 1400"));
        step.snapshot().expect_err("there is a host route already");
        step.restore(&path).expect("restore");
        step.restore(&path).expect("restore twice");
        assert_eq!(shown("ip route show table all"), before);
        run(&["ip", "route", "add", "10.9.0.2/32", "dev", "eth0", "mtu", "1300"], None)
            .expect("someone else's route");
        step.snapshot().expect_err("foreign");
        step.restore(&path).expect_err("foreign routes stay");
        assert!(shown("ip route get 10.9.0.2").contains("mtu 1300"));
    });
}

/// Applied, read and removed with each tool that the machine has.
fn comes_and_goes(step: &impl Mechanism<Before = NoFilter>, other: &impl Mechanism<Before = NoFilter>) {
    let chosen = step.snapshot().expect("snapshot").tool;
    let more = (chosen == FilterTool::Nft).then_some(FilterTool::Iptables);
    for tool in [chosen].into_iter().chain(more) {
        let before = NoFilter { tool };
        step.apply(&before).expect("apply");
        assert!(step.read(&before).expect("read").expect("in force").contains("(0 so far)"));
        assert_eq!(other.difference(&before).expect("compare"), None, "another tag is not ours");
        step.restore(&before).expect("restore");
        step.restore(&before).expect("restore twice");
        assert_eq!(step.read(&before).expect("read"), None);
    }
}

#[test]
fn the_filter_is_a_thing_of_its_own() {
    on_a_node(|| {
        let icmp = |tag: &str| DropFragNeeded { tag: tag.into() };
        comes_and_goes(&icmp("loopdrill_t"), &icmp("loopdrill_u"));
        for percent in [100, 35] {
            let outgoing = |tag: &str| DropOutgoing { tag: tag.into(), link: "lo".into(), percent };
            comes_and_goes(&outgoing("loopdrill_t"), &outgoing("loopdrill_u"));
        }
    });
}

#[test]
fn steps_are_restored_newest_first_and_compared() {
    on_a_node(|| {
        let link = || "overlay7".to_owned();
        let steps: [Step; 4] = [
            DropFragNeeded { tag: "loopdrill_t".into() }.into(),
            RouteMtu { peer: PEER, mtu: 1400 }.into(),
            VxlanDf { link: link(), on: true }.into(),
            LinkMtu { link: link(), mtu: 1300 }.into(),
        ];
        let steps = steps.into_iter().map(|s| s.plan().expect("snapshot")).collect();
        let held = Held { steps, limits: Limits::default() };
        for planned in &held.steps {
            planned.saved().apply().expect("apply");
        }
        assert!(held.read().expect("read").iter().all(Option::is_some));
        assert_eq!(held.differences().expect("compare").len(), 4);
        held.restore().expect("restore");
        assert!(held.read().expect("read").iter().all(Option::is_none));
        assert_eq!(held.differences().expect("compare"), Vec::<String>::new());
    });
}
