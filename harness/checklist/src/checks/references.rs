//! What objects refer to, and whether it is there: a name that leads nowhere is found out on the day it is needed.
//!
//! A cluster is complete, so what is not in it does not exist. Manifests are a part, so what is not among them is only
//! worth knowing.

use super::pods::Pods;
use crate::{
    check::{Area, Check, Finding, Severity, Stage, Verdict, fault},
    snapshot::{Autoscaler, Input, Snapshot, Workload},
};
use std::{collections::BTreeSet, fmt};

/// The lists of everything that has a pod template, and of `$more`.
macro_rules! workloads_and {
    ($($more:ident),*) => {
        &[
            Input::Deployments,
            Input::StatefulSets,
            Input::DaemonSets,
            Input::CronJobs,
            Input::Pods,
            $(Input::$more,)*
        ]
    };
}
pub(super) use workloads_and;

pub(super) const IDENTITY: &[Check] = &[Check {
    id: "ID-06",
    title: "Every ServiceAccount that a workload names exists",
    stage: Stage::Operational,
    area: Area::Identity,
    severity: Severity::High,
    predicts: &[fault::IAM],
    needs: workloads_and!(ServiceAccounts),
    manifests: true,
    why: "Pods under an account that is gone are refused: those that run go on, and the next one after a crash, a drain \
          or a rollout never comes.",
    remedy: "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: NAME, namespace: NAMESPACE}\n",
    judge: accounts,
}];

pub(super) const COMPUTE: &[Check] = &[
    Check {
        id: "CO-08",
        title: "Every HorizontalPodAutoscaler scales something that exists",
        stage: Stage::Architectural,
        area: Area::Compute,
        severity: Severity::Medium,
        predicts: &[fault::FRAGMENTATION],
        needs: workloads_and!(Autoscalers),
        manifests: true,
        why: "An autoscaler without its target does nothing, and says so only in its own events: the load comes, and no \
              pod does.",
        remedy: "# Name what is to be scaled, or remove the autoscaler:\n\
                 kubectl get deployments,statefulsets -n NAMESPACE\n\
                 kubectl edit horizontalpodautoscaler NAME -n NAMESPACE   # spec.scaleTargetRef\n",
        judge: autoscalers,
    },
    Check {
        id: "CO-09",
        title: "Every ConfigMap and Secret that a workload cannot start without exists",
        stage: Stage::Operational,
        area: Area::Compute,
        severity: Severity::High,
        predicts: &[fault::FRAGMENTATION],
        needs: workloads_and!(ConfigMaps, Secrets),
        manifests: true,
        why: "A container waits for ever for configuration that is not there. What runs goes on without it, until it is \
              moved.",
        remedy: "# Create it, or mark the reference as one that may be missing:\nconfigMapKeyRef:\n  name: NAME\n  key: KEY\n  \
                 optional: true\n",
        judge: bundles,
    },
    Check {
        id: "CO-10",
        title: "Every PriorityClass that a workload names exists",
        stage: Stage::Operational,
        area: Area::Compute,
        severity: Severity::High,
        predicts: &[fault::FRAGMENTATION],
        needs: workloads_and!(PriorityClasses),
        manifests: true,
        why: "The API refuses pods of a class that does not exist: what was to come first does not come at all.",
        remedy: "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: 1000\n",
        judge: priority_classes,
    },
];

pub(super) const NETWORK: &[Check] = &[
    Check {
        id: "NE-06",
        title: "Every Service with a selector selects the pods of some workload",
        stage: Stage::Operational,
        area: Area::Network,
        severity: Severity::High,
        predicts: &[fault::MTU],
        needs: workloads_and!(Services),
        manifests: true,
        why: "A Service without pods has an address at which nobody answers; a label that was renamed on one side is enough.",
        remedy: "# Compare the selector with the labels of the pods, and mend the one that is wrong:\n\
                 kubectl get service NAME -n NAMESPACE -o jsonpath='{.spec.selector}'\n\
                 kubectl get pods -n NAMESPACE --show-labels\n",
        judge: services,
    },
    Check {
        id: "NE-07",
        title: "Every Ingress leads to a Service, and to a port of it, that exist",
        stage: Stage::Operational,
        area: Area::Network,
        severity: Severity::High,
        predicts: &[fault::MTU],
        needs: &[Input::Ingresses, Input::Services],
        manifests: true,
        why: "Whoever comes that way gets a 503 and no reason: the controller tells it in its own log.",
        remedy: "# Name a Service of the same namespace and one of its ports:\n\
                 kubectl get services -n NAMESPACE\nkubectl edit ingress NAME -n NAMESPACE   # backend.service\n",
        judge: ingresses,
    },
    Check {
        id: "NE-08",
        title: "Every NetworkPolicy is about the pods of some workload",
        stage: Stage::Architectural,
        area: Area::Network,
        severity: Severity::Medium,
        predicts: &[fault::MTU],
        needs: workloads_and!(NetworkPolicies),
        manifests: true,
        why: "A policy that selects nothing protects nothing, and whoever wrote it believes that it does.",
        remedy: "# Compare its podSelector with the labels of the pods, and mend the one that is wrong:\n\
                 kubectl describe networkpolicy NAME -n NAMESPACE\nkubectl get pods -n NAMESPACE --show-labels\n",
        judge: policies,
    },
];

pub(super) const STORAGE: &[Check] = &[Check {
    id: "ST-06",
    title: "Every claim that a workload mounts exists, and so does every StorageClass that a claim names",
    stage: Stage::Operational,
    area: Area::Storage,
    severity: Severity::High,
    predicts: &[fault::PVC],
    needs: workloads_and!(Claims, StorageClasses),
    manifests: true,
    why: "A pod waits for ever for a claim that is not there, and a claim for a class that nobody provisions.",
    remedy: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: NAME, namespace: NAMESPACE}\nspec:\n  \
             accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n  # storageClassName: one of `kubectl get \
             storageclasses`\n",
    judge: claims,
}];

/// Something that is not there.
fn missing(s: &Snapshot, object: impl fmt::Display, what: &str) -> Finding {
    if s.is_manifests() {
        Finding::warn(object, format!("{what}: not in these manifests"))
    } else {
        Finding::fail(object, format!("{what}, which does not exist"))
    }
}

/// Judges every name of one kind that workloads call for.
fn wanted(s: &Snapshot, kinds: &[&str], exists: impl Fn(&Workload, &str, &str) -> bool) -> Verdict {
    let (mut count, mut findings) = (0, Vec::new());
    for (_, w) in s.judged() {
        for want in w.wires.wants.iter().filter(|x| kinds.contains(&x.kind.as_str())) {
            count += 1;
            if !exists(w, &want.kind, &want.name) {
                let what = format!("needs {} {}", want.kind, want.name);
                findings.push(missing(s, w, &what).in_file(w.file.as_ref()));
            }
        }
    }
    let what = kinds.join(" or ");
    if count == 0 {
        return Verdict::Skip(format!("no application workload names a {what}"));
    }
    Verdict::looked(findings, count, &format!("references to a {what}"))
}

fn accounts(s: &Snapshot) -> Verdict {
    let known: BTreeSet<_> =
        s.service_accounts.iter().map(|a| (a.namespace.as_str(), a.name.as_str())).collect();
    wanted(s, &["ServiceAccount"], |w, _, name| {
        // Kubernetes makes that one in every namespace.
        name == "default" || known.contains(&(w.namespace.as_str(), name))
    })
}

fn bundles(s: &Snapshot) -> Verdict {
    // Kubernetes puts its own certificate into every namespace.
    const EVERYWHERE: &str = "kube-root-ca.crt";
    wanted(s, &["ConfigMap", "Secret"], |w, kind, name| {
        let key = (kind.to_string(), w.namespace.clone(), name.to_string());
        (kind == "ConfigMap" && name == EVERYWHERE) || s.wiring.bundles.contains(&key)
    })
}

fn priority_classes(s: &Snapshot) -> Verdict {
    wanted(s, &["PriorityClass"], |_, _, name| {
        super::SYSTEM_CLASSES.contains(&name) || s.priority_classes.iter().any(|c| c.name == name)
    })
}

fn claims(s: &Snapshot) -> Verdict {
    let known: BTreeSet<_> = s.claims.iter().map(|c| (c.namespace.as_str(), c.name.as_str())).collect();
    let mounts =
        wanted(s, &["PersistentVolumeClaim"], |w, _, name| known.contains(&(w.namespace.as_str(), name)));
    let (mut findings, mut count) = match mounts {
        Verdict::Looked { findings, .. } => (findings, 1),
        Verdict::Skip(_) => (Vec::new(), 0),
    };
    let mut class = |object: String, file: Option<&String>, name: &str| {
        count += 1;
        // An empty class is none on purpose: a volume that somebody made by hand.
        if !name.is_empty() && s.class(name).is_none() {
            findings.push(missing(s, object, &format!("names StorageClass {name}")).in_file(file));
        }
    };
    for claim in s.claims.iter().filter(|c| s.judges(&c.namespace)) {
        let object = format!("PersistentVolumeClaim {}/{}", claim.namespace, claim.name);
        claim.class.iter().for_each(|name| class(object.clone(), None, name));
    }
    for (_, w) in s.judged() {
        w.claim_templates.iter().flatten().for_each(|name| class(w.to_string(), w.file.as_ref(), name));
    }
    let makes_claims = s.judged().any(|(_, w)| !w.claim_templates.is_empty());
    if count == 0 && !makes_claims {
        return Verdict::Skip("no application workload mounts a claim".into());
    }
    Verdict::Looked { findings, at: "claims that applications mount, and their classes".into() }
}

fn autoscalers(s: &Snapshot) -> Verdict {
    /// Kinds that are read here; others may well exist.
    const KNOWN: [&str; 4] = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"];
    /// Kinds that cannot be scaled.
    const RIGID: [&str; 4] = ["DaemonSet", "Job", "CronJob", "Pod"];
    let judged: Vec<_> = s.wiring.autoscalers.iter().filter(|a| s.judges(&a.namespace)).collect();
    if judged.is_empty() {
        return Verdict::Skip("there is no HorizontalPodAutoscaler".into());
    }
    let lost = judged.iter().filter(|a| {
        let is = |w: &Workload| w.namespace == a.namespace && w.kind == a.kind && w.name == a.target;
        // Kinds are told by their exact name.
        KNOWN.iter().any(|known| known.eq_ignore_ascii_case(&a.kind)) && !s.workloads.iter().any(is)
    });
    let tell = |a: &&Autoscaler| missing(s, a, &format!("scales {} {}", a.kind, a.target));
    let rigid = judged.iter().filter(|a| RIGID.contains(&a.kind.as_str()));
    let refuse = |a: &&Autoscaler| {
        Finding::fail(a, format!("scales {} {}, which has no number of pods", a.kind, a.target))
    };
    let findings = lost.map(tell).chain(rigid.map(refuse)).collect();
    Verdict::looked(findings, judged.len(), "HorizontalPodAutoscalers")
}

fn services(s: &Snapshot) -> Verdict {
    let all = s.wiring.services.iter();
    let judged: Vec<_> =
        all.filter(|((ns, _), x)| s.judges(ns) && !x.external && !x.selector.is_empty()).collect();
    if judged.is_empty() {
        return Verdict::Skip("there is no Service with a selector".into());
    }
    let pods = Pods::of(s);
    let lost = judged.iter().filter(|((ns, _), x)| pods.selected(ns, &x.selector()).next().is_none());
    let tell = |((ns, name), x): &(&(String, String), &crate::snapshot::ServiceWires)| {
        let labels: Vec<_> = x.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
        nothing_selected(s, format!("Service {ns}/{name}"), &labels.join(","))
    };
    let findings = lost.map(tell).collect();
    Verdict::looked(findings, judged.len(), "Services with a selector")
}

fn nothing_selected(s: &Snapshot, object: String, labels: &str) -> Finding {
    if s.is_manifests() {
        return Finding::warn(object, format!("selects pods with {labels}: not in these manifests"));
    }
    Finding::fail(object, format!("selects pods with {labels}, and no workload has such pods"))
}

fn policies(s: &Snapshot) -> Verdict {
    let judged: Vec<_> =
        s.wiring.policies.iter().filter(|p| s.judges(&p.namespace) && !p.selector.is_empty()).collect();
    if judged.is_empty() {
        return Verdict::Skip("there is no NetworkPolicy about certain pods".into());
    }
    let pods = Pods::of(s);
    let lost = judged.iter().filter(|p| pods.selected(&p.namespace, &p.selector).next().is_none());
    let tell = |p: &&crate::snapshot::PolicyWires| {
        let labels = p.selector.labels.iter().map(|(k, v)| format!("{k}={v}"));
        let expressions = p.selector.expressions.iter().map(|e| format!("{} {:?}", e.key, e.operator));
        let all: Vec<_> = labels.chain(expressions).collect();
        nothing_selected(s, format!("NetworkPolicy {}/{}", p.namespace, p.name), &all.join(","))
    };
    let findings = lost.map(tell).collect();
    Verdict::looked(findings, judged.len(), "NetworkPolicies about certain pods")
}

fn ingresses(s: &Snapshot) -> Verdict {
    let judged: Vec<_> = s.wiring.backends.iter().filter(|b| s.judges(&b.namespace)).collect();
    if judged.is_empty() {
        return Verdict::Skip("no Ingress leads to a Service".into());
    }
    let mut findings = Vec::new();
    for backend in &judged {
        let object = format!("Ingress {}/{}", backend.namespace, backend.ingress);
        if backend.service.is_empty() {
            findings.push(Finding::fail(object, "leads nowhere: one of its backends names no Service"));
            continue;
        }
        if backend.port.is_empty() {
            let value = format!("names no port of Service {} as the API takes it", backend.service);
            findings.push(Finding::fail(object, value));
            continue;
        }
        let key = (backend.namespace.clone(), backend.service.clone());
        let Some(service) = s.wiring.services.get(&key) else {
            findings.push(missing(s, object, &format!("leads to Service {}", backend.service)));
            continue;
        };
        let port = &backend.port;
        let there = service.ports.iter().any(|(name, number)| name == port || number.to_string() == *port);
        // `use-annotation` is an action of a load balancer, and no port.
        if !there && !service.external && port != "use-annotation" {
            let value =
                format!("leads to port {port} of Service {}, which has no such port", backend.service);
            findings.push(Finding::fail(object, value));
        }
    }
    Verdict::looked(findings, judged.len(), "backends of Ingresses")
}

#[cfg(test)]
#[path = "references_tests.rs"]
mod tests;
