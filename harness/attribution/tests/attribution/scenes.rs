//! Each cause as a scene, with the observations without which nobody could tell.

use crate::scene::{MI, Scene};
use loopdrill_model::{Cause, Observation, Signal, Source, Subject, Timestamp, signal::*};

/// A cause and how it looks.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) cause: Cause,
    pub(crate) tell: fn(&mut Scene),
    /// Observations that decide. Without them the finding is gone or weaker.
    pub(crate) decisive: fn(&Observation) -> bool,
}

pub(crate) const CASES: &[Case] = &[
    Case { cause: Cause::RbacDenied, tell: rbac_revoked, decisive: is_grant_or_review },
    Case { cause: Cause::IamDenied, tell: cloud_policy_detached, decisive: is_of_the_cloud },
    Case { cause: Cause::TrustDenied, tell: cloud_trust_cut, decisive: is_of_the_cloud },
    Case { cause: Cause::SessionRevoked, tell: cloud_sessions_revoked, decisive: is_of_the_cloud },
    Case { cause: Cause::CloudUnreachable, tell: cloud_silent, decisive: is_of_the_cloud },
    Case { cause: Cause::CloudThrottled, tell: cloud_throttled, decisive: is_of_the_cloud },
    Case { cause: Cause::PullUnauthorized, tell: pull_unauthorized, decisive: is_pod },
    Case { cause: Cause::ImageNotFound, tell: image_not_found, decisive: is_pod },
    Case { cause: Cause::RegistryUnreachable, tell: registry_unreachable, decisive: is_pod },
    Case { cause: Cause::Fragmentation, tell: fragmentation, decisive: is_node },
    Case { cause: Cause::Exhaustion, tell: exhaustion, decisive: is_node },
    Case { cause: Cause::PlacementConstraint, tell: unmatched_selector, decisive: is_pod },
    Case { cause: Cause::QuotaExceeded, tell: quota, decisive: |o| matches!(o.signal, Signal::Quota(_)) },
    Case { cause: Cause::OutOfMemory, tell: out_of_memory, decisive: is_pod },
    Case { cause: Cause::NodeDown, tell: node_down, decisive: is_node },
    Case { cause: Cause::OverlayMtu, tell: overlay_mtu, decisive: is_large_probe },
    Case { cause: Cause::PacketLoss, tell: packet_loss, decisive: is_probe },
    Case { cause: Cause::TrafficFiltered, tell: filtered, decisive: is_probe },
    Case { cause: Cause::DnsFailure, tell: dns_failure, decisive: is_probe },
    Case { cause: Cause::NodeDnsFailure, tell: names_lost_on_one_node, decisive: is_probe },
    Case {
        cause: Cause::VolumeZoneMismatch,
        tell: zone_cordoned,
        decisive: |o| matches!(o.signal, Signal::Volume(_)),
    },
    Case { cause: Cause::ClaimOrClassMissing, tell: claim_missing, decisive: is_pod },
    Case { cause: Cause::ProvisioningFailed, tell: provisioning_failed, decisive: is_event },
    Case { cause: Cause::VolumeFull, tell: disk_full, decisive: is_clue },
    Case { cause: Cause::VolumeFaulty, tell: read_only_disk, decisive: is_clue },
    Case { cause: Cause::AttachOrMountFailed, tell: multi_attach, decisive: is_event },
    Case {
        cause: Cause::EtcdDiskBound,
        tell: slow_etcd,
        decisive: |o| matches!(o.signal, Signal::Histogram(_)),
    },
    Case { cause: Cause::ApiOverload, tell: overload, decisive: |o| matches!(o.signal, Signal::Metric(_)) },
    Case {
        cause: Cause::ControlPlaneStarved,
        tell: starved,
        decisive: |o| matches!(o.signal, Signal::Usage(_)),
    },
    Case {
        cause: Cause::WebhookBlocked,
        tell: webhook,
        decisive: |o| matches!(o.signal, Signal::Controller(_)),
    },
    Case {
        cause: Cause::AggregatedApiDown,
        tell: metrics_api_down,
        decisive: |o| matches!(o.signal, Signal::AggregatedApi(_)),
    },
    Case { cause: Cause::WebhookSlow, tell: slow_webhook, decisive: is_webhook_call },
    Case { cause: Cause::PriorityLevelFull, tell: full_level, decisive: is_wait_for_a_seat },
    Case { cause: Cause::BadConfiguration, tell: missing_config, decisive: is_pod },
    Case { cause: Cause::ProbeFailing, tell: liveness, decisive: is_event },
    Case { cause: Cause::ApplicationExit, tell: application_exit, decisive: is_pod },
    Case { cause: Cause::TokenInvalid, tell: bad_token, decisive: |o| matches!(o.signal, Signal::Metric(_)) },
    Case { cause: Cause::BackendSlow, tell: slow_backend, decisive: is_event },
    Case { cause: Cause::NodePressure, tell: evicted, decisive: is_pod_or_node },
    Case { cause: Cause::RuntimeFailing, tell: name_reserved, decisive: is_pod },
    Case { cause: Cause::DeviceUnavailable, tell: device_gone, decisive: is_pod },
    Case { cause: Cause::LocalStorageExceeded, tell: wrote_too_much, decisive: is_pod },
    Case { cause: Cause::CniFailed, tell: no_address, decisive: is_event },
    Case { cause: Cause::LoadBalancerFailed, tell: no_subnet, decisive: is_event },
    Case { cause: Cause::VolumeLimit, tell: no_slot, decisive: is_event },
    Case { cause: Cause::ResizeFailed, tell: does_not_grow, decisive: is_event },
    Case {
        cause: Cause::NoReadyEndpoints,
        tell: wrong_selector,
        decisive: |o| matches!(o.signal, Signal::Endpoints(_)),
    },
];

fn is_pod(o: &Observation) -> bool {
    matches!(o.signal, Signal::Pod(_))
}
fn is_pod_or_node(o: &Observation) -> bool {
    is_pod(o) || is_node(o)
}
fn is_of_the_cloud(o: &Observation) -> bool {
    matches!(o.signal, Signal::CloudRole(_) | Signal::CloudAnswer(_))
}
fn is_node(o: &Observation) -> bool {
    matches!(o.signal, Signal::Node(_))
}
fn is_clue(o: &Observation) -> bool {
    matches!(o.signal, Signal::Clue(_))
}
fn is_event(o: &Observation) -> bool {
    matches!(o.signal, Signal::Event(_))
}
fn is_probe(o: &Observation) -> bool {
    matches!(o.signal, Signal::Probe(_))
}
fn is_webhook_call(o: &Observation) -> bool {
    matches!(&o.signal, Signal::Histogram(h) if h.name.contains("webhook"))
}
fn is_wait_for_a_seat(o: &Observation) -> bool {
    matches!(&o.signal, Signal::Histogram(h) if h.name.contains("flowcontrol"))
}
fn is_large_probe(o: &Observation) -> bool {
    matches!(&o.signal, Signal::Probe(p) if p.bytes > 1000)
}
fn is_grant_or_review(o: &Observation) -> bool {
    match &o.signal {
        Signal::Grant(_) | Signal::AccessReview(_) => true,
        Signal::Deleted(g) => g.object.kind == "RoleBinding",
        _ => false,
    }
}

/// The account's only binding is deleted while its pod runs; the pod exits with 1 and says nothing.
/// A pod lives from a cloud role; the role changes, and the container ends again and again.
fn cloud_revoked(
    s: &mut Scene,
    change: impl FnOnce(&mut CloudRole),
    session: CloudWord,
    object: Option<CloudWord>,
) {
    let pod = s.cloud_pod("victim");
    s.cloud_role(|_| {});
    s.pass(5.0);
    s.cloud_role(change);
    s.pass(0.5);
    let pod = s.dies(pod, 1, "Error", 0);
    s.pass(0.5);
    s.cloud_says(session, object);
    let pod = s.runs_again(pod);
    s.pass(0.5);
    s.dies(pod, 1, "Error", 1);
    s.pass(1.0);
}

pub(crate) fn cloud_silent(s: &mut Scene) {
    cloud_revoked(s, |_| {}, CloudWord::Silent, None);
}

pub(crate) fn cloud_throttled(s: &mut Scene) {
    cloud_revoked(s, |_| {}, CloudWord::Throttled, None);
}

pub(crate) fn cloud_policy_detached(s: &mut Scene) {
    cloud_revoked(s, |r| r.grants.clear(), CloudWord::Accepted, Some(CloudWord::Denied));
}

pub(crate) fn cloud_trust_cut(s: &mut Scene) {
    let cut = |r: &mut CloudRole| {
        r.trust = "bbbb".into();
        r.trusts_web_identity = false;
    };
    cloud_revoked(s, cut, CloudWord::Denied, None);
}

pub(crate) fn cloud_sessions_revoked(s: &mut Scene) {
    let now = s.now();
    let revoke = |r: &mut CloudRole| r.sessions_revoked_before = Some(now);
    cloud_revoked(s, revoke, CloudWord::Accepted, Some(CloudWord::Accepted));
}

pub(crate) fn rbac_revoked(s: &mut Scene) {
    s.grant("binding", &["get", "list"]);
    let pod = s.pod("victim", |_| {});
    no_opinion(s, 3.0);
    s.pass(20.0);
    s.gone("RoleBinding", "binding", "binding");
    s.pass(1.0);
    no_opinion(s, 4.0);
    let pod = s.dies(pod, 1, "Error", 0);
    let bytes = Log {
        pod: Subject::new("Pod", &pod.namespace, &pod.name),
        uid: pod.uid.clone(),
        container: pod.containers[0].name.clone(),
        restarts: 0,
        bytes: 0,
    };
    s.see(Signal::Log(bytes));
    s.may("get", false);
    s.pass(0.5);
}

fn no_opinion(s: &mut Scene, value: f64) {
    s.metric("apiserver", "authorization_attempts_total", &[("result", "no-opinion")], value);
}

fn pull(s: &mut Scene, words: &str) {
    let pod = s.pod("victim", |_| {});
    let text = format!("failed to pull and unpack image \"{}\": {words}", pod.containers[0].image);
    s.waiting(pod, "ErrImagePull", &text);
    s.pass(2.0);
}

pub(crate) fn pull_unauthorized(s: &mut Scene) {
    pull(
        s,
        "failed to resolve reference: unexpected status from HEAD request to https://r/v2/: 401 Unauthorized",
    );
}

pub(crate) fn image_not_found(s: &mut Scene) {
    pull(s, "rpc error: code = NotFound desc = failed to resolve image: not found");
}

pub(crate) fn registry_unreachable(s: &mut Scene) {
    pull(s, "failed to do request: Head \"https://r/v2/\": dial tcp 10.1.2.3:5000: i/o timeout");
}

pub(crate) const INSUFFICIENT: &str =
    "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: no";

pub(crate) fn fill(s: &mut Scene, cpu_millis: u64) {
    for worker in ["w1", "w2"] {
        s.pod(&format!("filler-{worker}"), |_| {});
        let node = s.name(worker);
        s.pod(&format!("filler-{worker}"), |p| {
            p.node = Some(node);
            p.requests = Resources { cpu_millis, memory_bytes: 64 * MI, ..Resources::default() };
        });
        let usage = Usage { node: s.name(worker), cpu_millis: 80 };
        s.see(Signal::Usage(usage));
    }
}

pub(crate) fn wants(cpu_millis: u64) -> impl FnOnce(&mut Pod) {
    move |p| p.requests = Resources { cpu_millis, memory_bytes: 64 * MI, ..Resources::default() }
}

/// 900 millis are free on each of two nodes, and 1200 are wanted.
pub(crate) fn fragmentation(s: &mut Scene) {
    fill(s, 1100);
    s.pass(5.0);
    s.unscheduled("victim", INSUFFICIENT, wants(1200));
    s.pass(1.0);
}

/// 100 millis are free on each of two nodes, and 1200 are wanted.
pub(crate) fn exhaustion(s: &mut Scene) {
    fill(s, 1900);
    s.pass(5.0);
    s.unscheduled("victim", INSUFFICIENT, wants(1200));
    s.pass(1.0);
}

pub(crate) fn unmatched_selector(s: &mut Scene) {
    let message = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.";
    s.unscheduled("victim", message, |p| {
        p.node_selector.insert("disk".into(), "fast".into());
    });
    s.pass(3.0);
}

pub(crate) fn refused(s: &mut Scene, message: &str) {
    let new = Controller {
        kind: "ReplicaSet".into(),
        namespace: s.name("ns"),
        name: s.name("victim"),
        uid: "rs".into(),
        version: 5,
        owner: Some(Subject::new("Deployment", s.name("ns"), s.name("victim"))),
        desired: 1,
        ready: 0,
        troubles: vec![("ReplicaFailure".into(), "FailedCreate".into(), message.into())],
        template: Default::default(),
    };
    s.see(Signal::Controller(new));
    s.pass(1.0);
}

pub(crate) fn quota(s: &mut Scene) {
    let new = Quota { namespace: s.name("ns"), name: s.name("quota"), uid: "quota".into(), version: 2 };
    s.see(Signal::Quota(new));
    refused(
        s,
        "pods \"v-1\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
    );
}

pub(crate) fn webhook(s: &mut Scene) {
    refused(
        s,
        "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: no",
    );
}

pub(crate) fn metrics_api_down(s: &mut Scene) {
    let (since, service) = (s.ago(90.0), Subject::new("Service", s.name("kube-system"), s.name("metrics")));
    aggregated_api(s, Some(service), Some(since));
    s.pass(0.5);
}

/// An API that this Service answers, and since when it does not.
pub(crate) fn aggregated_api(s: &mut Scene, service: Option<Subject>, since: Option<Timestamp>) {
    let refused = |since| {
        Condition {
        kind: "Available".into(),
        reason: "FailedDiscoveryCheck".into(),
        message: "failing or missing response from https://10.96.7.7:443/apis/metrics.k8s.io/v1beta1: Get \"https://10.96.7.7:443/apis/metrics.k8s.io/v1beta1\": dial tcp 10.96.7.7:443: connect: connection refused".into(),
        since: Some(since),
    }
    };
    s.see(Signal::AggregatedApi(AggregatedApi {
        name: s.name("v1beta1.metrics.k8s.io"),
        uid: "metrics".into(),
        version: 2,
        service,
        unavailable: since.map(refused),
    }));
}

pub(crate) fn out_of_memory(s: &mut Scene) {
    let pod = s.pod("victim", |p| p.containers[0].memory_limit_bytes = Some(64 * MI));
    s.dies(pod, 137, "OOMKilled", 0);
    s.pass(0.5);
}

pub(crate) fn node_down(s: &mut Scene) {
    s.pod("victim", |_| {});
    s.pass(1.0);
    lose_node(s, "w1");
    s.pass(0.5);
}

pub(crate) fn lose_node(s: &mut Scene, node: &str) {
    let now = s.now();
    s.node(node, |n| {
        n.ready = "Unknown".into();
        n.ready_reason = "NodeStatusUnknown".into();
        n.ready_since = Some(now);
    });
}

/// One round of probes: both ways between the workers on both paths, and to the DNS.
pub(crate) fn round(s: &mut Scene, overlay: [ProbeResult; 3], underlay: ProbeResult, dns: ProbeResult) {
    round_with(s, overlay, underlay, [dns.clone(), dns]);
}

/// The same, where each worker hears something of its own from the DNS.
pub(crate) fn round_with(
    s: &mut Scene,
    overlay: [ProbeResult; 3],
    underlay: ProbeResult,
    dns: [ProbeResult; 2],
) {
    for ((from, to), dns) in [("w1", "w2"), ("w2", "w1")].into_iter().zip(dns) {
        let (from, to) = (s.name(from), s.name(to));
        for (bytes, result) in [64, 1200, 1422].into_iter().zip(overlay.clone()) {
            let probe = Probe { from: from.clone(), to: to.clone(), path: ProbePath::Overlay, bytes, result };
            s.see(Signal::Probe(probe));
        }
        let probe = Probe {
            from: from.clone(),
            to: to.clone(),
            path: ProbePath::Underlay,
            bytes: 64,
            result: underlay.clone(),
        };
        s.see(Signal::Probe(probe));
        let probe = Probe { from, to: "10.96.0.10".into(), path: ProbePath::Dns, bytes: 40, result: dns };
        s.see(Signal::Probe(probe));
    }
    s.pass(1.0);
}

pub(crate) const PASSED: ProbeResult = ProbeResult::Passed { micros: 300 };
pub(crate) const LOST: ProbeResult = ProbeResult::Lost;

pub(crate) fn healthy_rounds(s: &mut Scene, count: u32) {
    for _ in 0..count {
        round(s, [PASSED, PASSED, PASSED], PASSED, PASSED);
    }
}

pub(crate) fn links(s: &mut Scene, overlay_dropped: u64, underlay_dropped: u64) {
    links_with(s, overlay_dropped, underlay_dropped, |_| {});
}

/// As [`links`], with what else is to be said of the overlay's.
pub(crate) fn links_with(
    s: &mut Scene,
    overlay_dropped: u64,
    underlay_dropped: u64,
    change: impl Fn(&mut Interface),
) {
    for node in ["w1", "w2"] {
        let new = |name: &str, kind, tx_dropped| Interface {
            node: s.name(node),
            name: s.name(name),
            kind,
            rx_dropped: 0,
            tx_dropped,
            tx_errors: 0,
        };
        let mut both = [
            new("overlay", LinkKind::Overlay, overlay_dropped),
            new("underlay", LinkKind::Underlay, underlay_dropped),
        ];
        change(&mut both[0]);
        both.into_iter().for_each(|i| s.see(Signal::Interface(i)));
    }
}

/// Large packets vanish and are counted on the overlay link.
pub(crate) fn overlay_mtu(s: &mut Scene) {
    healthy_rounds(s, 5);
    for i in 0..3 {
        links(s, 8 + 3 * i, 0);
        round(s, [PASSED, PASSED, LOST], PASSED, PASSED);
    }
}

pub(crate) fn packet_loss(s: &mut Scene) {
    healthy_rounds(s, 5);
    for i in 0..20 {
        let answer = |k: usize| if (i * 7 + k * 3) % 5 < 2 { LOST } else { PASSED };
        round(s, [answer(0), answer(1), answer(2)], PASSED, PASSED);
    }
}

pub(crate) fn filtered(s: &mut Scene) {
    healthy_rounds(s, 5);
    for _ in 0..7 {
        round(s, [LOST, LOST, LOST], PASSED, PASSED);
    }
}

pub(crate) fn dns_failure(s: &mut Scene) {
    healthy_rounds(s, 5);
    for _ in 0..5 {
        round(s, [PASSED, PASSED, PASSED], PASSED, LOST);
    }
}

/// The first worker hears nothing of the DNS, and the second one does.
pub(crate) fn names_lost_on_one_node(s: &mut Scene) {
    healthy_rounds(s, 5);
    for _ in 0..12 {
        round_with(s, [PASSED, PASSED, PASSED], PASSED, [LOST, PASSED]);
    }
}

pub(crate) const VOLUME_ELSEWHERE: &str = "0/3 nodes are available: 1 node(s) didn't match PersistentVolume's node \
                                          affinity, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.";

/// The volume is in zone a, whose only worker is cordoned.
pub(crate) fn zone_cordoned(s: &mut Scene) {
    s.bound_claim("data", "a");
    s.node("w1", |n| n.unschedulable = true);
    s.pass(2.0);
    let claim = s.name("data");
    s.unscheduled("victim", VOLUME_ELSEWHERE, |p| p.claims.push(claim));
    s.pass(1.0);
}

pub(crate) fn claim_missing(s: &mut Scene) {
    let claim = s.name("nowhere");
    s.unscheduled("victim", "persistentvolumeclaim not found", |p| p.claims.push(claim));
    s.pass(3.0);
}

pub(crate) fn provisioning_failed(s: &mut Scene) {
    s.claim("data", |_| {});
    s.event(
        ("PersistentVolumeClaim", "data"),
        "claim-data",
        "ProvisioningFailed",
        "failed to provision volume: rpc error: code = ResourceExhausted desc = no space",
    );
    s.pass(3.0);
}

/// A pod on `w2` waits for a volume that is attached to `w1`.
pub(crate) fn multi_attach(s: &mut Scene) {
    s.bound_claim("data", "b");
    let (volume, holder) = (s.name("volume-of-data"), s.name("w1"));
    let attachment = Attachment {
        name: s.name("attachment"),
        uid: "attachment".into(),
        version: 3,
        volume,
        node: holder,
        attached: true,
        deleting: false,
    };
    s.see(Signal::Attachment(attachment));
    let (claim, node) = (s.name("data"), s.name("w2"));
    let pod = s.pod("victim", |p| {
        p.claims.push(claim);
        p.node = Some(node);
    });
    s.waiting(pod, "ContainerCreating", "");
    let words = "Multi-Attach error for volume \"v\" Volume is already exclusively attached to one node";
    s.event(("Pod", "victim"), "pod-victim", "FailedAttachVolume", words);
    s.pass(11.0);
}

/// etcd's fsyncs as a cumulative histogram: `fast` of 2 ms and `slow` of 900 ms.
pub(crate) fn fsyncs(s: &mut Scene, fast: u64, slow: u64) {
    let bounds =
        [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192];
    let count = |bound: f64| match bound {
        b if b < 0.002 => 0,
        b if b < 0.9 => fast,
        _ => fast + slow,
    };
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let sum = fast as f64 * 0.002 + slow as f64 * 0.9;
    let source = Source::metrics(&format!("etcd/{}", s.name("cp")));
    let histogram = Histogram {
        name: "etcd_disk_wal_fsync_duration_seconds".into(),
        labels: Default::default(),
        buckets: bounds.iter().map(|b| (*b, count(*b))).collect(),
        sum,
        count: fast + slow,
    };
    s.see_from(source, Signal::Histogram(histogram));
}

/// The API server's requests: `fast` of 5 ms and `slow` of 3 s.
pub(crate) fn requests(s: &mut Scene, fast: u64, slow: u64) {
    answered(s, fast, 0, slow);
}

/// The API server's requests as cumulative histogram and counter: of 5 ms, of more than half a second, of 3 s.
pub(crate) fn answered(s: &mut Scene, fast: u64, half: u64, slow: u64) {
    let (most, all) = (fast + half, fast + half + slow);
    let histogram = Histogram {
        name: "apiserver_request_duration_seconds".into(),
        labels: [("verb".to_owned(), "PUT".to_owned())].into(),
        buckets: vec![(0.005, fast), (0.5, fast), (1.0, most), (2.0, most), (4.0, all)],
        sum: 0.0,
        count: all,
    };
    s.see_from(Source::metrics("apiserver"), Signal::Histogram(histogram));
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let total = all as f64;
    s.metric("apiserver", "apiserver_request_total", &[("verb", "PUT"), ("code", "200")], total);
}

/// What the API server asked of etcd: so often it took 20 ms, and so often 1.1 s.
pub(crate) fn writes_to_etcd(s: &mut Scene, operation: &str, swift: u64, late: u64) {
    let histogram = Histogram {
        name: "etcd_request_duration_seconds".into(),
        labels: [("operation".to_owned(), operation.to_owned())].into(),
        buckets: vec![(0.025, swift), (0.6, swift), (1.0, swift), (1.25, swift + late)],
        sum: 0.0,
        count: swift + late,
    };
    s.see_from(Source::metrics("apiserver"), Signal::Histogram(histogram));
}

/// Seconds of a healthy control plane: ten fsyncs and twenty requests a second.
pub(crate) fn steady(s: &mut Scene, seconds: u64) -> (u64, u64) {
    for second in 1..=seconds {
        fsyncs(s, 10 * second, 0);
        requests(s, 20 * second, 0);
        s.pass(1.0);
    }
    (10 * seconds, 20 * seconds)
}

pub(crate) fn slow_etcd(s: &mut Scene) {
    let (writes, asked) = steady(s, 40);
    for second in 1..=5 {
        fsyncs(s, writes, second);
        requests(s, asked, 2 * second);
        s.pass(1.0);
    }
}

/// The calls of one webhook as a cumulative histogram: `fast` of 5 ms and `late` of a second and a half.
pub(crate) fn webhook_calls(s: &mut Scene, fast: u64, late: u64) {
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let sum = fast as f64 * 0.005 + late as f64 * 1.5;
    let all = fast + late;
    let histogram = Histogram {
        name: "apiserver_admission_webhook_admission_duration_seconds".into(),
        labels: [("name".to_owned(), s.name("w.example.com"))].into(),
        buckets: vec![
            (0.005, fast),
            (0.025, fast),
            (0.1, fast),
            (0.5, fast),
            (1.0, fast),
            (2.5, all),
            (10.0, all),
        ],
        sum,
        count: all,
    };
    s.see_from(Source::metrics("apiserver"), Signal::Histogram(histogram));
}

/// So many seconds in which one of ten requests waits for a webhook, on a control plane that is well.
pub(crate) fn held_up(s: &mut Scene, (writes, asked): (u64, u64), seconds: u64) {
    for second in 1..=seconds {
        fsyncs(s, writes + 10 * second, 0);
        requests(s, asked + 18 * second, 2 * second);
        webhook_calls(s, 0, 2 * second);
        s.pass(1.0);
    }
}

pub(crate) fn slow_webhook(s: &mut Scene) {
    let before = steady(s, 40);
    webhook_calls(s, 0, 0);
    held_up(s, before, 12);
}

/// The requests of a priority level by how long they waited for a seat: `swift` for no time, `late` for three seconds.
pub(crate) fn waits(s: &mut Scene, level: &str, swift: u64, late: u64) {
    let all = swift + late;
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let sum = late as f64 * 3.0;
    let histogram = Histogram {
        name: "apiserver_flowcontrol_request_wait_duration_seconds".into(),
        labels: [("priority_level".to_owned(), s.name(level))].into(),
        buckets: vec![
            (0.0, 0),
            (0.005, swift),
            (0.2, swift),
            (0.5, swift),
            (2.0, swift),
            (5.0, all),
            (30.0, all),
        ],
        sum,
        count: all,
    };
    s.see_from(Source::metrics("apiserver"), Signal::Histogram(histogram));
}

/// Seats of the API server: a level that has none of its own, and the others, of which so many are taken.
pub(crate) fn seats(s: &mut Scene, taken: f64) {
    for (level, own, taken) in [("small", 0.0, 1.0), ("large", 600.0, taken)] {
        let level = s.name(level);
        let labels = [("priority_level", level.as_str())];
        s.metric("apiserver", "apiserver_flowcontrol_nominal_limit_seats", &labels, own);
        s.metric("apiserver", "apiserver_flowcontrol_current_executing_seats", &labels, taken);
    }
}

/// So many seconds in which every request of one level waits for three seconds, in an API server that is idle.
pub(crate) fn in_line(s: &mut Scene, (writes, asked): (u64, u64), seconds: u64) {
    for second in 1..=seconds {
        fsyncs(s, writes + 10 * second, 0);
        requests(s, asked + 20 * second, second / 3);
        waits(s, "small", 0, second);
        waits(s, "large", 1000 + 20 * second, 0);
        seats(s, 3.0);
        s.pass(1.0);
    }
}

pub(crate) fn full_level(s: &mut Scene) {
    let before = steady(s, 40);
    waits(s, "small", 0, 0);
    waits(s, "large", 1000, 0);
    in_line(s, before, 12);
}

pub(crate) fn overload(s: &mut Scene) {
    let (writes, asked) = steady(s, 40);
    for second in 1..=12 {
        fsyncs(s, writes + 30 * second, 0);
        requests(s, asked + 400 * second, 40 * second);
        s.pass(1.0);
    }
}

/// The same traffic, a healthy disk, slow answers, and a control plane without any idle CPU.
pub(crate) fn starved(s: &mut Scene) {
    let (writes, asked) = steady(s, 40);
    for second in 1..=70 {
        fsyncs(s, writes + 10 * second, 0);
        requests(s, asked + 10 * second, 5 * second);
        if second % 5 == 0 {
            let usage = Usage { node: s.name("cp"), cpu_millis: 1990 };
            s.see(Signal::Usage(usage));
        }
        s.pass(1.0);
    }
}

pub(crate) fn missing_config(s: &mut Scene) {
    let pod = s.pod("victim", |_| {});
    s.waiting(pod, "CreateContainerConfigError", "configmap \"c\" not found");
    s.pass(1.0);
}

pub(crate) fn liveness(s: &mut Scene) {
    let pod = s.pod("victim", |p| p.containers[0].has_liveness_probe = true);
    s.event(("Pod", "victim"), "pod-victim", "Unhealthy", "Liveness probe failed: HTTP probe failed: 500");
    s.crash_loop(pod, 137, "Error");
}

pub(crate) fn application_exit(s: &mut Scene) {
    let pod = s.pod("victim", |_| {});
    s.crash_loop(pod, 1, "Error");
}

pub(crate) fn bad_token(s: &mut Scene) {
    let errors =
        |s: &mut Scene, n: f64| s.metric("apiserver", "authentication_attempts", &[("result", "error")], n);
    errors(s, 0.0);
    s.pass(5.0);
    let pod = s.pod("victim", |_| {});
    errors(s, 2.0);
    s.crash_loop(pod, 1, "Error");
}

pub(crate) const WAITED: &str = "Liveness probe failed: Get \"http://10.244.1.7:8080/\": context deadline exceeded \
                                  (Client.Timeout exceeded while awaiting headers)";

/// A pod behind a Service, whose kubelet waits for it in vain.
pub(crate) fn slow_backend(s: &mut Scene) {
    s.pod("backend", |p| {
        p.labels.insert("app".into(), "shop".into());
        p.containers[0].has_liveness_probe = true;
    });
    serve(s, "shop", 1);
    for count in 1..=4 {
        s.repeated(("Pod", "backend"), "pod-backend", "Unhealthy", WAITED, count);
        s.pass(1.0);
    }
}

/// A Service that selects `app` and has so many endpoints.
pub(crate) fn serve(s: &mut Scene, app: &str, ready: u32) {
    let service = Service {
        namespace: s.name("ns"),
        name: s.name("front"),
        uid: "service".into(),
        version: 2,
        selector: [("app".to_owned(), app.to_owned())].into(),
        created_at: None,
        awaits_load_balancer: false,
        addresses: vec![],
        ports: vec![],
        ..Service::default()
    };
    s.see(Signal::Service(service));
    s.see(Signal::Endpoints(Endpoints {
        namespace: s.name("ns"),
        service: s.name("front"),
        ready,
        not_ready: 0,
    }));
}

/// Slow answers without traffic, and an API server whose work waits for a CPU although its node has some.
pub(crate) fn throttled(s: &mut Scene) {
    hardly_runs(s, 45);
}

/// For so many seconds the API server waits for a CPU, and whoever asks it waits with it.
pub(crate) fn hardly_runs(s: &mut Scene, seconds: u64) {
    let (writes, asked) = steady(s, 40);
    for second in 1..=seconds {
        fsyncs(s, writes + 10 * second, 0);
        requests(s, asked + 10 * second, 5 * second);
        scheduling(s, 1000 + 50 * second, 30 * second);
        s.pass(1.0);
    }
}

/// How long the API server's work waited for a CPU: so often hardly, so often 150 ms.
pub(crate) fn scheduling(s: &mut Scene, short: u64, long: u64) {
    let histogram = Histogram {
        name: "go_sched_latencies_seconds".into(),
        labels: Default::default(),
        buckets: vec![(0.000_1, short), (0.01, short), (0.1, short), (0.2, short + long)],
        sum: 0.15 * f64::from(u32::try_from(long).expect("few")),
        count: short + long,
    };
    s.see_from(Source::metrics("apiserver"), Signal::Histogram(histogram));
}

pub(crate) fn wrong_selector(s: &mut Scene) {
    s.pod("backend", |p| {
        p.labels.insert("app".into(), "shop".into());
    });
    serve(s, "shpo", 0);
    s.pass(31.0);
}

/// A pod that its kubelet gives up now, of an owner that misses it.
pub(crate) fn give_up(s: &mut Scene, pod: &str, reason: &str, message: &str) {
    let owner = Subject::new("ReplicaSet", s.name("ns"), s.name("owner"));
    let why = GivenUp { reason: reason.into(), message: message.into() };
    s.pod(pod, |p| {
        p.owner = Some(owner);
        p.phase = "Failed".into();
        p.ready = false;
        p.containers.clear();
        p.given_up = Some(why);
    });
}

/// A node is short of disk, and its kubelet takes two pods down for it.
pub(crate) fn evicted(s: &mut Scene) {
    let since = s.now();
    s.node("w1", |n| {
        n.troubles = vec![Condition {
            kind: "DiskPressure".into(),
            reason: "KubeletHasDiskPressure".into(),
            message: "kubelet has disk pressure".into(),
            since: Some(since),
        }];
    });
    let words = "The node was low on resource: ephemeral-storage. Container main was using 73712Ki, which exceeds its request of 0. ";
    give_up(s, "first", "Evicted", words);
    s.pass(10.0);
    give_up(s, "second", "Evicted", words);
    s.pass(10.0);
}

/// The runtime needs longer than the kubelet waits, and holds the name of a container that it never made.
pub(crate) fn name_reserved(s: &mut Scene) {
    let pod = s.pod("victim", |_| {});
    let words = "failed to reserve container name \"main_victim_ns_uid_2\": name \"main_victim_ns_uid_2\" is reserved for \"a865\"";
    s.waiting(pod, "CreateContainerError", words);
    s.pass(6.0);
}

pub(crate) fn device_gone(s: &mut Scene) {
    let words = "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected";
    give_up(s, "first", "UnexpectedAdmissionError", words);
    s.pass(1.0);
    give_up(s, "second", "UnexpectedAdmissionError", words);
    s.pass(1.0);
}

pub(crate) fn wrote_too_much(s: &mut Scene) {
    let words = "Container main exceeded its local ephemeral storage limit \"1Gi\". ";
    give_up(s, "first", "Evicted", words);
    s.pass(1.0);
    give_up(s, "second", "Evicted", words);
    s.pass(1.0);
}

/// What the AWS network plugin says when a node has no address left.
pub(crate) const NO_ADDRESS: &str = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"2585\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container";

pub(crate) fn no_address(s: &mut Scene) {
    let pod = s.pod("victim", |_| {});
    s.waiting(pod, "ContainerCreating", "");
    for count in 1..=4 {
        s.repeated(("Pod", "victim"), "pod-victim", "FailedCreatePodSandBox", NO_ADDRESS, count);
        s.pass(12.0);
    }
}

pub(crate) fn no_subnet(s: &mut Scene) {
    let words = "Error syncing load balancer: failed to ensure load balancer: could not find any suitable subnets for creating the ELB";
    for count in 1..=3 {
        s.repeated(("Service", "front"), "service-front", "SyncLoadBalancerFailed", words, count);
        s.pass(15.0);
    }
}

/// The node takes no more disks, and only the one who attaches finds out.
pub(crate) fn no_slot(s: &mut Scene) {
    s.bound_claim("data", "a");
    let claim = s.name("data");
    let pod = s.pod("victim", |p| p.claims.push(claim));
    s.waiting(pod, "ContainerCreating", "");
    let words = "AttachVolume.Attach failed for volume \"v\" : rpc error: code = Unknown desc = RawError: {\"error\": {\"code\": \"OperationNotAllowed\", \"message\": \"The maximum number of data disks allowed to be attached to a VM of this size is 4.\"}}";
    s.event(("Pod", "victim"), "pod-victim", "FailedAttachVolume", words);
    s.pass(11.0);
}

pub(crate) fn does_not_grow(s: &mut Scene) {
    s.bound_claim("data", "a");
    let volume = s.name("volume-of-data");
    s.claim("data", |c| {
        c.phase = "Bound".into();
        c.volume = Some(volume);
        c.grows = true;
    });
    let words =
        "resize volume \"v\" by resizer \"csi.example.com\" failed: rpc error: code = Internal desc = no";
    s.event(("PersistentVolumeClaim", "data"), "claim-data", "VolumeResizeFailed", words);
    s.pass(31.0);
}

/// A pod that writes to its claim's volume crashes, and says what it met there.
fn disk_trouble(s: &mut Scene, kind: impl FnOnce(FilePlace) -> ClueKind) {
    s.bound_claim("data", "a");
    let claim = s.name("data");
    let pod = s.pod("victim", |p| p.claims = vec![claim.clone()]);
    let pod = s.crash_loop(pod, 1, "Error");
    s.says(&pod, kind(FilePlace::Claim(claim)));
    s.pass(2.0);
}

pub(crate) fn disk_full(s: &mut Scene) {
    disk_trouble(s, |file| ClueKind::NoSpace { file });
}

pub(crate) fn read_only_disk(s: &mut Scene) {
    disk_trouble(s, |file| ClueKind::ReadOnlyFileSystem { file });
}
