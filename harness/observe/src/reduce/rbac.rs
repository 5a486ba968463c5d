//! Roles and bindings, reduced to what they give to ServiceAccounts.

use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject as RbacSubject};
use loopdrill_model::Subject;
use loopdrill_model::signal::Rule;

/// A role, by kind, namespace (empty for a ClusterRole) and name.
pub(crate) type Role = (bool, String, String);

/// What a binding refers to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoundTo {
    pub(crate) role: Role,
    pub(crate) accounts: Vec<Subject>,
}

/// The role that a binding in `namespace` (empty for a ClusterRoleBinding) refers to.
pub(crate) fn role_key(role: &RoleRef, namespace: &str) -> Role {
    let cluster = role.kind == "ClusterRole";
    (cluster, if cluster { String::new() } else { namespace.into() }, role.name.clone())
}

/// The rules about resources. Rules about URLs outside of resources are left out: no cause is about them.
pub(crate) fn rules(rules: Option<&Vec<PolicyRule>>) -> Vec<Rule> {
    let reduce = |r: &PolicyRule| Rule {
        verbs: r.verbs.clone(),
        groups: r.api_groups.clone().unwrap_or_default(),
        resources: r.resources.clone().unwrap_or_default(),
        names: r.resource_names.clone().unwrap_or_default(),
    };
    rules.into_iter().flatten().map(reduce).filter(|r| !r.resources.is_empty()).collect()
}

/// The ServiceAccounts among a binding's subjects; groups of ServiceAccounts as kind `Group`.
pub(crate) fn bound_accounts(subjects: Option<&Vec<RbacSubject>>, namespace: &str) -> Vec<Subject> {
    let mut accounts: Vec<_> = subjects.into_iter().flatten().filter_map(|s| account(s, namespace)).collect();
    accounts.sort();
    accounts.dedup();
    accounts
}

fn account(subject: &RbacSubject, namespace: &str) -> Option<Subject> {
    match subject.kind.as_str() {
        "ServiceAccount" => {
            let own = subject.namespace.clone().unwrap_or_else(|| namespace.into());
            Some(Subject::new("ServiceAccount", own, subject.name.clone()))
        }
        "User" => {
            let (namespace, name) = subject.name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
            Some(Subject::new("ServiceAccount", namespace, name))
        }
        "Group" if subject.name.starts_with("system:serviceaccounts") => {
            Some(Subject::new("Group", "", subject.name.clone()))
        }
        _ => None,
    }
}
