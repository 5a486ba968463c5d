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
