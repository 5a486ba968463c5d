//! Compute, and what looks like it.

use crate::{scene::*, scenes::*};
use loopdrill_model::{Cause::*, Loop, Signal, Subject, signal::*};

#[test]
fn room_in_sum_and_on_no_node_is_fragmentation_within_a_second() {
    let mut s = Scene::lab();
    fragmentation(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [Fragmentation]);
    assert!(is_about(&found[0], "Pod", "victim") && is_about(&found[0], "Node", "w2"));
    assert!(found[0].evidence[0].value.contains("wanted 1200m CPU"), "{found:?}");
    assert!(found[0].evidence.iter().any(|e| e.value.contains("4 % used")), "{found:?}");
}

#[test]
fn a_pod_for_which_another_gives_way_is_late_and_not_stuck() {
    const GIVES_WAY: &str = "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: \
                             found a potential placement for pod on node w1, preempting 1 victims";
    let mut s = Scene::lab();
    fill(&mut s, 1100);
    s.pass(5.0);
    s.unscheduled("victim", GIVES_WAY, wants(1200));
    s.pass(10.0);
    assert_eq!(s.causes(), []);
}

#[test]
fn too_little_in_sum_is_exhaustion() {
    let mut s = Scene::lab();
    exhaustion(&mut s);
    assert_eq!(s.causes(), [Exhaustion]);
}

#[test]
fn a_pod_larger_than_any_node_is_no_fragmentation() {
    let mut s = Scene::lab();
    s.unscheduled("victim", INSUFFICIENT, |p| p.requests.cpu_millis = 3000);
    s.pass(1.0);
    assert_eq!(s.causes(), [Exhaustion]);
}

#[test]
fn a_tainted_node_s_room_does_not_count() {
    let mut s = Scene::lab();
    fill(&mut s, 1900);
    s.unscheduled("victim", INSUFFICIENT, |p| p.requests.cpu_millis = 300);
    s.pass(1.0);
    assert_eq!(s.causes(), [Exhaustion], "the control plane's 2000m are not for it");
}

#[test]
fn it_is_gone_as_soon_as_the_pod_has_a_node() {
    let mut s = Scene::lab();
    fragmentation(&mut s);
    s.gone("Pod", "filler-w1", "pod-filler-w1");
    s.pod("victim", |_| {});
    assert_eq!(s.causes(), []);
}

#[test]
fn room_that_is_about_to_be_free_is_waited_for() {
    let mut s = Scene::lab();
    fill(&mut s, 1100);
    let node = s.name("w1");
    s.pod("filler-w1", |p| {
        p.node = Some(node);
        p.requests.cpu_millis = 1100;
        p.deleting = true;
    });
    s.unscheduled("victim", INSUFFICIENT, |p| p.requests.cpu_millis = 1200);
    s.pass(5.0);
    assert_eq!(s.causes(), []);
    assert!(s.judge().unsettled);
    s.pass(60.0);
    assert_eq!(s.causes(), [Fragmentation], "but not for ever");
}

#[test]
fn selectors_taints_and_cordons_are_constraints() {
    let mut s = Scene::lab();
    unmatched_selector(&mut s);
    assert_eq!(s.causes(), [PlacementConstraint]);

    let mut s = Scene::lab();
    for worker in ["w1", "w2"] {
        s.node(worker, |n| {
            n.taints.push(Taint { key: "team".into(), value: "x".into(), effect: "NoSchedule".into() });
        });
    }
    s.unscheduled("victim", "0/3 nodes are available: 3 node(s) had untolerated taint(s).", |_| {});
    s.pass(3.0);
    assert_eq!(s.causes(), [PlacementConstraint]);

    let mut s = Scene::lab();
    s.node("w1", |n| n.unschedulable = true);
    s.node("w2", |n| n.unschedulable = true);
    s.unscheduled("victim", "0/3 nodes are available: 2 node(s) were unschedulable.", |_| {});
    s.pass(3.0);
    assert_eq!(s.causes(), [PlacementConstraint]);
}

#[test]
fn a_quota_is_no_identity_and_ends_with_itself() {
    let mut s = Scene::lab();
    quota(&mut s);
    assert_eq!(s.causes(), [QuotaExceeded]);
    assert_eq!(s.diagnoses()[0].control_loop, Loop::Compute);
    s.gone("ResourceQuota", "quota", "quota");
    assert_eq!(s.causes(), []);
}

#[test]
fn a_refusal_of_another_kind_belongs_to_another_loop() {
    let mut s = Scene::lab();
    webhook(&mut s);
    assert_eq!(s.causes(), [WebhookBlocked]);
}

#[test]
fn a_silent_kubelet_is_node_down_and_names_its_pods() {
    let mut s = Scene::lab();
    node_down(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [NodeDown]);
    assert_eq!(found[0].subjects[0], Subject::new("Node", "", "w1"));
    assert!(is_about(&found[0], "Pod", "victim"));
    s.node("w1", |n| n.ready = "True".into());
    assert_eq!(s.causes(), []);
}

#[test]
fn a_node_that_joins_is_not_down() {
    let mut s = Scene::lab();
    let now = s.now();
    let new = Node {
        name: "w3".into(),
        uid: "node-w3".into(),
        version: 900,
        created_at: now,
        labels: Default::default(),
        ready: "False".into(),
        ready_reason: "KubeletNotReady".into(),
        ready_message: String::new(),
        ready_since: Some(now),
        troubles: vec![],
        unschedulable: false,
        taints: vec![],
        allocatable: Resources { cpu_millis: 4000, memory_bytes: 8192 * MI, ..Resources::default() },
    };
    s.see(Signal::Node(new));
    fragmentation(&mut s);
    s.pass(20.0);
    assert_eq!(s.causes(), [], "and a pod may wait for it");
}

#[test]
fn killed_for_memory_is_compute_and_killed_otherwise_is_not() {
    let mut s = Scene::lab();
    out_of_memory(&mut s);
    assert_eq!(s.causes(), [OutOfMemory]);
    let mut s = Scene::lab();
    liveness(&mut s);
    assert_eq!(s.causes(), [ProbeFailing]);
}

#[test]
fn a_kill_long_ago_is_history() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |_| {});
    let pod = s.dies(pod, 137, "OOMKilled", 0);
    s.pass(1.0);
    s.runs_again(pod);
    assert_eq!(s.causes(), [OutOfMemory]);
    s.pass(40.0);
    assert_eq!(s.causes(), []);
}

#[test]
fn an_end_that_was_called_an_error_is_no_evidence_of_too_little_memory() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |p| p.containers[0].memory_limit_bytes = Some(64 * MI));
    let pod = s.dies(pod, 137, "Error", 0);
    s.pass(0.5);
    let pod = s.runs_again(pod);
    s.pass(1.5);
    s.dies(pod, 137, "OOMKilled", 1);
    s.pass(0.5);
    assert_eq!(s.causes(), [OutOfMemory]);
    assert_eq!(s.diagnoses()[0].first_evidence_at, s.ago(0.5));
}
