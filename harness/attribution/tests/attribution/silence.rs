//! A healthy cluster in motion: nothing of it is a finding.

use crate::{scene::*, scenes::*};
use loopdrill_model::{Signal, Subject, signal::*};

/// Asserts silence now and through the next seconds.
fn silent(s: &mut Scene, seconds: u32) {
    for second in 0..seconds {
        let found = s.diagnoses();
        assert!(found.is_empty(), "after {second} s: {found:#?}");
        s.pass(1.0);
    }
}

#[test]
fn a_cluster_that_starts() {
    let mut s = Scene::lab();
    let now = s.now();
    for node in ["cp", "w1", "w2"] {
        s.node(node, |n| {
            n.ready = "False".into();
            n.ready_reason = "KubeletNotReady".into();
            (n.created_at, n.ready_since) = (now, Some(now));
        });
    }
    s.unscheduled("dns", "0/3 nodes are available: 3 node(s) had untolerated taint(s).", |_| {});
    silent(&mut s, 20);
    for node in ["cp", "w1", "w2"] {
        let now = s.now();
        s.node(node, |n| {
            n.ready = "True".into();
            n.ready_since = Some(now);
        });
    }
    silent(&mut s, 1);
    let pod = s.pod("dns", |p| {
        p.ready = false;
        p.containers[0].ready = false;
        p.containers[0].has_readiness_probe = true;
    });
    s.event(("Pod", "dns"), "pod-dns", "Unhealthy", "Readiness probe failed: 503");
    silent(&mut s, 15);
    s.runs_again(pod);
    silent(&mut s, 60);
}

#[test]
fn pods_that_start_and_pull() {
    let mut s = Scene::lab();
    let pod = s.pod("new", |_| {});
    s.waiting(pod, "ContainerCreating", "");
    let words =
        "MountVolume.SetUp failed for volume \"t\" : object \"n\"/\"kube-root-ca.crt\" not registered";
    s.event(("Pod", "new"), "pod-new", "FailedMount", words);
    silent(&mut s, 90);
}

#[test]
fn pods_that_are_deleted_end_as_they_like() {
    let mut s = Scene::lab();
    s.grant("binding", &["get"]);
    let mut pod = s.pod("old", |_| {});
    s.gone("RoleBinding", "binding", "binding");
    s.pass(2.0);
    pod.deleting = true;
    let mut pod = s.dies(pod, 143, "Error", 3);
    silent(&mut s, 5);
    pod.phase = "Failed".into();
    let pod = s.see_pod(pod);
    silent(&mut s, 10);
    s.gone("Pod", "old", &pod.uid);
    silent(&mut s, 10);
}

#[test]
fn jobs_that_complete() {
    let mut s = Scene::lab();
    let pod = s.pod("job", |p| p.owner = Some(Subject::new("Job", "ns", "job")));
    let mut done = s.dies(pod, 0, "Completed", 0);
    done.phase = "Succeeded".into();
    s.see_pod(done);
    silent(&mut s, 60);
}

#[test]
fn a_node_that_is_drained_while_the_pods_go_elsewhere() {
    let mut s = Scene::lab();
    let pod = s.pod("web", |p| p.requests.cpu_millis = 500);
    s.node("w1", |n| n.unschedulable = true);
    let mut leaving = pod.clone();
    leaving.deleting = true;
    s.see_pod(leaving);
    let node = s.name("w2");
    let new = s.pod("web-new", |p| p.node = Some(node));
    s.waiting(new.clone(), "ContainerCreating", "");
    silent(&mut s, 3);
    s.see_pod(new);
    s.gone("Pod", "web", &pod.uid);
    silent(&mut s, 90);
}

#[test]
fn a_rollout_that_waits_a_moment_for_its_place() {
    let mut s = Scene::lab();
    fill(&mut s, 1100);
    s.unscheduled("web", INSUFFICIENT, |p| p.requests.cpu_millis = 1200);
    s.pass(0.5);
    assert_eq!(s.causes(), []);
    assert!(s.judge().unsettled);
    s.pod("web", |_| {});
    silent(&mut s, 30);
}

#[test]
fn a_binding_that_is_replaced() {
    let mut s = Scene::lab();
    s.grant("old", &["get"]);
    let pod = s.pod("web", |_| {});
    s.gone("RoleBinding", "old", "old");
    s.pass(0.5);
    s.grant("new", &["get"]);
    s.pass(1.0);
    let pod = s.dies(pod, 1, "Error", 0);
    s.pass(1.0);
    s.runs_again(pod);
    silent(&mut s, 60);
}

#[test]
fn a_node_that_comes_back_with_its_pods() {
    let mut s = Scene::lab();
    let pod = s.pod("dns", |p| p.containers[0].has_readiness_probe = true);
    s.pass(10.0);
    lose_node(&mut s, "w1");
    let mut unready = pod.clone();
    unready.ready = false;
    unready.containers[0].ready = false;
    s.see_pod(unready);
    s.pass(30.0);
    let now = s.now();
    s.node("w1", |n| {
        n.ready = "True".into();
        n.ready_since = Some(now);
    });
    silent(&mut s, 8);
    let pod = s.dies(pod, 255, "Unknown", 0);
    silent(&mut s, 1);
    let pod = s.runs_again(pod);
    silent(&mut s, 3);
    let pod = s.dies(pod, 1, "Error", 1);
    silent(&mut s, 10);
    s.runs_again(pod);
    silent(&mut s, 90);
}

#[test]
fn a_pod_that_crashed_last_week_and_dies_once_today() {
    let mut s = Scene::lab();
    let week = 7.0 * 86_400.0;
    let old = Terminated {
        exit_code: 1,
        reason: "Error".into(),
        started_at: Some(s.ago(week + 60.0)),
        finished_at: Some(s.ago(week)),
    };
    let created = s.ago(2.0 * week);
    let pod = s.pod("web", |p| {
        p.created_at = created;
        p.containers[0].restarts = 5;
        p.containers[0].last = Some(old);
    });
    silent(&mut s, 30);
    let pod = s.dies(pod, 1, "Error", 5);
    silent(&mut s, 2);
    s.runs_again(pod);
    silent(&mut s, 60);
}

#[test]
fn an_idle_control_plane_and_network_for_minutes() {
    let mut s = Scene::lab();
    for second in 1..=180 {
        fsyncs(&mut s, 10 * second, 0);
        requests(&mut s, 20 * second, 0);
        links(&mut s, 8, 0);
        round(&mut s, [PASSED, PASSED, PASSED], PASSED, PASSED);
        assert_eq!(s.causes(), []);
    }
}

#[test]
fn what_is_not_yet_listed_is_not_missing() {
    let mut s = Scene::lab();
    s.told.clear();
    let claim = s.name("data");
    s.unscheduled("victim", VOLUME_ELSEWHERE, |p| p.claims.push(claim));
    for resource in ["pods", "events"] {
        let name = loopdrill_model::Source::api(resource);
        s.see(Signal::SourceState(SourceState { name, lost: None }));
    }
    silent(&mut s, 10);
}
