//! What a finding is told with: how sure it is, and by what.

use crate::{scene::*, scenes::*};
use loopdrill_model::{Cause::*, Diagnosis, Signal, Subject, signal::*};

/// The only finding.
fn only(s: &Scene) -> Diagnosis {
    let mut found = s.diagnoses();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn says(found: &Diagnosis, words: &str) -> bool {
    found.evidence.iter().any(|fact| fact.value.contains(words))
}

#[test]
fn who_is_denied_and_wrote_nothing_is_believed_a_little_more() {
    let told = |log: bool| {
        let mut s = Scene::lab();
        cloud_policy_detached(&mut s);
        if log {
            let pod = Subject::new("Pod", s.name("ns"), s.name("victim"));
            let (uid, container) = ("pod-victim".into(), s.name("main"));
            s.see(Signal::Log(Log { pod, uid, container, restarts: 1, bytes: 0 }));
        }
        s.pass(0.5);
        only(&s)
    };
    let (silent, unread) = (told(true), told(false));
    assert_eq!((silent.cause, unread.cause), (Some(IamDenied), Some(IamDenied)));
    assert!(silent.confidence > unread.confidence, "{silent:?}");
    assert!(says(&silent, "0 bytes") && !says(&unread, "0 bytes"));
}

#[test]
fn probes_of_the_last_half_minute_tell_that_a_silent_node_is_gone() {
    let told = |seconds: f64| {
        let mut s = Scene::lab();
        s.pod("victim", |_| {});
        lose_node(&mut s, "w1");
        for _ in 0..3 {
            let (from, to) = (s.name("w2"), s.name("w1"));
            let path = ProbePath::Underlay;
            s.see(Signal::Probe(Probe { from, to, path, bytes: 64, result: LOST }));
            s.pass(1.0);
        }
        s.pass(seconds);
        only(&s)
    };
    let (fresh, old) = (told(22.0), told(35.0));
    assert!(says(&fresh, "none of 3") && !says(&old, "none of"), "{fresh:?}");
    assert!(fresh.confidence > old.confidence, "{old:?}");
}

#[test]
fn an_api_server_that_is_slow_makes_its_disk_more_likely() {
    let told = |slow: u64| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        for second in 1..=5 {
            fsyncs(&mut s, writes, second);
            requests(&mut s, asked + 20 * second, slow * second);
            s.pass(1.0);
        }
        let found = s.diagnoses();
        assert_eq!(found[0].cause, Some(EtcdDiskBound), "{found:?}");
        found[0].confidence
    };
    assert!(told(2) > told(0));
}

#[test]
fn ends_are_counted() {
    let mut s = Scene::lab();
    rbac_revoked(&mut s);
    assert!(says(&only(&s), "exit 1 (Error), once"), "{:?}", s.diagnoses());
    let mut s = Scene::lab();
    application_exit(&mut s);
    assert!(says(&only(&s), "exit 1 (Error), 2 times"), "{:?}", s.diagnoses());
}

#[test]
fn what_a_young_pod_counts_are_recent_ends() {
    let ends = |age: f64| {
        let mut s = Scene::lab();
        let created_at = s.ago(age);
        let pod = Pod { created_at, ..s.new_pod("victim") };
        s.dies(pod, 1, "Error", 2);
        s.pass(12.0);
        only(&s)
    };
    let (young, old) = (ends(10.0), ends(3600.0));
    assert!(says(&young, "3 times"), "three ends, of which nobody saw the first: {young:?}");
    assert!(!says(&old, "3 times"), "the first may have been an hour ago: {old:?}");
}
