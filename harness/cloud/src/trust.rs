//! Whether a role's trust policy lets a web identity take it on. Pure.

use crate::{
    condition::Keys,
    policy::{self, Asked, Document, Verdict},
    token::Claims,
};

/// The action that trust policies name for web identities.
pub(crate) const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// An issuer's URL as IAM names it: without the scheme.
pub(crate) fn host(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer).trim_end_matches('/')
}

/// The ARN of the account's provider for an issuer.
pub(crate) fn provider_arn(account: &str, issuer: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{}", host(issuer))
}

/// Whether `document` lets the bearer of a valid token in.
pub(crate) fn allows(document: &Document, account: &str, claims: &Claims) -> bool {
    let host = host(&claims.iss);
    let mut keys = Keys::default();
    keys.set(&format!("{host}:sub"), &claims.sub);
    keys.set_all(&format!("{host}:aud"), claims.aud.clone());
    let asked = Asked {
        action: ACTION.into(),
        resource: None,
        federated: Some(provider_arn(account, &claims.iss)),
        keys,
    };
    policy::verdict(std::slice::from_ref(document), &asked) == Verdict::Allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ACCOUNT: &str = "123456789012";
    const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

    fn claims(sub: &str) -> Claims {
        Claims { iss: ISSUER.into(), sub: sub.into(), aud: vec!["sts.amazonaws.com".into()], exp: 0 }
    }

    fn statement() -> Value {
        let host = host(ISSUER);
        json!({"Effect": "Allow", "Action": ACTION,
            "Principal": {"Federated": provider_arn(ACCOUNT, ISSUER)},
            "Condition": {
                "StringEquals": {format!("{host}:aud"): "sts.amazonaws.com"},
                "StringLike": {format!("{host}:sub"): "system:serviceaccount:drill-*:*"}}})
    }

    fn judge(statements: &Value, sub: &str) -> bool {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        allows(&Document::parse(&text).expect("a document"), ACCOUNT, &claims(sub))
    }

    const GOOD: &str = "system:serviceaccount:drill-abc:app";

    #[test]
    fn the_lab_s_trust_lets_drills_in_and_nobody_else() {
        assert!(judge(&json!([statement()]), GOOD));
        assert!(judge(&statement(), GOOD), "one statement needs no list");
        assert!(!judge(&json!([statement()]), "system:serviceaccount:prod:app"));
        assert!(!judge(&json!([statement()]), "system:serviceaccount:drill-"));
    }

    #[test]
    fn principal_action_and_audience_count() {
        let with = |pointer: &str, value: Value| {
            let mut statement = statement();
            *statement.pointer_mut(pointer).expect("there") = value;
            judge(&json!([statement]), GOOD)
        };
        assert!(!with("/Principal/Federated", json!("arn:aws:iam::123456789012:oidc-provider/other")));
        assert!(!with("/Principal", json!({"AWS": "arn:aws:iam::123456789012:root"})));
        assert!(!with("/Principal", json!({"Service": "ec2.amazonaws.com"})));
        assert!(!with("/Action", json!("sts:AssumeRole")));
        assert!(with("/Action", json!(["sts:TagSession", "sts:*"])));
        assert!(!with("/Condition/StringEquals", json!({format!("{}:aud", host(ISSUER)): "other"})));
        assert!(!with("/Condition", json!({"StringNothing": {"a": "b"}})));
    }

    #[test]
    fn a_deny_is_honoured() {
        for principal in
            [json!("*"), json!({"AWS": "*"}), json!({"Federated": provider_arn(ACCOUNT, ISSUER)})]
        {
            let deny = json!({"Effect": "Deny", "Action": "sts:*", "Principal": principal});
            assert!(!judge(&json!([statement(), deny]), GOOD), "{principal}");
        }
        let other = json!({"Effect": "Deny", "Action": "sts:*", "Principal": {"Federated": "arn:x"}});
        assert!(judge(&json!([statement(), other]), GOOD));
    }
}
