//! The account of a run on a cluster that is not ours, as manifests.

use super::{list, rule};
use crate::Failure;
use loopdrill_cluster::{LEASE_NAMESPACE, Right};
use loopdrill_drill::LEASE_RIGHT;
use loopdrill_faults::rights::{by_api_alone, rights};
use loopdrill_observe::PATHS;
use std::collections::BTreeMap;

/// The account's name.
const NAME: &str = "loopdrill-drills";
const RBAC: &str = "rbac.authorization.k8s.io";

/// ServiceAccount, roles and bindings for drills of these faults; for all that the API alone can do where none is named.
pub(super) fn manifests(faults: &[String], pull_secret: Option<&str>) -> Result<String, Failure> {
    let mut text = account();
    text += &role("ClusterRole", NAME, None);
    merged(&needed(faults)?).iter().for_each(|right| text += &owned_rule(right));
    text += &format!("  - nonResourceURLs: [{}]\n    verbs: [\"get\"]\n", list(PATHS));
    text += &binding("ClusterRole", NAME, None);
    text += &role("Role", NAME, Some(LEASE_NAMESPACE));
    text += &rule(&[LEASE_RIGHT]);
    text += &binding("Role", NAME, Some(LEASE_NAMESPACE));
    if let Some(secret) = pull_secret {
        text += &of_secret(secret)?;
    }
    Ok(text)
}

fn needed(faults: &[String]) -> Result<Vec<Right>, Failure> {
    let known: Vec<_> = by_api_alone().collect();
    if let Some(unknown) = faults.iter().find(|f| !known.iter().any(|k| k.fault == **f)) {
        let mut names: Vec<_> = known.iter().map(|k| k.fault.as_str()).collect();
        names.dedup();
        return Err(Failure::usage(loopdrill_suite::unknown("fault", unknown, names)));
    }
    let wanted = known.iter().filter(|k| faults.is_empty() || faults.contains(&k.fault));
    Ok(loopdrill_observe::rights().into_iter().chain(wanted.filter_map(rights).flatten()).collect())
}

/// A rule, and what it is for.
struct Rule {
    group: &'static str,
    resource: &'static str,
    verbs: Vec<&'static str>,
    why: Vec<&'static str>,
}

/// One rule for each resource: several drills need the same one, for reasons of their own.
fn merged(all: &[Right]) -> Vec<Rule> {
    let mut rules = BTreeMap::<(&str, &str), Rule>::new();
    for right in all {
        for resource in right.resources {
            let rule = rules.entry((right.group, resource)).or_insert_with(|| Rule {
                group: right.group,
                resource,
                verbs: Vec::new(),
                why: Vec::new(),
            });
            rule.verbs.extend(right.verbs);
            rule.why.push(right.why);
        }
    }
    let mut rules: Vec<_> = rules.into_values().collect();
    for rule in &mut rules {
        for words in [&mut rule.verbs, &mut rule.why] {
            words.sort_unstable();
            words.dedup();
        }
    }
    rules
}

fn owned_rule(rule: &Rule) -> String {
    format!(
        "  # {}\n  - apiGroups: [\"{}\"]\n    resources: [\"{}\"]\n    verbs: [{}]\n",
        rule.why.join("; "),
        rule.group,
        rule.resource,
        list(&rule.verbs)
    )
}

fn account() -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {NAME}\n  namespace: {LEASE_NAMESPACE}\n"
    )
}

fn role(kind: &str, name: &str, namespace: Option<&str>) -> String {
    format!("---\napiVersion: {RBAC}/v1\nkind: {kind}\n{}rules:\n", metadata(name, namespace))
}

fn binding(kind: &str, name: &str, namespace: Option<&str>) -> String {
    format!(
        "---\napiVersion: {RBAC}/v1\nkind: {kind}Binding\n{}roleRef: {{apiGroup: {RBAC}, kind: {kind}, name: {name}}}\nsubjects:\n  \
         - {{kind: ServiceAccount, name: {NAME}, namespace: {LEASE_NAMESPACE}}}\n",
        metadata(name, namespace)
    )
}

fn metadata(name: &str, namespace: Option<&str>) -> String {
    let namespace = namespace.map(|n| format!("  namespace: {n}\n")).unwrap_or_default();
    format!("metadata:\n  name: {name}\n{namespace}")
}

fn of_secret(secret: &str) -> Result<String, Failure> {
    let (namespace, name) =
        secret.split_once('/').ok_or_else(|| Failure::usage("name the pull secret as NAMESPACE/NAME"))?;
    let (read, write) = (format!("{NAME}-pull-secret"), format!("{NAME}-copy-secret"));
    let rule = |rest: &str| format!("  - apiGroups: [\"\"]\n    resources: [\"secrets\"]\n    {rest}\n");
    let mut text = role("Role", &read, Some(namespace));
    text += &rule(&format!("resourceNames: [{name:?}]\n    verbs: [\"get\"]"));
    text += &binding("Role", &read, Some(namespace));
    text += &role("ClusterRole", &write, None);
    text += &rule("verbs: [\"create\"]");
    Ok(text + &binding("ClusterRole", &write, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn documents(text: &str) -> Vec<Value> {
        text.split("---\n").map(|doc| serde_yaml::from_str(doc).expect("YAML")).collect()
    }

    #[test]
    fn the_manifests_are_an_account_with_no_more_than_it_needs() {
        let text = manifests(&["revoked-iam".into()], None).expect("known");
        let kinds: Vec<_> =
            documents(&text).iter().map(|d| d["kind"].as_str().unwrap_or("?").to_owned()).collect();
        assert_eq!(kinds, ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        for never in [
            "secrets",
            "\"*\"",
            "validatingwebhookconfigurations\"]\n    verbs: [\"create\"",
            "escalate",
            "bind\"",
        ] {
            assert!(!text.contains(never), "{never}");
        }
        assert!(
            text.contains("resources: [\"rolebindings\"]\n    verbs: [\"create\", \"delete\", \"get\""),
            "{text}"
        );
    }

    #[test]
    fn a_pull_secret_is_read_by_its_name_alone() {
        let text = manifests(&[], Some("images/pull")).expect("well-formed");
        assert!(text.contains("resourceNames: [\"pull\"]\n    verbs: [\"get\"]"), "{text}");
        assert!(manifests(&[], Some("pull")).is_err());
    }

    #[test]
    fn an_unknown_fault_gets_the_nearest_word() {
        let failure = manifests(&["revoked-aim".into()], None).expect_err("unknown");
        assert!(format!("{failure:?}").contains("did you mean `revoked-iam`?"), "{failure:?}");
    }
}
