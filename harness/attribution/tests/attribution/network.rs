//! Network, and what looks like it.

use crate::{scene::*, scenes::*};
use loopdrill_model::{Cause::*, Signal, signal::*};
use std::time::Duration;

const TOO_BIG: ProbeResult = ProbeResult::TooBig { mtu: 1250 };

#[test]
fn large_ones_vanish_and_the_overlay_link_counts_them() {
    let mut s = Scene::lab();
    overlay_mtu(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [OverlayMtu]);
    assert!(found[0].confidence > 0.95, "{found:?}");
    assert!(is_about(&found[0], "Interface", "w1/overlay") && is_about(&found[0], "Node", "w2"));
    assert!(found[0].evidence.iter().any(|e| e.signal.starts_with("tx_dropped")), "{found:?}");
    healthy_rounds(&mut s, 1);
    assert_eq!(s.causes(), [], "the first large one that passes ends it");
}

#[test]
fn two_rounds_are_enough_and_one_is_not() {
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 5);
    round(&mut s, [PASSED, PASSED, LOST], PASSED, PASSED);
    assert_eq!(s.causes(), []);
    round(&mut s, [PASSED, PASSED, LOST], PASSED, PASSED);
    assert_eq!(s.causes(), [OverlayMtu]);
}

#[test]
fn an_answer_that_says_too_big_is_no_black_hole() {
    let mut s = Scene::lab();
    for _ in 0..10 {
        links(&mut s, 0, 0);
        round(&mut s, [PASSED, PASSED, TOO_BIG], PASSED, PASSED);
    }
    assert_eq!(s.causes(), []);
}

#[test]
fn refusals_to_fragment_are_evidence_where_the_link_counts_nothing() {
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 3);
    for i in 0..4 {
        let counters = IpCounters { node: s.name("w1"), frag_fails: 7 + i };
        s.see(Signal::IpCounters(counters));
        round(&mut s, [PASSED, LOST, LOST], PASSED, PASSED);
    }
    let found = s.diagnoses();
    assert_eq!(s.causes(), [OverlayMtu]);
    assert!(found[0].evidence.iter().any(|e| e.signal.starts_with("FragFails")), "{found:?}");
}

#[test]
fn loss_at_every_size_is_loss() {
    let mut s = Scene::lab();
    packet_loss(&mut s);
    assert_eq!(s.causes(), [PacketLoss]);
    healthy_rounds(&mut s, 12);
    assert_eq!(s.causes(), []);
}

#[test]
fn a_cut_that_is_over_is_no_part_of_a_packet_that_is_lost_later() {
    let mut s = Scene::lab();
    filtered(&mut s);
    healthy_rounds(&mut s, 10);
    round(&mut s, [LOST, LOST, PASSED], PASSED, PASSED);
    healthy_rounds(&mut s, 1);
    assert_eq!(s.causes(), [], "it turned four times, in two stories");
    round(&mut s, [LOST, LOST, PASSED], PASSED, PASSED);
    healthy_rounds(&mut s, 1);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [PacketLoss], "and now it goes on by turns");
    assert!(
        found[0].first_evidence_at
            > found[0].diagnosed_at.checked_sub(Duration::from_secs(2)).expect("no underflow"),
        "{found:?}"
    );
}

#[test]
fn silence_between_pods_of_nodes_that_reach_each_other_is_a_filter() {
    let mut s = Scene::lab();
    filtered(&mut s);
    assert_eq!(s.causes(), [TrafficFiltered]);
    healthy_rounds(&mut s, 1);
    assert_eq!(s.causes(), []);
}

#[test]
fn a_node_that_is_silent_on_all_ways_is_left_to_its_status() {
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 5);
    for i in 0..45 {
        round(&mut s, [LOST, LOST, LOST], LOST, PASSED);
        assert_eq!(s.causes(), [], "after {i} s");
    }
    lose_node(&mut s, "w2");
    assert_eq!(s.causes(), [NodeDown]);
}

#[test]
fn where_nobody_probes_from_node_to_node_whoever_is_heard_of_is_within_reach() {
    let unknown = ProbeResult::Refused("not probed".into());
    let silence = |usage: bool, own: bool| {
        let mut s = Scene::lab();
        healthy_rounds(&mut s, 5);
        for _ in 0..12 {
            for node in ["w1", "w2"].into_iter().filter(|_| usage) {
                let usage = Usage { node: s.name(node), cpu_millis: 90 };
                s.see(Signal::Usage(usage));
            }
            round(&mut s, [LOST, LOST, LOST], unknown.clone(), PASSED);
        }
        let w2 = s.name("w2");
        s.told.retain(|o| match &o.signal {
            Signal::Probe(p) => p.path != ProbePath::Underlay && (own || p.from != w2),
            _ => true,
        });
        s.causes()
    };
    assert_eq!(silence(true, false), [TrafficFiltered], "their kubelets were read");
    assert_eq!(silence(false, true), [TrafficFiltered], "they tell what they found themselves");
    assert_eq!(silence(false, false), [], "one of them may be gone");
}

#[test]
fn a_node_on_which_nothing_goes_on_answers_nobody_and_filters_nothing() {
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 5);
    let before = s.told.len();
    for _ in 0..6 {
        round(&mut s, [LOST, LOST, LOST], PASSED, PASSED);
    }
    let (w2, mut n) = (s.name("w2"), 0);
    s.told.retain(|o| {
        n += 1;
        n <= before || !matches!(&o.signal, Signal::Probe(p) if p.from == w2)
    });
    assert_eq!(s.causes(), [], "its prober stands still, too");
    for _ in 0..3 {
        round(&mut s, [LOST, LOST, LOST], PASSED, PASSED);
    }
    assert_eq!(s.causes(), [TrafficFiltered], "it goes on, and answers nobody");
}

#[test]
fn a_machine_that_stands_still_for_a_moment_is_no_black_hole() {
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 5);
    round(&mut s, [LOST, LOST, LOST], LOST, LOST);
    round(&mut s, [PASSED, PASSED, LOST], PASSED, PASSED);
    assert_eq!(s.causes(), []);
    for _ in 0..4 {
        round(&mut s, [PASSED, PASSED, LOST], PASSED, PASSED);
    }
    assert_eq!(s.causes(), [OverlayMtu], "but one that stays is");
}

#[test]
fn one_lost_packet_is_nothing() {
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 20);
    assert!(!s.judge().unsettled);
    round(&mut s, [PASSED, LOST, PASSED], LOST, LOST);
    assert_eq!(s.causes(), []);
    assert!(s.judge().unsettled, "it may be the first of many");
    healthy_rounds(&mut s, 12);
    assert_eq!(s.causes(), []);
    assert!(!s.judge().unsettled);
}

/// Probers have asked the DNS before they know of each other, and what vanishes is given up after what passes has passed.
#[test]
fn while_an_answer_between_nodes_is_awaited_more_may_come() {
    let probe = |s: &Scene, path, to: &str, bytes| Probe {
        from: s.name("w1"),
        to: s.name(to),
        path,
        bytes,
        result: PASSED,
    };
    let mut s = Scene::called_in();
    let one = probe(&s, ProbePath::Dns, "10.96.0.10", 54);
    s.see(Signal::Probe(one.clone()));
    assert!(!s.judge().unsettled, "who is alone asks nobody else");
    s.see(Signal::Probe(Probe { from: s.name("w2"), ..one }));
    assert!(s.judge().unsettled);
    for bytes in [64, 743] {
        s.see(Signal::Probe(probe(&s, ProbePath::Overlay, "w2", bytes)));
        assert!(s.judge().unsettled, "the largest is on its way");
    }
    s.see(Signal::Probe(probe(&s, ProbePath::Overlay, "w2", 1422)));
    assert!(!s.judge().unsettled);
    let mut s = Scene::called_in();
    s.see(Signal::Probe(probe(&s, ProbePath::Overlay, "w2", 64)));
    s.pass(31.0);
    assert!(!s.judge().unsettled, "nobody waits for the rest for good");
}

#[test]
fn names_that_do_not_resolve_are_dns_unless_the_network_is_broken() {
    let mut s = Scene::lab();
    dns_failure(&mut s);
    assert_eq!(s.causes(), [DnsFailure]);
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 5);
    for _ in 0..8 {
        round(&mut s, [LOST, LOST, LOST], PASSED, LOST);
    }
    let found = s.diagnoses();
    assert_eq!(s.causes(), [TrafficFiltered]);
    assert!(found[0].chain.iter().any(|l| l.what.contains("resolve")), "{found:?}");
}

#[test]
fn without_probes_sustained_drops_of_the_overlay_over_a_clean_underlay_tell() {
    let drops = |overlay: u64, underlay: u64| {
        let mut s = Scene::lab();
        for i in 0..10 {
            links(&mut s, 8 + overlay * i, underlay * i);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(drops(2, 0), [OverlayMtu]);
    assert_eq!(drops(2, 2), [], "both drop: not the encapsulation");
    assert_eq!(drops(0, 0), []);
}

/// Over IPv6 the kernel counts what does not fit below a tunnel as an error.
#[test]
fn without_probes_sustained_errors_of_the_overlay_tell_as_well() {
    let mut s = Scene::lab();
    for i in 0..10 {
        let failed = |link: &mut Interface| link.tx_errors = 2 * i;
        links_with(&mut s, 8, 0, failed);
        s.pass(1.0);
    }
    assert_eq!(s.causes(), [OverlayMtu]);
}

#[test]
fn a_few_drops_when_a_link_comes_up_are_normal() {
    let mut s = Scene::lab();
    for dropped in [0, 4, 8, 8, 8, 8] {
        links(&mut s, dropped, 0);
        s.pass(1.0);
    }
    assert_eq!(s.causes(), []);
}

#[test]
fn pods_that_become_unready_on_these_nodes_are_named_and_their_probes_not_blamed() {
    let mut s = Scene::lab();
    healthy_rounds(&mut s, 50);
    let pod = s.pod("front", |p| p.containers[0].has_readiness_probe = true);
    healthy_rounds(&mut s, 50);
    for i in 0..25 {
        if i == 3 {
            let mut unready = pod.clone();
            unready.ready = false;
            unready.containers[0].ready = false;
            s.see_pod(unready);
        }
        links(&mut s, 8 + 3 * i, 0);
        round(&mut s, [PASSED, PASSED, LOST], PASSED, PASSED);
    }
    let found = s.diagnoses();
    assert_eq!(s.causes(), [OverlayMtu], "{found:?}");
    assert!(is_about(&found[0], "Pod", "front"), "{found:?}");
}

#[test]
fn names_that_are_lost_on_one_node_are_that_node_s() {
    let mut s = Scene::lab();
    names_lost_on_one_node(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [NodeDnsFailure], "{found:#?}");
    assert!(is_about(&found[0], "Node", "w1") && !is_about(&found[0], "Node", "w2"), "{found:#?}");
    assert!(found[0].evidence.iter().any(|e| e.signal.ends_with("w2") && e.value == "answers"), "{found:#?}");
    healthy_rounds(&mut s, 2);
    assert_eq!(s.causes(), []);
}

/// One node gets no answer, and it is not that node's own DNS.
#[test]
fn a_node_that_others_do_not_reach_or_a_dns_without_servers_is_another_matter() {
    let told = |overlay: ProbeResult, served: bool| {
        let mut s = Scene::lab();
        healthy_rounds(&mut s, 5);
        s.see(Signal::Service(Service {
            namespace: "kube-system".into(),
            name: "kube-dns".into(),
            uid: "dns".into(),
            version: 1,
            selector: [("app".to_owned(), "dns".to_owned())].into(),
            ..Service::default()
        }));
        let (namespace, service) = ("kube-system".into(), "kube-dns".into());
        s.see(Signal::Endpoints(Endpoints { namespace, service, ready: u32::from(served), not_ready: 0 }));
        for _ in 0..12 {
            let overlay = [overlay.clone(), overlay.clone(), overlay.clone()];
            round_with(&mut s, overlay, PASSED, [LOST, PASSED]);
        }
        s.causes()
    };
    assert_eq!(told(PASSED, true), [NodeDnsFailure]);
    assert_eq!(told(LOST, true), [TrafficFiltered], "its packets do not arrive anywhere");
    assert_eq!(
        told(PASSED, false),
        [DnsFailure],
        "nobody serves names, and some answers are still on their way"
    );
}
