//! Identity: access is ephemeral, not a stored credential.

mod reach;

use crate::{
    check::{Area, Check, Finding, Level, Severity, Stage, Verdict, fault},
    snapshot::{Bundle, Container, Input, Snapshot, Workload},
};
use loopdrill_model::Timestamp;
use reach::{bundles_by_name, has_keys, reaches_cloud};
use std::collections::{BTreeMap, BTreeSet};

const PREDICTS: &[&str] = &[fault::IAM];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "ID-01",
        title: "No long-lived cloud key lies in a Secret, a ConfigMap or a container's environment",
        stage: Stage::Operational,
        area: Area::Identity,
        severity: Severity::Critical,
        predicts: PREDICTS,
        needs: &[
            Input::Secrets,
            Input::ConfigMaps,
            Input::Deployments,
            Input::StatefulSets,
            Input::DaemonSets,
            Input::Pods,
        ],
        manifests: true,
        why: "A stored key leaks, is copied, and is one day revoked because of that; then everything that holds a copy \
              fails at once, and nothing in the cluster says why.",
        remedy: "# Give the workload an identity instead (here EKS), then delete the key and revoke it in the cloud:\n\
                 apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: APP\n  annotations:\n    \
                 eks.amazonaws.com/role-arn: arn:aws:iam::ACCOUNT:role/APP\n",
        judge: long_lived_keys,
    },
    Check {
        id: "ID-02",
        title: "Workloads that reach a cloud do so by a workload identity of their own ServiceAccount",
        stage: Stage::Architectural,
        area: Area::Identity,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[
            Input::ServiceAccounts,
            Input::Deployments,
            Input::StatefulSets,
            Input::DaemonSets,
            Input::Pods,
        ],
        manifests: true,
        why: "An identity that several workloads share cannot be narrowed or revoked for one of them, and the node's own \
              identity belongs to every pod on the node.",
        remedy: "# One ServiceAccount a workload, mapped to one role (EKS, GKE, AKS):\n\
                 apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: APP\n  annotations:\n    \
                 eks.amazonaws.com/role-arn: arn:aws:iam::ACCOUNT:role/APP\n    \
                 # iam.gke.io/gcp-service-account: APP@PROJECT.iam.gserviceaccount.com\n    \
                 # azure.workload.identity/client-id: CLIENT_ID\n---\n\
                 # in the pod template:\nspec:\n  serviceAccountName: APP\n",
        judge: workload_identity,
    },
    Check {
        id: "ID-03",
        title: "Bindings to cluster-admin are few and named, and none is for default accounts or everybody",
        stage: Stage::Operational,
        area: Area::Identity,
        severity: Severity::Critical,
        predicts: PREDICTS,
        needs: &[Input::Bindings],
        manifests: true,
        why: "Who may do everything can also break everything, and a right that everybody has cannot be taken from one.",
        remedy: "kubectl delete clusterrolebinding NAME\n# and instead, what is really needed, where it is needed:\n\
                 kubectl create rolebinding APP-edit --clusterrole=edit --serviceaccount=NAMESPACE:APP -n NAMESPACE\n",
        judge: admins,
    },
    Check {
        id: "ID-04",
        title: "No ServiceAccount token lives in a Secret; projected tokens have an audience and expire",
        stage: Stage::Architectural,
        area: Area::Identity,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[Input::Secrets, Input::Deployments, Input::StatefulSets, Input::DaemonSets, Input::Pods],
        manifests: true,
        why: "A token in a Secret never expires and works from anywhere; it outlives everybody who knows why it was made.",
        remedy: "kubectl delete secret NAME -n NAMESPACE\n# and in the pod template, a token that expires and is meant for one receiver:\n\
                 volumes:\n  - name: token\n    projected:\n      sources:\n        - serviceAccountToken:\n            \
                 path: token\n            audience: RECEIVER\n            expirationSeconds: 3600\n",
        judge: tokens,
    },
    Check {
        id: "ID-05",
        title: "Pull credentials do not expire unnoticed, and every namespace that pulls privately can do so now",
        stage: Stage::Architectural,
        area: Area::Identity,
        severity: Severity::High,
        predicts: PREDICTS,
        needs: &[
            Input::Secrets,
            Input::ServiceAccounts,
            Input::Pods,
            Input::Deployments,
            Input::StatefulSets,
            Input::DaemonSets,
        ],
        manifests: true,
        why: "ImagePullBackOff on the day on which nodes are replaced: running pods never needed the credential, new ones do.",
        remedy: "# Best: the kubelet's credential provider of your cloud, and no pull secret at all. Without one, a credential\n\
                 # of the nodes' own is a second path beside that of the pods: /var/lib/kubelet/config.json on each node.\n\
                 # Let something renew pull secrets, and note by when they have to be replaced:\n\
                 kubectl annotate secret NAME -n NAMESPACE loopdrill.dev/expires=YYYY-MM-DD\n",
        judge: pull_credentials,
    },
];

fn long_lived_keys(s: &Snapshot) -> Verdict {
    let mut findings = Vec::new();
    for bundle in s.bundles.iter().filter(|b| s.asked_for(&b.namespace)) {
        for (entry, kind) in &bundle.keys {
            let finding = Finding::fail(named(bundle), format!("entry {entry} holds {kind}"));
            findings.push(finding.in_file(bundle.file.as_ref()));
        }
    }
    for workload in s.workloads.iter().filter(|w| s.asked_for(&w.namespace)) {
        let tell = |value: String| Finding::fail(workload, value).in_file(workload.file.as_ref());
        findings.extend(
            workload
                .annotated_keys
                .iter()
                .map(|(name, kind)| tell(format!("annotation {name} holds {kind}"))),
        );
        let containers = workload.template.containers.iter().chain(&workload.template.debuggers);
        findings.extend(containers.flat_map(written_keys).map(tell));
    }
    let (secrets, maps) = (s.read(Input::Secrets), s.read(Input::ConfigMaps));
    if s.is_manifests() && secrets + maps == 0 && s.workloads.is_empty() {
        return Verdict::Skip("these manifests hold no Secret, ConfigMap or workload".into());
    }
    let at = format!("{secrets} Secrets, {maps} ConfigMaps and {} workloads", s.workloads.len());
    Verdict::Looked { findings, at }
}

/// The keys that are written into a container's declaration.
fn written_keys(c: &Container) -> Vec<String> {
    let variables =
        c.keys.iter().map(|(name, kind)| format!("container {}: variable {name} holds {kind}", c.name));
    let command = c.command_keys.iter().map(|kind| format!("container {}: its command holds {kind}", c.name));
    variables.chain(command).collect()
}

fn named(bundle: &Bundle) -> String {
    format!("{} {}/{}", bundle.kind, bundle.namespace, bundle.name)
}

fn workload_identity(s: &Snapshot) -> Verdict {
    let bundles = bundles_by_name(s);
    let reach: Vec<&Workload> = s.judged().map(|(_, w)| w).filter(|w| reaches_cloud(w, &bundles)).collect();
    if reach.is_empty() {
        return Verdict::Skip("no workload here names a cloud in its environment".into());
    }
    let mut users: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (_, w) in s.judged() {
        *users.entry((&w.namespace, &w.template.service_account)).or_default() += 1;
    }
    let mut findings = Vec::new();
    for w in &reach {
        let account = (w.namespace.as_str(), w.template.service_account.as_str());
        let mapped =
            s.service_accounts.iter().any(|a| (a.namespace.as_str(), a.name.as_str()) == account && a.mapped);
        let tell = |finding: Finding| finding.in_file(w.file.as_ref());
        if account.1 == "default" {
            findings.push(tell(Finding::fail(w, "reaches a cloud under the ServiceAccount `default`")));
        } else if !mapped && !w.template.identity && s.is_manifests() && !declared(s, account) {
            let value =
                format!("reaches a cloud; its ServiceAccount {} is not in these manifests", account.1);
            findings.push(tell(Finding::warn(w, value)));
        } else if !mapped && !w.template.identity {
            let azure = w.template.cloud.iter().any(|name| name.starts_with("AZURE_"));
            let label =
                if azure { "; Azure's also needs the pod label azure.workload.identity/use" } else { "" };
            let value = format!(
                "reaches a cloud, and its ServiceAccount {} is mapped to no identity there{label}",
                account.1
            );
            findings.push(tell(Finding::fail(w, value)));
        } else if has_keys(w, &bundles) {
            let value = "has a stored key, too, which its programs take before its identity";
            findings.push(tell(Finding::fail(w, value)));
        } else if users.get(&account).is_some_and(|n| *n > 1) {
            let value = format!("shares its identity {} with other workloads", account.1);
            findings.push(tell(Finding::warn(w, value)));
        }
    }
    Verdict::looked(findings, reach.len(), "workloads that reach a cloud")
}

fn declared(s: &Snapshot, (namespace, name): (&str, &str)) -> bool {
    s.service_accounts.iter().any(|a| a.namespace == namespace && a.name == name)
}

/// Everybody, or everything that is a workload or a node.
const CROWDS: [&str; 5] = [
    "Group system:authenticated",
    "Group system:unauthenticated",
    "User system:anonymous",
    "Group system:serviceaccounts",
    "Group system:nodes",
];
/// More administrators than these are too many to know.
const MOST_ADMINS: usize = 5;

fn admins(s: &Snapshot) -> Verdict {
    if s.is_manifests() && s.read(Input::Bindings) == 0 {
        return Verdict::Skip("these manifests hold no ClusterRoleBinding".into());
    }
    let mut findings = Vec::new();
    let mut known = BTreeSet::new();
    for binding in &s.admins {
        for subject in &binding.subjects {
            let object = format!("ClusterRoleBinding {}", binding.name);
            let crowd =
                CROWDS.contains(&subject.as_str()) || subject.starts_with("Group system:serviceaccounts:");
            let default = subject.starts_with("ServiceAccount ") && subject.ends_with("/default");
            if crowd || default {
                let role =
                    binding.role.as_ref().map_or("cluster-admin".into(), |r| format!("all rights, by {r},"));
                let value = format!("gives {role} to {subject}");
                findings.push(Finding::fail(object, value).in_file(binding.file.as_ref()));
            } else if !subject.starts_with("Group system:masters")
                && subject != "Group kubeadm:cluster-admins"
            {
                known.insert(subject.as_str());
            }
        }
    }
    if known.len() > MOST_ADMINS {
        let names = known.iter().copied().collect::<Vec<_>>().join(", ");
        findings.push(Finding::fail("", format!("{} subjects have cluster-admin: {names}", known.len())));
    }
    Verdict::looked(findings, s.admins.len(), "bindings to cluster-admin")
}

/// A day; the API server's own default is an hour.
const LONG_TOKEN: u64 = 24 * 3600;

fn tokens(s: &Snapshot) -> Verdict {
    if s.is_manifests() && s.read(Input::Secrets) == 0 && s.workloads.is_empty() {
        return Verdict::Skip("these manifests hold no Secret and no workload".into());
    }
    let mut findings = Vec::new();
    for bundle in s.bundles.iter().filter(|b| s.asked_for(&b.namespace)) {
        if let Some(account) = &bundle.token_of {
            let value = format!("holds a token of ServiceAccount {account} that never expires");
            findings.push(Finding::fail(named(bundle), value).in_file(bundle.file.as_ref()));
        }
    }
    for (_, w) in s.judged() {
        for token in &w.template.tokens {
            if token.seconds > LONG_TOKEN {
                let value = format!("projects a token that lives {} hours", token.seconds / 3600);
                findings.push(Finding::fail(w, value).in_file(w.file.as_ref()));
            } else if token.audience.as_deref() == Some("*") {
                findings.push(Finding::fail(w, "projects a token for any audience").in_file(w.file.as_ref()));
            }
        }
    }
    let at = format!("{} Secrets and {} workloads", s.read(Input::Secrets), s.workloads.len());
    Verdict::Looked { findings, at }
}

/// Notice for somebody to replace a credential.
const NOTICE_HOURS: i64 = 7 * 24;

fn pull_credentials(s: &Snapshot) -> Verdict {
    let mut findings = Vec::new();
    for (index, host) in &s.refused_pulls {
        if let Some(w) = s.workload(*index).filter(|w| s.asked_for(&w.namespace)) {
            findings.push(Finding::fail(w, format!("cannot pull: {host} refuses its credential now")));
        }
    }
    let mut used = used_pull_secrets(s);
    if s.is_manifests() {
        // Manifests need not bring the Secrets that they use; of those nothing is known.
        used.retain(|(namespace, name), _| pull_secret(s, namespace, name).is_some());
    }
    for ((namespace, name), user) in &used {
        let object = format!("Secret {namespace}/{name}");
        match pull_secret(s, namespace, name) {
            None => {
                findings.push(Finding::fail(object, format!("{user} pulls with it, and it does not exist")))
            }
            Some(bundle) if s.is_manifests() && !bundle.r#type.starts_with("kubernetes.io/dockerc") => {
                let value =
                    format!("{user} pulls with it, and the kubelet does not: its type is no pull secret's");
                findings.push(Finding::fail(object, value).in_file(bundle.file.as_ref()));
            }
            Some(bundle) => findings.extend(judge_pull(bundle, s.taken_at)),
        }
    }
    findings.extend(useless_elsewhere(s, &used));
    if used.is_empty() && findings.is_empty() {
        let here = if s.is_manifests() { " that is in these manifests" } else { "" };
        return Verdict::Skip(format!("no workload pulls with a credential of its own{here}"));
    }
    Verdict::looked(findings, used.len(), "pull credentials in use")
}

/// Pull secrets in manifests with which nobody here pulls, and nobody elsewhere can.
fn useless_elsewhere(s: &Snapshot, used: &BTreeMap<(&str, &str), String>) -> Vec<Finding> {
    let unused = |b: &&Bundle| !used.contains_key(&(b.namespace.as_str(), b.name.as_str()));
    let here =
        s.bundles.iter().filter(|b| s.is_manifests() && b.kind == "Secret" && s.asked_for(&b.namespace));
    let judged = here.filter(unused).flat_map(|b| judge_pull(b, s.taken_at));
    judged.filter(|f| f.level == Level::Fail).collect()
}

fn pull_secret<'a>(s: &'a Snapshot, namespace: &str, name: &str) -> Option<&'a Bundle> {
    s.bundles.iter().find(|b| b.kind == "Secret" && b.namespace == namespace && b.name == name)
}

/// Pull secrets by namespace and name, with one workload or account that uses each.
fn used_pull_secrets(s: &Snapshot) -> BTreeMap<(&str, &str), String> {
    let mut used = BTreeMap::new();
    for (_, w) in s.judged() {
        for name in &w.template.pull_secrets {
            used.entry((w.namespace.as_str(), name.as_str())).or_insert_with(|| w.to_string());
        }
        let account = s
            .service_accounts
            .iter()
            .find(|a| a.namespace == w.namespace && a.name == w.template.service_account);
        for name in account.iter().flat_map(|a| &a.pull_secrets) {
            used.entry((w.namespace.as_str(), name.as_str())).or_insert_with(|| w.to_string());
        }
    }
    used
}

fn judge_pull(bundle: &Bundle, now: Timestamp) -> Vec<Finding> {
    if bundle.renewed {
        return Vec::new();
    }
    let tell = |finding: Finding| finding.in_file(bundle.file.as_ref());
    if let Some(why) = &bundle.malformed {
        return vec![tell(Finding::fail(named(bundle), why.as_str()))];
    }
    let hours_left = |end: Timestamp| (end.as_second() - now.as_second()).div_euclid(3600);
    if let Some(end) = bundle.noted_expiry {
        return match hours_left(end) {
            left if left < 0 => {
                vec![tell(Finding::fail(named(bundle), format!("was to be replaced by {end}")))]
            }
            left if left < NOTICE_HOURS => {
                vec![tell(Finding::warn(named(bundle), format!("has to be replaced by {end}")))]
            }
            _ => Vec::new(),
        };
    }
    let judge = |credential: &crate::snapshot::PullCredential| {
        let registry = &credential.registry;
        let value = match (credential.lives_hours, credential.expires) {
            (Some(hours), _) => {
                format!("its token for {registry} lives {hours} h, and nothing is seen to renew it")
            }
            (None, Some(end)) if hours_left(end) < 0 => format!("its token for {registry} expired on {end}"),
            (None, Some(end)) => format!("its token for {registry} expires on {end}, and nothing notes it"),
            (None, None) => {
                let value = format!("a static password for {registry}; nothing says when it ends");
                return tell(Finding::warn(named(bundle), value));
            }
        };
        tell(Finding::fail(named(bundle), value))
    };
    bundle.pull.iter().map(judge).collect()
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
