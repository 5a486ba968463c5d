//! An endpoint of AWS' protocols: requests passed on to it, and calls of our own.

use crate::{
    sigv4::{self, AccessKey},
    xml,
};
use http::{HeaderMap, HeaderName, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{OwnedRwLockWriteGuard, RwLock},
};

/// The longest that one answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Where it listens, and the region that it plays.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: String,
    pub(crate) region: String,
    /// Held by each request; who holds it alone is not disturbed by any. See [`Endpoint::alone`].
    gate: Option<Arc<RwLock<()>>>,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// It does not answer.
    #[error("the cloud does not answer on {address}: {why}; see `kubectl -n cloud get pods`")]
    Silent { address: String, why: String },
    /// It answered with an error.
    #[error("{action}: {code} ({status}): {message}")]
    Refused { action: String, status: u16, code: String, message: String },
    /// It answered with what is no such answer.
    #[error("the cloud's answer to {action} has no {part}; is its moto the version that the bundle pins?")]
    Answer { action: String, part: &'static str },
}

impl EndpointError {
    /// Whether what was asked for does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, EndpointError::Refused { code, .. } if code == "NoSuchEntity")
    }
}

impl Endpoint {
    pub(crate) fn new(address: String, region: String) -> Self {
        Endpoint { address, region, gate: Some(Arc::default()) }
    }

    /// Waits until no request is under way, and holds back all others until the guard is dropped: only requests
    /// through the endpoint that comes with it pass.
    pub(crate) async fn alone(&self) -> (Endpoint, Option<OwnedRwLockWriteGuard<()>>) {
        let guard = match &self.gate {
            Some(gate) => Some(gate.clone().write_owned().await),
            None => None,
        };
        (Endpoint { gate: None, ..self.clone() }, guard)
    }

    /// Sends a request as it is, on a connection of its own: moto closes each after one answer.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Bytes>, EndpointError> {
        let _under_way = match &self.gate {
            Some(gate) => Some(gate.read().await),
            None => None,
        };
        let silent = |why: String| EndpointError::Silent { address: self.address.clone(), why };
        let exchange = async {
            let stream = TcpStream::connect(&self.address).await.map_err(|e| silent(e.to_string()))?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|e| silent(e.to_string()))?;
            let connection = tokio::spawn(connection);
            let (mut parts, body) = request.into_parts();
            remove_hops(&mut parts.headers);
            parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
            let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
            let answer = sender.send_request(request).await.map_err(|e| silent(e.to_string()))?;
            let (mut parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|e| silent(e.to_string()))?.to_bytes();
            connection.abort();
            remove_hops(&mut parts.headers);
            Ok(Response::from_parts(parts, body))
        };
        tokio::time::timeout(LIMIT, exchange)
            .await
            .unwrap_or_else(|_| Err(silent(format!("no answer within {} s", LIMIT.as_secs()))))
    }

    /// Calls an action of a service that speaks the query protocol, signed with `key`.
    pub(crate) async fn call(
        &self,
        key: &AccessKey,
        service: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, EndpointError> {
        self.signed(key, service, action, query(service, action, parameters)).await
    }

    /// Calls an action that needs no key: `AssumeRoleWithWebIdentity`.
    pub(crate) async fn call_unsigned(
        &self,
        service: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, EndpointError> {
        let mut request = valid(action, query(service, action, parameters))?;
        self.set_host(&mut request);
        text(action, &self.send(request).await?)
    }

    /// Calls an action of a service that speaks JSON.
    pub(crate) async fn call_json(
        &self,
        key: &AccessKey,
        token: &str,
        target: &str,
    ) -> Result<String, EndpointError> {
        let request = Request::post("/")
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(b"{}".to_vec());
        let mut request = valid(target, request)?;
        self.sign(&mut request, key, Some(token), "ecr");
        text(target, &self.send(request).await?)
    }

    /// Puts an object, or makes a bucket where there is no content.
    pub(crate) async fn put(&self, key: &AccessKey, path: &str, content: &[u8]) -> Result<(), EndpointError> {
        let request = Request::put(path).body(content.to_vec());
        self.signed(key, "s3", &format!("PUT {path}"), request).await.map(drop)
    }

    async fn signed(
        &self,
        key: &AccessKey,
        service: &str,
        action: &str,
        request: Result<Request<Vec<u8>>, http::Error>,
    ) -> Result<String, EndpointError> {
        let mut request = valid(action, request)?;
        self.sign(&mut request, key, None, service);
        text(action, &self.send(request).await?)
    }

    /// Signs a request for this endpoint.
    pub(crate) fn sign(
        &self,
        request: &mut Request<Vec<u8>>,
        key: &AccessKey,
        token: Option<&str>,
        service: &str,
    ) {
        self.set_host(request);
        sigv4::sign(request, key, token, service, &self.region, Timestamp::now());
    }

    fn set_host(&self, request: &mut Request<Vec<u8>>) {
        if let Ok(host) = self.address.parse() {
            request.headers_mut().insert(header::HOST, host);
        }
    }

    /// An action of moto's own interface, which is not AWS'.
    pub(crate) async fn control(&self, path: &str, body: &str) -> Result<(), EndpointError> {
        let request = Request::post(path)
            .header(header::HOST, &self.address)
            .header(header::CONTENT_TYPE, "text/plain")
            .body(body.as_bytes().to_vec());
        text(path, &self.send(valid(path, request)?).await?).map(drop)
    }
}

fn query(service: &str, action: &str, parameters: &[(&str, &str)]) -> Result<Request<Vec<u8>>, http::Error> {
    let version = if service == "sts" { "2011-06-15" } else { "2010-05-08" };
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", action)
        .append_pair("Version", version)
        .extend_pairs(parameters)
        .finish();
    let kind = "application/x-www-form-urlencoded";
    Request::post("/").header(header::CONTENT_TYPE, kind).body(body.into_bytes())
}

fn valid(
    action: &str,
    request: Result<Request<Vec<u8>>, http::Error>,
) -> Result<Request<Vec<u8>>, EndpointError> {
    request.map_err(|_| EndpointError::Answer { action: action.into(), part: "valid request" })
}

fn text(action: &str, answer: &Response<Bytes>) -> Result<String, EndpointError> {
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    if answer.status().is_success() {
        return Ok(text);
    }
    let json = |name: &str| {
        let answer: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(answer[name].as_str()?.to_string())
    };
    Err(EndpointError::Refused {
        action: action.into(),
        status: answer.status().as_u16(),
        code: xml::text(&text, "Code").or_else(|| json("__type")).unwrap_or_else(|| "no code".into()),
        message: xml::text(&text, "Message").or_else(|| json("message")).unwrap_or_default(),
    })
}

/// Takes out the headers that are about one connection. What is signed is never among them.
fn remove_hops(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE] {
        headers.remove(name);
    }
    headers.remove(HeaderName::from_static("keep-alive"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_aws_is_read() {
        let body =
            "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no r</Message></Error></ErrorResponse>";
        let answer = Response::builder().status(404).body(Bytes::from(body)).expect("valid");
        let error = text("GetRole", &answer).expect_err("an error");
        assert!(error.is_missing(), "{error}");
        assert_eq!(error.to_string(), "GetRole: NoSuchEntity (404): no r");
    }

    #[test]
    fn headers_of_a_connection_stay_with_it() {
        let mut headers = HeaderMap::new();
        for name in ["connection", "transfer-encoding", "keep-alive", "host", "x-amz-date"] {
            headers.insert(HeaderName::from_static(name), "x".parse().expect("a value"));
        }
        remove_hops(&mut headers);
        assert_eq!(headers.len(), 2);
    }

    #[tokio::test]
    async fn a_silent_moto_is_named() {
        let moto = Endpoint::new("127.0.0.1:1".into(), "us-east-1".into());
        let error = moto.control("/moto-api/reset", "").await.expect_err("nothing listens");
        assert!(error.to_string().starts_with("the cloud does not answer on 127.0.0.1:1"), "{error}");
    }

    #[tokio::test]
    async fn who_is_alone_is_not_disturbed() {
        let moto = Endpoint::new("127.0.0.1:1".into(), "us-east-1".into());
        let (own, guard) = moto.alone().await;
        let other = tokio::spawn(async move { moto.control("/", "").await });
        own.control("/", "").await.expect_err("nothing listens, and nothing waits");
        tokio::task::yield_now().await;
        assert!(!other.is_finished());
        drop(guard);
        other.await.expect("no panic").expect_err("nothing listens");
    }
}
