//! Small habits that make a bad day longer: rights for everything, one pod where two were meant, a job without an end.

use super::{pods::Pods, references::workloads_and};
use crate::{
    check::{Area, Check, Finding, Level, Severity, Stage, Verdict, fault},
    snapshot::{Deadlines, Input, LostProbe, Role, Snapshot, WildcardRule, Workload},
};
use loopdrill_kubernetes::LabelSelector;
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) const IDENTITY: &[Check] = &[Check {
    id: "ID-07",
    title: "No Role or ClusterRole of an application grants everything by a wildcard",
    stage: Stage::Architectural,
    area: Area::Identity,
    severity: Severity::High,
    predicts: &[fault::IAM],
    needs: &[Input::Roles, Input::ClusterRoles],
    manifests: true,
    why: "A wildcard also grants what is added later, and every Secret; whoever takes the account takes all of it, and \
          revoking it stops everything at once.",
    remedy: "rules:\n  - apiGroups: [apps]\n    resources: [deployments]\n    verbs: [get, list, watch, patch]\n",
    judge: wildcards,
}];

pub(super) const COMPUTE: &[Check] = &[
    Check {
        id: "CO-11",
        title: "Every controller's selector matches the pods that its own template makes",
        stage: Stage::Operational,
        area: Area::Compute,
        severity: Severity::High,
        predicts: &[fault::FRAGMENTATION],
        needs: &[Input::Deployments, Input::StatefulSets, Input::DaemonSets],
        manifests: true,
        why: "The API refuses such an object, so a rollout stops in the middle; where it is an old one, pods are made without \
              end.",
        remedy: "spec:\n  selector:\n    matchLabels: {app: APP}\n  template:\n    metadata:\n      labels: {app: APP}\n",
        judge: own_pods,
    },
    Check {
        id: "CO-12",
        title: "Behind every Service there are two pods or more",
        stage: Stage::Architectural,
        area: Area::Compute,
        severity: Severity::Medium,
        predicts: &[fault::FRAGMENTATION],
        needs: workloads_and!(Services, Autoscalers),
        manifests: true,
        why: "One pod is an outage at every drain, crash and rollout, for as long as the next one takes to find a node.",
        remedy: "kubectl scale KIND/NAME -n NAMESPACE --replicas=2   # and `replicas: 2` in its manifest\n",
        judge: alone,
    },
    Check {
        id: "CO-13",
        title: "Every CronJob says until when a run may start and how long it may take",
        stage: Stage::Platform,
        area: Area::Compute,
        severity: Severity::Low,
        predicts: &[fault::FRAGMENTATION],
        needs: &[Input::CronJobs],
        manifests: true,
        why: "A run that hangs holds its requests for ever and, with one at a time, is the last one; and after an outage every \
              run that was missed may start at once.",
        remedy: "spec:\n  startingDeadlineSeconds: 600\n  jobTemplate:\n    spec:\n      activeDeadlineSeconds: 3600\n",
        judge: deadlines,
    },
];

pub(super) const NETWORK: &[Check] = &[Check {
    id: "NE-09",
    title: "Every probe asks a port that its container declares",
    stage: Stage::Operational,
    area: Area::Network,
    severity: Severity::High,
    predicts: &[fault::MTU],
    needs: workloads_and!(),
    manifests: true,
    why: "A probe of a port that is not there fails for ever: the pod never takes traffic, or is killed again and again.",
    remedy: "ports:\n  - {name: http, containerPort: 8080}\nreadinessProbe:\n  httpGet: {path: /ready, port: http}\n",
    judge: probes,
}];

fn wildcards(s: &Snapshot) -> Verdict {
    let ours = |r: &&Role| {
        let kubernetes = r.name.starts_with("system:") || r.name == "cluster-admin";
        !kubernetes && if r.namespace.is_empty() { true } else { s.judges(&r.namespace) }
    };
    let judged: Vec<_> = s.wiring.roles.iter().filter(ours).collect();
    if judged.is_empty() {
        return Verdict::Skip("no application has a Role or a ClusterRole".into());
    }
    let findings = judged.iter().flat_map(|r| r.wildcards.iter().map(|w| wildcard(r, w)));
    Verdict::looked(findings.collect(), judged.len(), "Roles and ClusterRoles")
}

fn wildcard(role: &Role, rule: &WildcardRule) -> Finding {
    let named = |all: &[String]| {
        all.iter().map(|x| if x.is_empty() { "core" } else { x }).collect::<Vec<_>>().join(", ")
    };
    let object = match role.namespace.as_str() {
        "" => format!("{} {}", role.kind, role.name),
        namespace => format!("{} {namespace}/{}", role.kind, role.name),
    };
    let value =
        format!("grants {} on {} of {}", named(&rule.verbs), named(&rule.resources), named(&rule.groups));
    Finding { level: reach(rule), ..Finding::fail(object, value) }
}

/// How far a wildcard reaches: to Secrets or to rights themselves, or only to what its owner may well own.
fn reach(rule: &WildcardRule) -> Level {
    /// Groups that are everybody's.
    const SHARED: [&str; 4] = ["*", "", "rbac.authorization.k8s.io", "authentication.k8s.io"];
    /// With every verb on these go `bind`, `escalate` and `impersonate`, or every credential.
    const RIGHTS: [&str; 9] = [
        "roles",
        "clusterroles",
        "rolebindings",
        "clusterrolebindings",
        "users",
        "groups",
        "serviceaccounts",
        "secrets",
        "pods/exec",
    ];
    let has = |all: &[String], wanted: &[&str]| all.iter().any(|x| wanted.contains(&x.as_str()));
    let shared = has(&rule.groups, &SHARED);
    let everything = has(&rule.resources, &["*"]);
    let rights = has(&rule.verbs, &["*"]) && has(&rule.resources, &RIGHTS);
    if shared && (everything || rights) { Level::Fail } else { Level::Warn }
}

fn own_pods(s: &Snapshot) -> Verdict {
    const SELECTING: [&str; 7] = [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "ReplicationController",
        "DeploymentConfig",
        "Rollout",
    ];
    let judged: Vec<_> =
        s.judged().map(|(_, w)| w).filter(|w| SELECTING.contains(&w.kind.as_str())).collect();
    if judged.is_empty() {
        return Verdict::Skip("no application has a Deployment, StatefulSet or DaemonSet".into());
    }
    let lost = |w: &&&Workload| {
        w.wires.selector.as_ref().is_some_and(|x| x.is_empty() || !x.matches(&w.template.labels))
    };
    let tell = |w: &&Workload| {
        let empty = w.wires.selector.as_ref().is_some_and(LabelSelector::is_empty);
        if empty {
            return Finding::fail(w, "it has no selector that is understood").in_file(w.file.as_ref());
        }
        let asked = w.wires.selector.as_ref().map(words).unwrap_or_default();
        let has: Vec<_> = w.template.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let has = if has.is_empty() { "no label".to_string() } else { has.join(",") };
        Finding::fail(w, format!("its selector asks for {asked}, and its template has {has}"))
            .in_file(w.file.as_ref())
    };
    let findings = judged.iter().filter(lost).map(tell).collect();
    Verdict::looked(findings, judged.len(), "controllers")
}

fn words(selector: &LabelSelector) -> String {
    let labels = selector.labels.iter().map(|(k, v)| format!("{k}={v}"));
    let expressions =
        selector.expressions.iter().map(|e| format!("{} {:?} {}", e.key, e.operator, e.values.join("|")));
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

fn alone(s: &Snapshot) -> Verdict {
    let scaled: HashMap<Key<'_>, u32> = s
        .wiring
        .autoscalers
        .iter()
        .map(|a| ((a.kind.as_str(), a.namespace.as_str(), a.target.as_str()), a.least))
        .collect();
    // An autoscaler decides how many there are, whatever the workload says.
    let pods = |w: &Workload| scaled.get(&key(w)).copied().unwrap_or(w.replicas);
    let (mut served, mut alone) = (BTreeSet::new(), BTreeMap::new());
    for (name, behind) in served_by(s) {
        served.extend(behind.iter().map(|w| key(w)));
        if behind.iter().map(|w| pods(w)).fold(0, u32::saturating_add) == 1 {
            let only = behind.into_iter().find(|w| pods(w) == 1);
            only.map(|w| alone.entry(key(w)).or_insert((w, name)));
        }
    }
    if served.is_empty() {
        return Verdict::Skip("no Service leads to an application workload".into());
    }
    let tell = |(w, service): (&Workload, &str)| {
        let value = format!("Service {service} leads to one pod");
        // A store with one pod is often one on purpose, and two of them are not made by a number.
        let finding = if w.kind == "StatefulSet" { Finding::warn(w, value) } else { Finding::fail(w, value) };
        finding.in_file(w.file.as_ref())
    };
    Verdict::looked(alone.into_values().map(tell).collect(), served.len(), "workloads behind Services")
}

/// Kind, namespace and name.
type Key<'a> = (&'a str, &'a str, &'a str);

fn key(w: &Workload) -> Key<'_> {
    (&w.kind, &w.namespace, &w.name)
}

/// The Services to be judged, each with the workloads to which it leads.
fn served_by(s: &Snapshot) -> Vec<(&str, Vec<&Workload>)> {
    let pods = Pods::of(s);
    let counted = |w: &&Workload| !matches!(w.kind.as_str(), "DaemonSet" | "Job" | "CronJob");
    let services =
        s.wiring.services.iter().filter(|((ns, _), x)| s.judges(ns) && !x.external && !x.selector.is_empty());
    let behind = services.map(|((namespace, name), service)| {
        let selector = service.selector();
        (name.as_str(), pods.selected(namespace, &selector).filter(counted).collect::<Vec<_>>())
    });
    behind.filter(|(_, workloads)| !workloads.is_empty()).collect()
}

fn deadlines(s: &Snapshot) -> Verdict {
    let judged: Vec<_> = s.judged().filter_map(|(_, w)| Some((w, w.wires.deadlines?))).collect();
    if judged.is_empty() {
        return Verdict::Skip("no application has a CronJob".into());
    }
    let tell = |(w, has): &(&Workload, Deadlines)| {
        let finding = match (has.start, has.end) {
            (true, true) if has.brief => Finding::warn(
                w,
                "has a startingDeadlineSeconds under 10: the controller looks every 10 s, and a run may never start",
            ),
            (true, true) => return None,
            (false, false) => {
                Finding::fail(w, "has neither startingDeadlineSeconds nor activeDeadlineSeconds")
            }
            (true, false) => Finding::warn(w, "has no activeDeadlineSeconds: a run that hangs never ends"),
            (false, true) => Finding::warn(
                w,
                "has no startingDeadlineSeconds: a run that was missed may start at any time",
            ),
        };
        Some(finding.in_file(w.file.as_ref()))
    };
    Verdict::looked(judged.iter().filter_map(tell).collect(), judged.len(), "CronJobs")
}

fn probes(s: &Snapshot) -> Verdict {
    let judged: Vec<_> = s.judged().map(|(_, w)| w).collect();
    if judged.is_empty() {
        return Verdict::Skip("there is no application workload".into());
    }
    let tell = |w: &Workload, p: &LostProbe| {
        let finding = if p.named {
            Finding::fail(
                w,
                format!(
                    "container {}: its {} probe asks port {:?}, which it does not declare",
                    p.container, p.probe, p.port
                ),
            )
        } else {
            // A port is open whether it is declared or not, so a number may well be right.
            Finding::warn(
                w,
                format!(
                    "container {}: its {} probe asks port {}, which it does not declare",
                    p.container, p.probe, p.port
                ),
            )
        };
        finding.in_file(w.file.as_ref())
    };
    let findings = judged.iter().flat_map(|w| w.wires.lost_probes.iter().map(move |p| tell(w, p)));
    Verdict::looked(findings.collect(), judged.len(), "workloads")
}

#[cfg(test)]
#[path = "habits_tests.rs"]
mod tests;
