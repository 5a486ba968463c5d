//! IAM policy documents, and what they say about one request. Pure.
//!
//! An element that is not understood never lets anything through: an `Allow` with it does not apply, a `Deny` with
//! it does.

use crate::condition::{self, Conditions, Keys};
use crate::element::{OneOrMany, glob};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A policy document.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "Statement")]
    statement: OneOrMany<Statement>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    principal: Option<Principal>,
    not_principal: Option<serde_json::Value>,
    condition: Option<Conditions>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Principal {
    /// `"*"`, and nothing else.
    Everyone(String),
    Named(BTreeMap<String, OneOrMany<String>>),
}

/// A request, as policies see it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Such as `s3:GetObject`.
    pub(crate) action: String,
    /// The ARN, or `*` for actions that have no resource. Trust policies have none at all.
    pub(crate) resource: Option<String>,
    /// The ARN of the identity provider, for trust policies.
    pub(crate) federated: Option<String>,
    pub(crate) keys: Keys,
}

/// What all policies of an identity say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// Nothing allows it.
    NotAllowed,
    /// A `Deny` applies, which no `Allow` outweighs.
    Denied,
}

impl Document {
    /// Reads a document.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Whether a statement depends on more than action and resource.
    pub(crate) fn is_conditional(&self) -> bool {
        self.statement.iter().any(|s| s.condition.is_some() || s.not_resource.is_some())
    }
}

/// The verdict of several documents.
pub(crate) fn verdict(documents: &[Document], asked: &Asked) -> Verdict {
    let mut verdict = Verdict::NotAllowed;
    for statement in documents.iter().flat_map(|d| d.statement.iter()) {
        // What is not understood counts against the request.
        let applies = statement.applies(asked).unwrap_or(statement.effect == Effect::Deny);
        match statement.effect {
            Effect::Deny if applies => return Verdict::Denied,
            Effect::Allow if applies => verdict = Verdict::Allowed,
            _ => {}
        }
    }
    verdict
}

impl Statement {
    /// Whether it is about the request; nothing when it has what is not understood.
    fn applies(&self, asked: &Asked) -> Option<bool> {
        let any = |all: &OneOrMany<String>, value: &str| {
            all.iter().any(|pattern| glob(&pattern.to_lowercase(), &value.to_lowercase()))
        };
        let action = match (&self.action, &self.not_action) {
            (Some(all), None) => any(all, &asked.action),
            (None, Some(all)) => !any(all, &asked.action),
            _ => return None,
        };
        if !action {
            return Some(false);
        }
        if self.not_principal.is_some() {
            return None;
        }
        Some(self.is_resource(asked)? && self.is_principal(asked)? && self.holds(asked)?)
    }

    fn is_resource(&self, asked: &Asked) -> Option<bool> {
        let any = |all: &OneOrMany<String>, value: &str| all.iter().any(|pattern| glob(pattern, value));
        match (&asked.resource, &self.resource, &self.not_resource) {
            (None, None, None) => Some(true),
            (Some(value), Some(all), None) => Some(any(all, value)),
            (Some(value), None, Some(all)) => Some(!any(all, value)),
            _ => None,
        }
    }

    fn is_principal(&self, asked: &Asked) -> Option<bool> {
        match (&asked.federated, &self.principal) {
            (None, None) => Some(true),
            (Some(_), Some(Principal::Everyone(star))) => (star == "*").then_some(true),
            (Some(arn), Some(Principal::Named(kinds))) => {
                let named = |kind: &str, wanted: &str| {
                    kinds.get(kind).is_some_and(|all| all.iter().any(|one| one == wanted))
                };
                Some(named("Federated", arn) || named("AWS", "*"))
            }
            _ => None,
        }
    }

    fn holds(&self, asked: &Asked) -> Option<bool> {
        self.condition.as_ref().map_or(Some(true), |all| condition::all_hold(all, &asked.keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(action: &str, resource: &str) -> Asked {
        let mut keys = Keys::default();
        keys.set("aws:TokenIssueTime", "2026-01-01T10:00:00Z");
        Asked { action: action.into(), resource: Some(resource.into()), federated: None, keys }
    }

    fn judge(statements: &serde_json::Value, asked: &Asked) -> Verdict {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        verdict(&[Document::parse(&text).expect("a document")], asked)
    }

    #[test]
    fn a_deny_outweighs_every_allow_and_silence_is_no() {
        let read = asked("s3:GetObject", "arn:aws:s3:::b/probe");
        let allow = json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"});
        assert_eq!(judge(&allow, &read), Verdict::Allowed);
        assert_eq!(judge(&allow, &asked("s3:PutObject", "arn:aws:s3:::b/probe")), Verdict::NotAllowed);
        assert_eq!(judge(&allow, &asked("s3:GetObject", "arn:aws:s3:::other/probe")), Verdict::NotAllowed);
        let deny = json!({"Effect": "Deny", "Action": ["S3:getobject"], "Resource": ["*"]});
        assert_eq!(judge(&json!([allow, deny]), &read), Verdict::Denied);
        assert_eq!(judge(&json!([deny, allow]), &read), Verdict::Denied);
        let others = json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"});
        assert_eq!(judge(&json!([others, allow]), &read), Verdict::Allowed);
    }

    #[test]
    fn only_older_sessions_are_revoked_by_the_time_of_their_issue() {
        let read = asked("s3:GetObject", "arn:aws:s3:::b/probe");
        let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let revoke = |time: &str| {
            json!([allow, {"Effect": "Deny", "Action": ["*"], "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": time}}}])
        };
        assert_eq!(judge(&revoke("2026-01-01T10:00:01Z"), &read), Verdict::Denied);
        assert_eq!(judge(&revoke("2026-01-01T10:00:01.500Z"), &read), Verdict::Denied);
        assert_eq!(judge(&revoke("2026-01-01T10:00:00Z"), &read), Verdict::Allowed);
        // A key without a session has no such time.
        let mut key = read;
        key.keys = Keys::default();
        assert_eq!(judge(&revoke("2027-01-01T00:00:00Z"), &key), Verdict::Allowed);
    }

    #[test]
    fn what_is_not_understood_lets_nothing_through() {
        let read = asked("s3:GetObject", "arn:aws:s3:::b/probe");
        let unknown = json!({"NumericLessThan": {"aws:x": "3"}});
        let with = |effect: &str| {
            json!([{"Effect": "Allow", "Action": "s3:Put*", "Resource": "*"},
                {"Effect": effect, "Action": "*", "Resource": "*", "Condition": unknown}])
        };
        assert_eq!(judge(&with("Allow"), &read), Verdict::NotAllowed);
        assert_eq!(judge(&with("Deny"), &read), Verdict::Denied);
        assert_eq!(judge(&json!({"Effect": "Allow", "Action": "*"}), &read), Verdict::NotAllowed);
        for bad in
            ["", "[]", "{}", r#"{"Statement": {"Effect": "Perhaps", "Action": "*"}}"#, "{\"Statement\": 1}"]
        {
            assert!(Document::parse(bad).is_err(), "{bad}");
        }
    }
}
