//! AWS' own errors, in the forms of its three protocols.

use crate::{token::TokenError, xml};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::json;

/// How a service words its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// XML with a namespace: IAM, STS.
    Query,
    /// XML without: S3.
    S3,
    /// JSON: ECR.
    Json,
    /// The JSON of container registries.
    Registry,
}

impl Wire {
    pub(crate) fn of(service: &str) -> Self {
        match service {
            "s3" => Wire::S3,
            "ecr" => Wire::Json,
            _ => Wire::Query,
        }
    }
}

/// Why a request is not answered as it would like.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The web identity token is no good.
    Token(TokenError),
    /// The role's trust policy, or that there is no such role.
    Trust,
    /// A policy of the caller's role denies it, or none allows it.
    Denied { who: String, action: String, resource: String, explicit: bool },
    /// The session is over.
    SessionExpired,
    /// No such key, or not with that token.
    UnknownKey,
    /// The signature is not the key's.
    Signature,
    /// The request's clock is far from ours.
    Skewed { now: String, theirs: String },
    /// Signed for another region.
    Region { theirs: String, ours: String },
    /// The password of the registry is not, or no longer, one.
    PasswordExpired,
    /// Too many requests, or so it is set.
    Throttled,
    /// Not signed.
    Unsigned,
    /// A parameter is missing or wrong.
    Invalid(String),
    /// Not to be had through the proxy.
    Private,
    /// The request is too large.
    TooLarge,
    /// Not now.
    Unavailable(String),
}

impl Refusal {
    /// Status, code and text, as the service words them.
    fn words(&self, wire: Wire) -> (u16, &'static str, String) {
        let s3 = wire == Wire::S3;
        match self {
            Refusal::Token(error @ TokenError::Expired { .. }) => {
                (400, "ExpiredTokenException", error.to_string())
            }
            Refusal::Token(error) => (400, "InvalidIdentityToken", error.to_string()),
            Refusal::Trust => {
                (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity".into())
            }
            Refusal::Denied { who, action, resource, explicit } => {
                let why = if *explicit {
                    "with an explicit deny in an identity-based policy".into()
                } else {
                    format!("because no identity-based policy allows the {action} action")
                };
                let text = if resource == "*" {
                    format!("User: {who} is not authorized to perform: {action} on resource: * {why}")
                } else {
                    format!("User: {who} is not authorized to perform: {action} on resource: \"{resource}\" {why}")
                };
                (if wire == Wire::Json { 400 } else { 403 }, "AccessDenied", text)
            }
            Refusal::SessionExpired if s3 => {
                (400, "ExpiredToken", "The provided token has expired.".into())
            }
            Refusal::SessionExpired => {
                (403, "ExpiredToken", "The security token included in the request is expired".into())
            }
            Refusal::UnknownKey if s3 => (
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.".into(),
            ),
            Refusal::UnknownKey => {
                (403, "InvalidClientTokenId", "The security token included in the request is invalid.".into())
            }
            Refusal::Signature => (
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key \
                 and signing method."
                    .into(),
            ),
            Refusal::Skewed { .. } if s3 => (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.".into(),
            ),
            Refusal::Skewed { now, theirs } => (
                403,
                "SignatureDoesNotMatch",
                format!("Signature not valid at this time: {theirs} is too far from {now}"),
            ),
            Refusal::Region { theirs, ours } if s3 => (
                400,
                "AuthorizationHeaderMalformed",
                format!(
                    "The authorization header is malformed; the region '{theirs}' is wrong; expecting '{ours}'"
                ),
            ),
            Refusal::Region { ours, .. } => (
                403,
                "SignatureDoesNotMatch",
                format!("Credential should be scoped to a valid region: '{ours}'."),
            ),
            Refusal::Throttled if s3 => (503, "SlowDown", "Please reduce your request rate.".into()),
            Refusal::Throttled => (400, "Throttling", "Rate exceeded".into()),
            Refusal::PasswordExpired => (
                403,
                "DENIED",
                "Your authorization token has expired. Reauthenticate and try again.".into(),
            ),
            Refusal::Unsigned if wire == Wire::Registry => (401, "UNAUTHORIZED", "Not Authorized".into()),
            Refusal::Unsigned if s3 => (403, "AccessDenied", "Access Denied".into()),
            Refusal::Unsigned => {
                (403, "MissingAuthenticationToken", "Request is missing Authentication Token".into())
            }
            Refusal::Invalid(text) => (400, "ValidationError", text.clone()),
            Refusal::Private => (403, "AccessDenied", "This is no part of the account's interface".into()),
            Refusal::TooLarge => (413, "RequestEntityTooLarge", "The request is too large for this lab".into()),
            Refusal::Unavailable(text) => (503, "ServiceUnavailable", text.clone()),
        }
    }

    /// The answer.
    pub(crate) fn answer(&self, wire: Wire) -> Response {
        let (status, code, text) = self.words(wire);
        let id = format!("{:032x}", rand::random::<u128>());
        let (kind, name, body) = match wire {
            Wire::Json => {
                let name = json_name(code);
                ("application/x-amz-json-1.1", name, json!({"__type": name, "message": text}).to_string())
            }
            Wire::Registry => {
                let name = if code == "AccessDenied" { "DENIED" } else { code };
                let errors = json!({"errors": [{"code": name, "message": text}]});
                ("application/json", name, errors.to_string())
            }
            Wire::S3 => {
                let text = xml::escape(&text);
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{text}</Message>\
                     <RequestId>{id}</RequestId></Error>"
                );
                ("application/xml", code, body)
            }
            Wire::Query => {
                let side = if status < 500 { "Sender" } else { "Receiver" };
                let text = xml::escape(&text);
                let body = format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>{side}</Type>\
                     <Code>{code}</Code><Message>{text}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
                );
                ("text/xml", code, body)
            }
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let headers = [
            (header::CONTENT_TYPE, kind.to_string()),
            (header::HeaderName::from_static("x-amzn-errortype"), name.to_string()),
            (header::HeaderName::from_static("x-amzn-requestid"), id),
        ];
        let mut answer = (status, headers, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let basic = header::HeaderValue::from_static("Basic realm=\"lab\",service=\"ecr.amazonaws.com\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
        }
        answer
    }

    /// One line for the log: never a token, a key or a parameter.
    pub(crate) fn log(&self, wire: Wire) -> String {
        let (status, code, text) = self.words(wire);
        format!("{status} {code}: {text}")
    }
}

/// JSON services have names of their own for some errors.
fn json_name(code: &'static str) -> &'static str {
    match code {
        "AccessDenied" => "AccessDeniedException",
        "ExpiredToken" => "ExpiredTokenException",
        "Throttling" => "ThrottlingException",
        "InvalidClientTokenId" => "UnrecognizedClientException",
        "SignatureDoesNotMatch" => "InvalidSignatureException",
        "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn shown(refusal: Refusal, wire: Wire) -> (u16, String) {
        let answer = refusal.answer(wire);
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn the_three_protocols_have_their_forms() {
        let denied = || Refusal::Denied {
            who: "arn:aws:sts::1:assumed-role/r/<s>".into(),
            action: "s3:GetObject".into(),
            resource: "arn:aws:s3:::b/k".into(),
            explicit: true,
        };
        let (status, body) = shown(denied(), Wire::S3).await;
        assert_eq!(status, 403);
        assert_eq!(xml::text(&body, "Code").as_deref(), Some("AccessDenied"));
        let text = xml::text(&body, "Message").expect("a message");
        assert!(text.ends_with(
            "on resource: \"arn:aws:s3:::b/k\" with an explicit deny in an identity-based policy"
        ));
        assert!(text.contains("assumed-role/r/<s>"), "{text}");
        let (status, body) = shown(denied(), Wire::Json).await;
        let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, json["__type"].as_str()), (400, Some("AccessDeniedException")));
        let (_, body) = shown(Refusal::Trust, Wire::Query).await;
        assert_eq!(xml::text(&body, "Type").as_deref(), Some("Sender"));
        let (status, body) = shown(Refusal::Token(TokenError::Expired { now: 2, exp: 1 }), Wire::Query).await;
        assert_eq!((status, xml::text(&body, "Code").as_deref()), (400, Some("ExpiredTokenException")));
        let (status, body) = shown(Refusal::Token(TokenError::Audience), Wire::Query).await;
        assert_eq!((status, xml::text(&body, "Code").as_deref()), (400, Some("InvalidIdentityToken")));
    }
}
