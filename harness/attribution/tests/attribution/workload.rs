//! The workload itself, and what is not its fault.

use crate::{scene::*, scenes::*};
use loopdrill_model::{Cause::*, Signal, Subject, signal::*};

#[test]
fn an_exit_is_believed_when_it_repeats() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |_| {});
    s.dies(pod, 1, "Error", 0);
    s.pass(8.0);
    assert_eq!(s.causes(), [], "once may be chance");
    let mut s = Scene::lab();
    application_exit(&mut s);
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn an_exit_with_success_in_a_loop_is_a_probe_s_doing_when_there_is_one() {
    for (probe, cause) in [(true, ProbeFailing), (false, ApplicationExit)] {
        let mut s = Scene::lab();
        let pod = s.pod("victim", |p| p.containers[0].has_liveness_probe = probe);
        s.crash_loop(pod, 0, "Completed");
        s.pass(5.0);
        assert_eq!(s.causes(), [cause]);
    }
}

#[test]
fn a_probe_that_failed_minutes_ago_killed_nobody() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |p| p.containers[0].has_liveness_probe = true);
    s.event(("Pod", "victim"), "pod-victim", "Unhealthy", "Liveness probe failed: 500");
    s.pass(300.0);
    s.crash_loop(pod, 1, "Error");
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn unready_for_long_is_a_probe_and_for_short_a_start() {
    let mut s = Scene::lab();
    s.pod("victim", |p| {
        p.ready = false;
        p.containers[0].ready = false;
        p.containers[0].has_readiness_probe = true;
    });
    s.event(("Pod", "victim"), "pod-victim", "Unhealthy", "Readiness probe failed: 503");
    s.pass(20.0);
    assert_eq!(s.causes(), []);
    s.pass(25.0);
    assert_eq!(s.causes(), [ProbeFailing]);
}

#[test]
fn what_cannot_be_started_is_configuration() {
    let mut s = Scene::lab();
    missing_config(&mut s);
    assert_eq!(s.causes(), [BadConfiguration]);
    let mut s = Scene::lab();
    let pod = s.pod("victim", |_| {});
    s.crash_loop(pod, 127, "StartError");
    assert_eq!(s.causes(), [BadConfiguration]);
}

#[test]
fn a_start_that_failed_once_is_told_by_its_words_or_by_what_follows() {
    let failed = |words: Option<&str>| {
        let mut s = Scene::lab();
        let pod = s.pod("victim", |_| {});
        let pod = s.dies(pod, 128, "StartError", 0);
        if let Some(words) = words {
            s.event(("Pod", "victim"), "pod-victim", "Failed", words);
        }
        s.pass(1.0);
        (s, pod)
    };
    let missing = "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"ecko\": executable file not found in $PATH: unknown";
    assert_eq!(failed(Some(missing)).0.causes(), [BadConfiguration], "nobody has to wait for a second time");
    let busy = "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to create new parent process: namespace path: lstat /proc/0/ns/ipc: no such file or directory: unknown";
    for (words, cause) in [(None, BadConfiguration), (Some(busy), RuntimeFailing)] {
        let (mut s, pod) = failed(words);
        assert_eq!(s.causes(), [], "a runtime that is busy for a moment fails, too");
        s.pass(6.0);
        assert_eq!(s.causes(), [cause], "nobody starts it again");
        s.runs_again(pod);
        assert_eq!(s.causes(), [], "it runs");
        s.pass(10.0);
        assert_eq!(s.causes(), []);
    }
}

#[test]
fn a_start_that_failed_as_its_node_came_up_is_the_moments() {
    let words = "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error setting cgroup config for procHooks process: unable to freeze";
    let failed = |s: &mut Scene| {
        let pod = s.pod("victim", |_| {});
        // Two ends of other kinds, as at each restart of its node.
        let pod = s.dies(pod, 255, "Unknown", 0);
        let pod = s.runs_again(pod);
        let pod = s.dies(pod, 255, "Unknown", 1);
        let pod = s.runs_again(pod);
        let pod = s.dies(pod, 128, "StartError", 2);
        s.event(("Pod", "victim"), "pod-victim", "Failed", words);
        pod
    };
    let waits = |s: &mut Scene, pod: &Pod| {
        let mut pod = pod.clone();
        let container = &mut pod.containers[0];
        if let ContainerState::Terminated(end) = &container.state {
            container.last = Some(end.clone());
        }
        container.restarts += 1;
        let reason = "CrashLoopBackOff".into();
        container.state = ContainerState::Waiting { reason, message: String::new() };
        s.see_pod(pod)
    };
    let mut s = Scene::lab();
    let pod = failed(&mut s);
    waits(&mut s, &pod);
    s.pass(15.0);
    assert_eq!(s.causes(), [], "the kubelet has not tried again");
    let pod = s.runs_again(pod);
    s.pass(5.0);
    assert_eq!(s.causes(), [], "it runs");
    s.dies(pod, 128, "StartError", 3);
    s.pass(1.0);
    assert_eq!(s.causes(), [RuntimeFailing], "a second time");

    let mut s = Scene::lab();
    let pod = failed(&mut s);
    waits(&mut s, &pod);
    s.pass(30.0);
    assert_eq!(s.causes(), [RuntimeFailing], "nobody starts it again");
}

#[test]
fn a_service_whose_selector_matches_nothing_has_no_endpoints() {
    let mut s = Scene::lab();
    wrong_selector(&mut s);
    assert_eq!(s.causes(), [NoReadyEndpoints]);
    let mut idle = Controller {
        kind: "Deployment".into(),
        namespace: s.name("ns"),
        name: s.name("front"),
        uid: "deployment".into(),
        version: 4,
        owner: None,
        desired: 0,
        ready: 0,
        troubles: vec![],
        template: Default::default(),
    };
    s.see(Signal::Controller(idle.clone()));
    assert_eq!(s.causes(), [], "it is scaled to zero");
    (idle.version, idle.desired) = (5, 2);
    s.see(Signal::Controller(idle.clone()));
    assert_eq!(s.causes(), [], "its pods are to come");
    (idle.version, idle.ready) = (6, 2);
    s.see(Signal::Controller(idle));
    assert_eq!(s.causes(), [NoReadyEndpoints]);
}

/// Two ends of a container, a second and a half apart, and so many seconds more.
fn ends_twice(s: &mut Scene, pod: Pod, then: f64) {
    let pod = s.dies(pod, 1, "Error", 0);
    s.pass(0.5);
    let pod = s.runs_again(pod);
    s.pass(1.0);
    s.dies(pod, 1, "Error", 1);
    s.pass(then);
}

#[test]
fn a_crash_loop_is_judged_as_soon_as_nobody_else_can_be_to_blame() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |p| p.tokens.clear());
    ends_twice(&mut s, pod, 0.8);
    assert_eq!(s.causes(), [ApplicationExit], "nobody asks it for a token");

    let count =
        |s: &mut Scene| s.metric("apiserver", "authentication_attempts", &[("result", "success")], 9.0);
    let with_token = |p: &mut Pod| p.tokens = vec![String::new()];
    let mut s = Scene::lab();
    let pod = s.pod("victim", with_token);
    count(&mut s);
    ends_twice(&mut s, pod, 0.8);
    assert_eq!(s.causes(), [], "its token may have been refused");
    count(&mut s);
    assert_eq!(s.causes(), [ApplicationExit], "it was not");

    let mut s = Scene::lab();
    let pod = s.pod("victim", with_token);
    ends_twice(&mut s, pod, 4.0);
    assert_eq!(s.causes(), [], "who does not count gets time");
    s.pass(2.0);
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn a_container_that_its_probe_kills_is_judged_at_once() {
    let mut s = Scene::lab();
    let pod =
        s.pod("victim", |p| (p.containers[0].has_liveness_probe, p.tokens) = (true, vec![String::new()]));
    s.event(("Pod", "victim"), "pod-victim", "Unhealthy", "Liveness probe failed: 500");
    ends_twice(&mut s, pod, 0.8);
    assert_eq!(s.causes(), [ProbeFailing]);
    let lag = s.diagnoses()[0].first_evidence_at;
    assert_eq!(lag, s.ago(0.8), "the second end made it a row");
}

#[test]
fn a_selector_that_somebody_changed_is_judged_at_once_and_one_that_never_fitted_later() {
    let mut s = Scene::lab();
    wrong_selector(&mut s);
    let service = |s: &Scene| {
        let told = s.told.iter().rev().find_map(|o| match &o.signal {
            Signal::Service(service) => Some(service.clone()),
            _ => None,
        });
        told.expect("a Service")
    };
    let endpoints = |s: &mut Scene, ready| {
        let (namespace, service) = (s.name("ns"), service(s).name);
        s.see(Signal::Endpoints(Endpoints { namespace, service, ready, not_ready: 0 }));
    };
    let mut changed = service(&s);
    let pod = s.pod("other", |_| {});
    (changed.version, changed.selector) = (changed.version + 100, (*pod.labels).clone());
    s.see(Signal::Service(changed.clone()));
    endpoints(&mut s, 1);
    s.pass(30.0);
    assert_eq!(s.causes(), [], "it has endpoints");
    changed.version += 1;
    changed.selector.insert("track".into(), "next".into());
    s.see(Signal::Service(changed));
    s.pass(0.2);
    endpoints(&mut s, 0);
    s.pass(0.8);
    assert_eq!(s.causes(), [NoReadyEndpoints]);
    let found = &s.diagnoses()[0];
    assert!(
        found.evidence.iter().any(|e| e.signal == "selector changed" && e.value.contains("track=next")),
        "{found:#?}"
    );
}

#[test]
fn a_job_whose_pods_fail_again_and_again_is_to_blame() {
    let mut s = Scene::lab();
    let owner = Subject::new("Job", s.name("ns"), s.name("job"));
    for (attempt, causes) in [("first", &[][..]), ("second", &[ApplicationExit][..])] {
        let pod = s.pod(attempt, |p| p.owner = Some(owner.clone()));
        let mut failed = s.dies(pod, 1, "Error", 0);
        failed.phase = "Failed".into();
        s.see_pod(failed);
        s.pass(6.0);
        assert_eq!(s.causes(), causes, "{attempt}");
    }
}
