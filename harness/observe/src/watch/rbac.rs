//! Roles and bindings joined: what each binding gives to each ServiceAccount, and what Roles allow to which nobody is
//! bound; told whenever that changes.

use super::{Handler, Key, gone};
use crate::reduce::{self, BoundTo, Role};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role as ApiRole, RoleBinding};
use kube::ResourceExt;
use loopdrill_model::signal::{Grant, Rule};
use loopdrill_model::{Signal, Subject};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// A binding, by kind, namespace and name.
type BindingKey = (&'static str, Key);

#[derive(Default)]
struct State {
    roles: HashMap<Role, (u64, Vec<Rule>)>,
    bindings: HashMap<BindingKey, Binding>,
    /// How many bindings refer to a role.
    bound: HashMap<Role, usize>,
    /// Roles of which it was told that nobody is bound to them, with the rules last told.
    unbound: HashMap<Role, Vec<Rule>>,
}

struct Binding {
    uid: String,
    version: u64,
    to: BoundTo,
    /// The rules last told, by account.
    told: BTreeMap<Subject, Vec<Rule>>,
}

/// The joined state, shared by the watches of the four resources.
#[derive(Clone, Default)]
pub(super) struct Rbac(Arc<Mutex<State>>);

fn version(object: &impl ResourceExt) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or(0)
}

impl State {
    fn set_role(&mut self, role: Role, known: Option<(u64, Vec<Rule>)>, signals: &mut Vec<Signal>) {
        match known {
            Some(known) => drop(self.roles.insert(role.clone(), known)),
            None => drop(self.roles.remove(&role)),
        }
        self.tell_unbound(&role, signals);
        let bound: Vec<_> =
            self.bindings.iter().filter(|(_, b)| b.to.role == role).map(|(k, _)| k.clone()).collect();
        for key in bound {
            self.tell(&key, signals);
        }
    }

    fn set_binding(
        &mut self,
        key: BindingKey,
        uid: String,
        version: u64,
        to: BoundTo,
        signals: &mut Vec<Signal>,
    ) {
        // A binding that changes is never gone in between.
        *self.bound.entry(to.role.clone()).or_default() += 1;
        let before = self.remove_binding(&key, signals);
        self.tell_unbound(&to.role, signals);
        let told = before.filter(|b| b.uid == uid).map(|b| b.told).unwrap_or_default();
        self.bindings.insert(key.clone(), Binding { uid, version, to, told });
        self.tell(&key, signals);
    }

    fn remove_binding(&mut self, key: &BindingKey, signals: &mut Vec<Signal>) -> Option<Binding> {
        let gone = self.bindings.remove(key)?;
        let left = self.bound.remove(&gone.to.role).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            self.bound.insert(gone.to.role.clone(), left);
        }
        self.tell_unbound(&gone.to.role, signals);
        Some(gone)
    }

    /// Tells what a Role allows while nobody is bound to it. ClusterRoles are many that nobody needs.
    fn tell_unbound(&mut self, role: &Role, signals: &mut Vec<Signal>) {
        let (cluster, namespace, name) = role;
        if *cluster {
            return;
        }
        let known = self.roles.get(role).filter(|_| !self.bound.contains_key(role));
        let (version, now) = known.cloned().unwrap_or_default();
        if self.unbound.get(role).map_or(&[][..], Vec::as_slice) == now.as_slice() {
            return;
        }
        signals.push(Signal::Grant(Grant {
            binding: Subject::new("Role", namespace, name),
            uid: format!("role/{namespace}/{name}"),
            version,
            account: Grant::nobody(namespace),
            rules: now.clone(),
        }));
        match now.is_empty() {
            true => drop(self.unbound.remove(role)),
            false => drop(self.unbound.insert(role.clone(), now)),
        }
    }

    /// Tells the grants of a binding that differ from what was told last. An account that fell out of the
    /// binding gets a grant of nothing.
    fn tell(&mut self, key: &BindingKey, signals: &mut Vec<Signal>) {
        let Some(binding) = self.bindings.get_mut(key) else { return };
        let (role_version, rules) = self.roles.get(&binding.to.role).cloned().unwrap_or_default();
        let now: BTreeMap<_, _> = binding.to.accounts.iter().map(|a| (a.clone(), rules.clone())).collect();
        let lost = binding.told.keys().filter(|a| !now.contains_key(a)).map(|a| (a.clone(), Vec::new()));
        let news =
            now.iter().filter(|(a, r)| binding.told.get(a) != Some(r)).map(|(a, r)| (a.clone(), r.clone()));
        for (account, rules) in lost.chain(news) {
            signals.push(Signal::Grant(Grant {
                binding: Subject::new(key.0, &key.1.namespace, &key.1.name),
                uid: binding.uid.clone(),
                version: binding.version.max(role_version),
                account,
                rules,
            }));
        }
        binding.told = now;
    }
}

impl Rbac {
    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

macro_rules! handles_role {
    ($api:ty, $cluster:literal) => {
        impl Handler<$api> for Rbac {
            fn applied(&mut self, object: &$api, signals: &mut Vec<Signal>) {
                let role = ($cluster, object.namespace().unwrap_or_default(), object.name_any());
                let known = (version(object), reduce::rules(object.rules.as_ref()));
                self.with(|state| state.set_role(role, Some(known), signals));
            }

            fn gone(&mut self, key: &Key, _uid: &str, signals: &mut Vec<Signal>) {
                let role = ($cluster, key.namespace.clone(), key.name.clone());
                self.with(|state| state.set_role(role, None, signals));
            }
        }
    };
}

macro_rules! handles_binding {
    ($api:ty, $kind:literal) => {
        impl Handler<$api> for Rbac {
            fn applied(&mut self, object: &$api, signals: &mut Vec<Signal>) {
                let key = Key::of(object);
                let to = BoundTo {
                    role: reduce::role_key(&object.role_ref, &key.namespace),
                    accounts: reduce::bound_accounts(object.subjects.as_ref(), &key.namespace),
                };
                let uid = object.uid().unwrap_or_default();
                self.with(|state| state.set_binding(($kind, key), uid, version(object), to, signals));
            }

            fn gone(&mut self, key: &Key, uid: &str, signals: &mut Vec<Signal>) {
                self.with(|state| drop(state.remove_binding(&($kind, key.clone()), signals)));
                signals.push(gone($kind, key, uid));
            }
        }
    };
}

handles_role!(ApiRole, false);
handles_role!(ClusterRole, true);
handles_binding!(RoleBinding, "RoleBinding");
handles_binding!(ClusterRoleBinding, "ClusterRoleBinding");

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn role(version: u32, verbs: &[&str]) -> ApiRole {
        serde_json::from_value(json!({
            "metadata": {"name": "reader", "namespace": "shop", "resourceVersion": version.to_string()},
            "rules": [{"verbs": verbs, "apiGroups": [""], "resources": ["configmaps"]},
                      {"verbs": ["get"], "nonResourceURLs": ["/healthz"]}],
        }))
        .expect("a role")
    }

    fn binding(version: u32, accounts: &[&str]) -> RoleBinding {
        let subjects: Vec<_> = accounts
            .iter()
            .map(|a| json!({"kind": "ServiceAccount", "name": a, "namespace": "shop"}))
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": "b", "namespace": "shop", "uid": "u1", "resourceVersion": version.to_string()},
            "roleRef": {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": subjects,
        }))
        .expect("a binding")
    }

    fn grants(signals: &mut Vec<Signal>) -> Vec<(String, u64, Vec<String>)> {
        signals.retain(|s| !matches!(s, Signal::Grant(g) if g.account.kind == "Nobody"));
        let grant = |s| match s {
            Signal::Grant(g) => {
                (g.account.name, g.version, g.rules.into_iter().flat_map(|r| r.verbs).collect::<Vec<_>>())
            }
            other => panic!("not a grant: {other:?}"),
        };
        signals.drain(..).map(grant).collect()
    }

    #[test]
    fn a_grant_follows_role_and_binding() {
        let (mut rbac, mut out) = (Rbac::default(), Vec::new());
        rbac.applied(&binding(1, &["app"]), &mut out);
        assert_eq!(
            grants(&mut out),
            [("app".into(), 1, vec![])],
            "a binding to a role that does not exist gives nothing"
        );
        rbac.applied(&role(2, &["get", "list"]), &mut out);
        assert_eq!(grants(&mut out), [("app".into(), 2, vec!["get".into(), "list".into()])]);
        rbac.applied(&role(3, &["get"]), &mut out);
        assert_eq!(grants(&mut out), [("app".into(), 3, vec!["get".into()])]);
        rbac.applied(&role(4, &["get"]), &mut out);
        assert!(out.is_empty(), "nothing changed for anybody");
        rbac.applied(&binding(5, &["other"]), &mut out);
        assert_eq!(grants(&mut out), [("app".into(), 5, vec![]), ("other".into(), 5, vec!["get".into()])]);
    }

    #[test]
    fn a_role_or_binding_that_goes_is_told() {
        let (mut rbac, mut out) = (Rbac::default(), Vec::new());
        rbac.applied(&role(1, &["get"]), &mut out);
        rbac.applied(&binding(2, &["app"]), &mut out);
        out.clear();
        let key = Key { namespace: "shop".into(), name: "reader".into() };
        Handler::<ApiRole>::gone(&mut rbac, &key, "", &mut out);
        assert_eq!(grants(&mut out), [("app".into(), 2, vec![])]);
        let key = Key { namespace: "shop".into(), name: "b".into() };
        Handler::<RoleBinding>::gone(&mut rbac, &key, "u1", &mut out);
        assert!(matches!(&out[..], [Signal::Deleted(g)] if g.uid == "u1" && g.object.kind == "RoleBinding"));
    }

    #[test]
    fn a_role_that_nobody_is_bound_to_is_told_until_somebody_is() {
        let unbound = |signals: &mut Vec<Signal>| {
            let of_nobody = |s| match s {
                Signal::Grant(g) if g.account == Grant::nobody("shop") => {
                    Some((g.binding.to_string(), g.rules.len()))
                }
                _ => None,
            };
            signals.drain(..).filter_map(of_nobody).collect::<Vec<_>>()
        };
        let (mut rbac, mut out) = (Rbac::default(), Vec::new());
        let key = Key { namespace: "shop".into(), name: "b".into() };
        rbac.applied(&role(1, &["get"]), &mut out);
        let told = |rules| (Subject::new("Role", "shop", "reader").to_string(), rules);
        assert_eq!(unbound(&mut out), [told(1)]);
        rbac.applied(&binding(2, &["app"]), &mut out);
        assert_eq!(unbound(&mut out), [told(0)]);
        rbac.applied(&role(3, &["get", "list"]), &mut out);
        assert_eq!(unbound(&mut out), [], "it is bound");
        Handler::<RoleBinding>::gone(&mut rbac, &key, "u1", &mut out);
        assert_eq!(unbound(&mut out), [told(1)]);
        rbac.applied(&binding(4, &["app"]), &mut out);
        rbac.applied(&binding(5, &["other"]), &mut out);
        Handler::<RoleBinding>::gone(&mut rbac, &key, "u1", &mut out);
        assert_eq!(unbound(&mut out), [told(0), told(1)], "a binding that changed counts once");
        let key = Key { namespace: "shop".into(), name: "reader".into() };
        Handler::<ApiRole>::gone(&mut rbac, &key, "", &mut out);
        assert_eq!(unbound(&mut out), [told(0)]);
    }
}
