//! Control plane, and what looks like it.

use crate::{metrics::webhook_passed_over, scene::*, scenes::*};
use loopdrill_model::{Cause::*, Loop, Signal, Source, Subject, signal::*};

#[test]
fn a_slow_disk_is_found_within_seconds_and_forgotten_within_seconds() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    assert_eq!(s.causes(), []);
    let mut found_after = None;
    for second in 1..=5 {
        fsyncs(&mut s, writes, second);
        requests(&mut s, asked, 2 * second);
        s.pass(1.0);
        if s.causes() == [EtcdDiskBound] {
            found_after.get_or_insert(second);
        }
    }
    assert!(found_after.is_some_and(|n| n <= 3), "{found_after:?}");
    let found = s.diagnoses();
    assert!(is_about(&found[0], "Component", "etcd") && is_about(&found[0], "Node", "cp"));
    assert!(found[0].confidence >= 0.95);
    let since = s.now().duration_since(found[0].first_evidence_at).as_secs_f64();
    assert!(since <= 5.0, "{since}");
    for second in 1..=8 {
        fsyncs(&mut s, writes + 20 * second, 5);
        requests(&mut s, asked + 20 * second, 10);
        s.pass(1.0);
    }
    assert_eq!(s.causes(), []);
}

#[test]
fn a_disk_that_hangs_is_a_stall_while_proposals_wait() {
    let stall = |pending: f64| {
        let mut s = Scene::lab();
        let (writes, _) = steady(&mut s, 40);
        for _ in 0..7 {
            fsyncs(&mut s, writes, 0);
            let source = format!("etcd/{}", s.name("cp"));
            s.metric(&source, "etcd_server_proposals_pending", &[], pending);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(stall(7.0), [EtcdDiskBound]);
    assert_eq!(stall(0.0), [], "nobody wants to write");
}

#[test]
fn many_requests_over_a_healthy_disk_are_overload() {
    let mut s = Scene::lab();
    overload(&mut s);
    assert_eq!(s.causes(), [ApiOverload]);
    assert_eq!(s.diagnoses()[0].control_loop, Loop::ControlPlane);
}

#[test]
fn many_writes_that_are_fast_are_nothing() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    for second in 1..=10 {
        fsyncs(&mut s, writes + 150 * second, 0);
        requests(&mut s, asked + 300 * second, 0);
        s.pass(1.0);
    }
    assert_eq!(s.causes(), []);
}

#[test]
fn a_disk_that_a_neighbour_keeps_busy_for_moments_is_nothing_until_it_lasts() {
    let mut s = Scene::lab();
    let (writes, _) = steady(&mut s, 40);
    let mut first = None;
    for second in 1..=30 {
        // One of three fsyncs is slow, which takes most of the time.
        fsyncs(&mut s, writes + 2 * second, second);
        s.pass(1.0);
        if !s.causes().is_empty() {
            first.get_or_insert(second);
        }
    }
    assert_eq!(s.causes(), [EtcdDiskBound]);
    assert!(first.is_some_and(|n| n > 12), "{first:?}");
}

#[test]
fn one_slow_fsync_is_nothing() {
    let mut s = Scene::lab();
    let (writes, _) = steady(&mut s, 40);
    for second in 1..=10 {
        fsyncs(&mut s, writes + 10 * second, 1);
        s.pass(1.0);
        assert_eq!(s.causes(), []);
    }
}

#[test]
fn where_etcd_is_hidden_latency_without_traffic_is_the_proxy() {
    let mut s = Scene::lab();
    for second in 1..=60 {
        requests(&mut s, 20 * second, 0);
        s.pass(1.0);
    }
    for second in 1..=25 {
        requests(&mut s, 1200 + 10 * second, 5 * second);
        s.pass(1.0);
    }
    assert_eq!(s.causes(), [EtcdDiskBound]);
    assert!(s.diagnoses()[0].confidence < 0.7);
}

/// Who has just been called in knows of no traffic before; that the API server itself waits for etcd needs none.
#[test]
fn where_etcd_is_hidden_the_api_server_s_own_wait_for_it_is_the_proof() {
    let told = |operation: &str, late: u64, visible: bool| {
        let mut s = Scene::called_in();
        for second in 0..12 {
            if visible {
                fsyncs(&mut s, 1000 + 30 * second, 0);
            }
            requests(&mut s, 1000 + 10 * second, 2 * second);
            writes_to_etcd(&mut s, operation, (4 - late) * second, late * second);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told("update", 3, false), [EtcdDiskBound]);
    assert_eq!(told("update", 1, false), [], "most are swift");
    assert_eq!(told("list", 3, false), [], "a long list is long");
    assert_eq!(told("update", 3, true), [], "etcd itself says that it does not wait for its disk");
}

#[test]
fn where_etcd_is_hidden_a_server_without_cpu_says_nothing_about_it() {
    let mut s = Scene::called_in();
    for second in 0..12 {
        requests(&mut s, 1000 + 10 * second, 2 * second);
        writes_to_etcd(&mut s, "update", 0, 4 * second);
        scheduling(&mut s, 1000 + 50 * second, 30 * second);
        s.pass(1.0);
    }
    assert!(!s.causes().contains(&EtcdDiskBound), "{:?}", s.causes());
}

#[test]
fn what_slow_etcd_brings_about_is_its_chain_and_not_a_finding() {
    let mut s = Scene::lab();
    let node = s.name("cp");
    let pod = s.pod("controller", |p| p.node = Some(node));
    let (writes, asked) = steady(&mut s, 40);
    let mut pod = Some(pod);
    for second in 1..=20 {
        fsyncs(&mut s, writes, second);
        requests(&mut s, asked, 2 * second);
        if second == 5 {
            pod = pod.map(|p| s.dies(p, 1, "Error", 0)).map(|p| s.runs_again(p));
        }
        if second == 8 {
            pod = pod.map(|p| s.dies(p, 1, "Error", 1));
            lose_node(&mut s, "w1");
        }
        s.pass(1.0);
    }
    let found = s.diagnoses();
    assert_eq!(s.causes(), [EtcdDiskBound], "{found:?}");
    let loops: Vec<_> = found[0].chain.iter().map(|l| l.control_loop).collect();
    assert!(loops.contains(&Loop::Compute) && loops.contains(&Loop::Workload), "{loops:?}");
    for second in 1..=60 {
        fsyncs(&mut s, writes + 20 * second, 20);
        requests(&mut s, asked + 20 * second, 40);
        s.pass(1.0);
        if second > 8 {
            assert_eq!(s.causes(), [], "{second} s after it, nobody is blamed for what it did");
        }
    }
}

#[test]
fn what_is_refused_for_a_reason_of_its_own_is_no_victim_of_a_slow_etcd() {
    const WEBHOOK: &str = "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: \
                           Post \"https://w.n.svc:443/check?timeout=5s\": ";
    let webhook = |s: &mut Scene, why: &str| refused(s, &format!("{WEBHOOK}{why}"));
    let claim = |s: &mut Scene, why: &str| {
        s.claim("data", |_| {});
        let said = format!("failed to provision volume: rpc error: {why}");
        s.event(("PersistentVolumeClaim", "data"), "claim-data", "ProvisioningFailed", &said);
        s.pass(2.0);
    };
    let crash = |s: &mut Scene, said: ClueKind| {
        let pod = s.pod("victim", |_| {});
        let pod = s.crash_loop(pod, 1, "Error");
        s.says(&pod, said);
        s.pass(2.0);
    };
    type Tell<'t> = &'t dyn Fn(&mut Scene);
    let independent: [(Tell, _); 5] = [
        (&|s| webhook(s, "tls: failed to verify certificate: x509: certificate has expired"), WebhookBlocked),
        (&|s| webhook(s, "x509: certificate signed by unknown authority"), WebhookBlocked),
        (&|s| claim(s, "code = InvalidArgument desc = no such type"), ProvisioningFailed),
        (&|s| crash(s, ClueKind::ReadOnlyFileSystem { file: FilePlace::Node }), ApplicationExit),
        (&|s| crash(s, ClueKind::SettingMissing), ApplicationExit),
    ];
    let late: [Tell; 3] = [
        &|s| webhook(s, "context deadline exceeded"),
        &|s| webhook(s, "net/http: TLS handshake timeout"),
        &|s| claim(s, "code = DeadlineExceeded desc = context deadline exceeded"),
    ];
    for (index, (tell, cause)) in independent.iter().enumerate() {
        let mut s = Scene::lab();
        slow_etcd(&mut s);
        tell(&mut s);
        assert!(s.causes().contains(cause), "independent {index}: {:?}", s.causes());
    }
    for (index, tell) in late.iter().enumerate() {
        let mut s = Scene::lab();
        slow_etcd(&mut s);
        tell(&mut s);
        let others: Vec<_> = s.causes().into_iter().filter(|c| *c != EtcdDiskBound).collect();
        assert_eq!(others, [], "late {index}");
    }
}

#[test]
fn an_independent_fault_beside_it_is_named_too() {
    let mut s = Scene::lab();
    fill(&mut s, 1100);
    s.unscheduled("victim", INSUFFICIENT, |p| p.requests.cpu_millis = 1200);
    slow_etcd(&mut s);
    let causes = s.causes();
    assert!(causes.contains(&EtcdDiskBound) && causes.contains(&Fragmentation), "{causes:?}");
}

#[test]
fn leases_that_change_hands_are_a_step_of_the_chain() {
    let mut s = Scene::lab();
    let lease = |s: &Scene, holder: &str, version| Lease {
        namespace: s.name("kube-system"),
        name: s.name("scheduler"),
        version,
        holder: holder.into(),
        renewed_at: Some(s.now()),
    };
    let first = lease(&s, "one", 1);
    s.see(Signal::Lease(first));
    let (writes, asked) = steady(&mut s, 40);
    for second in 1..=6 {
        fsyncs(&mut s, writes, second);
        requests(&mut s, asked, 2 * second);
        s.pass(1.0);
    }
    let second = lease(&s, "two", 2);
    s.see(Signal::Lease(second));
    let found = s.diagnoses();
    assert!(found[0].chain.iter().any(|l| l.what.contains("lose their leases")), "{found:?}");
}

#[test]
fn a_component_that_ends_again_and_again_is_the_control_plane_s_and_twice_is_its_design() {
    let mut s = Scene::lab();
    let node = s.name("cp");
    let owner = Subject::new("Node", "", node.clone());
    let mut pod = s.pod("scheduler", |p| {
        p.node = Some(node);
        p.owner = Some(owner);
    });
    for life in 0..3 {
        assert_eq!(s.causes(), [], "after {life} ends");
        pod = s.dies(pod, 1, "Error", life);
        s.pass(6.0);
        pod = s.runs_again(pod);
        s.pass(6.0);
    }
    assert_eq!(s.causes(), [ControlPlaneStarved]);
    slow_etcd(&mut s);
    assert_eq!(s.causes(), [EtcdDiskBound], "and starvation is the disk's");
}

#[test]
fn what_was_made_after_etcd_recovered_is_no_victim_of_it() {
    for (made_before, expected) in [(true, vec![]), (false, vec![ApplicationExit])] {
        let mut s = Scene::lab();
        let old = made_before.then(|| s.pod("victim", |_| {}));
        slow_etcd(&mut s);
        let (writes, asked) = (450, 900);
        for second in 1..=12 {
            fsyncs(&mut s, writes + 10 * second, 5);
            requests(&mut s, asked + 20 * second, 10);
            s.pass(1.0);
        }
        assert_eq!(s.causes(), [], "etcd is well again");
        let pod = old.unwrap_or_else(|| s.pod("victim", |_| {}));
        s.crash_loop(pod, 1, "Error");
        s.pass(6.0);
        assert_eq!(s.causes(), expected, "made before: {made_before}");
    }
}

#[test]
fn a_webhook_that_cannot_be_called_is_told_by_its_metric_as_well() {
    let mut s = Scene::lab();
    let labels = [("name", "w"), ("error_type", "calling_webhook_error")];
    s.metric("apiserver", "apiserver_admission_webhook_rejection_count", &labels, 3.0);
    s.pass(5.0);
    assert_eq!(s.causes(), [], "it may have been long ago");
    s.metric("apiserver", "apiserver_admission_webhook_rejection_count", &labels, 4.0);
    s.pass(13.0);
    assert_eq!(s.causes(), [], "whoever was refused may still say so");
    s.metric("apiserver", "apiserver_admission_webhook_rejection_count", &labels, 5.0);
    s.pass(1.0);
    assert_eq!(s.causes(), [WebhookBlocked]);
}

#[test]
fn who_is_called_in_sees_that_a_webhook_still_cannot_be_called() {
    let causes = |counts: [f64; 2]| {
        let mut s = Scene::called_in();
        for count in counts {
            let labels = [("name", "w.example.com"), ("error_type", "calling_webhook_error")];
            s.metric("apiserver", "apiserver_admission_webhook_rejection_count", &labels, count);
            s.pass(3.0);
        }
        let told = s.diagnoses();
        assert!(
            told.iter().all(|d| d.evidence[0].value.contains("w.example.com cannot be called")),
            "{told:#?}"
        );
        s.causes()
    };
    assert_eq!(causes([40.0, 42.0]), [WebhookBlocked]);
    assert_eq!(causes([40.0, 40.0]), [], "that is over");
    assert_eq!(causes([1.0, 2.0]), [], "it may have been started anew");
}

#[test]
fn a_counter_that_starts_anew_is_no_burst() {
    let mut s = Scene::lab();
    steady(&mut s, 40);
    fsyncs(&mut s, 3, 0);
    requests(&mut s, 5, 0);
    s.pass(1.0);
    assert_eq!(s.causes(), []);
    let source = Source::metrics("apiserver");
    let odd = Histogram {
        name: "apiserver_request_duration_seconds".into(),
        labels: Default::default(),
        buckets: vec![(1.0, 1)],
        sum: f64::NAN,
        count: 1,
    };
    s.see_from(source, Signal::Histogram(odd));
    s.pass(1.0);
    assert_eq!(s.causes(), []);
}

#[test]
fn an_api_server_whose_work_waits_for_a_cpu_is_starved() {
    let mut s = Scene::lab();
    throttled(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [ControlPlaneStarved], "{found:#?}");
    let sure = found[0].confidence;
    let without: Vec<_> = s
        .told
        .iter()
        .filter(|o| !matches!(&o.signal, Signal::Histogram(h) if h.name.starts_with("go_")))
        .cloned()
        .collect();
    let weaker = loopdrill_attribution::judge(&world(&without)).diagnoses;
    assert!(weaker.iter().all(|d| d.confidence < sure), "{weaker:#?}");
}

/// As when another cluster starts on the same machine.
#[test]
fn a_machine_that_is_busy_for_a_moment_starves_nobody() {
    for seconds in [5, 10, 20] {
        let mut s = Scene::lab();
        hardly_runs(&mut s, seconds);
        assert_eq!(s.causes(), [], "{seconds} s");
    }
}

/// The last of a flood are answered late, and the CPU was lacking while it lasted.
#[test]
fn what_is_left_of_an_overload_is_no_lack_of_cpu_and_what_goes_on_without_it_is() {
    let mut s = Scene::lab();
    let (writes, mut asked) = steady(&mut s, 40);
    let (mut slow, mut waits) = (0, 0);
    let mut told = Vec::new();
    for second in 1..=90 {
        let (fast_now, slow_now, waits_now) = if second <= 30 { (400, 40, 200) } else { (20, 5, 60) };
        (asked, slow, waits) = (asked + fast_now, slow + slow_now, waits + waits_now);
        fsyncs(&mut s, writes + 10 * second, 0);
        requests(&mut s, asked, slow);
        scheduling(&mut s, 1000 + 50 * second, waits);
        s.pass(1.0);
        told.push(s.causes());
    }
    assert_eq!(told[29], [ApiOverload]);
    let after = &told[30..60];
    assert!(after.iter().all(|causes| !causes.contains(&ControlPlaneStarved)), "{after:?}");
    assert_eq!(told[89], [ControlPlaneStarved], "a minute after the flood");
}

/// Ten workloads that are made at once on a machine with something else to do.
#[test]
fn a_crowd_that_a_busy_machine_serves_late_is_no_overload() {
    let told = |rate: u64, late: u64, seconds: u64| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        for second in 1..=seconds {
            fsyncs(&mut s, writes + 10 * second, 0);
            requests(&mut s, asked + (rate - late) * second, late * second);
            scheduling(&mut s, 1000 * second, 60 * second);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(80, 0, 30), [], "late for a CPU, and answered in time");
    assert_eq!(told(80, 10, 8), [], "for a moment");
    assert_eq!(told(80, 10, 30), [ApiOverload], "it lasts");
}

/// Answers are still fast in the API server's own view, and who asks waits all the same.
#[test]
fn many_requests_for_which_there_is_no_cpu_are_too_many() {
    let told = |long: u64| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        for second in 1..=20 {
            fsyncs(&mut s, writes + 10 * second, 0);
            requests(&mut s, asked + 2000 * second, 0);
            scheduling(&mut s, 1000 * second, long * second);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(30), [ApiOverload]);
    assert_eq!(told(0), [], "many, and it can serve them");
}

#[test]
fn who_was_refused_by_a_webhook_says_so_once() {
    let refusals = |s: &mut Scene, n: f64| {
        let labels = [("error_type", "calling_webhook_error")];
        s.metric("apiserver", "apiserver_admission_webhook_rejection_count", &labels, n);
    };
    let mut s = Scene::lab();
    refusals(&mut s, 0.0);
    s.pass(5.0);
    let told = "Internal error occurred: failed calling webhook \"w\": failed to call webhook: no";
    s.event(("ReplicaSet", "victim"), "rs", "FailedCreate", told);
    refusals(&mut s, 3.0);
    webhook(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [WebhookBlocked], "{found:#?}");
    assert!(is_about(&found[0], "ReplicaSet", "victim"));
    s.gone("ReplicaSet", "victim", "rs");
    s.pass(2.0);
    assert_eq!(s.causes(), [], "what is counted has been told, and who told it is gone");
}

#[test]
fn an_overload_that_lasts_for_minutes_is_still_one() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 60);
    for second in 1..=170 {
        fsyncs(&mut s, writes + 30 * second, 0);
        requests(&mut s, asked + 400 * second, 40 * second);
        s.pass(1.0);
        if second > 15 {
            assert_eq!(s.causes(), [ApiOverload], "after {second} s");
        }
    }
}

#[test]
fn requests_that_queue_show_an_overload_before_they_are_slow() {
    let told = |waiting: f64| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        for second in 1..=12 {
            fsyncs(&mut s, writes + 30 * second, 0);
            requests(&mut s, asked + 400 * second, 0);
            let labels = [("priority_level", "workload-low")];
            s.metric("apiserver", "apiserver_flowcontrol_current_inqueue_requests", &labels, waiting);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(80.0), [ApiOverload]);
    assert_eq!(told(2.0), [], "they are many, and served");
}

#[test]
fn a_busy_moment_of_half_a_second_is_no_overload_and_one_that_lasts_is() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    for second in 1..=22 {
        fsyncs(&mut s, writes + 30 * second, 0);
        answered(&mut s, asked + 400 * second, 40 * second, 0);
        s.pass(1.0);
        if second == 9 {
            assert_eq!(s.causes(), []);
        }
    }
    assert_eq!(s.causes(), [ApiOverload]);
}

/// A crowd of workloads that are made at once, on a machine that compiles beside it.
#[test]
fn a_busy_machine_with_three_times_the_requests_is_not_overloaded_by_them() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    for second in 1..=30 {
        fsyncs(&mut s, writes + 30 * second, 0);
        answered(&mut s, asked + 180 * second, 20 * second, 0);
        s.pass(1.0);
        assert_eq!(s.causes(), [], "after {second} s");
    }
}

/// Namespaces are removed after an overload: a burst of requests on a machine with much to do.
#[test]
fn an_overload_that_is_over_lends_a_later_burst_nothing() {
    let told = |slow_in_the_burst: u64, waiting_in_the_burst: u64| {
        let mut s = Scene::lab();
        let (writes, mut asked) = steady(&mut s, 40);
        let (mut half, mut waits) = (0, 0);
        let mut told = Vec::new();
        for second in 1..=30 {
            let (fast_now, half_now, waits_now) = match second {
                1..=12 => (400, 40, 200),
                13..=25 => (20, 0, 0),
                _ => (800, slow_in_the_burst, waiting_in_the_burst),
            };
            (asked, half, waits) = (asked + fast_now, half + half_now, waits + waits_now);
            fsyncs(&mut s, writes + 10 * second, 0);
            answered(&mut s, asked, half, 0);
            scheduling(&mut s, 1000 * second, waits);
            s.pass(1.0);
            told.push(s.causes());
        }
        assert_eq!(told[11], [ApiOverload]);
        assert_eq!(told[24], [], "it is over");
        told.split_off(25)
    };
    let nothing = |told: Vec<Vec<_>>| told.iter().all(Vec::is_empty);
    assert!(nothing(told(0, 0)), "that work waited for a CPU is as long ago");
    assert!(nothing(told(10, 0)), "and so is it that requests were slow");
    assert!(told(10, 200).contains(&vec![ApiOverload]), "it has no CPU for the burst either");
}

#[test]
fn a_webhook_that_answers_late_is_slow_and_neither_blocked_nor_etcd() {
    let mut s = Scene::lab();
    slow_webhook(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [WebhookSlow], "{found:#?}");
    let told = &found[0].evidence;
    assert!(told[0].value.contains("w.example.com answers late"), "{told:#?}");
    assert!(told.iter().any(|e| e.value == "+0 in 10 s failed"), "{told:#?}");
    webhook_calls(&mut s, 0, 24);
    s.pass(31.0);
    assert_eq!(s.causes(), [], "nobody asks it any more");
}

/// The same words of a client, "my writes are slow", and four other reasons.
#[test]
fn what_else_makes_writes_slow_is_no_slow_webhook() {
    let mut s = Scene::lab();
    slow_etcd(&mut s);
    assert_eq!(s.causes(), [EtcdDiskBound]);
    let mut s = Scene::lab();
    overload(&mut s);
    assert_eq!(s.causes(), [ApiOverload]);
    let mut s = Scene::lab();
    throttled(&mut s);
    assert_eq!(s.causes(), [ControlPlaneStarved]);
    let mut s = Scene::lab();
    webhook(&mut s);
    assert_eq!(s.causes(), [WebhookBlocked], "a certificate, or nobody there: it refuses");
}

/// A webhook whose own API server has no CPU, or whose etcd waits, is late with everybody else.
#[test]
fn a_webhook_that_is_late_among_many_slow_requests_is_not_the_reason() {
    let told = |slow: u64| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        webhook_calls(&mut s, 0, 0);
        for second in 1..=12 {
            fsyncs(&mut s, writes + 10 * second, 0);
            requests(&mut s, asked + 18 * second, slow * second);
            webhook_calls(&mut s, 0, 2 * second);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(2), [WebhookSlow]);
    assert!(!told(12).contains(&WebhookSlow), "{:?}", told(12));
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    webhook_calls(&mut s, 0, 0);
    for second in 1..=8 {
        fsyncs(&mut s, writes, second);
        requests(&mut s, asked, 2 * second);
        webhook_calls(&mut s, 0, 2 * second);
        s.pass(1.0);
    }
    assert_eq!(s.causes(), [EtcdDiskBound], "it may ask the API itself");
}

#[test]
fn a_webhook_that_is_late_now_and_then_is_nothing() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    webhook_calls(&mut s, 0, 0);
    for second in 1..=20 {
        fsyncs(&mut s, writes + 10 * second, 0);
        requests(&mut s, asked + 20 * second, 0);
        webhook_calls(&mut s, 4 * second, second);
        s.pass(1.0);
        assert_eq!(s.causes(), [], "after {second} s");
    }
}

/// Where etcd cannot be seen, slow requests without much traffic are laid to it: unless a webhook holds them up.
#[test]
fn where_etcd_is_hidden_a_slow_webhook_is_not_taken_for_it() {
    let told = |late: bool| {
        let mut s = Scene::lab();
        for second in 1..=60 {
            requests(&mut s, 20 * second, 0);
            s.pass(1.0);
        }
        webhook_calls(&mut s, 0, 0);
        for second in 1..=25 {
            requests(&mut s, 1200 + 18 * second, 2 * second);
            webhook_calls(&mut s, if late { 0 } else { 2 * second }, if late { 2 * second } else { 0 });
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(true), [WebhookSlow]);
    assert_eq!(told(false), [EtcdDiskBound]);
}

#[test]
fn a_webhook_that_is_passed_over_when_its_time_is_up_cannot_be_called() {
    let mut s = Scene::lab();
    webhook_passed_over(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [WebhookBlocked], "{found:#?}");
    assert!(found[0].evidence.iter().any(|e| e.value.contains("let through")), "{found:#?}");
}

#[test]
fn calls_that_are_refused_for_being_unanswered_are_no_slow_webhook() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    webhook_calls(&mut s, 0, 0);
    for second in 1..=12_u32 {
        let n = u64::from(second);
        fsyncs(&mut s, writes + 10 * n, 0);
        requests(&mut s, asked + 18 * n, 2 * n);
        webhook_calls(&mut s, 0, 2 * n);
        let labels = [("name", "w.example.com"), ("error_type", "calling_webhook_error")];
        let refused = f64::from(2 * second);
        s.metric("apiserver", "apiserver_admission_webhook_rejection_count", &labels, refused);
        s.pass(1.0);
        assert!(!s.causes().contains(&WebhookSlow), "after {second} s: {:?}", s.causes());
    }
}

/// Two readings, a few seconds apart.
#[test]
fn who_is_called_in_sees_that_a_webhook_is_late() {
    let told = |late: u64| {
        let mut s = Scene::called_in();
        for reading in 0..3 {
            fsyncs(&mut s, 1000 + 30 * reading, 0);
            requests(&mut s, 9000 + 60 * reading, 100 + late * reading);
            webhook_calls(&mut s, 500, 100 + late * reading);
            s.pass(3.0);
        }
        (s.causes(), s.judge().unsettled)
    };
    assert_eq!(told(3).0, [WebhookSlow]);
    assert_eq!(told(1), (vec![], true), "two late calls are worth a longer look");
    assert_eq!(told(0), (vec![], false), "it was late once");
}

#[test]
fn a_level_whose_callers_wait_in_an_idle_api_server_is_full() {
    let mut s = Scene::lab();
    full_level(&mut s);
    let found = s.diagnoses();
    assert_eq!(s.causes(), [PriorityLevelFull], "{found:#?}");
    assert!(is_about(&found[0], "PriorityLevelConfiguration", "small"), "{found:#?}");
    assert!(found[0].confidence >= 0.85, "{found:#?}");
    let told = |words: &str| found[0].evidence.iter().any(|e| e.value.contains(words));
    assert!(told("waited longer than 500 ms in 10 s, 3000 ms on average"), "{found:#?}");
    assert!(told("4 of 600 seats are taken in all; 0 are those of level small"), "{found:#?}");
    waits(&mut s, "small", 0, 12);
    s.pass(11.0);
    assert_eq!(s.causes(), [], "nobody waits any more");
}

/// On a small machine a burst of calls waits for a moment, a few of each hundred. That is a full level when it goes on.
#[test]
fn a_few_of_many_callers_that_wait_for_a_moment_are_a_burst() {
    let first = |lasts: u64| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        (0..=30_u64).find(|second| {
            fsyncs(&mut s, writes + 10 * second, 0);
            let late = second.min(&lasts);
            requests(&mut s, asked + 20 * second, *late);
            waits(&mut s, "small", 14 * second, *late);
            waits(&mut s, "large", 1000 + 20 * second, 0);
            seats(&mut s, 3.0);
            s.pass(1.0);
            !s.causes().is_empty()
        })
    };
    assert_eq!(first(9), None);
    assert!(first(30).is_some_and(|second| second > 10), "{:?}", first(30));
}

#[test]
fn a_level_that_turns_its_callers_away_in_an_idle_api_server_is_full() {
    let told = |refused: f64, slow: u64| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        let level = s.name("small");
        for second in 0..=12_u32 {
            let n = u64::from(second);
            fsyncs(&mut s, writes + 10 * n, 0);
            requests(&mut s, asked + 20 * n, slow * n);
            let labels = [("priority_level", level.as_str())];
            let refused = refused * f64::from(second);
            s.metric("apiserver", "apiserver_flowcontrol_rejected_requests_total", &labels, refused);
            seats(&mut s, 3.0);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(2.0, 0), [PriorityLevelFull]);
    assert_eq!(told(0.1, 0), [], "that is a burst");
    assert!(!told(2.0, 5).contains(&PriorityLevelFull), "who was not turned away is slow, too");
}

/// One client asks far more than before, and one level keeps it from the others.
#[test]
fn many_requests_that_one_level_holds_back_are_no_overload() {
    let told = |taken: Option<f64>| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        let level = s.name("small");
        for second in 0..=12_u32 {
            let n = u64::from(second);
            fsyncs(&mut s, writes + 10 * n, 0);
            requests(&mut s, asked + 420 * n, 0);
            let labels = [("priority_level", level.as_str())];
            let refused = f64::from(380 * second);
            s.metric("apiserver", "apiserver_flowcontrol_rejected_requests_total", &labels, refused);
            taken.into_iter().for_each(|taken| seats(&mut s, taken));
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(Some(3.0)), [PriorityLevelFull]);
    assert_eq!(told(Some(240.0)), [ApiOverload]);
    assert_eq!(told(None), [ApiOverload], "nobody knows of its seats");
}

/// The same words of a client, "my calls wait", and other reasons.
#[test]
fn what_makes_everybody_wait_is_no_full_level() {
    let told = |tell: fn(&mut Scene), taken: f64| {
        let mut s = Scene::lab();
        tell(&mut s);
        waits(&mut s, "large", 1000, 0);
        s.pass(0.1);
        waits(&mut s, "large", 1000, 40);
        seats(&mut s, taken);
        s.pass(0.1);
        s.causes()
    };
    assert_eq!(told(overload, 240.0), [ApiOverload]);
    assert_eq!(told(slow_etcd, 240.0), [EtcdDiskBound]);
    assert_eq!(told(slow_etcd, 3.0), [EtcdDiskBound], "a level is full for it");
    assert_eq!(told(throttled, 3.0), [ControlPlaneStarved]);
}

#[test]
fn an_api_server_many_of_whose_seats_are_taken_is_not_idle() {
    let told = |taken: Option<f64>| {
        let mut s = Scene::lab();
        let (writes, asked) = steady(&mut s, 40);
        waits(&mut s, "small", 0, 0);
        for second in 1..=12 {
            fsyncs(&mut s, writes + 10 * second, 0);
            requests(&mut s, asked + 20 * second, second / 3);
            waits(&mut s, "small", 0, second);
            taken.into_iter().for_each(|taken| seats(&mut s, taken));
            s.pass(1.0);
        }
        s.diagnoses()
    };
    let (idle, busy, unknown) = (told(Some(3.0)), told(Some(240.0)), told(None));
    assert_eq!(idle[0].cause, Some(PriorityLevelFull));
    assert!(busy.is_empty(), "{busy:#?}");
    assert!(unknown[0].confidence < idle[0].confidence, "{unknown:#?}");
}

/// Where etcd cannot be seen, as on a plane that a provider keeps, slow requests without much traffic are laid to it: unless
/// they waited for their turn.
#[test]
fn where_etcd_is_hidden_a_full_level_is_not_taken_for_it() {
    let told = |slow_for_each_wait: u64| {
        let mut s = Scene::lab();
        for second in 1..=60 {
            requests(&mut s, 20 * second, 0);
            s.pass(1.0);
        }
        waits(&mut s, "small", 0, 0);
        for second in 1..=25 {
            requests(&mut s, 1200 + 18 * second, slow_for_each_wait * second);
            waits(&mut s, "small", 0, second);
            seats(&mut s, 3.0);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(1), [PriorityLevelFull]);
    assert_eq!(told(5), [EtcdDiskBound], "far more are slow than waited");
}

/// Who waits for a webhook keeps a seat meanwhile.
#[test]
fn a_level_that_fills_up_behind_a_slow_webhook_is_a_step_of_it() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    webhook_calls(&mut s, 0, 0);
    waits(&mut s, "small", 0, 0);
    for second in 1..=14 {
        fsyncs(&mut s, writes + 10 * second, 0);
        requests(&mut s, asked + 18 * second, 2 * second);
        webhook_calls(&mut s, 0, 2 * second);
        waits(&mut s, "small", 0, second);
        seats(&mut s, 3.0);
        s.pass(1.0);
    }
    let found = s.diagnoses();
    assert_eq!(s.causes(), [WebhookSlow], "{found:#?}");
    assert!(found[0].chain.iter().any(|l| l.what == PriorityLevelFull.title()), "{found:#?}");
}

#[test]
fn a_request_that_waits_now_and_then_is_nothing() {
    let mut s = Scene::lab();
    let (writes, asked) = steady(&mut s, 40);
    waits(&mut s, "large", 0, 0);
    for second in 1..=60 {
        fsyncs(&mut s, writes + 10 * second, 0);
        requests(&mut s, asked + 20 * second, 0);
        waits(&mut s, "large", 20 * second, second / 20);
        seats(&mut s, 3.0);
        s.pass(1.0);
        assert_eq!(s.causes(), [], "after {second} s");
    }
}

/// Two readings, a few seconds apart.
#[test]
fn who_is_called_in_sees_that_callers_of_a_level_wait() {
    let told = |late: u64| {
        let mut s = Scene::called_in();
        for reading in 0..2 {
            fsyncs(&mut s, 1000 + 30 * reading, 0);
            requests(&mut s, 9000 + 60 * reading, 100 + late * reading);
            waits(&mut s, "small", 0, 100 + late * reading);
            seats(&mut s, 3.0);
            s.pass(3.0);
        }
        (s.causes(), s.judge().unsettled)
    };
    assert_eq!(told(3).0, [PriorityLevelFull]);
    assert_eq!(told(2), (vec![], true), "two are worth a longer look");
    assert_eq!(told(0), (vec![], false), "they waited once");
}

/// An API server that has too much to do tells its metrics late, and perhaps only once while somebody looks.
#[test]
fn a_crowd_before_seats_that_are_taken_is_seen_in_one_reading() {
    let crowd = |queued: f64, taken: f64, etcd_is_slow: bool| {
        let mut s = Scene::lab();
        for second in 1..=6 {
            let (fast, slow) = if etcd_is_slow { (10, second) } else { (10 * second, 0) };
            fsyncs(&mut s, fast, slow);
            s.pass(1.0);
        }
        let level = s.name("large");
        let labels = [("priority_level", level.as_str())];
        s.metric("apiserver", "apiserver_request_total", &[], 52_000.0);
        s.metric("apiserver", "apiserver_flowcontrol_current_inqueue_requests", &labels, queued);
        seats(&mut s, taken);
        s.pass(0.5);
        s.causes()
    };
    assert_eq!(crowd(106.0, 308.0, false), [ApiOverload]);
    assert_eq!(crowd(3.0, 308.0, false), [], "a few wait at any time");
    assert_eq!(crowd(106.0, 20.0, false), [], "one level that is full is not the API server");
    assert!(!crowd(106.0, 308.0, true).contains(&ApiOverload), "who waits for etcd takes seats, too");
}
