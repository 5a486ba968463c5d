//! What accounts may do, by the API server's own word.

use super::open::Question;
use crate::reason::reason;
use crate::sink::Sink;
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use loopdrill_model::signal::{AccessReview, ClueKind, Grant};
use loopdrill_model::{Signal, Source, Subject};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Questions an account and round. A revoked right is asked for first.
const MOST_QUESTIONS: usize = 8;
const MOST_RIGHTS: usize = 64;
/// Accounts that are asked for at the same time.
const AT_ONCE: usize = 4;
const LIMIT: Duration = Duration::from_secs(3);
/// An account is asked for as long as its last crash is not older. Back-off grows to five minutes.
const CRASHING: jiff::SignedDuration = jiff::SignedDuration::from_mins(6);

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    namespace: String,
    group: String,
    resource: String,
    verb: String,
    name: String,
}

impl Right {
    /// What somebody says that it was denied, and who.
    pub(super) fn denied(kind: &ClueKind) -> Option<(Option<Subject>, Self)> {
        let ClueKind::ApiForbidden { account, verb, group, resource, namespace, name } = kind.clone() else {
            return None;
        };
        Some((account, Self { namespace, group, resource, verb, name }))
    }
}

/// A right, and the bindings that give it now.
type Rights = BTreeMap<Right, Vec<Subject>>;

#[derive(Default)]
pub(super) struct Accounts {
    rights: HashMap<Subject, Rights>,
    crashed: HashMap<Subject, Timestamp>,
    due: VecDeque<Subject>,
    /// Accounts of which somebody waits for the answer.
    open: HashMap<Subject, Question>,
    gate: Option<Arc<Semaphore>>,
}

impl Accounts {
    /// Takes over what a binding gives now; what it gave before stays known as lost.
    pub(super) fn grant(&mut self, grant: &Grant) {
        let rights = self.rights.entry(grant.account.clone()).or_default();
        let was_unknown = rights.is_empty();
        let lost = withdraw(rights, &grant.binding);
        let now: Vec<_> =
            grant.rules.iter().flat_map(|rule| expand(rule, &grant.binding.namespace)).collect();
        for right in &now {
            if rights.len() < MOST_RIGHTS || rights.contains_key(right) {
                rights.entry(right.clone()).or_default().push(grant.binding.clone());
            }
        }
        if grant.account.kind == "Nobody" {
            let here = |a: &&Subject| a.namespace == grant.account.namespace;
            let crashing: Vec<_> = self.crashed.keys().filter(here).cloned().collect();
            crashing.iter().for_each(|account| self.ask_soon(account));
        } else if was_unknown || lost.iter().any(|right| !now.contains(right)) {
            self.ask_soon(&grant.account);
        }
    }

    /// All that a deleted binding gave is lost.
    pub(super) fn binding_gone(&mut self, binding: &Subject) {
        let losers: Vec<_> = self
            .rights
            .iter_mut()
            .filter_map(|(account, rights)| (!withdraw(rights, binding).is_empty()).then(|| account.clone()))
            .collect();
        for account in losers {
            self.ask_soon(&account);
        }
    }

    /// A container of this account ended with an error at `when`.
    pub(super) fn crashed(&mut self, account: Subject, when: Timestamp) {
        let before = self.crashed.get(&account).copied();
        let last = before.map_or(when, |before| before.max(when));
        self.crashed.insert(account.clone(), last);
        if before != Some(last) {
            self.ask_soon(&account);
        }
    }

    /// A container of this account says that it was denied `rights`: they are asked for like lost ones, before those
    /// that it has, until it fails no more.
    pub(super) fn denied(&mut self, account: Subject, rights: Vec<Right>, open: Option<Question>) {
        let known = self.rights.entry(account.clone()).or_default();
        for right in rights {
            if known.len() < MOST_RIGHTS {
                known.entry(right).or_default();
            }
        }
        if let Some(open) = open {
            self.open.insert(account.clone(), open);
        }
        self.crashed(account, Timestamp::now());
    }

    fn ask_soon(&mut self, account: &Subject) {
        if self.crashed.contains_key(account) && !self.due.contains(account) {
            self.due.push_back(account.clone());
        }
    }

    /// Time for all that still crash to be asked for again.
    pub(super) fn ask_again(&mut self) {
        let oldest = Timestamp::now() - CRASHING;
        self.crashed.retain(|_, when| *when > oldest);
        self.due.retain(|account| self.crashed.contains_key(account));
        let all: Vec<_> = self.crashed.keys().cloned().collect();
        for account in all {
            self.ask_soon(&account);
        }
    }

    /// What to ask for `account`: lost rights first, then those it has. Of one that never had any it is asked whether it
    /// may what the Roles of its namespace allow to which nobody is bound.
    fn questions(&self, account: &Subject) -> Vec<Right> {
        let held_by_nobody = |rights: &&Rights| rights.values().any(|by| !by.is_empty());
        let of_nobody = || self.rights.get(&Grant::nobody(&account.namespace)).filter(held_by_nobody);
        let Some(rights) = self.rights.get(account).or_else(of_nobody) else { return Vec::new() };
        let (held, lost): (Vec<_>, Vec<_>) = rights.iter().partition(|(_, by)| !by.is_empty());
        lost.into_iter().chain(held).map(|(right, _)| right.clone()).take(MOST_QUESTIONS).collect()
    }

    /// Asks for those that are due. Answers arrive by themselves; while some are open, the rest waits.
    pub(super) fn ask(&mut self, client: &Client, sink: &Sink) {
        let gate = self.gate.get_or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
        while !self.due.is_empty() {
            let Ok(place) = gate.clone().try_acquire_owned() else { return };
            let Some(account) = self.due.pop_front() else { return };
            let questions = self.questions(&account);
            let open = self.open.remove(&account);
            let (client, sink) = (client.clone(), sink.clone());
            tokio::spawn(async move {
                let _answered = (place, open);
                for right in questions {
                    if review(&client, &sink, &account, right).await.is_none() {
                        return;
                    }
                }
            });
        }
    }
}

/// Takes `binding` out of every right; returns the rights that nothing gives any more because of that.
fn withdraw(rights: &mut Rights, binding: &Subject) -> Vec<Right> {
    let mut lost = Vec::new();
    for (right, by) in rights {
        let before = by.len();
        by.retain(|b| b != binding);
        if by.is_empty() && before > 0 {
            lost.push(right.clone());
        }
    }
    lost
}

/// Every single thing that a rule allows.
fn expand(rule: &loopdrill_model::signal::Rule, namespace: &str) -> Vec<Right> {
    let none = [String::new()];
    let names = if rule.names.is_empty() { &none[..] } else { &rule.names[..] };
    let mut rights = Vec::new();
    for group in &rule.groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                for name in names {
                    if rights.len() < MOST_RIGHTS {
                        rights.push(Right {
                            namespace: namespace.into(),
                            group: group.clone(),
                            resource: resource.clone(),
                            verb: verb.clone(),
                            name: name.clone(),
                        });
                    }
                }
            }
        }
    }
    rights
}

/// Asks the API server. `None` when it is of no use to go on.
async fn review(client: &Client, sink: &Sink, account: &Subject, right: Right) -> Option<()> {
    let source = Source::api("subjectaccessreviews");
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
        None => (right.resource.clone(), None),
    };
    let attributes = ResourceAttributes {
        group: Some(right.group.clone()),
        resource: Some(resource),
        subresource,
        verb: Some(right.verb.clone()),
        namespace: Some(right.namespace.clone()).filter(|n| !n.is_empty()),
        name: Some(right.name.clone()).filter(|n| !n.is_empty()),
        ..ResourceAttributes::default()
    };
    let question = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{}:{}", account.namespace, account.name)),
            groups: Some(vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{}", account.namespace),
                "system:authenticated".into(),
            ]),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let params = PostParams::default();
    let answer = tokio::time::timeout(LIMIT, api.create(&params, &question)).await;
    let status = match answer {
        Ok(Ok(review)) => review.status?,
        Ok(Err(error)) => {
            let _ = sink.lost(&source, reason(&error)).await;
            return None;
        }
        Err(_) => {
            let _ = sink.lost(&source, format!("no answer within {LIMIT:?}")).await;
            return None;
        }
    };
    sink.works(&source).await.ok()?;
    let review = AccessReview {
        account: account.clone(),
        verb: right.verb,
        group: right.group,
        resource: right.resource,
        namespace: right.namespace,
        name: right.name,
        allowed: status.allowed,
    };
    sink.send(&source, Signal::AccessReview(review)).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::signal::Rule;

    fn account() -> Subject {
        Subject::new("ServiceAccount", "shop", "app")
    }

    fn grant(binding: &str, verbs: &[&str]) -> Grant {
        Grant {
            binding: Subject::new("RoleBinding", "shop", binding),
            uid: "u".into(),
            version: 1,
            account: account(),
            rules: vec![Rule {
                verbs: verbs.iter().map(ToString::to_string).collect(),
                groups: vec![String::new()],
                resources: vec!["configmaps".into()],
                names: vec![],
            }],
        }
    }

    fn verbs(accounts: &Accounts) -> Vec<String> {
        accounts.questions(&account()).into_iter().map(|r| r.verb).collect()
    }

    #[test]
    fn a_lost_right_is_asked_for_first_and_at_once_while_crashing() {
        let mut accounts = Accounts::default();
        accounts.grant(&grant("a", &["get", "list"]));
        accounts.grant(&grant("b", &["list", "update"]));
        accounts.binding_gone(&Subject::new("RoleBinding", "shop", "b"));
        assert!(accounts.due.is_empty(), "nothing crashes");
        assert_eq!(verbs(&accounts), ["update", "get", "list"]);
        accounts.crashed(account(), Timestamp::now());
        assert_eq!(std::mem::take(&mut accounts.due), [account()]);
        accounts.grant(&grant("a", &["get"]));
        assert_eq!(accounts.due, [account()]);
        assert_eq!(verbs(&accounts), ["list", "update", "get"]);
    }

    #[test]
    fn an_account_without_any_grant_has_nothing_to_be_asked() {
        let mut accounts = Accounts::default();
        accounts.crashed(account(), Timestamp::now());
        assert!(accounts.questions(&account()).is_empty());
    }

    #[test]
    fn bounded_and_forgotten_when_the_crashing_ends() {
        let mut accounts = Accounts::default();
        let many: Vec<_> = (0..1000).map(|n| format!("verb{n}")).collect();
        accounts.grant(&grant("a", &many.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(verbs(&accounts).len(), MOST_QUESTIONS);
        assert!(accounts.rights[&account()].len() <= MOST_RIGHTS);
        accounts.crashed(account(), Timestamp::UNIX_EPOCH);
        accounts.ask_again();
        assert!(accounts.due.is_empty());
    }
}
