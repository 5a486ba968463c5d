//! What failing containers said: what the cluster confirms, what it contradicts, and what nobody confirms.

use crate::{scene::*, scenes::*};
use loopdrill_attribution::{diagnose, judge};
use loopdrill_model::{Cause::*, Diagnosis, Signal, Source, Subject, signal::*};

/// As `crate::clues` bounds what nothing confirms.
const UNCONFIRMED: f64 = 0.55;

fn found(s: &Scene) -> Vec<Diagnosis> {
    diagnose(&world(&s.told))
}

fn victim(s: &mut Scene, change: impl FnOnce(&mut Pod)) -> Pod {
    let pod = s.pod("victim", change);
    s.crash_loop(pod, 1, "Error")
}

fn account(s: &Scene) -> Subject {
    Subject::new("ServiceAccount", s.name("ns"), s.name("account"))
}

/// An operator that may not list what its new version wants.
fn forbidden(account: Option<Subject>) -> ClueKind {
    ClueKind::ApiForbidden {
        account,
        verb: "list".into(),
        group: "rbac.authorization.k8s.io".into(),
        resource: "clusterroles".into(),
        namespace: String::new(),
        name: String::new(),
    }
}

fn reviewed(s: &mut Scene, allowed: bool) {
    let account = account(s);
    s.see(Signal::AccessReview(AccessReview {
        account,
        verb: "list".into(),
        group: "rbac.authorization.k8s.io".into(),
        resource: "clusterroles".into(),
        namespace: String::new(),
        name: String::new(),
        allowed,
    }));
    s.pass(1.5);
}

fn peer(host: impl Into<String>, port: u16) -> Peer {
    Peer { host: host.into(), port: Some(port) }
}

fn service(s: &mut Scene, name: &str, ready: u32, not_ready: u32) {
    let (namespace, name) = (s.name("ns"), s.name(name));
    s.see(Signal::Service(Service {
        created_at: None,
        awaits_load_balancer: false,
        namespace: namespace.clone(),
        name: name.clone(),
        uid: format!("service-{name}"),
        version: 1,
        selector: [("app".to_owned(), "x".to_owned())].into(),
        addresses: vec!["10.96.1.1".into()],
        ports: vec![5432],
        ..Service::default()
    }));
    s.see(Signal::Endpoints(Endpoints { namespace, service: name, ready, not_ready }));
}

#[test]
fn a_403_that_the_api_server_confirms_is_a_denial_and_explains_the_exit() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    let own = account(&s);
    s.says(&pod, forbidden(Some(own.clone())));
    reviewed(&mut s, false);
    let found = found(&s);
    assert_eq!(found.iter().map(|d| d.cause).collect::<Vec<_>>(), [Some(RbacDenied)], "{found:#?}");
    assert!(found[0].confidence >= 0.9 && found[0].subjects.contains(&own));
    assert_eq!(found[0].chain.len(), 2, "the exit is a step of it: {found:#?}");
    assert!(found[0].evidence[0].value.contains("list clusterroles"), "{:?}", found[0].evidence);
}

#[test]
fn a_log_that_quotes_an_old_403_blames_nobody() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    let own = account(&s);
    s.says(&pod, forbidden(Some(own)));
    reviewed(&mut s, true);
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn what_is_said_of_another_account_is_not_this_pod_s_request() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    s.says(&pod, forbidden(Some(Subject::new("ServiceAccount", "elsewhere", "other"))));
    reviewed(&mut s, false);
    assert_eq!(s.causes(), [ApplicationExit]);
}

#[test]
fn a_403_that_nobody_confirms_is_weak_says_so_and_does_not_lead() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    let own = account(&s);
    s.says(&pod, forbidden(Some(own)));
    s.pass(1.5);
    let found = found(&s);
    assert_eq!(found.iter().filter_map(|d| d.cause).collect::<Vec<_>>(), [ApplicationExit, RbacDenied]);
    assert!(found[1].confidence < 0.5);
    assert!(found[1].evidence.iter().any(|e| e.signal == "not confirmed"), "{:?}", found[1].evidence);
}

#[test]
fn a_healthy_container_may_log_what_it_likes() {
    for kind in all(&Scene::lab()) {
        let mut s = Scene::lab();
        let pod = s.pod("chatty", |p| p.claims = vec!["data".into()]);
        s.says(&pod, kind);
        reviewed(&mut s, false);
        s.pass(60.0);
        assert!(s.causes().is_empty());
        // Nor does one that ended once and runs again since.
        let pod = s.dies(pod, 1, "Error", 0);
        s.pass(1.0);
        s.runs_again(pod);
        s.pass(45.0);
        assert!(s.causes().is_empty());
    }
}

#[test]
fn forged_words_without_confirmation_are_never_believed_much() {
    for kind in all(&Scene::lab()) {
        let mut s = Scene::lab();
        let pod = victim(&mut s, |_| {});
        s.says(&pod, kind.clone());
        s.pass(5.0);
        for d in found(&s).iter().filter(|d| d.cause != Some(ApplicationExit)) {
            let confirmed = matches!(kind, ClueKind::NameUnresolved { .. });
            assert!(confirmed || d.confidence <= UNCONFIRMED, "{kind:?}: {d:#?}");
        }
        assert!(found(&s).iter().any(|d| d.cause == Some(ApplicationExit)) || found(&s).len() == 1);
    }
}

#[test]
fn a_container_that_is_unready_for_long_is_listened_to() {
    let mut s = Scene::lab();
    let pod = s.pod("victim", |p| {
        p.ready = false;
        p.containers[0].ready = false;
        p.containers[0].has_readiness_probe = true;
    });
    s.pass(30.0);
    let own = account(&s);
    s.says(&pod, forbidden(Some(own)));
    reviewed(&mut s, false);
    assert!(s.causes().is_empty(), "it may still become ready");
    s.pass(25.0);
    assert_eq!(s.causes(), [RbacDenied]);
}

#[test]
fn a_name_is_looked_for_among_the_services() {
    let unresolved = |host: String| ClueKind::NameUnresolved { peer: Peer { host, port: None } };
    let causes = |host: fn(&Scene) -> String| {
        let mut s = Scene::lab();
        service(&mut s, "db", 1, 0);
        let pod = victim(&mut s, |_| {});
        let kind = unresolved(host(&s));
        s.says(&pod, kind);
        s.pass(1.5);
        s.causes()
    };
    assert_eq!(causes(|_| "dbb".into()), [BadConfiguration], "misspelt");
    assert_eq!(causes(|s| format!("db.{}-other.svc.cluster.local", s.name("ns"))), [BadConfiguration]);
    // It exists, or is none of ours: nobody asked the DNS.
    assert_eq!(causes(|s| s.name("db")), [ApplicationExit, DnsFailure]);
    assert_eq!(causes(|_| "api.example.com".into()), [ApplicationExit, DnsFailure]);
    assert_eq!(causes(|_| String::new()), [ApplicationExit, DnsFailure], "no name was said");
}

#[test]
fn a_refused_port_is_looked_for_among_the_endpoints() {
    let causes = |host: &str, port: u16, ready: u32| {
        let mut s = Scene::lab();
        service(&mut s, "db", ready, 0);
        let pod = victim(&mut s, |_| {});
        s.says(&pod, ClueKind::ConnectionRefused { peer: peer(host, port) });
        s.pass(1.5);
        s.causes()
    };
    assert_eq!(causes("10.96.1.1", 5432, 0), [NoReadyEndpoints], "by its address, as Go names it");
    assert_eq!(causes("db", 5432, 0), [NoReadyEndpoints]);
    assert_eq!(causes("db", 5433, 1), [BadConfiguration], "no such port");
    for host in ["db", "localhost", "127.0.0.1", "203.0.113.7"] {
        assert_eq!(causes(host, 5432, 1), [ApplicationExit], "{host}");
    }
}

#[test]
fn who_is_not_reached_without_a_reason_is_looked_for() {
    let causes = |host: &str, port: u16, ready: u32| {
        let mut s = Scene::lab();
        service(&mut s, "orders", ready, 0);
        let pod = victim(&mut s, |_| {});
        s.says(&pod, ClueKind::NotReached { peer: peer(host, port) });
        s.pass(1.5);
        s.causes()
    };
    assert_eq!(causes("orders", 5432, 0), [NoReadyEndpoints]);
    assert_eq!(causes("orders", 5433, 1), [BadConfiguration], "no such port");
    assert_eq!(causes("order", 5432, 1), [BadConfiguration], "misspelt");
    assert_eq!(
        causes("payments.ns.svc", 5432, 1),
        [BadConfiguration],
        "a Service by its name, and there is none"
    );
    // Nothing is wrong with the way, as far as it is seen: that may be a password as well. A name of one label may be of
    // a server outside of the cluster.
    for host in ["orders", "mainframe", "db.example.com", ""] {
        assert_eq!(causes(host, 5432, 1), [ApplicationExit], "{host}");
    }
}

#[test]
fn a_disk_is_blamed_when_the_file_lies_on_a_bound_claim() {
    let causes = |bound: bool, file: fn(&Scene) -> FilePlace| {
        let mut s = Scene::lab();
        if bound {
            s.bound_claim("data", "a");
        }
        let claim = s.name("data");
        let pod = victim(&mut s, |p| p.claims = vec![claim]);
        let file = file(&s);
        s.says(&pod, ClueKind::ReadOnlyFileSystem { file });
        s.pass(1.5);
        s.causes()
    };
    assert_eq!(causes(true, |s| FilePlace::Claim(s.name("data"))), [VolumeFaulty]);
    assert_eq!(
        causes(true, |_| FilePlace::Unknown),
        [VolumeFaulty],
        "it mounts one claim, and nothing else is named"
    );
    assert_eq!(causes(true, |_| FilePlace::ReadOnlyBySpec), [ApplicationExit], "the spec says so");
    assert_eq!(causes(true, |_| FilePlace::Node), [ApplicationExit]);
    assert_eq!(causes(false, |s| FilePlace::Claim(s.name("data"))), [ApplicationExit, VolumeFaulty]);
}

#[test]
fn a_cloud_s_denial_fits_a_pod_that_goes_to_a_cloud_or_that_ended_with_it() {
    let causes = |tokens: Vec<String>, then: Option<ClueKind>| {
        let mut s = Scene::lab();
        let pod = victim(&mut s, |p| p.tokens = tokens);
        then.into_iter().for_each(|kind| s.says_after(&pod, kind, 0));
        s.says_after(&pod, ClueKind::CloudDenied, 7);
        s.pass(6.0);
        s.causes()
    };
    let cloud = || vec!["sts.amazonaws.com".to_owned()];
    assert_eq!(causes(cloud(), None), [IamDenied]);
    assert_eq!(causes(cloud(), Some(ClueKind::SettingMissing)), [IamDenied]);
    assert_eq!(causes(vec![], None), [IamDenied], "a controller that takes its node's role");
    assert_eq!(causes(vec![], Some(ClueKind::StackTrace)), [IamDenied], "the trace tells where it was");
    assert_eq!(causes(vec![], Some(ClueKind::SettingMissing)), [ApplicationExit, IamDenied]);
}

#[test]
fn who_ended_because_the_api_server_did_not_answer() {
    let causes = |said: &[ClueKind]| {
        let mut s = Scene::lab();
        s.see(Signal::Service(Service {
            namespace: "default".into(),
            name: "kubernetes".into(),
            uid: "service-kubernetes".into(),
            version: 1,
            addresses: vec!["10.96.0.1".into()],
            ports: vec![443],
            ..Service::default()
        }));
        let (namespace, service) = ("default".into(), "kubernetes".into());
        s.see(Signal::Endpoints(Endpoints { namespace, service, ready: 1, not_ready: 0 }));
        let pod = victim(&mut s, |_| {});
        for (after, kind) in (0..).zip(said) {
            s.says_after(&pod, kind.clone(), after);
        }
        s.pass(6.0);
        let found = found(&s);
        assert!(found.iter().all(|d| d.cause == Some(ApplicationExit) || d.confidence <= UNCONFIRMED));
        found[0].cause
    };
    let lease = ClueKind::AnswerLate { peer: peer("kubernetes.default.svc", 443) };
    let late = ClueKind::AnswerLate { peer: peer("10.96.0.1", 443) };
    let cut_off = ClueKind::ConnectionTimedOut { peer: peer("10.96.0.1", 443) };
    assert_eq!(causes(&[lease.clone(), late]), Some(ControlPlaneStarved));
    assert_eq!(causes(&[lease, cut_off.clone()]), Some(TrafficFiltered), "it could not even connect");
    assert_eq!(causes(&[cut_off]), Some(TrafficFiltered));
    assert_eq!(causes(&[ClueKind::AnswerLate { peer: peer("203.0.113.7", 443) }]), Some(ApplicationExit));
    let metadata = ClueKind::AnswerLate { peer: peer("169.254.169.254", 80) };
    assert_eq!(causes(&[metadata]), Some(CloudUnreachable));
}

#[test]
fn what_was_only_said_is_a_step_of_what_was_seen() {
    let causes = |scene: fn(&mut Scene)| {
        let mut s = Scene::lab();
        service(&mut s, "db", 1, 0);
        let db = s.name("db");
        let pod = s.pod("caller", |_| {});
        let pod = s.crash_loop(pod, 1, "Error");
        s.says(&pod, ClueKind::ConnectionTimedOut { peer: peer(db, 5432) });
        s.pass(6.0);
        assert_eq!(s.causes(), [TrafficFiltered]);
        scene(&mut s);
        s.causes()
    };
    assert_eq!(causes(overlay_mtu), [OverlayMtu]);
    assert_eq!(causes(pull_unauthorized), [PullUnauthorized, TrafficFiltered], "that is another's");
}

#[test]
fn a_name_that_a_service_had_when_it_did_not_resolve() {
    let causes = |made: f64| {
        let mut s = Scene::lab();
        service(&mut s, "db", 1, 0);
        let pod = victim(&mut s, |_| {});
        let (created, namespace, name) = (s.ago(made), s.name("ns"), s.name("db"));
        s.see(Signal::Service(Service {
            created_at: Some(created),
            uid: format!("service-{name}"),
            version: 2,
            selector: [("app".to_owned(), "x".to_owned())].into(),
            ports: vec![5432],
            namespace,
            name: name.clone(),
            ..Service::default()
        }));
        s.says(&pod, ClueKind::NameUnresolved { peer: peer(name, 5432) });
        s.pass(6.0);
        s.causes()
    };
    assert_eq!(causes(900.0), [DnsFailure]);
    assert_eq!(causes(0.0), [ApplicationExit, DnsFailure], "it was made since");
}

#[test]
fn clients_of_the_api_that_say_the_same_of_etcd_confirm_each_other() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    s.says_after(&pod, ClueKind::SettingMissing, 0);
    s.says_after(&pod, ClueKind::EtcdTimeout, 5);
    s.pass(2.0);
    assert_eq!(s.causes(), [ApplicationExit, EtcdDiskBound], "it is not what it ended with");
    s.grant("role", &["get"]);
    s.pass(1.0);
    let fits = found(&s);
    assert_eq!((fits[0].cause, fits.len()), (Some(EtcdDiskBound), 1), "{fits:#?}");
    let other = s.pod("other", |p| p.service_account = "another".into());
    s.says(&other, ClueKind::EtcdTimeout);
    s.pass(1.0);
    assert!(found(&s)[0].confidence > fits[0].confidence);
}

#[test]
fn one_that_is_explained_does_not_hide_another_that_is_not() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    let other = s.pod("other", |p| p.service_account = "another".into());
    s.crash_loop(other, 1, "Error");
    s.see_pod(pod.clone());
    let own = account(&s);
    s.says(&pod, forbidden(Some(own)));
    reviewed(&mut s, false);
    let found = found(&s);
    assert_eq!(found.iter().filter_map(|d| d.cause).collect::<Vec<_>>(), [RbacDenied, ApplicationExit]);
    assert_eq!(found[1].subjects.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["other"]);
}

#[test]
fn what_a_program_says_of_itself_is_evidence_beside_its_exit() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    s.says(&pod, ClueKind::StackTrace);
    s.says(&pod, ClueKind::PasswordRejected);
    s.pass(1.5);
    let found = found(&s);
    assert_eq!(found[0].cause, Some(ApplicationExit));
    assert!(found[0].evidence.iter().any(|e| e.value.contains("rejects its password")), "{found:#?}");
}

#[test]
fn a_clue_that_has_just_come_is_judged_again() {
    let mut s = Scene::lab();
    let pod = victim(&mut s, |_| {});
    let own = account(&s);
    s.says(&pod, forbidden(Some(own)));
    s.see_from(Source::other("clock"), Signal::Tick);
    assert!(judge(&world(&s.told)).unsettled);
}

#[test]
fn the_words_of_a_pod_that_is_gone_are_forgotten() {
    let mut s = Scene::lab();
    read_only_disk(&mut s);
    assert_eq!(s.causes(), [VolumeFaulty]);
    s.gone("Pod", "victim", "pod-victim");
    s.pass(1.0);
    assert!(s.causes().is_empty());
    assert_eq!(world(&s.told).examined().logs, 0);
}

/// Each class, as somebody would forge it.
fn all(s: &Scene) -> Vec<ClueKind> {
    let (file, peer) = (FilePlace::Claim("data".into()), peer("nowhere", 80));
    vec![
        forbidden(Some(account(s))),
        ClueKind::ApiUnauthorized,
        ClueKind::CloudDenied,
        ClueKind::CloudToken,
        ClueKind::CloudThrottled,
        ClueKind::PasswordRejected,
        ClueKind::NameUnresolved { peer: peer.clone() },
        ClueKind::ConnectionRefused { peer: peer.clone() },
        ClueKind::NotReached { peer: peer.clone() },
        ClueKind::ConnectionReset { peer: peer.clone() },
        ClueKind::ConnectionTimedOut { peer: peer.clone() },
        ClueKind::AnswerLate { peer: peer.clone() },
        ClueKind::UpstreamError { code: 503 },
        ClueKind::Tls { why: TlsFailure::Expired, peer },
        ClueKind::NoSpace { file: file.clone() },
        ClueKind::ReadOnlyFileSystem { file: file.clone() },
        ClueKind::DiskError { file: file.clone() },
        ClueKind::FilePermission { file },
        ClueKind::TooManyFiles,
        ClueKind::AddressInUse,
        ClueKind::RuntimeOutOfMemory,
        ClueKind::ExecFormat,
        ClueKind::CommandNotFound,
        ClueKind::SettingMissing,
        ClueKind::SettingMalformed,
        ClueKind::StackTrace,
        ClueKind::EtcdTimeout,
    ]
}
