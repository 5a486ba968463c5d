//! Puts images into a registry, by the protocol that all of them speak: [OCI distribution]. What is there is not sent again.
//!
//! [OCI distribution]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

use super::{
    PodImage,
    layout::{CONFIG, INDEX, LAYER, MANIFEST, descriptor, digest},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, Request, Response, StatusCode, header};
use kube::{Client, Config, client::Body};
use serde_json::{Value, json};
use std::time::Duration;

/// How long one answer may take: a layer is on its way for a while.
const ANSWER: Duration = Duration::from_secs(300);
/// So much of what a registry says is repeated.
const SAID: usize = 300;

/// Who pushes.
#[derive(Clone)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The password, or a token that stands for one.
    pub password: String,
}

impl Account {
    /// As `docker login` writes it down: base64 of `NAME:PASSWORD`.
    #[must_use]
    pub fn decode(auth: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Account { name: name.into(), password: password.into() })
    }
}

/// Why an image is not in the registry.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The reference has no registry or no repository.
    #[error("{0:?} names no image in a registry; use HOST[:PORT]/REPOSITORY[:TAG]")]
    Reference(String),
    /// The registry is not reached.
    #[error("registry {host} does not answer: {why}")]
    Unreached {
        /// Which.
        host: String,
        /// What the client says.
        why: String,
    },
    /// It wants to know who pushes, or does not let them.
    #[error(
        "registry {host} lets nobody push to {repository}: {why}; name who pushes with --username and --password-stdin"
    )]
    Denied {
        /// Which.
        host: String,
        /// Where to.
        repository: String,
        /// What it says.
        why: String,
    },
    /// It says no to something else.
    #[error("registry {host} refuses {what}: {why}")]
    Refused {
        /// Which.
        host: String,
        /// What was asked.
        what: String,
        /// What it says.
        why: String,
    },
    /// The binary cannot be read any more.
    #[error("cannot read the program: {0}")]
    Binary(#[from] std::io::Error),
}

/// Where an image goes.
#[derive(Debug, PartialEq)]
struct Place {
    host: String,
    repository: String,
    tag: String,
}

impl Place {
    fn parse(reference: &str) -> Result<Self, PushError> {
        let refuse = || PushError::Reference(reference.into());
        let (host, rest) = reference.split_once('/').ok_or_else(refuse)?;
        let is_host = host.contains(['.', ':']) || host == "localhost";
        let (repository, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
        let fits = |text: &str| !text.is_empty() && !text.contains([' ', '@', ':', '?', '#']);
        if !is_host || !fits(repository) || !fits(tag) || tag.contains('/') {
            return Err(refuse());
        }
        Ok(Place { host: host.into(), repository: repository.into(), tag: tag.into() })
    }
}

/// Pushes one image, or one of each processor under one name. `plain` speaks HTTP without TLS. Returns the reference by
/// digest, for a target file.
///
/// # Errors
/// [`PushError`].
pub async fn push(
    images: &[PodImage],
    reference: &str,
    account: Option<&Account>,
    plain: bool,
) -> Result<String, PushError> {
    let place = Place::parse(reference)?;
    let registry = Registry::enter(&place, account, plain).await?;
    let mut entries = Vec::new();
    for image in images {
        registry.blob(CONFIG, &digest(&image.config), || Ok(image.config.clone().into_bytes())).await?;
        registry.blob(LAYER, &image.layer.digest, || image.layer()).await?;
        let mut entry = descriptor(MANIFEST, &digest(&image.manifest), image.manifest.len() as u64);
        entry["platform"] = json!({ "os": "linux", "architecture": image.architecture });
        entries.push((entry, &image.manifest));
    }
    let (top, kind) = match &entries[..] {
        [(_, manifest)] => ((*manifest).clone(), MANIFEST),
        several => {
            for (_, manifest) in several {
                registry.manifest(MANIFEST, manifest, &format!("sha256:{}", digest(manifest))).await?;
            }
            let list: Vec<&Value> = several.iter().map(|(entry, _)| entry).collect();
            (json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": list }).to_string(), INDEX)
        }
    };
    registry.manifest(kind, &top, &place.tag).await?;
    Ok(format!("{}/{}@sha256:{}", place.host, place.repository, digest(&top)))
}

/// One repository, and who may write there.
struct Registry<'a> {
    client: Client,
    place: &'a Place,
    /// The `Authorization` that is sent.
    token: Option<String>,
}

impl<'a> Registry<'a> {
    /// Finds out what the registry wants to know of who pushes.
    async fn enter(place: &'a Place, account: Option<&Account>, plain: bool) -> Result<Self, PushError> {
        let basic =
            account.map(|a| format!("Basic {}", STANDARD.encode(format!("{}:{}", a.name, a.password))));
        let scheme = if plain { "http" } else { "https" };
        let client = client(&format!("{scheme}://{}", place.host), &place.host)?;
        let mut registry = Registry { client, place, token: None };
        let answer = registry.send(Method::GET, "/v2/", None, Vec::new()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(registry);
        }
        let wants = answer.headers().get(header::WWW_AUTHENTICATE).and_then(|v| v.to_str().ok());
        registry.token = match wants.and_then(Challenge::parse) {
            Some(challenge) => Some(challenge.token(place, basic, plain).await?),
            None => basic,
        };
        match &registry.token {
            Some(_) => Ok(registry),
            None => Err(registry.denied("it wants an account".into())),
        }
    }

    fn denied(&self, why: String) -> PushError {
        let Place { host, repository, .. } = self.place;
        PushError::Denied { host: host.clone(), repository: repository.clone(), why }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Response<Body>, PushError> {
        let request = Request::builder().method(method).uri(path);
        let request = match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, token),
            None => request,
        };
        let request = request.header(header::CONTENT_LENGTH, body.len());
        let request = kind.into_iter().fold(request, |r, kind| r.header(header::CONTENT_TYPE, kind));
        let request = request.body(Body::from(body));
        let request = request.map_err(|e| self.refused(path, &e.to_string()))?;
        ask(&self.client, &self.place.host, request).await
    }

    fn refused(&self, what: &str, why: &str) -> PushError {
        PushError::Refused { host: self.place.host.clone(), what: what.into(), why: why.into() }
    }

    /// The answer where it is one of success.
    async fn must(&self, what: &str, answer: Response<Body>) -> Result<Response<Body>, PushError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let said = answer.into_body().collect_bytes().await.unwrap_or_default();
        let said: String = String::from_utf8_lossy(&said).trim().chars().take(SAID).collect();
        let why = format!("{status} {said}").trim().to_owned();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.denied(why)),
            _ => Err(self.refused(what, &why)),
        }
    }

    /// Sends a blob that is not there yet.
    async fn blob(
        &self,
        kind: &str,
        digest: &str,
        bytes: impl FnOnce() -> std::io::Result<Vec<u8>>,
    ) -> Result<(), PushError> {
        let repository = &self.place.repository;
        let there = format!("/v2/{repository}/blobs/sha256:{digest}");
        if self.send(Method::HEAD, &there, None, Vec::new()).await?.status() == StatusCode::OK {
            return Ok(());
        }
        let what = format!("a blob ({kind})");
        let begin = format!("/v2/{repository}/blobs/uploads/");
        let begun = self.send(Method::POST, &begin, None, Vec::new()).await?;
        let begun = self.must(&what, begun).await?;
        let location =
            begun.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let path = self.path_of(location).ok_or_else(|| {
            self.refused(
                &what,
                &format!("it is to be sent to another server, {location:?}, which is not done"),
            )
        })?;
        let and = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{and}digest=sha256:{digest}");
        let sent = self.send(Method::PUT, &path, Some("application/octet-stream"), bytes()?).await?;
        self.must(&what, sent).await.map(drop)
    }

    /// The part of a location that lies on this server.
    fn path_of(&self, location: &str) -> Option<String> {
        if location.starts_with('/') {
            return Some(location.into());
        }
        let uri: http::Uri = location.parse().ok()?;
        let is_here = uri.authority().is_some_and(|a| a.as_str() == self.place.host);
        is_here.then(|| uri.path_and_query().map(ToString::to_string)).flatten()
    }

    async fn manifest(&self, kind: &str, text: &str, tag: &str) -> Result<(), PushError> {
        let path = format!("/v2/{}/manifests/{tag}", self.place.repository);
        let sent = self.send(Method::PUT, &path, Some(kind), text.into()).await?;
        self.must("the manifest", sent).await.map(drop)
    }
}

fn client(base: &str, host: &str) -> Result<Client, PushError> {
    let unreached = |why: String| PushError::Unreached { host: host.into(), why };
    let mut config = Config::new(base.parse().map_err(|e: http::uri::InvalidUri| unreached(e.to_string()))?);
    (config.read_timeout, config.write_timeout) = (Some(ANSWER), Some(ANSWER));
    Client::try_from(config).map_err(|e| unreached(e.to_string()))
}

async fn ask(client: &Client, host: &str, request: Request<Body>) -> Result<Response<Body>, PushError> {
    let unreached = |why: String| PushError::Unreached { host: host.into(), why };
    let answer = tokio::time::timeout(ANSWER, client.send(request)).await;
    let answer = answer.map_err(|_| unreached(format!("nothing came within {} s", ANSWER.as_secs())))?;
    answer.map_err(|e| unreached(causes(&e)))
}

/// An error with what is behind it: the client's own says little.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |e| e.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Where a token is to be had: `Bearer realm="…",service="…"`.
#[derive(Debug, PartialEq)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

impl Challenge {
    fn parse(header: &str) -> Option<Self> {
        let (scheme, fields) = header.split_once(' ')?;
        let field = |name: &str| {
            let (_, rest) = fields.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let realm = field("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        Some(Challenge { realm, service: field("service") })
    }

    /// What is sent to the registry from then on.
    async fn token(&self, place: &Place, basic: Option<String>, plain: bool) -> Result<String, PushError> {
        let denied = |why: String| PushError::Denied {
            host: place.host.clone(),
            repository: place.repository.clone(),
            why,
        };
        let realm: http::Uri =
            self.realm.parse().map_err(|_| denied(format!("it sends to {:?}", self.realm)))?;
        let (scheme, host) =
            (realm.scheme_str().unwrap_or("https"), realm.authority().map_or("", |a| a.as_str()));
        // A password that was given for a registry with TLS is sent to nobody without.
        if scheme != "https" && !plain {
            return Err(denied(format!("it sends for a token to {}, without TLS", self.realm)));
        }
        let service = self.service.as_ref().map(|s| format!("service={s}&")).unwrap_or_default();
        let path = format!("{}?{service}scope=repository:{}:pull,push", realm.path(), place.repository);
        let request = Request::get(path);
        let request = basic.into_iter().fold(request, |r, basic| r.header(header::AUTHORIZATION, basic));
        let request = request.body(Body::empty()).map_err(|e| denied(e.to_string()))?;
        let answer = ask(&client(&format!("{scheme}://{host}"), host)?, host, request).await?;
        let status = answer.status();
        let body = answer.into_body().collect_bytes().await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = body["token"].as_str().or(body["access_token"].as_str());
        let token = token.filter(|_| status.is_success());
        token
            .map(|token| format!("Bearer {token}"))
            .ok_or_else(|| denied(format!("{host} gives no token: {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_needs_a_registry_and_a_repository() {
        let place = Place::parse("r.example:5000/team/loopdrill:1.2").expect("a place");
        assert_eq!(
            (place.host.as_str(), place.repository.as_str(), place.tag.as_str()),
            ("r.example:5000", "team/loopdrill", "1.2")
        );
        assert_eq!(Place::parse("localhost/x").expect("a place").tag, "latest");
        for wrong in [
            "loopdrill",
            "team/loopdrill:1",
            "r.example/",
            "r.example/x:",
            "r.example/x@sha256:0",
            "r.example/a b",
        ] {
            assert!(matches!(Place::parse(wrong), Err(PushError::Reference(_))), "{wrong}");
        }
    }

    #[test]
    fn a_challenge_names_where_tokens_are() {
        let asked =
            Challenge::parse(r#"Bearer realm="https://auth.example/token",service="r.example",scope="x""#);
        let wanted =
            Challenge { realm: "https://auth.example/token".into(), service: Some("r.example".into()) };
        assert_eq!(asked, Some(wanted));
        assert_eq!(Challenge::parse(r#"Basic realm="r""#), None);
    }

    #[tokio::test]
    async fn a_password_that_was_given_for_tls_is_sent_to_nobody_without() {
        let place = Place::parse("r.example/team/loopdrill:1").expect("a place");
        let open = Challenge { realm: "http://127.0.0.1:1/token".into(), service: None };
        let denied = open.token(&place, Some("Basic eDp5".into()), false).await.expect_err("no TLS");
        assert!(denied.to_string().contains("without TLS"), "{denied}");
        let tried = open.token(&place, None, true).await.expect_err("nobody listens");
        assert!(!tried.to_string().contains("without TLS"), "{tried}");
    }
}
