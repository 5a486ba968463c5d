//! The mechanisms against a real kernel, in a network namespace of the test's own.

use super::{df, lookup, mtu, route};
use crate::node::{
    error::run,
    filter::{self, Rule},
    mechanism,
    step::{Before, FilterTool, Planned, Step},
};
use nix::sched::{CloneFlags, unshare};
use std::net::Ipv4Addr;

/// Runs `test` on a thread with a fresh network namespace that looks like a node with flannel. Without the
/// right to make one the test is skipped, and says so.
fn on_a_node(test: impl FnOnce() + Send) {
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

#[test]
fn the_mtu_goes_down_and_comes_back() {
    on_a_node(|| {
        assert_eq!(mtu::snapshot("overlay7", 1300).expect("snapshot"), Before::Mtu { mtu: 1450 });
        assert!(mtu::snapshot("overlay7", 1450).is_err(), "nothing to lower");
        mtu::set("overlay7", 1300).expect("set");
        assert!(shown("ip link show overlay7").contains("mtu 1300"));
        mtu::restore("overlay7", 1300, 1450).expect("restore");
        assert_eq!(mtu::get("overlay7").expect("read"), Some(1450));
        mtu::set("overlay7", 1350).expect("someone else");
        mtu::restore("overlay7", 1300, 1450).expect_err("a foreign value stays");
        assert_eq!(mtu::get("none").expect("read"), None);
        mtu::restore("none", 1300, 1450).expect("gone with its device");
        mtu::set("none", 1300).expect_err("nothing is created");
    });
}

#[test]
fn df_is_set_while_the_device_is_up() {
    on_a_node(|| {
        assert_eq!(df::snapshot("overlay7", true).expect("snapshot"), Before::Df { df: 0 });
        df::set("overlay7", 1).expect("set");
        assert!(shown("ip -d link show overlay7").contains("df set"));
        df::snapshot("overlay7", true).expect_err("set already");
        df::restore("overlay7", 1, 0).expect("restore");
        df::restore("overlay7", 1, 0).expect("restore twice");
        assert_eq!(df::get("overlay7").expect("read"), Some(0));
        df::snapshot("eth0", true).expect_err("no vxlan");
        assert!(
            shown("ip -d link show overlay7").contains("vxlan id 1 local 10.9.0.1 dev eth0"),
            "nothing else changes"
        );
    });
}

#[test]
fn the_path_to_one_peer_narrows() {
    on_a_node(|| {
        let Before::Path { dev, via, src } = route::snapshot(PEER).expect("snapshot") else {
            panic!("no path")
        };
        assert_eq!((dev.as_str(), via, src), ("eth0", None, Some(Ipv4Addr::new(10, 9, 0, 1))));
        let before = shown("ip route show table all");
        route::add(PEER, 1400, &dev, via, src).expect("add");
        assert!(shown("ip route get 10.9.0.2").contains("mtu 1400"));
        assert!(!shown("ip route get 10.9.0.3").contains("mtu"), "other peers keep their path");
        assert_eq!(route::own_mtu(PEER).expect("read"), Some(1400));
        route::snapshot(PEER).expect_err("there is a host route already");
        route::remove(PEER, 1400).expect("remove");
        route::remove(PEER, 1400).expect("remove twice");
        assert_eq!(shown("ip route show table all"), before);
        run(&["ip", "route", "add", "10.9.0.2/32", "dev", "eth0", "mtu", "1300"], None)
            .expect("someone else's route");
        route::snapshot(PEER).expect_err("foreign");
        route::remove(PEER, 1400).expect_err("foreign routes stay");
        assert!(shown("ip route get 10.9.0.2").contains("mtu 1300"));
    });
}

#[test]
fn the_filter_is_a_thing_of_its_own() {
    on_a_node(|| {
        let Before::NoFilter { tool } = filter::snapshot("loopdrill_t", &Rule::FragNeeded).expect("snapshot")
        else {
            panic!("no tool")
        };
        let tools =
            if tool == FilterTool::Nft { vec![FilterTool::Nft, FilterTool::Iptables] } else { vec![tool] };
        let outgoing = |percent| Rule::Outgoing { link: "lo".into(), percent };
        let rules = [Rule::FragNeeded, outgoing(100), outgoing(35)];
        for (tool, rule) in tools.iter().flat_map(|tool| rules.iter().map(|rule| (*tool, rule))) {
            filter::apply(tool, "loopdrill_t", rule).expect("apply");
            assert!(
                filter::read(tool, "loopdrill_t", rule)
                    .expect("read")
                    .expect("in force")
                    .contains("(0 so far)")
            );
            assert!(!filter::exists(tool, "loopdrill_u", rule).expect("exists"), "another tag is not ours");
            filter::remove(tool, "loopdrill_t", rule).expect("remove");
            filter::remove(tool, "loopdrill_t", rule).expect("remove twice");
            assert_eq!(filter::read(tool, "loopdrill_t", rule).expect("read"), None);
        }
    });
}

#[test]
fn steps_are_restored_newest_first_and_compared() {
    on_a_node(|| {
        let link = || "overlay7".to_owned();
        let steps = [
            Step::DropFragNeeded { tag: "loopdrill_t".into() },
            Step::RouteMtu { peer: PEER, mtu: 1400 },
            Step::VxlanDf { link: link(), on: true },
            Step::LinkMtu { link: link(), mtu: 1300 },
        ];
        let plan: Vec<Planned> =
            steps.into_iter().map(|s| mechanism::snapshot(s).expect("snapshot")).collect();
        for planned in &plan {
            mechanism::apply(planned).expect("apply");
            assert!(mechanism::read(planned).expect("read").is_some(), "{planned:?}");
            assert!(mechanism::difference(planned).expect("compare").is_some(), "{planned:?}");
        }
        mechanism::restore_all(&plan).expect("restore");
        for planned in &plan {
            assert_eq!(mechanism::read(planned).expect("read"), None, "{planned:?}");
            assert_eq!(mechanism::difference(planned).expect("compare"), None, "{planned:?}");
        }
    });
}
