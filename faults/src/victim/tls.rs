//! TLS with a certificate from a mounted folder, or of the server's own making: the server of a webhook that allows everything,
//! some time after it was asked, and the greeting of a client.

use crate::decoys::certificate::{Certificate, Validity};
use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use jiff::Timestamp;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::{
    net::{Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Where the certificate and its key are mounted.
pub(crate) const DIR: &str = "/tls";
/// Where the server listens.
pub(crate) const PORT: u16 = 8443;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a server thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thinks {
    pub(crate) time: Duration,
    /// From then on it answers at once, whoever may have forgotten it.
    pub(crate) until: Timestamp,
}

impl Thinks {
    fn at(self, now: Timestamp) -> Duration {
        if now < self.until { self.time } else { Duration::ZERO }
    }
}

/// Answers every admission review with yes, after having thought; as the server of the mounted certificate, or of one for
/// this name that it makes itself and shows.
pub(crate) async fn allow_forever(thinks: Thinks, own: Option<String>) -> ExitCode {
    match serve(thinks, own).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cannot serve on port {PORT}: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(thinks: Thinks, own: Option<String>) -> Result<(), Failure> {
    let config = match own {
        None => server_config(Path::new(DIR))?,
        Some(name) => {
            let (pem, config) = own_config(&name)?;
            println!("{}", pem.trim_end());
            config
        }
    };
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT));
    let listener = match TcpListener::bind(any).await {
        Ok(listener) => listener,
        // A kernel without IPv6.
        Err(_) => TcpListener::bind(("0.0.0.0", PORT)).await?,
    };
    let router = Router::new().fallback(post(move |review: Bytes| allow(review, thinks)));
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            // A client that does not like the certificate goes away: that is its answer.
            if let Ok(stream) = acceptor.accept(stream).await {
                let service = TowerToHyperService::new(router);
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            }
        });
    }
}

async fn allow(review: Bytes, thinks: Thinks) -> Response {
    tokio::time::sleep(thinks.at(Timestamp::now())).await;
    let Ok(review) = serde_json::from_slice::<Value>(&review) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    ([(CONTENT_TYPE, "application/json")], allowed(&review).to_string()).into_response()
}

fn allowed(review: &Value) -> Value {
    json!({
        "apiVersion": review["apiVersion"], "kind": review["kind"],
        "response": {"uid": review["request"]["uid"], "allowed": true},
    })
}

fn server_config(dir: &Path) -> Result<ServerConfig, Failure> {
    let chain = CertificateDer::pem_file_iter(dir.join("tls.crt"))?.collect::<Result<Vec<_>, _>>()?;
    config_of(chain, PrivateKeyDer::from_pem_file(dir.join("tls.key"))?)
}

/// A new certificate for `name`, and a server that has it.
fn own_config(name: &str) -> Result<(String, ServerConfig), Failure> {
    let Certificate { pem, key } = Certificate::make(name, Validity::Now)?;
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes())?];
    let config = config_of(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
    Ok((pem, config))
}

fn config_of(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Failure> {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(config.with_safe_default_protocol_versions()?.with_no_client_auth().with_single_cert(chain, key)?)
}

/// Greets a server as a client that trusts the mounted certificate.
pub(super) async fn greet(stream: TcpStream, host: &str) -> Result<(), String> {
    let told = |e: Failure| format!("tls: failed to verify certificate: {e}");
    let config = client_config(Path::new(DIR)).map_err(told)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|e| told(e.into()))?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map(drop).map_err(|e| told(e.into()))
}

fn client_config(dir: &Path) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("tls.crt"))?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn a_review_is_answered_with_its_own_id() {
        let review =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "7"}});
        let answer = allowed(&review);
        assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("7"), &json!(true)));
        assert_eq!(answer["kind"], "AdmissionReview");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_takes_as_long_as_the_server_thinks() {
        let began = tokio::time::Instant::now();
        let review = json!({"request": {"uid": "7"}}).to_string();
        let thinks = Thinks { time: Duration::from_millis(900), until: Timestamp::MAX };
        let answer = allow(Bytes::from(review), thinks).await;
        assert_eq!((answer.status(), began.elapsed().as_millis()), (StatusCode::OK, 900));
    }

    #[test]
    fn from_its_last_moment_on_a_server_does_not_think_any_more() {
        let (time, until) = (Duration::from_millis(900), Timestamp::UNIX_EPOCH);
        let thinks = Thinks { time, until };
        assert_eq!(thinks.at(until), Duration::ZERO);
        assert_eq!(thinks.at(Timestamp::MIN), time);
    }

    /// What a client says of a server with this certificate.
    async fn greeted(validity: Validity, name: &str) -> Result<(), Failure> {
        let dir = tempfile::tempdir().expect("a folder");
        let made = Certificate::make(name, validity).expect("a certificate");
        std::fs::write(dir.path().join("tls.crt"), &made.pem).expect("room");
        std::fs::write(dir.path().join("tls.key"), &made.key).expect("room");
        let config = server_config(dir.path()).expect("a certificate and its key");
        greeted_by(config, &dir).await
    }

    /// What a client that trusts the certificate of the folder says of this server.
    async fn greeted_by(config: ServerConfig, dir: &tempfile::TempDir) -> Result<(), Failure> {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let _ = acceptor.accept(stream).await;
        });
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let connector = TlsConnector::from(Arc::new(client_config(dir.path()).expect("a root")));
        connector.connect(ServerName::try_from("server")?, stream).await.map(drop).map_err(Failure::from)
    }

    #[tokio::test]
    async fn a_server_shows_the_certificate_that_it_made_and_never_its_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let (shown, config) = own_config("server").expect("a certificate");
        assert!(!shown.contains("PRIVATE"));
        std::fs::write(dir.path().join("tls.crt"), &shown).expect("room");
        greeted_by(config, &dir).await.expect("it is right");
        let (_, another) = own_config("server").expect("a certificate");
        greeted_by(another, &dir).await.expect_err("it is another's");
    }

    #[tokio::test]
    async fn a_client_accepts_a_right_certificate_and_says_what_is_wrong_with_another() {
        greeted(Validity::Now, "server").await.expect("it is right");
        let expired = greeted(Validity::Expired, "server").await.expect_err("it is old").to_string();
        assert!(expired.contains("expired"), "{expired}");
        let other = greeted(Validity::Now, "other").await.expect_err("it is another's").to_string();
        assert!(other.contains("not valid for"), "{other}");
    }
}
