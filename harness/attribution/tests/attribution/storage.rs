//! Storage, and what looks like it.

use crate::{scene::*, scenes::*};
use loopdrill_model::{Cause::*, Diagnosis, Loop, signal::*};

#[test]
fn a_cordoned_zone_names_the_volume_and_the_cordon() {
    let mut s = Scene::lab();
    zone_cordoned(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [VolumeZoneMismatch]);
    assert!(is_about(&found[0], "Pod", "victim") && is_about(&found[0], "PersistentVolumeClaim", "data"));
    let chain: Vec<_> = found[0].chain.iter().map(|l| (l.control_loop, l.what.as_str())).collect();
    assert_eq!(chain[0], (Loop::Compute, "the node is cordoned"));
    assert_eq!(chain[1].0, Loop::Storage);
    assert_eq!(chain[2], (Loop::Compute, "the pod is Pending"));
    s.node("w1", |n| n.unschedulable = false);
    s.pass(0.5);
    assert_eq!(s.causes(), []);
}

#[test]
fn a_lost_node_is_a_step_of_the_chain_and_not_a_second_finding() {
    let mut s = Scene::lab();
    s.bound_claim("data", "a");
    lose_node(&mut s, "w1");
    s.pass(1.0);
    assert_eq!(s.causes(), [NodeDown]);
    let claim = s.name("data");
    s.unscheduled("victim", VOLUME_ELSEWHERE, |p| p.claims.push(claim));
    s.pass(1.0);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [VolumeZoneMismatch], "{found:?}");
    assert_eq!(found[0].chain[0].what, "the node is down");
    assert!(is_about(&found[0], "Node", "w1"));
}

#[test]
fn a_volume_that_was_made_in_the_wrong_zone_is_found_by_the_pod_s_own_wish() {
    let mut s = Scene::lab();
    s.bound_claim("data", "a");
    let (claim, zone) = (s.name("data"), s.name("b"));
    s.unscheduled("victim", VOLUME_ELSEWHERE, |p| {
        p.claims.push(claim);
        p.node_selector.insert("topology.kubernetes.io/zone".into(), zone);
    });
    s.pass(1.0);
    assert_eq!(s.causes(), [VolumeZoneMismatch]);
}

#[test]
fn a_pod_that_would_fit_nowhere_at_all_is_not_storage_s() {
    let mut s = Scene::lab();
    s.bound_claim("data", "a");
    let claim = s.name("data");
    s.unscheduled("victim", VOLUME_ELSEWHERE, |p| {
        p.claims.push(claim);
        p.requests.cpu_millis = 5000;
    });
    s.pass(1.0);
    assert_eq!(s.causes(), [Exhaustion]);
}

#[test]
fn a_full_home_with_room_elsewhere_is_storage_s() {
    let mut s = Scene::lab();
    s.bound_claim("data", "a");
    let node = s.name("w1");
    s.pod("filler", |p| {
        p.node = Some(node);
        p.requests.cpu_millis = 1900;
    });
    let claim = s.name("data");
    s.unscheduled("victim", INSUFFICIENT, |p| {
        p.claims.push(claim);
        p.requests.cpu_millis = 500;
    });
    s.pass(1.0);
    assert_eq!(s.causes(), [VolumeZoneMismatch]);
    assert!(s.diagnoses()[0].confidence < 0.9, "the scheduler did not say so");
}

#[test]
fn missing_claims_and_classes_are_told_from_waiting_ones() {
    let mut s = Scene::lab();
    claim_missing(&mut s);
    assert_eq!(s.causes(), [ClaimOrClassMissing]);

    let mut s = Scene::lab();
    s.claim("data", |c| c.class = Some("nowhere".into()));
    s.pass(3.0);
    assert_eq!(s.causes(), [ClaimOrClassMissing]);

    let mut s = Scene::lab();
    s.claim("data", |_| {});
    s.pass(200.0);
    assert_eq!(s.causes(), [], "it waits for its first consumer");
}

#[test]
fn a_provisioner_that_fails_is_believed_until_the_claim_is_bound() {
    let mut s = Scene::lab();
    provisioning_failed(&mut s);
    assert_eq!(s.causes(), [ProvisioningFailed]);
    s.pass(120.0);
    assert_eq!(s.causes(), [ProvisioningFailed], "it pauses for minutes between attempts");
    s.bound_claim("data", "a");
    assert_eq!(s.causes(), []);
}

#[test]
fn an_attached_volume_elsewhere_is_attach_and_the_dead_holder_its_reason() {
    let mut s = Scene::lab();
    multi_attach(&mut s);
    assert_eq!(s.causes(), [AttachOrMountFailed]);
    lose_node(&mut s, "w1");
    s.pass(1.0);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [AttachOrMountFailed], "{found:?}");
    assert_eq!(found[0].chain[0].what, "the node is down");
}

#[test]
fn a_mount_without_its_config_map_is_the_workload_s() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |_| {});
    s.waiting(pod, "ContainerCreating", "");
    let words = "MountVolume.SetUp failed for volume \"c\" : configmap \"c\" not found";
    s.event(("Pod", "victim"), "pod-victim", "FailedMount", words);
    s.pass(3.0);
    assert_eq!(s.causes(), [BadConfiguration]);
}

#[test]
fn a_pod_on_a_node_its_volume_cannot_reach_is_a_zone_mismatch() {
    let mut s = Scene::lab();
    s.bound_claim("data", "a");
    let (claim, node) = (s.name("data"), s.name("w2"));
    let pod = s.pod("victim", |p| {
        p.claims.push(claim);
        p.node = Some(node);
    });
    s.waiting(pod, "ContainerCreating", "");
    s.event(("Pod", "victim"), "pod-victim", "FailedAttachVolume", "rpc error: the disk is in another zone");
    s.pass(11.0);
    assert_eq!(s.causes(), [VolumeZoneMismatch]);
}

#[test]
fn a_machine_that_is_gone_is_the_root_and_a_silent_kubelet_is_not() {
    let story = |answer: &ProbeResult| {
        let mut s = Scene::lab();
        s.bound_claim("data", "a");
        healthy_rounds(&mut s, 5);
        lose_node(&mut s, "w1");
        let claim = s.name("data");
        s.unscheduled("victim", VOLUME_ELSEWHERE, |p| p.claims.push(claim));
        for _ in 0..12 {
            let all = [answer.clone(), answer.clone(), answer.clone()];
            round(&mut s, all, answer.clone(), PASSED);
        }
        s.diagnoses()
    };
    let found = story(&PASSED);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].cause, Some(VolumeZoneMismatch), "its machine lives");
    let found = story(&LOST);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].cause, Some(NodeDown));
    let chain: Vec<_> = found[0].chain.iter().map(|l| l.control_loop).collect();
    assert_eq!(chain, [Loop::Compute, Loop::Storage, Loop::Compute], "{:#?}", found[0].chain);
}

#[test]
fn a_machine_that_is_gone_is_the_root_while_etcd_is_slow_and_while_we_are_slow_to_ask() {
    let mut s = Scene::lab();
    s.bound_claim("data", "a");
    let (writes, asked) = steady(&mut s, 40);
    healthy_rounds(&mut s, 5);
    lose_node(&mut s, "w1");
    let claim = s.name("data");
    s.unscheduled("victim", VOLUME_ELSEWHERE, |p| p.claims.push(claim));
    for second in 1..=12 {
        fsyncs(&mut s, writes, second);
        requests(&mut s, asked, 2 * second);
        round(&mut s, [LOST, LOST, LOST], LOST, PASSED);
    }
    let is_named = |found: &[Diagnosis]| {
        let named = found.iter().find(|d| d.cause == Some(NodeDown));
        let chain: Vec<_> = named.iter().flat_map(|d| &d.chain).map(|l| l.control_loop).collect();
        assert_eq!(chain, [Loop::Compute, Loop::Storage, Loop::Compute], "{found:#?}");
    };
    assert!(s.causes().contains(&EtcdDiskBound), "{:?}", s.causes());
    is_named(&s.diagnoses());
    s.pass(9.0);
    is_named(&s.diagnoses());
}

#[test]
fn a_full_zone_is_told_from_the_full_node_to_the_empty_service() {
    let mut s = Scene::lab();
    s.bound_claim("data", "a");
    s.pod("filler", |p| p.requests.cpu_millis = 1900);
    serve(&mut s, "shop", 0);
    let claim = s.name("data");
    let pending = |p: &mut Pod| {
        p.claims.push(claim);
        p.requests.cpu_millis = 200;
        p.labels.insert("app".into(), "shop".into());
    };
    s.unscheduled("victim", VOLUME_ELSEWHERE, pending);
    s.pass(1.0);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [VolumeZoneMismatch], "{found:#?}");
    let chain: Vec<_> = found[0].chain.iter().map(|l| l.control_loop).collect();
    assert_eq!(chain, [Loop::Compute, Loop::Storage, Loop::Compute, Loop::Network], "{:#?}", found[0].chain);
}
