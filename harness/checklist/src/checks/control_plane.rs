//! Control plane: quiet until it cascades.

use crate::{
    check::{Area, Check, Finding, Severity, Stage, Verdict, fault},
    snapshot::{EtcdMember, Input, Snapshot},
};
use loopdrill_kubernetes::quantity;
use std::collections::BTreeSet;

const PREDICTS: &[&str] = &[fault::ETCD];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CP-01",
        title: "etcd syncs its log within 10 ms and commits within 25 ms, at the 99th percentile",
        stage: Stage::Platform,
        area: Area::ControlPlane,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Etcd],
        manifests: false,
        why: "When etcd waits for its disk, every write of the cluster waits; nothing at the workloads shows it until \
              controllers lose their leases.",
        remedy: "# Give etcd a disk of its own with low latency, and see what it does:\n\
                 fio --rw=write --ioengine=sync --fdatasync=1 --directory=/var/lib/etcd --size=22m --bs=2300 --name=fsync\n",
        judge: disk,
    },
    Check {
        id: "CP-02",
        title: "The API server answers within a second at the 99th percentile and rejects nothing",
        stage: Stage::Platform,
        area: Area::ControlPlane,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::ApiLatency],
        manifests: false,
        why: "On managed control planes this is the only window into etcd: latency without more traffic is its disk.",
        remedy: "# Who asks for so much, and which priority level is full?\n\
                 kubectl get --raw /debug/api_priority_and_fairness/dump_priority_levels\n\
                 kubectl get --raw /metrics | grep apiserver_request_duration_seconds_sum | sort -t' ' -k2 -g | tail\n",
        judge: latency,
    },
    Check {
        id: "CP-03",
        title: "etcd's database is well under its quota, without alarms, on three or five separate nodes",
        stage: Stage::Platform,
        area: Area::ControlPlane,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Etcd],
        manifests: false,
        why: "A full database makes the cluster read-only; with one member, or two, one lost machine is the whole cluster.",
        remedy: "etcdctl endpoint status -w table --cluster\netcdctl compact $(etcdctl endpoint status -w json | jq '.[0].Status.header.revision')\n\
                 etcdctl defrag --cluster && etcdctl alarm disarm\n",
        judge: members,
    },
    Check {
        id: "CP-04",
        title: "The control plane's certificates are valid for more than 30 days",
        stage: Stage::Platform,
        area: Area::ControlPlane,
        severity: Severity::Critical,
        predicts: PREDICTS,
        needs: &[Input::Certificates],
        manifests: false,
        why: "On the day on which they end, every component that restarts stays out, all at the same time.",
        remedy: "kubeadm certs check-expiration\nkubeadm certs renew all   # on each control-plane node, then restart its static pods\n",
        judge: certificates,
    },
];

const FSYNC: f64 = 0.010;
const COMMIT: f64 = 0.025;
/// So many times as long is a problem and no warning any more: 100 ms for a sync, 250 ms for a commit.
const SLOW: f64 = 10.0;
/// Fewer say nothing about a 99th percentile.
const LEAST_SYNCS: u64 = 20;

fn disk(s: &Snapshot) -> Verdict {
    let Some(etcd) = s.etcd.as_ref().filter(|e| !e.members.is_empty()) else {
        return Verdict::Skip("etcd is not within reach: a managed control plane hides it".into());
    };
    let measured: Vec<_> =
        etcd.members.iter().filter(|m| m.fsync_p99.is_some() && m.syncs >= LEAST_SYNCS).collect();
    if measured.is_empty() {
        return Verdict::Skip(format!("etcd made fewer than {LEAST_SYNCS} syncs while it was watched"));
    }
    let findings = measured.iter().flat_map(|m| slow(m)).collect();
    let times = measured.iter().map(|m| {
        let since = m.window_seconds.map_or("since its start".into(), |w| format!("in {w:.0} s"));
        format!("{}: fsync {}, commit {} {since}", m.node, millis(m.fsync_p99), millis(m.commit_p99))
    });
    Verdict::Looked { findings, at: times.collect::<Vec<_>>().join("; ") }
}

fn millis(seconds: Option<f64>) -> String {
    seconds.map_or("unknown".into(), |s| format!("{:.1} ms", s * 1000.0))
}

fn slow(member: &EtcdMember) -> Vec<Finding> {
    let judge = |what: &str, seconds: Option<f64>, most: f64| {
        let seconds = seconds.filter(|s| *s >= most)?;
        let value = format!("{what} p99 is {:.1} ms, {:.0} ms are good", seconds * 1000.0, most * 1000.0);
        let object = format!("etcd on {}", member.node);
        Some(if seconds >= most * SLOW { Finding::fail(object, value) } else { Finding::warn(object, value) })
    };
    let both = [judge("fsync", member.fsync_p99, FSYNC), judge("commit", member.commit_p99, COMMIT)];
    both.into_iter().flatten().collect()
}

fn latency(s: &Snapshot) -> Verdict {
    let Some(api) = s.api_latency.as_ref().filter(|a| a.requests > 0) else {
        return Verdict::Skip("the API server's metrics count no request".into());
    };
    let slow = api.p99_seconds.iter().filter(|(_, p99)| **p99 >= 1.0);
    let mut findings: Vec<_> = slow
        .map(|(verb, p99)| {
            Finding::fail(format!("verb {verb}"), format!("p99 is {p99:.2} s, under 1 s is good"))
        })
        .collect();
    if api.rejected > 0 {
        findings.push(Finding::fail("", format!("priority and fairness rejected {} requests", api.rejected)));
    }
    let since = api.window_seconds.map_or("since its start".into(), |w| format!("in {w:.0} s"));
    Verdict::Looked { findings, at: format!("{} requests {since}", api.requests) }
}

/// Per cent of the quota from which a database is not well under it.
const FULL_PERCENT: u64 = 70;

fn members(s: &Snapshot) -> Verdict {
    let Some(etcd) = s.etcd.as_ref().filter(|e| !e.members.is_empty()) else {
        return Verdict::Skip("etcd is not within reach: a managed control plane hides it".into());
    };
    let mut findings = Vec::new();
    for m in &etcd.members {
        let object = format!("etcd on {}", m.node);
        findings.extend(m.alarms.iter().map(|alarm| Finding::fail(&object, format!("alarm {alarm}"))));
        if let (Some(size), Some(quota)) = (m.size_bytes, m.quota_bytes.filter(|q| *q > 0)) {
            let percent = size.saturating_mul(100) / quota;
            if percent >= FULL_PERCENT {
                let (size, quota) = (quantity::bytes(size), quantity::bytes(quota));
                findings.push(Finding::fail(&object, format!("{size} of {quota} are used ({percent} %)")));
            }
        }
    }
    let nodes: BTreeSet<&str> = etcd.members.iter().map(|m| m.node.as_str()).collect();
    if nodes.len() < etcd.members.len() {
        let value = format!("{} members on {} nodes", etcd.members.len(), nodes.len());
        findings.push(Finding::fail("etcd", value));
    }
    match etcd.members.len() {
        1 => findings.push(Finding::warn(
            "etcd",
            "one member: enough for a lab; anywhere else the loss of its node is the loss of the cluster",
        )),
        3 | 5 => {}
        n => findings.push(Finding::fail("etcd", format!("{n} members; three or five survive a loss best"))),
    }
    Verdict::looked(findings, etcd.members.len(), "members of etcd")
}

const DAY: f64 = 86_400.0;
const LEAST_DAYS: f64 = 30.0;

fn certificates(s: &Snapshot) -> Verdict {
    if s.certificates.is_empty() {
        return from_clients(s);
    }
    let left = |end: loopdrill_model::Timestamp| {
        #[expect(clippy::cast_precision_loss, reason = "days, of which there are few")]
        let seconds = (end.as_second() - s.taken_at.as_second()) as f64;
        seconds / DAY
    };
    let mut ending: Vec<_> = s.certificates.iter().filter(|c| left(c.not_after) <= LEAST_DAYS).collect();
    ending.sort_by_key(|c| c.not_after);
    let tell = |c: &&crate::snapshot::Certificate| {
        let value = match left(c.not_after) {
            days if days < 0.0 => format!("{} ended on {}", c.file, c.not_after),
            days => format!("{} ends in {days:.0} days, on {}", c.file, c.not_after),
        };
        Finding::fail(format!("Node {}", c.node), value)
    };
    Verdict::looked(ending.iter().map(tell).collect(), s.certificates.len(), "certificates")
}

/// Without the files, the API server's own counting of the certificates that clients show it.
fn from_clients(s: &Snapshot) -> Verdict {
    let Some(least) = s.api_latency.as_ref().and_then(|a| a.client_certificate_seconds) else {
        return Verdict::Skip(
            "neither the nodes' files nor the API server tell when certificates end".into(),
        );
    };
    let mut findings = Vec::new();
    if least <= LEAST_DAYS * DAY {
        let value =
            format!("a client showed the API server a certificate that ends within {:.0} days", least / DAY);
        findings.push(Finding::fail("", value));
    }
    Verdict::Looked { findings, at: "the certificates that clients showed the API server".into() }
}

#[cfg(test)]
#[path = "control_plane_tests.rs"]
mod tests;
