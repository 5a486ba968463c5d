//! Nodes with room that are closed by what is there already: ports, other pods, volumes. The scheduler's words confirm our
//! count, and win where the two differ.

use crate::scene::*;
use loopdrill_kubernetes::{HostPort, LabelSelector, PodTerm, Spread};
use loopdrill_model::{Cause, Cause::*, Signal, signal::*};
use std::collections::BTreeMap;

const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";

fn web() -> BTreeMap<String, String> {
    [("app".to_owned(), "web".to_owned())].into()
}

fn of_web() -> Option<LabelSelector> {
    Some(LabelSelector { labels: web(), expressions: vec![] })
}

fn apart(key: &str) -> Vec<PodTerm> {
    vec![PodTerm { topology_key: key.into(), selector: of_web(), ..PodTerm::default() }]
}

/// The causes when there are pods on some of the workers, and one that finds no place for an hour.
fn told(on: &[&str], there: impl Fn(&mut Pod), words: &str, victim: impl FnOnce(&mut Pod)) -> Vec<Cause> {
    let mut s = Scene::called_in();
    let since = s.ago(3600.0);
    for worker in on {
        let node = s.name(worker);
        s.pod(&format!("web-{worker}"), |p| {
            (p.node, p.created_at, p.labels) = (Some(node), since, web().into());
            there(p);
        });
    }
    s.unscheduled("victim", words, |p| {
        (p.created_at, p.labels) = (since, web().into());
        p.unscheduled.as_mut().expect("it is unscheduled").since = Some(since);
        victim(p);
    });
    s.causes()
}

#[test]
fn a_host_port_that_is_taken_everywhere() {
    let port = |p: &mut Pod| {
        p.constraints.host_ports = vec![HostPort { ip: String::new(), protocol: "TCP".into(), port: 8080 }];
    };
    let words = "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't have free ports for the requested pod ports.";
    assert_eq!(told(&["w1", "w2"], port, words, port), [PlacementConstraint]);
    assert_eq!(told(&["w1", "w2"], port, "", port), [PlacementConstraint], "nobody needs to say it");
    assert_eq!(
        told(&["w1", "w2"], |_| {}, "0/3 nodes are available.", |_| {}),
        [PlacementConstraint],
        "words alone"
    );
}

#[test]
fn pods_that_want_each_other_apart_near_or_spread() {
    let words = "0/3 nodes are available: 2 node(s) didn't match pod anti-affinity rules.";
    let own = told(&["w1", "w2"], |_| {}, words, |p| p.constraints.apart = apart(HOST));
    assert_eq!(own, [PlacementConstraint]);
    let words = "0/3 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.";
    let theirs = told(&["w1", "w2"], |p| p.constraints.apart = apart(HOST), words, |_| {});
    assert_eq!(theirs, [PlacementConstraint]);
    let nobody =
        LabelSelector { labels: [("app".to_owned(), "cache".to_owned())].into(), expressions: vec![] };
    let words = "0/3 nodes are available: 2 node(s) didn't match pod affinity rules.";
    let near = told(
        &["w1"],
        |_| {},
        words,
        |p| {
            p.constraints.near = apart(HOST);
            p.constraints.near[0].selector = Some(nobody);
        },
    );
    assert_eq!(near, [PlacementConstraint]);
    let words = "0/3 nodes are available: 2 node(s) didn't match pod topology spread constraints.";
    let spread = |key: &str| Spread {
        topology_key: key.into(),
        max_skew: 1,
        selector: of_web(),
        min_domains: 3,
        ..Spread::default()
    };
    assert_eq!(
        told(&["w1", "w2"], |_| {}, words, |p| p.constraints.spread = vec![spread(ZONE)]),
        [PlacementConstraint]
    );
}

#[test]
fn the_first_of_those_that_want_each_other_near_may_go_anywhere() {
    let mut s = Scene::called_in();
    s.unscheduled("victim", "", |p| {
        p.labels = web().into();
        p.constraints.near = apart(ZONE);
    });
    s.pass(5.0);
    assert_eq!(s.causes(), [], "the scheduler will find out");
}

/// A claim of the zone's disk driver that is bound, and the pod on `w1` that uses it.
fn used_claim(s: &mut Scene, name: &str, once: bool) -> String {
    s.bound_claim(name, "a");
    let volume = s.name(&format!("volume-of-{name}"));
    s.claim(name, |c| (c.phase, c.volume, c.once_per_pod) = ("Bound".into(), Some(volume), once));
    let (claim, node) = (s.name(name), s.name("w1"));
    let mounted = claim.clone();
    s.pod(&format!("user-of-{name}"), |p| (p.node, p.claims) = (Some(node), vec![mounted]));
    claim
}

fn stuck(s: &mut Scene, words: &str, claim: String) -> Vec<Cause> {
    let since = s.ago(3600.0);
    s.unscheduled("victim", words, |p| {
        (p.created_at, p.claims) = (since, vec![claim]);
        p.unscheduled.as_mut().expect("it is unscheduled").since = Some(since);
    });
    s.causes()
}

#[test]
fn a_claim_that_only_one_pod_may_use() {
    let words = "0/3 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.";
    let mut s = Scene::called_in();
    let claim = used_claim(&mut s, "data", true);
    assert_eq!(stuck(&mut s, words, claim), [AttachOrMountFailed]);
    let mut s = Scene::called_in();
    let claim = used_claim(&mut s, "data", false);
    assert_eq!(stuck(&mut s, "", claim), [], "many may use it");
}

#[test]
fn a_claim_for_one_pod_is_told_though_other_nodes_are_closed_for_other_reasons() {
    for words in [
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode. no new claims to deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.",
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
        "0/3 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode, 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
    ] {
        let mut s = Scene::lab();
        let claim = used_claim(&mut s, "data", true);
        s.pass(30.0);
        s.unscheduled("victim", words, |p| p.claims = vec![claim]);
        s.pass(5.0);
        assert_eq!(s.causes(), [AttachOrMountFailed], "{words}");
    }
}

#[test]
fn a_driver_that_attaches_no_more_volumes() {
    let told = |limit: Option<u32>| {
        let mut s = Scene::called_in();
        used_claim(&mut s, "data", false);
        s.bound_claim("more", "a");
        let (node, claim) = (s.name("w1"), s.name("more"));
        s.see(Signal::NodeDrivers(NodeDrivers {
            name: node,
            uid: "drivers".into(),
            version: 1,
            drivers: [("disks".to_owned(), limit)].into(),
        }));
        let found = stuck(&mut s, "0/3 nodes are available: 1 node(s) exceed max volume count.", claim);
        (found, s.diagnoses()[0].confidence)
    };
    let (counted, by_count) = told(Some(1));
    let (said, by_words) = told(Some(39));
    assert_eq!((counted, said), (vec![VolumeLimit], vec![VolumeLimit]));
    assert!(by_count > 0.9 && by_words <= 0.6, "{by_count} {by_words}: words alone weigh less");
}

#[test]
fn words_that_leave_one_reading_win_over_our_count() {
    let words = "0/3 nodes are available: 1 node(s) exceed max volume count, 2 Insufficient cpu.";
    let mut s = Scene::called_in();
    let since = s.ago(3600.0);
    s.unscheduled("victim", words, |p| {
        (p.created_at, p.requests.cpu_millis) = (since, 9000);
        p.unscheduled.as_mut().expect("it is unscheduled").since = Some(since);
    });
    assert_eq!(s.causes(), [VolumeLimit]);
}

#[test]
fn who_is_to_give_way_and_does_not_go_is_named() {
    let mut s = Scene::called_in();
    let (since, node) = (s.ago(3600.0), s.name("w1"));
    let holds = node.clone();
    s.pod("bulk", |p| {
        (p.node, p.deleting, p.requests.cpu_millis) = (Some(holds), true, 2000);
    });
    s.pass(70.0);
    let words = "0/3 nodes are available: 2 Insufficient cpu. preemption: found a potential placement on w1";
    s.unscheduled("victim", words, |p| {
        (p.created_at, p.requests.cpu_millis) = (since, 2000);
        (p.constraints.priority, p.constraints.nominated) = (1000, Some(node));
        p.unscheduled.as_mut().expect("it is unscheduled").since = Some(since);
    });
    let found = s.diagnoses();
    assert_eq!(found.iter().filter_map(|d| d.cause).collect::<Vec<_>>(), [Exhaustion]);
    assert!(is_about(&found[0], "Pod", "bulk"), "{found:#?}");
}
