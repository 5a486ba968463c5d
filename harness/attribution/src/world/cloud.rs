//! What roles of a cloud were and are, and what the cloud said to accounts.

use loopdrill_model::{Timestamp, signal::*};
use std::collections::BTreeMap;

/// Versions kept of one role.
const MOST_VERSIONS: usize = 6;

/// How a role lost what its bearers need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Revocation {
    /// Its trust policy was changed; this is the fingerprint of the one before.
    Trust(String),
    /// Its sessions from before this were revoked.
    Sessions(Timestamp),
    /// These policies were taken from it.
    Grants(Vec<String>),
    /// This policy denies.
    Denial(String),
}

/// A revocation, and for how long it held.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Revoked {
    pub(crate) how: Revocation,
    pub(crate) at: Timestamp,
    /// When it was seen undone.
    pub(crate) restored_at: Option<Timestamp>,
}

/// The newest answer to an account, and when the cloud last said yes and first no.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) word: CloudWord,
    pub(crate) at: Timestamp,
    /// Since when it has said the same.
    pub(crate) since: Timestamp,
    /// When it last said no.
    pub(crate) denied_at: Option<Timestamp>,
    /// When it last gave no verdict, silent or throttling, and which of them.
    pub(crate) no_verdict: Option<(CloudWord, Timestamp)>,
    /// Where it was asked.
    pub(crate) endpoint: String,
}

/// Account (namespace, name), role and API.
type Question = (String, String, String, String);

/// Roles and answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cloud {
    roles: BTreeMap<String, BTreeMap<Timestamp, CloudRole>>,
    answers: BTreeMap<Question, Said>,
}

impl Cloud {
    pub(crate) fn put(&mut self, role: CloudRole, at: Timestamp) {
        let versions = self.roles.entry(role.role.clone()).or_default();
        versions.insert(at, role);
        while versions.len() > MOST_VERSIONS {
            versions.pop_first();
        }
    }

    pub(crate) fn answer(&mut self, answer: &CloudAnswer, at: Timestamp) {
        let account = &answer.account;
        let question =
            (account.namespace.clone(), account.name.clone(), answer.role.clone(), answer.api.clone());
        let denied_at = (answer.word == CloudWord::Denied).then_some(at);
        let mute = matches!(answer.word, CloudWord::Silent | CloudWord::Throttled);
        let no_verdict = mute.then_some((answer.word, at));
        let endpoint = answer.endpoint.clone();
        let fresh = Said { word: answer.word, at, since: at, denied_at, no_verdict, endpoint };
        let known = self.answers.entry(question).or_insert_with(|| fresh.clone());
        if at < known.at {
            return;
        }
        let since = if known.word == answer.word { known.since } else { at };
        let (denied_at, no_verdict) = (denied_at.or(known.denied_at), no_verdict.or(known.no_verdict));
        *known = Said { since, denied_at, no_verdict, ..fresh };
    }

    /// Forgets answers from before `before`. The roles stay: they are few, and told only when they change.
    pub(crate) fn prune(&mut self, before: Timestamp) {
        self.answers.retain(|_, said| said.at >= before);
    }

    /// The roles that are known.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// What the cloud said to an account that wants this role.
    pub(crate) fn said(&self, namespace: &str, account: &str, role: &str, api: &str) -> Option<&Said> {
        self.answers.get(&(namespace.into(), account.into(), role.into(), api.into()))
    }

    /// All that was revoked of a role, undone or not, in the order in which it was seen.
    pub(crate) fn revocations(&self, role: &str) -> Vec<Revoked> {
        let Some(versions) = self.roles.get(role) else { return Vec::new() };
        let mut all: Vec<Revoked> = Vec::new();
        let mut before: Option<&CloudRole> = None;
        for (at, now) in versions {
            for known in all.iter_mut().filter(|r| r.restored_at.is_none()) {
                if !known.how.holds(now) {
                    known.restored_at = Some(*at);
                }
            }
            // A trust policy that was there before is no new one.
            let again = versions.range(..*at).any(|(_, earlier)| earlier.trust == now.trust);
            let news = Revocation::between(before, now).into_iter();
            all.extend(
                news.filter(|how| !(again && matches!(how, Revocation::Trust(_)))).map(|how| Revoked {
                    how,
                    at: *at,
                    restored_at: None,
                }),
            );
            before = Some(now);
        }
        all
    }
}

impl Revocation {
    /// What the step from one version to the next took away.
    fn between(before: Option<&CloudRole>, now: &CloudRole) -> Vec<Self> {
        let mut all = Vec::new();
        let sessions = |r: &CloudRole| r.sessions_revoked_before;
        if let Some(time) = sessions(now).filter(|_| before.is_none_or(|b| sessions(b) != sessions(now))) {
            all.push(Revocation::Sessions(time));
        }
        let known = |name: &String| before.is_some_and(|b| b.denials.contains(name));
        all.extend(now.denials.iter().filter(|n| !known(n)).cloned().map(Revocation::Denial));
        let Some(before) = before else { return all };
        let lost: Vec<_> = before.grants.iter().filter(|g| !now.grants.contains(g)).cloned().collect();
        if !lost.is_empty() {
            all.push(Revocation::Grants(lost));
        }
        // A policy that lets web identities in again is no loss to them, whatever it was before.
        if before.trust != now.trust && (before.trusts_web_identity || !now.trusts_web_identity) {
            all.push(Revocation::Trust(before.trust.clone()));
        }
        all
    }

    /// Whether it is still so in `now`.
    fn holds(&self, now: &CloudRole) -> bool {
        match self {
            Revocation::Trust(before) => now.trust != *before,
            Revocation::Sessions(time) => now.sessions_revoked_before == Some(*time),
            Revocation::Denial(name) => now.denials.contains(name),
            Revocation::Grants(lost) => lost.iter().any(|g| !now.grants.contains(g)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn role(trust: &str, grants: &[&str]) -> CloudRole {
        CloudRole {
            role: "r".into(),
            trust: trust.into(),
            trusts_web_identity: true,
            grants: grants.iter().map(ToString::to_string).collect(),
            sessions_revoked_before: None,
            denials: vec![],
        }
    }

    #[test]
    fn each_way_is_told_and_so_is_its_end() {
        let mut cloud = Cloud::default();
        cloud.put(role("t", &["p", "q"]), at(0));
        cloud.put(role("t", &["q"]), at(10));
        cloud.put(role("u", &["p", "q"]), at(20));
        let revoked = CloudRole { sessions_revoked_before: Some(at(30)), ..role("t", &["p", "q"]) };
        cloud.put(revoked, at(30));
        let all = cloud.revocations("r");
        let find = |how: &Revocation| all.iter().find(|r| r.how == *how).cloned().expect("told");
        let grants = find(&Revocation::Grants(vec!["p".into()]));
        assert_eq!((grants.at, grants.restored_at), (at(10), Some(at(20))));
        let trust = find(&Revocation::Trust("t".into()));
        assert_eq!((trust.at, trust.restored_at), (at(20), Some(at(30))));
        assert_eq!(find(&Revocation::Sessions(at(30))).restored_at, None);
        cloud.put(role("t", &["p", "q"]), at(40));
        let all = cloud.revocations("r");
        assert!(all.iter().all(|r| r.restored_at.is_some()), "{all:?}");
        assert_eq!(cloud.revocations("other"), vec![]);
    }
}
