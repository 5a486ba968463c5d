//! The sessions that were issued: what policies may ask about one, and when it ends. moto knows neither.

use crate::{
    account::{Issued, role_name},
    condition::Keys,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// A session of a role.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) issued: Issued,
    pub(crate) role_arn: String,
    pub(crate) name: String,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

impl Session {
    /// The ARN by which AWS names the caller.
    pub(crate) fn arn(&self, account: &str) -> String {
        format!("arn:aws:sts::{account}:assumed-role/{}/{}", role_name(&self.role_arn), self.name)
    }

    /// What conditions may ask about a request of the session.
    pub(crate) fn keys(&self, account: &str, region: &str, now: Timestamp) -> Keys {
        let mut keys = Keys::default();
        keys.set("aws:TokenIssueTime", whole(self.since).to_string());
        keys.set("aws:CurrentTime", now.to_string());
        keys.set("aws:EpochTime", now.as_second().to_string());
        keys.set("aws:PrincipalArn", &self.role_arn);
        keys.set("aws:PrincipalAccount", account);
        keys.set("aws:PrincipalType", "AssumedRole");
        keys.set("aws:RequestedRegion", region);
        keys.set("aws:SecureTransport", "false");
        keys
    }
}

/// AWS knows the time of a session's issue to the second.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// All sessions, by the id of their key.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    pub(crate) fn add(&self, session: Session) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A day later nobody asks any more why a session ended.
        let old = session.since - SignedDuration::from_hours(24);
        all.retain(|_, known| known.until > old);
        all.insert(session.issued.key.id.clone(), session);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Forgets all of them: moto has done so, too.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::{Asked, Document, Verdict, verdict},
        sigv4::AccessKey,
    };

    fn session(id: &str, since: &str) -> Session {
        let since: Timestamp = since.parse().expect("a time");
        Session {
            issued: Issued { key: AccessKey { id: id.into(), secret: "s".into() }, token: "t".into() },
            role_arn: "arn:aws:iam::123456789012:role/loopdrill-victim".into(),
            name: "s".into(),
            since,
            until: since + SignedDuration::from_hours(1),
        }
    }

    #[test]
    fn sessions_are_found_and_forgotten() {
        let sessions = Sessions::default();
        sessions.add(session("old", "2026-01-01T00:00:00Z"));
        sessions.add(session("a", "2026-01-03T00:00:00Z"));
        assert!(sessions.get("old").is_none());
        let found = sessions.get("a").expect("there");
        assert_eq!(found.arn("123456789012"), "arn:aws:sts::123456789012:assumed-role/loopdrill-victim/s");
        sessions.clear();
        assert!(sessions.get("a").is_none());
    }

    #[test]
    fn the_console_s_revocation_ends_sessions_that_are_older() {
        let revoke = r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": ["*"], "Resource": ["*"],
             "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T12:00:00.000Z"}}}]}"#;
        let document = Document::parse(revoke).expect("a document");
        let judge = |since: &str| {
            let session = session("a", since);
            let asked = Asked {
                action: "s3:GetObject".into(),
                resource: Some("arn:aws:s3:::b/k".into()),
                federated: None,
                keys: session.keys("123456789012", "us-east-1", session.since),
            };
            verdict(std::slice::from_ref(&document), &asked)
        };
        assert_eq!(judge("2026-01-01T11:59:59.9Z"), Verdict::Denied);
        assert_eq!(judge("2026-01-01T12:00:00.1Z"), Verdict::Allowed);
    }
}
