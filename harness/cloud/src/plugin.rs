//! A credential provider for kubelets: takes on the role of a pod's account with the pod's token, and gets a password
//! of the account's registry. What each cloud has a program for.

use crate::{
    ROLE_ANNOTATION,
    ecr::USER,
    endpoint::{Endpoint, EndpointError},
    sigv4::AccessKey,
    xml,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, io::Read};

const VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    #[error("cannot read the kubelet's request: {0}")]
    Io(#[from] std::io::Error),
    #[error(
        "this is no CredentialProviderRequest of {VERSION}: {0}; a kubelet starts this program, and people do not"
    )]
    Request(String),
    #[error(transparent)]
    Cloud(#[from] EndpointError),
    #[error("the cloud's answer to GetAuthorizationToken holds no password")]
    Password,
}

/// What a kubelet asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    api_version: String,
    image: String,
    #[serde(default)]
    service_account_token: String,
    #[serde(default)]
    service_account_annotations: BTreeMap<String, String>,
}

impl Request {
    fn parse(text: &str) -> Result<Self, PluginError> {
        let request: Request = serde_json::from_str(text).map_err(|e| PluginError::Request(e.to_string()))?;
        if request.api_version != VERSION {
            return Err(PluginError::Request(format!("it is of {}", request.api_version)));
        }
        if request.service_account_token.is_empty() {
            return Err(PluginError::Request("it has no token of a ServiceAccount".into()));
        }
        if !request.service_account_annotations.contains_key(ROLE_ANNOTATION) {
            return Err(PluginError::Request(format!(
                "its ServiceAccount has no annotation {ROLE_ANNOTATION}"
            )));
        }
        Ok(request)
    }

    fn registry(&self) -> &str {
        self.image.split('/').next().unwrap_or(&self.image)
    }
}

/// Answers the kubelet's request on `input`.
pub(crate) async fn answer(
    mut input: impl Read,
    endpoint: String,
    region: String,
) -> Result<Value, PluginError> {
    let mut text = String::new();
    input.read_to_string(&mut text)?;
    let request = Request::parse(&text)?;
    let cloud = Endpoint::new(endpoint, region);
    let role =
        request.service_account_annotations.get(ROLE_ANNOTATION).map(String::as_str).unwrap_or_default();
    let parameters = [
        ("RoleArn", role),
        ("RoleSessionName", "image-pull"),
        ("WebIdentityToken", request.service_account_token.as_str()),
        ("DurationSeconds", "900"),
    ];
    let action = "AssumeRoleWithWebIdentity";
    let answer = cloud.call_unsigned("sts", action, &parameters).await?;
    let part = |part: &'static str| {
        xml::text(&answer, part).ok_or(EndpointError::Answer { action: action.into(), part })
    };
    let key = AccessKey { id: part("AccessKeyId")?, secret: part("SecretAccessKey")? };
    let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
    let answer = cloud.call_json(&key, &part("SessionToken")?, target).await?;
    let password = password(&answer).ok_or(PluginError::Password)?;
    Ok(response(request.registry(), &password))
}

fn password(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let token = answer["authorizationData"][0]["authorizationToken"].as_str()?;
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    Some(text.strip_prefix(USER)?.strip_prefix(':')?.to_string())
}

/// Not to be kept: a revoked identity must show at the next pull.
fn response(registry: &str, password: &str) -> Value {
    json!({
        "apiVersion": VERSION, "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry", "cacheDuration": "0s",
        "auth": { registry: { "username": USER, "password": password } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(change: impl Fn(&mut Value)) -> Result<Request, PluginError> {
        let mut request = json!({"apiVersion": VERSION, "kind": "CredentialProviderRequest",
            "image": "123456789012.dkr.ecr.us-east-1.lab/app:1", "serviceAccountToken": "a.b.c",
            "serviceAccountAnnotations": {ROLE_ANNOTATION: "arn:aws:iam::123456789012:role/r"}});
        change(&mut request);
        Request::parse(&request.to_string())
    }

    #[test]
    fn a_request_is_checked_before_anybody_is_asked() {
        assert_eq!(asked(|_| {}).expect("good").registry(), "123456789012.dkr.ecr.us-east-1.lab");
        assert!(asked(|r| r["apiVersion"] = json!("v2")).is_err());
        assert!(asked(|r| r["serviceAccountToken"] = json!("")).is_err());
        assert!(asked(|r| r["serviceAccountAnnotations"] = json!({})).is_err());
        let error = Request::parse("hello").expect_err("no JSON").to_string();
        assert!(error.contains("no CredentialProviderRequest"), "{error}");
    }

    #[test]
    fn the_password_comes_out_of_ecr_s_token() {
        let token = STANDARD.encode("AWS:secret");
        let answer = json!({"authorizationData": [{"authorizationToken": token}]}).to_string();
        assert_eq!(password(&answer).as_deref(), Some("secret"));
        assert_eq!(password("{}"), None);
        let response = response("r", "secret");
        assert_eq!(response["auth"]["r"]["password"], "secret");
        assert_eq!(response["cacheDuration"], "0s");
    }
}
