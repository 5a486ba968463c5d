//! `AssumeRoleWithWebIdentity`, as STS does it and moto does not: the token and the role's trust policy decide.

use crate::{
    account::{Account, Role},
    asked::Form,
    endpoint::EndpointError,
    issuer::Issuer,
    refusal::Refusal,
    sessions::Session,
    token::{self, Claims, TokenError},
    trust, xml,
};
use jiff::{SignedDuration, Timestamp};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    role: &'a str,
    name: &'a str,
    token: &'a str,
    seconds: u64,
}

impl<'a> Wanted<'a> {
    fn of(form: &'a Form) -> Result<Self, Refusal> {
        let get = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let need = |name: &str| {
            get(name).ok_or_else(|| {
                Refusal::Invalid(format!(
                    "Value null at '{name}' failed to satisfy constraint: Member must not be null"
                ))
            })
        };
        // A session policy narrows what a session may do. We do not evaluate them, so we do not take them.
        if form.keys().any(|key| key == "Policy" || key.starts_with("PolicyArns")) {
            return Err(Refusal::Invalid("Session policies are not served by this lab".into()));
        }
        let name = need("RoleSessionName")?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
        if !(2..=64).contains(&name.len()) || !name.chars().all(is_plain) {
            return Err(Refusal::Invalid(
                "Value at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression \
                 pattern: [\\w+=,.@-]{2,64}"
                    .into(),
            ));
        }
        let seconds = get("DurationSeconds").map_or(Ok(3600), str::parse);
        let seconds = seconds.ok().filter(|seconds| *seconds >= 900).ok_or_else(|| {
            Refusal::Invalid("Value at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900".into())
        })?;
        let role = need("RoleArn")?;
        if !role.starts_with("arn:") || !role.contains(":role/") {
            return Err(Refusal::Invalid(format!("{role} is invalid")));
        }
        Ok(Wanted { role, name, token: need("WebIdentityToken")?, seconds })
    }
}

/// Opens a session for the bearer of a token.
pub(crate) async fn assume(
    account: &Account,
    issuer: &Issuer,
    form: &Form,
) -> Result<(Session, String), Refusal> {
    let wanted = Wanted::of(form)?;
    let claims = identify(account, issuer, wanted.token).await?;
    let role = account.role(wanted.role).await.map_err(|e| silent(&e))?;
    // As on AWS, nobody learns whether there is such a role.
    let role = role.ok_or(Refusal::Trust)?;
    if !role.trust.as_ref().is_some_and(|trust| trust::allows(trust, &account.id, &claims)) {
        return Err(Refusal::Trust);
    }
    if wanted.seconds > role.longest {
        let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(Refusal::Invalid(text.into()));
    }
    let opened = account.open_session(&role.arn, wanted.name, wanted.token, wanted.seconds).await;
    let issued = opened.map_err(|e| silent(&e))?;
    let since = Timestamp::now();
    let until = since + SignedDuration::from_secs(i64::try_from(wanted.seconds).unwrap_or(3600));
    let session = Session { issued, role_arn: role.arn.clone(), name: wanted.name.into(), since, until };
    let answer = answer(account, &role, &session, &claims);
    Ok((session, answer))
}

async fn identify(account: &Account, issuer: &Issuer, token: &str) -> Result<Claims, Refusal> {
    let named = token::issuer(token).map_err(Refusal::Token)?;
    let audiences = account.audiences(&named).await.map_err(|e| silent(&e))?;
    // A provider that somebody took away, or a token of another cluster.
    let audiences = audiences.filter(|_| named == issuer.url);
    let audiences = audiences.ok_or(Refusal::Token(TokenError::Issuer(named)))?;
    let kid = token::key_id(token).map_err(Refusal::Token)?;
    let keys = issuer.keys(kid.as_deref()).await.map_err(|e| {
        tracing::warn!("the API server does not give its keys: {e}");
        Refusal::Token(TokenError::Key)
    })?;
    let now = Timestamp::now().as_second();
    token::check(token, &keys, &issuer.url, &audiences, now).map_err(Refusal::Token)
}

/// moto's own failures are nothing that a client did.
fn silent(error: &EndpointError) -> Refusal {
    Refusal::Unavailable(error.to_string())
}

fn answer(account: &Account, role: &Role, session: &Session, claims: &Claims) -> String {
    let until = session.until.strftime("%Y-%m-%dT%H:%M:%SZ");
    let provider = trust::provider_arn(&account.id, &claims.iss);
    let issued = &session.issued;
    let audience = claims.aud.first().map(String::as_str).unwrap_or_default();
    let elements = [
        ("SubjectFromWebIdentityToken", xml::escape(&claims.sub)),
        ("Audience", xml::escape(audience)),
        ("Provider", xml::escape(&provider)),
    ];
    let text: String = elements.iter().map(|(name, text)| format!("<{name}>{text}</{name}>")).collect();
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult>{text}<AssumedRoleUser><Arn>{}</Arn><AssumedRoleId>{}:{}</AssumedRoleId>\
         </AssumedRoleUser><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{until}</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>{:032x}</RequestId></ResponseMetadata>\
         </AssumeRoleWithWebIdentityResponse>",
        xml::escape(&session.arn(&account.id)),
        xml::escape(&role.id),
        xml::escape(&session.name),
        xml::escape(&issued.key.id),
        xml::escape(&issued.key.secret),
        xml::escape(&issued.token),
        rand::random::<u128>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::Issued, endpoint::Endpoint, sigv4::AccessKey};

    fn form(changes: &[(&str, &str)]) -> Form {
        let all = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", "arn:aws:iam::123456789012:role/r"),
            ("RoleSessionName", "app-1"),
            ("WebIdentityToken", "a.b.c"),
        ];
        let all = all.iter().chain(changes);
        all.map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
    }

    #[test]
    fn parameters_are_checked_as_sts_does() {
        let good = form(&[]);
        let wanted = Wanted::of(&good).expect("good");
        assert_eq!((wanted.name, wanted.seconds), ("app-1", 3600));
        for bad in [
            ("RoleArn", ""),
            ("RoleArn", "r"),
            ("RoleSessionName", "x"),
            ("RoleSessionName", "a/b"),
            ("WebIdentityToken", ""),
            ("DurationSeconds", "60"),
            ("DurationSeconds", "-1"),
            ("DurationSeconds", "soon"),
            ("Policy", "{}"),
            ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
        ] {
            assert!(matches!(Wanted::of(&form(&[bad])), Err(Refusal::Invalid(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_answer_has_what_an_sdk_reads() {
        let key = AccessKey { id: "ASIAX".into(), secret: "a/b+c&d".into() };
        let moto = Endpoint::new("127.0.0.1:1".into(), "us-east-1".into());
        let account = Account { id: "123456789012".into(), moto, key: key.clone() };
        let role = Role {
            id: "AROA".into(),
            arn: "arn:aws:iam::123456789012:role/r".into(),
            longest: 3600,
            trust: None,
        };
        let since: Timestamp = "2026-01-01T00:00:00.5Z".parse().expect("a time");
        let session = Session {
            issued: Issued { key, token: "tok".into() },
            role_arn: role.arn.clone(),
            name: "app-1".into(),
            since,
            until: since + SignedDuration::from_hours(1),
        };
        let claims = Claims { iss: "https://i".into(), sub: "s".into(), aud: vec!["a".into()], exp: 0 };
        let text = answer(&account, &role, &session, &claims);
        for (name, value) in [
            ("AccessKeyId", "ASIAX"),
            ("SecretAccessKey", "a/b+c&d"),
            ("SessionToken", "tok"),
            ("Expiration", "2026-01-01T01:00:00Z"),
            ("Arn", "arn:aws:sts::123456789012:assumed-role/r/app-1"),
            ("AssumedRoleId", "AROA:app-1"),
            ("Provider", "arn:aws:iam::123456789012:oidc-provider/i"),
        ] {
            assert_eq!(xml::text(&text, name).as_deref(), Some(value), "{name}");
        }
    }
}
