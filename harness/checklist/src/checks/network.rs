//! Network: the overlay hides the physics; design for loss.

use super::selection::Services;
use crate::{
    check::{Area, Check, Finding, Severity, Stage, Verdict, fault},
    snapshot::{Input, PairProbe, Snapshot},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const PREDICTS: &[&str] = &[fault::MTU];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "NE-01",
        title: "Every pod behind a Service has a readiness probe",
        stage: Stage::Operational,
        area: Area::Network,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Services, Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods],
        manifests: true,
        why: "Without it a Service sends traffic to pods that cannot answer: on every rollout, and for as long as one hangs.",
        remedy: "readinessProbe:\n  httpGet: {path: /ready, port: 8080}\n  periodSeconds: 5\n",
        judge: readiness,
    },
    Check {
        id: "NE-02",
        title: "Every application namespace has a NetworkPolicy that denies by default",
        stage: Stage::Architectural,
        area: Area::Network,
        severity: Severity::Medium,
        predicts: PREDICTS,
        needs: &[
            Input::NetworkPolicies,
            Input::Namespaces,
            Input::Deployments,
            Input::StatefulSets,
            Input::DaemonSets,
            Input::Pods,
        ],
        manifests: true,
        why: "Where everything may talk to everything, nobody knows which paths there are, and none can be cut in a hurry.",
        remedy: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: default-deny, namespace: NAMESPACE}\n\
                 spec:\n  podSelector: {}\n  policyTypes: [Ingress]\n# then allow what is needed, path by path\n",
        judge: default_deny,
    },
    Check {
        id: "NE-03",
        title: "On every node the overlay's MTU leaves room for the encapsulation, and all nodes agree",
        stage: Stage::Architectural,
        area: Area::Network,
        severity: Severity::Critical,
        predicts: PREDICTS,
        needs: &[Input::Links, Input::Nodes],
        manifests: false,
        why: "One byte too many and large packets vanish without a word, while pings, DNS and health checks pass.",
        remedy: "# flannel: the overlay is the underlay's MTU minus 50; set it, then restart the DaemonSet:\n\
                 kubectl -n kube-flannel edit configmap kube-flannel-cfg   # \"Backend\": {\"Type\": \"vxlan\", \"MTU\": 1450}\n\
                 kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds\n\
                 # And let pods send less than the overlay carries (\"mtu\": 1280 in the CNI configuration): then a path that\n\
                 # narrows by a tunnel more still carries all of it.\n",
        judge: mtu,
    },
    Check {
        id: "NE-04",
        title: "A full-size payload that may not be fragmented passes between every pair of nodes",
        stage: Stage::Platform,
        area: Area::Network,
        severity: Severity::Critical,
        predicts: PREDICTS,
        needs: &[Input::Probes, Input::Nodes],
        manifests: false,
        why: "What devices say is one thing, and what the path between them carries is another.",
        remedy: "# Find the path's real MTU, then set the overlay to that minus the encapsulation:\n\
                 ping -M do -s 1472 OTHER_NODE     # on a node; lower -s until it passes, and add 28\n",
        judge: payloads,
    },
    Check {
        id: "NE-05",
        title: "Ingresses set timeouts and buffers explicitly",
        stage: Stage::Architectural,
        area: Area::Network,
        severity: Severity::Low,
        predicts: PREDICTS,
        needs: &[Input::Ingresses],
        manifests: true,
        why: "Defaults are for demonstrations: a slow path becomes a 504 at a time that nobody chose.",
        remedy: "metadata:\n  annotations:\n    nginx.ingress.kubernetes.io/proxy-read-timeout: \"30\"\n    \
                 nginx.ingress.kubernetes.io/proxy-send-timeout: \"30\"\n    \
                 nginx.ingress.kubernetes.io/proxy-buffer-size: 16k\n",
        judge: ingresses,
    },
];

fn readiness(s: &Snapshot) -> Verdict {
    let services = Services::of(s);
    let mut findings = Vec::new();
    let mut count = 0;
    for (_, w) in s.judged() {
        // One that also leads to pods that are not ready is asked by their peers, and waits for nothing.
        let Some(service) = services.leading_to(w).find(|service| !service.unready) else { continue };
        count += 1;
        if !w.template.containers.iter().any(|c| c.readiness && !c.initial) {
            let value =
                format!("Service {} leads to it, and no container has a readiness probe", service.name);
            findings.push(Finding::fail(w, value).in_file(w.file.as_ref()));
        }
    }
    if count == 0 {
        return Verdict::Skip("no Service leads to an application workload".into());
    }
    Verdict::looked(findings, count, "workloads behind Services")
}

fn default_deny(s: &Snapshot) -> Verdict {
    let used: BTreeSet<&str> =
        s.judged().filter(|(_, w)| !w.template.host_network).map(|(_, w)| w.namespace.as_str()).collect();
    if used.is_empty() {
        return Verdict::Skip("no application namespace has a workload".into());
    }
    let open = used.iter().filter(|n| !s.default_deny.iter().any(|d| d == *n));
    let elsewhere = s.is_manifests() && s.read(Input::NetworkPolicies) == 0;
    let tell = |n: &&str| {
        let (object, value) =
            (format!("Namespace {n}"), "no NetworkPolicy denies incoming traffic by default");
        if elsewhere {
            return Finding::warn(object, format!("{value}: not in these manifests"));
        }
        Finding::fail(object, value)
    };
    let at = match enforcer(s) {
        Some(name) => format!("{} application namespaces ({name} enforces policies)", used.len()),
        None => format!(
            "{} application namespaces; whether the network plugin enforces policies is not known",
            used.len()
        ),
    };
    Verdict::Looked { findings: open.map(tell).collect(), at }
}

/// A network plugin that is known to enforce policies.
fn enforcer(s: &Snapshot) -> Option<&'static str> {
    const KNOWN: [&str; 6] = ["cilium", "calico-node", "kube-router", "antrea-agent", "weave-net", "kindnet"];
    let agents = || s.workloads.iter().filter(|w| w.kind == "DaemonSet").map(|w| w.name.as_str());
    KNOWN.into_iter().find(|known| agents().any(|name| name == *known))
}

fn mtu(s: &Snapshot) -> Verdict {
    if s.links.is_empty() {
        return Verdict::Skip("no node has an overlay device (VXLAN, Geneve, IP in IP, WireGuard)".into());
    }
    let mut findings = Vec::new();
    for link in &s.links {
        let most = link.underlay_mtu.saturating_sub(link.overhead());
        if link.mtu > most {
            let value = format!(
                "{} has MTU {}, and {} carries at most {most} of it ({} minus {} for {})",
                link.device,
                link.mtu,
                link.underlay,
                link.underlay_mtu,
                link.overhead(),
                link.kind
            );
            findings.push(Finding::fail(format!("Node {}", link.node), value));
        }
    }
    let sizes: BTreeMap<&str, BTreeSet<u32>> = s.links.iter().fold(BTreeMap::new(), |mut all, link| {
        all.entry(link.kind.as_str()).or_insert_with(BTreeSet::new).insert(link.mtu);
        all
    });
    for (kind, sizes) in sizes.iter().filter(|(_, sizes)| sizes.len() > 1) {
        let sizes = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        findings.push(Finding::fail("", format!("nodes disagree about the MTU of {kind}: {sizes}")));
    }
    let told: BTreeSet<&str> = s.links.iter().map(|l| l.node.as_str()).collect();
    let silent = s.nodes.iter().filter(|n| n.ready && !told.contains(n.name.as_str()));
    findings.extend(
        silent
            .map(|n| Finding::warn(format!("Node {}", n.name), "it shows no overlay device, unlike others")),
    );
    Verdict::looked(findings, s.links.len(), "overlay devices")
}

/// Pairs without an answer that are named.
const MOST_SILENT: usize = 10;

fn payloads(s: &Snapshot) -> Verdict {
    let ready: Vec<&str> = s.nodes.iter().filter(|n| n.ready).map(|n| n.name.as_str()).collect();
    if ready.len() < 2 {
        return Verdict::Skip("there are no two ready nodes".into());
    }
    let known: HashMap<(&str, &str), &PairProbe> =
        s.probes.iter().map(|p| ((p.from.as_str(), p.to.as_str()), p)).collect();
    let mut findings = Vec::new();
    let mut silent = 0_usize;
    for from in &ready {
        for to in ready.iter().filter(|to| *to != from) {
            let pair = || format!("{from} → {to}");
            match known.get(&(*from, *to)) {
                // In a large cluster there are millions of pairs: some are named, and all are counted.
                None => {
                    silent += 1;
                    if silent <= MOST_SILENT {
                        findings.push(Finding::fail(pair(), "no probe came to an end"));
                    }
                }
                Some(p) if p.passed == 0 => {
                    let value = format!("none of {} payloads of {} bytes came back", p.lost, p.bytes);
                    findings.push(Finding::fail(pair(), value));
                }
                Some(p) if p.lost > 0 => {
                    let value = format!(
                        "{} of {} payloads of {} bytes were lost",
                        p.lost,
                        p.lost + p.passed,
                        p.bytes
                    );
                    findings.push(Finding::warn(pair(), value));
                }
                Some(_) => {}
            }
        }
    }
    if silent > MOST_SILENT {
        findings.push(Finding::fail("", format!("no probe came to an end for {silent} pairs in all")));
    }
    Verdict::looked(findings, ready.len() * (ready.len() - 1), "pairs of nodes")
}

fn ingresses(s: &Snapshot) -> Verdict {
    let judged: Vec<_> = s.ingresses.iter().filter(|i| s.judges(&i.namespace)).collect();
    if judged.is_empty() {
        return Verdict::Skip("there is no Ingress".into());
    }
    let mut findings = Vec::new();
    for ingress in &judged {
        let lacks = match (ingress.timeout, ingress.buffer) {
            (true, true) => continue,
            (false, false) => "neither timeouts nor buffers",
            (true, false) => "timeouts and no buffers",
            (false, true) => "buffers and no timeouts",
        };
        let object = format!("Ingress {}/{}", ingress.namespace, ingress.name);
        findings.push(Finding::fail(object, format!("sets {lacks}")).in_file(ingress.file.as_ref()));
    }
    Verdict::looked(findings, judged.len(), "Ingresses")
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
