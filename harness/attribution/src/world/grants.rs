//! What accounts may do, what they once could, and what the API server says when asked.

use loopdrill_model::{Subject, Timestamp, signal::*};
use std::collections::BTreeMap;

/// One binding's gift to one account, over its versions.
#[derive(Debug, Clone)]
struct Record {
    binding: Subject,
    /// What it gave, since when. By the time it was seen: a grant joins a binding and a role, so that their
    /// versions do not order it.
    versions: BTreeMap<(Timestamp, u64), Vec<Rule>>,
    gone_at: Option<Timestamp>,
}

/// Versions kept of one record.
const MOST_VERSIONS: usize = 4;

/// Something an account could do once, and cannot any more, or could not for a while.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loss {
    /// Which binding gave it.
    pub(crate) binding: Subject,
    pub(crate) rule: Rule,
    pub(crate) lost_at: Timestamp,
    /// When it was given again.
    pub(crate) restored_at: Option<Timestamp>,
}

/// The newest answer to one question, and when the answer was last "yes" and first "no".
#[derive(Debug, Clone)]
pub(crate) struct Review {
    pub(crate) review: AccessReview,
    pub(crate) at: Timestamp,
    allowed_at: Option<Timestamp>,
    pub(crate) denied_since: Option<Timestamp>,
}

impl Review {
    /// Denied now, and allowed once before.
    pub(crate) fn withdrawn(&self) -> bool {
        !self.review.allowed && self.allowed_at.is_some()
    }
}

type Question = [String; 5];

/// Grants and access reviews by account (namespace, name).
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants {
    accounts: BTreeMap<(String, String), BTreeMap<String, Record>>,
    reviews: BTreeMap<(String, String), BTreeMap<Question, Review>>,
    gone: BTreeMap<String, Timestamp>,
}

fn account_key(account: &Subject) -> (String, String) {
    (account.namespace.clone(), account.name.clone())
}

impl Grants {
    pub(crate) fn put(&mut self, grant: Grant, at: Timestamp) {
        let gone_at = self.gone.get(&grant.uid).copied();
        let records = self.accounts.entry(account_key(&grant.account)).or_default();
        let record = records.entry(grant.uid).or_insert_with(|| Record {
            binding: grant.binding,
            versions: BTreeMap::new(),
            gone_at,
        });
        record.versions.insert((at, grant.version), grant.rules);
        while record.versions.len() > MOST_VERSIONS {
            record.versions.pop_first();
        }
    }

    pub(crate) fn remove(&mut self, uid: &str, at: Timestamp) {
        self.gone.entry(uid.to_owned()).or_insert(at);
        for record in self.accounts.values_mut().filter_map(|r| r.get_mut(uid)) {
            record.gone_at.get_or_insert(at);
        }
    }

    pub(crate) fn review(&mut self, review: AccessReview, at: Timestamp) {
        let AccessReview { verb, group, resource, namespace, name, .. } = review.clone();
        let question = [verb, group, resource, namespace, name];
        let reviews = self.reviews.entry(account_key(&review.account)).or_default();
        let known = reviews.entry(question).or_insert_with(|| Review {
            review: review.clone(),
            at,
            allowed_at: None,
            denied_since: None,
        });
        if review.allowed {
            known.allowed_at = known.allowed_at.max(Some(at));
            known.denied_since = known.denied_since.filter(|since| *since > at);
        } else if known.allowed_at.is_none_or(|allowed| allowed <= at) {
            known.denied_since = Some(known.denied_since.map_or(at, |since| since.min(at)));
        }
        if at > known.at || (at == known.at && !review.allowed) {
            known.at = at;
            known.review = review;
        }
    }

    /// Forgets what was lost before `before`.
    pub(crate) fn prune(&mut self, before: Timestamp) {
        self.gone.retain(|_, at| *at >= before);
        for records in self.accounts.values_mut() {
            records.retain(|_, r| r.gone_at.is_none_or(|at| at >= before));
        }
        self.accounts.retain(|_, records| !records.is_empty());
        for reviews in self.reviews.values_mut() {
            reviews.retain(|_, r| r.at >= before);
        }
        self.reviews.retain(|_, reviews| !reviews.is_empty());
    }

    pub(crate) fn reviews(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Review> {
        self.reviews.get(&(namespace.to_owned(), name.to_owned())).into_iter().flat_map(BTreeMap::values)
    }

    /// Whether any binding gives the account something: then it is a client of the API.
    pub(crate) fn any(&self, namespace: &str, name: &str) -> bool {
        let records = self.accounts.get(&(namespace.to_owned(), name.to_owned()));
        records.is_some_and(|all| all.values().any(|r| r.gone_at.is_none()))
    }

    /// The rules of the Roles of a namespace to which nobody is bound.
    pub(crate) fn unbound(&self, namespace: &str) -> impl Iterator<Item = (&Subject, &Rule)> {
        let nobody = account_key(&Grant::nobody(namespace));
        let records = self.accounts.get(&nobody).into_iter().flat_map(BTreeMap::values);
        records.flat_map(move |r| {
            r.versions.values().next_back().into_iter().flatten().map(move |rule| (&r.binding, rule))
        })
    }

    /// Everything the account lost, whether it was given back or not.
    pub(crate) fn losses(&self, namespace: &str, name: &str) -> Vec<Loss> {
        let Some(records) = self.accounts.get(&(namespace.to_owned(), name.to_owned())) else {
            return Vec::new();
        };
        let mut losses = Vec::new();
        for record in records.values() {
            record.each_loss(|rule, lost_at| {
                let giver = |r: &Record| r.gives_again(rule, lost_at);
                let restored_at = records.values().filter_map(giver).min();
                if restored_at.is_none_or(|at| at > lost_at) {
                    let binding = record.binding.clone();
                    losses.push(Loss { binding, rule: rule.clone(), lost_at, restored_at });
                }
            });
        }
        losses
    }
}

impl Record {
    /// Calls `each` for every rule that a later version lacks, or that went with the binding.
    fn each_loss(&self, mut each: impl FnMut(&Rule, Timestamp)) {
        let mut versions = self.versions.iter().peekable();
        while let Some((_, rules)) = versions.next() {
            let (lost_at, after) = match (versions.peek(), self.gone_at) {
                (Some(((at, _), after)), _) => (*at, after.as_slice()),
                (None, Some(gone_at)) => (gone_at, &[][..]),
                (None, None) => return,
            };
            rules.iter().filter(|rule| !covered(rule, after)).for_each(|rule| each(rule, lost_at));
        }
    }

    /// When this binding gives `rule` at or after `lost_at`; `lost_at` itself when it did so all the time.
    fn gives_again(&self, rule: &Rule, lost_at: Timestamp) -> Option<Timestamp> {
        let mut versions = self.versions.iter().peekable();
        while let Some(((at, _), rules)) = versions.next() {
            let end = versions.peek().map(|((next, _), _)| *next).or(self.gone_at);
            if end.is_none_or(|end| end > lost_at) && covered(rule, rules) {
                return Some((*at).max(lost_at));
            }
        }
        None
    }
}

/// Whether `rules` together allow everything that `rule` allows.
fn covered(rule: &Rule, rules: &[Rule]) -> bool {
    let has = |all: &[String], one: &String| all.iter().any(|x| x == "*" || x == one);
    rule.verbs.iter().all(|verb| {
        rule.groups.iter().all(|group| {
            rule.resources.iter().all(|resource| {
                rules.iter().any(|r| {
                    has(&r.verbs, verb)
                        && has(&r.groups, group)
                        && has(&r.resources, resource)
                        && (r.names.is_empty()
                            || !rule.names.is_empty() && rule.names.iter().all(|n| r.names.contains(n)))
                })
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn rule(verb: &str) -> Rule {
        Rule {
            verbs: vec![verb.into()],
            groups: vec![String::new()],
            resources: vec!["pods".into()],
            names: vec![],
        }
    }

    fn grant(uid: &str, version: u64, verbs: &[&str]) -> Grant {
        Grant {
            binding: Subject::new("RoleBinding", "n", uid),
            uid: uid.into(),
            version,
            account: Subject::new("ServiceAccount", "n", "a"),
            rules: verbs.iter().map(|v| rule(v)).collect(),
        }
    }

    #[test]
    fn a_deleted_binding_is_a_loss_until_another_gives_the_same() {
        let mut grants = Grants::default();
        grants.put(grant("one", 1, &["get", "list"]), at(0));
        grants.remove("one", at(10));
        let losses = grants.losses("n", "a");
        assert_eq!(losses.len(), 2);
        assert!(losses.iter().all(|l| l.lost_at == at(10) && l.restored_at.is_none()));
        grants.put(grant("two", 2, &["*"]), at(20));
        assert!(grants.losses("n", "a").iter().all(|l| l.restored_at == Some(at(20))));
    }

    #[test]
    fn a_second_binding_that_gives_it_all_along_makes_it_no_loss() {
        let mut grants = Grants::default();
        grants.put(grant("one", 1, &["get"]), at(0));
        grants.put(grant("two", 1, &["get"]), at(0));
        grants.remove("one", at(10));
        assert_eq!(grants.losses("n", "a"), vec![]);
    }

    #[test]
    fn a_role_that_shrinks_is_a_loss_of_what_is_missing_only() {
        let mut grants = Grants::default();
        grants.put(grant("one", 7, &["get"]), at(10));
        grants.put(grant("one", 5, &["get", "list"]), at(0));
        let losses = grants.losses("n", "a");
        assert_eq!(losses.len(), 1);
        assert_eq!((losses[0].rule.clone(), losses[0].lost_at), (rule("list"), at(10)));
    }

    #[test]
    fn a_grant_that_arrives_after_its_end_counts_as_had_and_lost() {
        let mut grants = Grants::default();
        grants.remove("one", at(10));
        grants.put(grant("one", 1, &["get"]), at(9));
        assert_eq!(grants.losses("n", "a").len(), 1);
    }
}
