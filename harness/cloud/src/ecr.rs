//! The account's registry: passwords as ECR gives them, and the way to the images behind it.
//!
//! A password stands for the session that asked for it. As on AWS it may outlive that session, and each pull is
//! permitted by the role's policies as they are then.

use crate::sessions::Session;
use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, header, request::Parts};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tokio::net::TcpStream;

/// The action that gives a password.
pub(crate) const AUTHORIZE: &str = "ecr:GetAuthorizationToken";
/// The user of all passwords.
pub(crate) const USER: &str = "AWS";
const VALID: SignedDuration = SignedDuration::from_hours(12);

/// Whether a path is one of a container registry's.
pub(crate) fn is_registry(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

/// The passwords that were given away: whose, and until when.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, (Session, Timestamp)>>);

impl Tokens {
    /// Answers `GetAuthorizationToken` with a new password.
    pub(crate) fn answer(&self, session: &Session, now: Timestamp) -> Response {
        let until = now + VALID;
        let password = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let token = STANDARD.encode(format!("{USER}:{password}"));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, until)| *until > now);
        all.insert(password, (session.clone(), until));
        let endpoint = format!("https://{}", crate::REGISTRY);
        let data =
            json!({"authorizationToken": token, "expiresAt": until.as_second(), "proxyEndpoint": endpoint});
        let mut answer = Response::new(Body::from(json!({ "authorizationData": [data] }).to_string()));
        let kind = HeaderValue::from_static("application/x-amz-json-1.1");
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
        answer
    }

    /// The session that a password stands for.
    pub(crate) fn session(&self, password: &str, now: Timestamp) -> Option<Session> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(password).filter(|(_, until)| now < *until).map(|(session, _)| session.clone())
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The password in a request.
pub(crate) fn password(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    (user == USER).then(|| password.to_string())
}

/// What a pull asks for, in the words of policies. Nothing but pulls is served.
pub(crate) fn asked(parts: &Parts, account: &str, region: &str) -> Option<(&'static str, String)> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return None;
    }
    let path = parts.uri.path().strip_prefix("/v2")?.trim_start_matches('/');
    if path.is_empty() {
        return Some((AUTHORIZE, "*".into()));
    }
    let of = |part: &str| path.rsplit_once(part).map(|(repository, _)| repository);
    let (action, repository) = match (of("/manifests/"), of("/blobs/")) {
        (Some(repository), _) => ("ecr:BatchGetImage", repository),
        (None, Some(repository)) => ("ecr:GetDownloadUrlForLayer", repository),
        (None, None) => return None,
    };
    Some((action, format!("arn:aws:ecr:{region}:{account}:repository/{repository}")))
}

/// The registry that holds the images.
#[derive(Clone)]
pub(crate) struct Backend {
    address: String,
    account: HeaderValue,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Backend {
    /// `account` is `user:password`.
    pub(crate) fn new(host: &str, account: &str) -> Self {
        let basic = format!("Basic {}", STANDARD.encode(account));
        let mut account = HeaderValue::from_str(&basic).unwrap_or_else(|_| HeaderValue::from_static(""));
        account.set_sensitive(true);
        Backend { address: format!("{host}:5000"), account }
    }

    /// Passes a pull on; layers are large, so nothing is held on the way.
    pub(crate) async fn pass_on(&self, parts: &Parts) -> std::io::Result<Response> {
        let stream = TcpStream::connect(&self.address).await?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        let mut request = Request::new(http_body_util::Empty::<hyper::body::Bytes>::new());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        let headers = request.headers_mut();
        for name in [header::ACCEPT, header::RANGE, header::IF_NONE_MATCH] {
            for value in parts.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        headers.insert(header::AUTHORIZATION, self.account.clone());
        if let Ok(host) = HeaderValue::from_str(&self.address) {
            headers.insert(header::HOST, host);
        }
        let answer = sender.send_request(request).await.map_err(std::io::Error::other)?;
        Ok(answer.map(Body::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::Issued, sigv4::AccessKey};
    use http_body_util::BodyExt as _;

    fn parts(method: &str, uri: &str) -> Parts {
        Request::builder().method(method).uri(uri).body(()).expect("valid").into_parts().0
    }

    #[test]
    fn pulls_have_the_actions_of_ecr_and_nothing_else_is_served() {
        let asked = |method: &str, uri: &str| asked(&parts(method, uri), "1", "r");
        let repository = "arn:aws:ecr:r:1:repository/team/app".to_string();
        assert_eq!(
            asked("HEAD", "/v2/team/app/manifests/1"),
            Some(("ecr:BatchGetImage", repository.clone()))
        );
        let layer = asked("GET", "/v2/team/app/blobs/sha256:0");
        assert_eq!(layer, Some(("ecr:GetDownloadUrlForLayer", repository)));
        assert_eq!(asked("GET", "/v2/"), Some((AUTHORIZE, "*".into())));
        assert_eq!(asked("PUT", "/v2/team/app/manifests/1"), None);
        assert_eq!(asked("GET", "/v2/_catalog"), None);
        assert!(is_registry("/v2/") && !is_registry("/v2x/key"));
    }

    #[tokio::test]
    async fn a_password_stands_for_its_session_until_it_expires() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let session = Session {
            issued: Issued { key: AccessKey { id: "ASIAX".into(), secret: "s".into() }, token: "t".into() },
            role_arn: "arn:aws:iam::1:role/r".into(),
            name: "n".into(),
            since: now,
            until: now,
        };
        let tokens = Tokens::default();
        let body = tokens.answer(&session, now).into_body().collect().await.expect("a body").to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let token = body["authorizationData"][0]["authorizationToken"].as_str().expect("a token");
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Basic {token}").parse().expect("a value"));
        let password = password(&headers).expect("in the token");
        assert_eq!(tokens.session(&password, now + SignedDuration::from_hours(11)).expect("valid").name, "n");
        assert!(tokens.session(&password, now + SignedDuration::from_hours(12)).is_none());
        assert!(tokens.session("another", now).is_none());
        tokens.clear();
        assert!(tokens.session(&password, now).is_none());
    }

    #[test]
    fn other_headers_hold_no_password() {
        for text in ["Bearer x", "Basic", "Basic !!!", "Basic eDp5", "Basic QVdT"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, text.parse().expect("a value"));
            assert_eq!(password(&headers), None, "{text}");
        }
        assert!(!format!("{:?}", Backend::new("h", "lab:hush")).contains("hush"));
    }
}
