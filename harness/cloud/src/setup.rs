//! What the account consists of, put into a moto that is empty.
//!
//! moto keeps everything in memory. When it restarts, the proxy sets it up again: with the same keys, because moto's
//! source of random numbers is seeded by the lab's own secret before it makes them. What somebody changed meanwhile is
//! lost, and the proxy says so.

use crate::{
    account::Account,
    endpoint::{Endpoint, EndpointError},
    sigv4::AccessKey,
    trust, xml,
};
use serde_json::json;

/// The only role that drills may touch.
pub const ROLE: &str = "loopdrill-victim";
/// The bucket that the role may read.
pub const BUCKET: &str = "loopdrill-victim";
/// The object in it.
pub const OBJECT: &str = "probe";
/// The audience of tokens for STS.
pub const AUDIENCE: &str = "sts.amazonaws.com";
const MANAGED: &str = "loopdrill-victim-read";
const INLINE: &str = "registry";
/// IAM wants the digest of the issuer's certificate for an identity provider. This lab never compares it.
const THUMBPRINT: &str = "0000000000000000000000000000000000000000";

/// The keys of an account that was set up.
pub(crate) struct Keys {
    pub(crate) front: AccessKey,
    pub(crate) operator: AccessKey,
}

/// Whether moto knows the key: it was set up, and has not been restarted since.
pub(crate) async fn is_done(moto: &Endpoint, key: &AccessKey) -> Result<bool, EndpointError> {
    match moto.call(key, "sts", "GetCallerIdentity", &[]).await {
        Ok(_) => Ok(true),
        Err(EndpointError::Refused { code, .. }) if code == "InvalidClientTokenId" => Ok(false),
        Err(error) => Err(error),
    }
}

/// Empties moto and sets it up. Nobody else may speak to it meanwhile ([`Endpoint::alone`]): it enforces nothing until
/// this is done, and each answer that it gives to others draws a number that the keys would be made of.
pub(crate) async fn set_up(
    moto: &Endpoint,
    account: &str,
    issuer: &str,
    seed: u64,
) -> Result<Keys, EndpointError> {
    moto.control("/moto-api/reset-auth", "inf").await?;
    moto.control("/moto-api/reset", "").await?;
    let nobody = AccessKey { id: "AKIALOOPDRILLSETUP00".into(), secret: "none".into() };
    // Whatever else moto draws numbers for when it is asked for the first time has to be drawn before.
    moto.call(&nobody, "iam", "ListUsers", &[]).await?;
    moto.control(&format!("/moto-api/seed?a={seed}"), "").await?;
    let front = user(moto, &nobody, "loopdrill-front").await?;
    let operator = user(moto, &nobody, "loopdrill-operator").await?;
    // Sessions must not come out the same again.
    moto.control(&format!("/moto-api/seed?a={}", rand::random::<u64>()), "").await?;
    let account = Account { id: account.into(), moto: moto.clone(), key: front.clone() };
    provider(&account, issuer).await?;
    role(&account, issuer).await?;
    moto.put(&front, &format!("/{BUCKET}"), b"").await?;
    moto.put(&front, &format!("/{BUCKET}/{OBJECT}"), b"well\n").await?;
    moto.control("/moto-api/reset-auth", "0").await?;
    Ok(Keys { front, operator })
}

/// A user who may do everything, and its key.
async fn user(moto: &Endpoint, as_whom: &AccessKey, name: &str) -> Result<AccessKey, EndpointError> {
    let call = async |action: &str, parameters: &[(&str, &str)]| {
        let all = [&[("UserName", name)][..], parameters].concat();
        moto.call(as_whom, "iam", action, &all).await
    };
    call("CreateUser", &[]).await?;
    let all = policy(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    call("PutUserPolicy", &[("PolicyName", "everything"), ("PolicyDocument", &all)]).await?;
    let made = call("CreateAccessKey", &[]).await?;
    let part = |part: &'static str| {
        xml::text(&made, part).ok_or(EndpointError::Answer { action: "CreateAccessKey".into(), part })
    };
    Ok(AccessKey { id: part("AccessKeyId")?, secret: part("SecretAccessKey")? })
}

async fn provider(account: &Account, issuer: &str) -> Result<(), EndpointError> {
    let parameters =
        [("Url", issuer), ("ClientIDList.member.1", AUDIENCE), ("ThumbprintList.member.1", THUMBPRINT)];
    account.moto.call(&account.key, "iam", "CreateOpenIDConnectProvider", &parameters).await.map(drop)
}

/// The victim's role, with one of each thing that an undo has to restore.
async fn role(account: &Account, issuer: &str) -> Result<(), EndpointError> {
    let call = async |action: &str, parameters: &[(&str, &str)]| {
        account.moto.call(&account.key, "iam", action, parameters).await
    };
    let trust = trust_policy(&account.id, issuer);
    let parameters = [
        ("RoleName", ROLE),
        ("AssumeRolePolicyDocument", trust.as_str()),
        ("Description", "What the drills' victims are to this account"),
        ("MaxSessionDuration", "3600"),
        ("Tags.member.1.Key", "owner"),
        ("Tags.member.1.Value", "loopdrill"),
        ("Tags.member.2.Key", "drill"),
        ("Tags.member.2.Value", "revoked-iam"),
    ];
    call("CreateRole", &parameters).await?;
    let read = json!([{"Sid": "ReadProbe", "Effect": "Allow", "Action": ["s3:GetObject"],
        "Resource": format!("arn:aws:s3:::{BUCKET}/*")}]);
    let read = policy(&read);
    call("CreatePolicy", &[("PolicyName", MANAGED), ("PolicyDocument", &read)]).await?;
    let arn = format!("arn:aws:iam::{}:policy/{MANAGED}", account.id);
    call("AttachRolePolicy", &[("RoleName", ROLE), ("PolicyArn", &arn)]).await?;
    let pull = json!([{"Sid": "Pull", "Effect": "Allow", "Resource": "*",
        "Action": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}]);
    let pull = policy(&pull);
    let parameters = [("RoleName", ROLE), ("PolicyName", INLINE), ("PolicyDocument", pull.as_str())];
    call("PutRolePolicy", &parameters).await.map(drop)
}

fn trust_policy(account: &str, issuer: &str) -> String {
    let host = trust::host(issuer);
    policy(&json!([{
        "Effect": "Allow",
        "Principal": {"Federated": trust::provider_arn(account, issuer)},
        "Action": trust::ACTION,
        "Condition": {
            "StringEquals": {format!("{host}:aud"): AUDIENCE},
            "StringLike": {format!("{host}:sub"): "system:serviceaccount:drill-*:*"},
        },
    }]))
}

fn policy(statements: &serde_json::Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{policy::Document, token::Claims};

    #[test]
    fn the_role_trusts_the_accounts_of_drills_alone() {
        let issuer = "https://kubernetes.default.svc.cluster.local";
        let trust = Document::parse(&trust_policy("123456789012", issuer)).expect("a document");
        let judge = |sub: &str| {
            let claims = Claims { iss: issuer.into(), sub: sub.into(), aud: vec![AUDIENCE.into()], exp: 0 };
            trust::allows(&trust, "123456789012", &claims)
        };
        assert!(judge("system:serviceaccount:drill-revoked-iam-aws-1:app"));
        assert!(!judge("system:serviceaccount:default:default"));
    }
}
