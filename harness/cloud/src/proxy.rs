//! The proxy: the one endpoint of the lab's cloud. Everything goes on to moto as it came, except what moto cannot do:
//! web identities, the end of sessions, and conditions in the policies of a role.

use crate::{
    account::{Account, Issued},
    asked::{self, Form},
    ecr::{self, Backend, Tokens},
    endpoint::{Endpoint, EndpointError},
    issuer::Issuer,
    policy::{self, Asked, Document, Verdict},
    reconciler::{Look, Reconciler},
    refusal::{Refusal, Wire},
    sessions::{Session, Sessions},
    sigv4::{self, AccessKey, Authorization, Signed},
    trust, web_identity, xml,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use http::request::Parts;
use hyper::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Nothing in a drill is larger.
const LARGEST: usize = 32 << 20;
/// How far a request's clock may be from ours, as on AWS.
const SKEW: SignedDuration = SignedDuration::from_mins(15);
/// How often the proxy looks whether moto still knows the account.
const LOOK: Duration = Duration::from_secs(2);

/// What the proxy is started with.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    pub(crate) moto: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) seed: u64,
    /// Where the images are; without it there is no registry.
    pub(crate) registry: Option<Backend>,
}

/// Why the proxy cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(
        "the API server does not say which issuer it is: {0}; it has to serve /.well-known/openid-configuration"
    )]
    Issuer(#[source] Box<kube::Error>),
    #[error("cannot serve: {0}")]
    Serve(std::io::Error),
}

struct Proxy {
    region: String,
    moto: Endpoint,
    issuer: Issuer,
    reconciler: Reconciler,
    sessions: Sessions,
    tokens: Tokens,
    registry: Option<Backend>,
}

/// Serves until SIGTERM. Listens only when the account is set up.
pub(crate) async fn serve(options: Options) -> Result<(), ProxyError> {
    let client = kube::Client::try_default().await.map_err(|e| ProxyError::Issuer(Box::new(e)))?;
    let issuer = Issuer::discover(client.clone()).await.map_err(|e| ProxyError::Issuer(Box::new(e)))?;
    tracing::info!("the issuer is {}", issuer.url);
    let moto = Endpoint::new(options.moto, options.region.clone());
    let reconciler = Reconciler::new(moto.clone(), &options.account, &issuer.url, options.seed, client);
    let proxy = Proxy {
        region: options.region,
        moto,
        issuer,
        reconciler,
        sessions: Sessions::default(),
        tokens: Tokens::default(),
        registry: options.registry,
    };
    let proxy = Arc::new(proxy);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(ProxyError::Runtime)?;
    let serving = async {
        proxy.keep_until_ready().await;
        let listen = tokio::net::TcpListener::bind(options.listen).await;
        let listener = listen.map_err(|source| ProxyError::Listen { address: options.listen, source })?;
        tracing::info!("listening on {}", options.listen);
        let keeping = proxy.clone();
        tokio::spawn(async move {
            let mut told = String::new();
            loop {
                tokio::time::sleep(LOOK).await;
                if keeping.keep(&mut told).await {
                    told.clear();
                }
                keeping.reconciler.read_settings().await;
            }
        });
        let router = Router::new().fallback(handle).with_state(proxy.clone());
        axum::serve(listener, router).await.map_err(ProxyError::Serve)
    };
    tokio::select! {
        served = serving => served,
        _ = terminate.recv() => Ok(()),
    }
}

async fn handle(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let by = Authorization::of(&parts.headers);
    let wire = match &by {
        _ if ecr::is_registry(parts.uri.path()) => Wire::Registry,
        Some(by) => Wire::of(&by.service),
        None if parts.uri.path() == "/" => Wire::Query,
        None => Wire::S3,
    };
    let (method, path) = (parts.method.clone(), parts.uri.path().to_string());
    let answer = match to_bytes(body, LARGEST).await {
        Ok(_) if wire == Wire::Registry => proxy.registry(&parts).await,
        Ok(body) => proxy.answer(parts, body.to_vec(), by).await,
        Err(_) => Err(Refusal::TooLarge),
    };
    answer.unwrap_or_else(|refusal| {
        tracing::info!("{method} {path}: {}", refusal.log(wire));
        refusal.answer(wire)
    })
}

impl Proxy {
    /// Looks after the account, and says what came of it.
    async fn keep(&self, told: &mut String) -> bool {
        match self.reconciler.look(|| self.forget()).await {
            Ok(Look::There) => true,
            Ok(Look::Anew) => {
                // moto restarted: all sessions and all changes to the account are lost.
                tracing::warn!("moto was empty; the account was set up anew");
                true
            }
            Err(error) => {
                let error = error.to_string();
                // It stays as it is for a while, and is told once.
                if *told != error {
                    tracing::warn!("{error}");
                }
                *told = error;
                false
            }
        }
    }

    /// What moto has lost counts no longer here, either.
    fn forget(&self) {
        self.sessions.clear();
        self.tokens.clear();
    }

    async fn keep_until_ready(&self) {
        let mut told = String::new();
        while !self.keep(&mut told).await {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn answer(
        &self,
        parts: Parts,
        body: Vec<u8>,
        by: Option<Authorization>,
    ) -> Result<Response, Refusal> {
        let path = parts.uri.path();
        if path.starts_with("/moto-api") || path.starts_with("/latest/") {
            return Err(Refusal::Private);
        }
        let account = self.reconciler.account().await;
        let account =
            account.ok_or_else(|| Refusal::Unavailable("the lab's cloud is being set up".into()))?;
        let form = asked::form(&parts, &body);
        let action = form.get("Action").map(String::as_str);
        if by.as_ref().is_none_or(|by| by.service == "sts") && action == Some("AssumeRoleWithWebIdentity") {
            self.is_within_rate(trust::ACTION).await?;
            let (session, answer) = web_identity::assume(&account, &self.issuer, &form).await?;
            tracing::info!("a session of {} for {}", session.role_arn, session.name);
            self.sessions.add(session);
            return Ok(xml_answer(answer));
        }
        let by = by.ok_or(Refusal::Unsigned)?;
        self.is_signed_here_and_now(&by, &parts)?;
        if let Some(session) = self.sessions.get(&by.key) {
            return self.of_session(&account, &session, &by, parts, body, &form).await;
        }
        // Keys of sessions begin so, and all sessions are known here.
        if by.key.starts_with("ASIA") {
            return Err(Refusal::UnknownKey);
        }
        let answer = self.forward(parts, body).await?;
        if by.service == "sts" && action == Some("AssumeRole") && answer.status().is_success() {
            self.remember(&form, &String::from_utf8_lossy(answer.body()));
        }
        Ok(answer.map(Body::from))
    }

    fn is_signed_here_and_now(&self, by: &Authorization, parts: &Parts) -> Result<(), Refusal> {
        let (now, theirs) = (Timestamp::now(), sigv4::date(&parts.headers).ok_or(Refusal::Unsigned)?);
        if now.duration_since(theirs).abs() > SKEW {
            return Err(Refusal::Skewed { now: now.to_string(), theirs: theirs.to_string() });
        }
        // IAM is the same in all regions.
        if by.region != self.region && by.service != "iam" {
            return Err(Refusal::Region { theirs: by.region.clone(), ours: self.region.clone() });
        }
        Ok(())
    }

    async fn is_within_rate(&self, action: &str) -> Result<(), Refusal> {
        if self.reconciler.is_throttled(action).await { Err(Refusal::Throttled) } else { Ok(()) }
    }

    /// A request of a session: is it still one, and do the role's policies let it?
    async fn of_session(
        &self,
        account: &Account,
        session: &Session,
        by: &Authorization,
        parts: Parts,
        body: Vec<u8>,
        form: &Form,
    ) -> Result<Response, Refusal> {
        let now = Timestamp::now();
        if now >= session.until {
            return Err(Refusal::SessionExpired);
        }
        if parts
            .headers
            .get(sigv4::TOKEN)
            .is_none_or(|token| token.as_bytes() != session.issued.token.as_bytes())
        {
            return Err(Refusal::UnknownKey);
        }
        let signed = Signed { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &body };
        if !signed.is_by(&session.issued.key.secret, by) {
            return Err(Refusal::Signature);
        }
        let (action, resource) = asked::action(&account.id, by, &parts, form, &body);
        self.is_within_rate(&action).await?;
        // Everybody may ask who they are, whatever policies say.
        if action == "sts:GetCallerIdentity" {
            return Ok(self.forward(parts, body).await?.map(Body::from));
        }
        let documents = self.permit(account, session, &action, &resource).await?;
        // Answered here: moto gives every caller the same password for its registry, and it never ends.
        if action == ecr::AUTHORIZE {
            return Ok(self.tokens.answer(session, now));
        }
        // moto takes a statement with a condition for one without: what such policies allow it would deny.
        if documents.iter().any(Document::is_conditional) {
            let mut request = http::Request::from_parts(parts, body);
            self.moto.sign(&mut request, &account.key, None, &by.service);
            let (parts, body) = request.into_parts();
            return Ok(self.forward(parts, body).await?.map(Body::from));
        }
        Ok(self.forward(parts, body).await?.map(Body::from))
    }

    /// Whether the policies of a session's role let it; gives them when they do.
    async fn permit(
        &self,
        account: &Account,
        session: &Session,
        action: &str,
        resource: &str,
    ) -> Result<Vec<Document>, Refusal> {
        let documents = policies(account, session).await?;
        let asked = Asked {
            action: action.into(),
            resource: Some(resource.into()),
            federated: None,
            keys: session.keys(&account.id, &self.region, Timestamp::now()),
        };
        let verdict = documents.as_deref().map_or(Verdict::Denied, |all| policy::verdict(all, &asked));
        match documents {
            Some(documents) if verdict == Verdict::Allowed => Ok(documents),
            _ => Err(Refusal::Denied {
                who: session.arn(&account.id),
                action: action.into(),
                resource: resource.into(),
                explicit: verdict == Verdict::Denied,
            }),
        }
    }

    /// A request to the account's registry: its password stands for the session that asked for it.
    async fn registry(&self, parts: &Parts) -> Result<Response, Refusal> {
        let unavailable = |text: &str| Refusal::Unavailable(text.into());
        let backend = self.registry.as_ref().ok_or_else(|| unavailable("this lab has no registry"))?;
        let account = self.reconciler.account().await;
        let account = account.ok_or_else(|| unavailable("the lab's cloud is being set up"))?;
        let password = ecr::password(&parts.headers).ok_or(Refusal::Unsigned)?;
        let session = self.tokens.session(&password, Timestamp::now()).ok_or(Refusal::PasswordExpired)?;
        let (action, resource) = ecr::asked(parts, &account.id, &self.region).ok_or(Refusal::Private)?;
        self.permit(&account, &session, action, &resource).await?;
        backend.pass_on(parts).await.map_err(|e| Refusal::Unavailable(e.to_string()))
    }

    /// Passes a request on as it is.
    async fn forward(&self, parts: Parts, body: Vec<u8>) -> Result<http::Response<Bytes>, Refusal> {
        let before = self.reconciler.set_ups();
        let answer = self.moto.send(http::Request::from_parts(parts, body)).await;
        let answer = answer.map_err(|e| Refusal::Unavailable(e.to_string()))?;
        if answer.status() == http::StatusCode::FORBIDDEN && is_unknown_key(answer.body()) {
            // A moto that has just restarted knows no key at all: the caller must not read that as "your key was
            // revoked". The account may have been set up anew by another request, or by the regular look, since
            // this one was sent.
            let look = self.reconciler.look(|| self.forget()).await;
            if look.map_err(|e| Refusal::Unavailable(e.to_string()))? == Look::Anew {
                tracing::warn!("moto was empty; the account was set up anew");
            }
            if self.reconciler.set_ups() != before {
                return Err(Refusal::Unavailable("the lab's cloud was set up anew; try again".into()));
            }
        }
        Ok(answer)
    }

    /// A session that an operator opened directly.
    fn remember(&self, form: &Form, answer: &str) {
        let part = |name: &str| xml::text(answer, name);
        let (Some(id), Some(secret), Some(token)) =
            (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"))
        else {
            return;
        };
        let get = |name: &str| form.get(name).cloned().unwrap_or_default();
        let seconds = get("DurationSeconds").parse().unwrap_or(3600).clamp(1, 12 * 3600);
        let since = Timestamp::now();
        self.sessions.add(Session {
            issued: Issued { key: AccessKey { id, secret }, token },
            role_arn: get("RoleArn"),
            name: get("RoleSessionName"),
            since,
            until: since + SignedDuration::from_secs(seconds),
        });
    }
}

/// All policies of a session's role; nothing when one of them cannot be read, for then nobody knows what it denies.
async fn policies(account: &Account, session: &Session) -> Result<Option<Vec<Document>>, Refusal> {
    match account.policies(crate::account::role_name(&session.role_arn)).await {
        Ok(documents) => Ok(documents.into_iter().collect()),
        // A role that is gone allows nothing.
        Err(error) if error.is_missing() => Ok(Some(Vec::new())),
        Err(error @ EndpointError::Silent { .. }) => Err(Refusal::Unavailable(error.to_string())),
        Err(error) => Err(Refusal::Unavailable(format!("the role's policies: {error}"))),
    }
}

fn is_unknown_key(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("InvalidClientTokenId") || text.contains("InvalidAccessKeyId")
}

fn xml_answer(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/xml"));
    response
}
