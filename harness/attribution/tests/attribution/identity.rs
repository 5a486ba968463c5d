//! Identity, and what looks like it.

use crate::{scene::*, scenes::*};
use loopdrill_model::{
    Cause::*,
    signal::{CloudIdentity, CloudWord},
};

#[test]
fn a_revoked_role_binding_is_found_at_the_first_death() {
    let mut s = Scene::lab();
    rbac_revoked(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [RbacDenied]);
    assert!(found[0].confidence > 0.9, "{found:?}");
    assert!(is_about(&found[0], "Pod", "victim") && is_about(&found[0], "ServiceAccount", "account"));
    let lag = found[0].diagnosed_at.duration_since(found[0].first_evidence_at).as_secs_f64();
    assert!(lag <= 1.0, "{lag}");
}

#[test]
fn it_is_gone_when_the_right_is_back_although_the_container_still_backs_off() {
    let mut s = Scene::lab();
    rbac_revoked(&mut s);
    s.grant("another", &["*"]);
    s.may("get", true);
    s.pass(0.5);
    assert_eq!(s.causes(), []);
    s.pass(20.0);
    assert_eq!(s.causes(), [], "and nobody else is blamed for that death");
}

#[test]
fn a_role_that_shrinks_counts_like_a_binding_that_goes() {
    let mut s = Scene::lab();
    s.grant("binding", &["get"]);
    let pod = s.pod("victim", |_| {});
    s.pass(5.0);
    s.grant("binding", &[]);
    s.pass(1.0);
    s.dies(pod, 1, "Error", 0);
    s.may("get", false);
    s.pass(0.5);
    assert_eq!(s.causes(), [RbacDenied]);
}

#[test]
fn an_application_that_died_before_the_loss_is_to_blame_itself() {
    let mut s = Scene::lab();
    s.grant("binding", &["get"]);
    let pod = s.pod("victim", |_| {});
    s.crash_loop(pod, 1, "Error");
    s.gone("RoleBinding", "binding", "binding");
    s.may("get", false);
    s.pass(2.0);
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn a_loss_that_the_api_server_denies_is_none() {
    let mut s = Scene::lab();
    s.grant("binding", &["get"]);
    let pod = s.pod("victim", |_| {});
    s.pass(5.0);
    s.gone("RoleBinding", "binding", "binding");
    s.pass(3.0);
    s.may("get", true);
    s.pass(5.0);
    s.crash_loop(pod, 1, "Error");
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn a_lost_right_without_a_crash_is_no_finding() {
    let mut s = Scene::lab();
    s.grant("binding", &["get"]);
    s.pod("victim", |_| {});
    s.gone("RoleBinding", "binding", "binding");
    s.may("get", false);
    s.pass(30.0);
    assert_eq!(s.causes(), []);
}

#[test]
fn memory_and_a_missing_command_are_not_identity_even_after_a_loss() {
    for (code, reason, cause) in [(137, "OOMKilled", OutOfMemory), (128, "StartError", BadConfiguration)] {
        let mut s = Scene::lab();
        s.grant("binding", &["get"]);
        let pod = s.pod("victim", |_| {});
        s.gone("RoleBinding", "binding", "binding");
        s.may("get", false);
        s.pass(3.0);
        s.dies(pod, code, reason, 0);
        if cause == BadConfiguration {
            let words =
                "Error: failed to create containerd task: exec: \"ecko\": executable file not found in $PATH";
            s.event(("Pod", "victim"), "pod-victim", "Failed", words);
        }
        s.pass(1.0);
        assert_eq!(s.causes(), [cause]);
    }
}

#[test]
fn the_registry_s_answer_decides_between_three_loops() {
    for (tell, cause) in [
        (pull_unauthorized as fn(&mut Scene), PullUnauthorized),
        (image_not_found, ImageNotFound),
        (registry_unreachable, RegistryUnreachable),
    ] {
        let mut s = Scene::lab();
        tell(&mut s);
        assert_eq!(s.causes(), [cause]);
    }
}

#[test]
fn a_back_off_without_words_is_explained_by_the_pod_s_own_event() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |_| {});
    let words = format!("Failed to pull image \"{}\": 401 Unauthorized", pod.containers[0].image);
    s.event(("Pod", "victim"), "pod-victim", "Failed", &words);
    let pod = s.waiting(pod, "ImagePullBackOff", "");
    s.pass(1.0);
    assert_eq!(s.causes(), [PullUnauthorized]);
    s.gone("Pod", "victim", &pod.uid);
    assert_eq!(s.causes(), [], "the pod was replaced");
}

#[test]
fn rejected_tokens_need_a_victim() {
    let mut s = Scene::lab();
    bad_token(&mut s);
    assert_eq!(s.causes(), [TokenInvalid]);
    let mut s = Scene::lab();
    s.metric("apiserver", "authentication_attempts", &[("result", "error")], 0.0);
    s.pass(1.0);
    s.metric("apiserver", "authentication_attempts", &[("result", "error")], 50.0);
    s.pass(5.0);
    assert_eq!(s.causes(), []);
}

/// Failed authentications while a pod with these tokens crashes, and one beside it that has `others`.
fn failed_authentications(tokens: &[&str], others: &[&str]) -> Vec<(loopdrill_model::Cause, String, f64)> {
    let mut s = Scene::lab();
    let errors =
        |s: &mut Scene, n: f64| s.metric("apiserver", "authentication_attempts", &[("result", "error")], n);
    errors(&mut s, 0.0);
    s.pass(5.0);
    let of = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let beside = s.pod("beside", |p| p.tokens = of(others));
    let pod = s.pod("victim", |p| p.tokens = of(tokens));
    errors(&mut s, 2.0);
    s.dies(beside.clone(), 1, "Error", 0);
    s.crash_loop(pod, 1, "Error");
    s.dies(beside, 1, "Error", 1);
    s.pass(6.0);
    let found = s.diagnoses();
    found.iter().map(|d| (d.cause.expect("a cause"), d.subjects[0].name.clone(), d.confidence)).collect()
}

#[test]
fn who_has_no_token_cannot_have_shown_a_bad_one() {
    let found = failed_authentications(&[""], &[]);
    let of = |cause, name: &str| found.iter().any(|(c, n, _)| *c == cause && n == name);
    assert!(of(TokenInvalid, "victim") && of(ApplicationExit, "beside"), "{found:?}");
}

#[test]
fn a_token_for_another_audience_explains_more_than_one_for_the_api_server() {
    let found = failed_authentications(&["vault"], &[""]);
    let of = |cause, name: &str| found.iter().find(|(c, n, _)| *c == cause && n == name);
    assert!(of(TokenInvalid, "victim").is_some_and(|f| f.2 >= 0.9), "{found:?}");
    assert!(of(ApplicationExit, "beside").is_some(), "{found:?}");
    let plain = failed_authentications(&[""], &[]);
    assert!(plain.iter().any(|(c, _, sure)| *c == TokenInvalid && *sure < 0.9), "{plain:?}");
}

/// The account, its role and its crashes, without anything that was revoked.
fn crashing_in_the_cloud(s: &mut Scene) {
    let pod = s.cloud_pod("victim");
    s.cloud_role(|_| {});
    s.pass(5.0);
    s.crash_loop(pod, 1, "Error");
}

#[test]
fn a_cloud_that_says_yes_makes_the_application_to_blame() {
    let mut s = Scene::lab();
    crashing_in_the_cloud(&mut s);
    s.cloud_says(CloudWord::Accepted, Some(CloudWord::Accepted));
    s.pass(1.0);
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn a_policy_that_goes_and_was_not_needed_is_no_cause() {
    let mut s = Scene::lab();
    let pod = s.cloud_pod("victim");
    s.cloud_role(|_| {});
    s.pass(5.0);
    s.cloud_role(|r| r.grants.clear());
    s.pass(3.0);
    s.cloud_says(CloudWord::Accepted, Some(CloudWord::Accepted));
    s.crash_loop(pod, 1, "Error");
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn a_role_that_is_whole_again_is_no_finding_and_explains_what_it_left() {
    let mut s = Scene::lab();
    cloud_policy_detached(&mut s);
    assert_eq!(s.causes(), [IamDenied]);
    s.cloud_role(|_| {});
    s.cloud_says(CloudWord::Accepted, Some(CloudWord::Accepted));
    s.pass(20.0);
    assert_eq!(s.causes(), []);
}

#[test]
fn a_trust_that_was_cut_before_anybody_looked_is_told_by_the_cloud() {
    let mut s = Scene::lab();
    let pod = s.cloud_pod("victim");
    s.cloud_role(|r| r.trusts_web_identity = false);
    let pod = s.dies(pod, 1, "Error", 0);
    s.pass(0.5);
    s.cloud_says(CloudWord::Denied, None);
    s.pass(0.5);
    let pod = s.runs_again(pod);
    s.pass(0.5);
    s.dies(pod, 1, "Error", 1);
    s.pass(1.0);
    assert_eq!(s.causes(), [TrustDenied]);
}

#[test]
fn a_token_for_somebody_else_is_no_revoked_right() {
    let mut s = Scene::lab();
    crashing_in_the_cloud(&mut s);
    s.cloud_says(CloudWord::BadToken, None);
    s.pass(1.0);
    assert_eq!(s.causes(), [TokenInvalid]);
}

#[test]
fn a_pod_that_asks_elsewhere_is_told_by_its_own_environment() {
    let mut s = Scene::lab();
    let role = s.role_arn();
    let pod = s.pod("victim", |p| {
        p.cloud = Some(CloudIdentity { role, endpoint: "http://10.0.0.9:80".into() });
    });
    s.cloud_role(|_| {});
    s.pass(5.0);
    s.crash_loop(pod, 1, "Error");
    s.cloud_says(CloudWord::Accepted, Some(CloudWord::Accepted));
    s.pass(1.0);
    assert_eq!(s.causes(), [BadConfiguration]);
}

#[test]
fn a_cloud_that_is_silent_or_busy_has_denied_nothing() {
    for (word, cause) in [
        (CloudWord::Silent, CloudUnreachable),
        (CloudWord::Throttled, CloudThrottled),
        (CloudWord::Unclear, ApplicationExit),
    ] {
        let mut s = Scene::lab();
        crashing_in_the_cloud(&mut s);
        s.cloud_says(word, None);
        s.pass(1.0);
        assert_eq!(s.causes(), [cause], "{word:?}");
        if word != CloudWord::Unclear {
            s.cloud_says(CloudWord::Accepted, Some(CloudWord::Accepted));
            s.pass(8.0);
            assert_eq!(s.causes(), [], "{word:?} is over, and the container only backs off from it");
        }
    }
}

#[test]
fn a_key_that_dies_with_a_roles_sessions_was_one_of_them() {
    let mut s = Scene::lab();
    let keyed = |s: &mut Scene| s.pod("victim", |p| p.cloud = Some(CloudIdentity::default()));
    let pod = keyed(&mut s);
    s.cloud_role(|_| {});
    s.pass(30.0);
    let now = s.now();
    s.cloud_role(|r| r.sessions_revoked_before = Some(now));
    s.pass(1.0);
    s.crash_loop(pod, 1, "Error");
    assert_eq!(s.causes(), [SessionRevoked]);

    let mut s = Scene::lab();
    let pod = keyed(&mut s);
    let now = s.now();
    s.cloud_role(|r| r.sessions_revoked_before = Some(now));
    s.pass(60.0);
    s.crash_loop(pod, 1, "Error");
    assert_eq!(s.causes(), [ApplicationExit], "a minute later it is its own doing");
}
