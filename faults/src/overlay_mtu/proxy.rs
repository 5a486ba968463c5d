//! The victim's proxy: a proxy to a backend that it finds by name, and a client of its own that reports on
//! standard output, one line a round, what an ordinary user would see.

use super::{
    dns::{self, Resolver},
    report::{Report, Request},
    web::{self, Wanted},
};
use crate::victim::{READY_PORT, http_server};
use axum::{
    Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddrV4},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::timeout};

/// The port of the backend's Service.
pub(super) const SERVICE_PORT: u16 = 80;
/// How long the proxy waits for its backend, as proxies do.
const UPSTREAM: Duration = Duration::from_secs(2);
/// Its client waits a little longer, so that it sees the proxy's verdict.
const CLIENT: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(500);
/// Fits into one packet.
const SMALL: usize = 64;
/// Fills many packets.
const LARGE: usize = 64 << 10;

struct Proxy {
    resolver: Resolver,
    backend: String,
}

impl Proxy {
    async fn find(&self) -> Result<SocketAddrV4, dns::DnsError> {
        Ok(SocketAddrV4::new(self.resolver.lookup(&self.backend).await?, SERVICE_PORT))
    }
}

/// Serves as proxy of `backend` and reports.
pub(crate) async fn serve(backend: String) -> ExitCode {
    let resolver = match Resolver::from_system() {
        Ok(resolver) => resolver,
        Err(error) => {
            eprintln!("no name resolution: {error}");
            return ExitCode::FAILURE;
        }
    };
    let proxy = Arc::new(Proxy { resolver, backend });
    let router = Router::new().route("/", get(forward)).with_state(proxy.clone());
    tokio::select! {
        code = http_server::serve(READY_PORT, router) => code,
        () = report_forever(&proxy) => ExitCode::SUCCESS,
    }
}

/// Forwards a request. 504 when the backend does not answer in time, 502 when it refuses.
async fn forward(State(proxy): State<Arc<Proxy>>, Query(wanted): Query<Wanted>) -> (StatusCode, Bytes) {
    let answer = async {
        let backend = proxy.find().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        web::fetch(backend, &proxy.backend, wanted.bytes).await.map_err(|_| StatusCode::BAD_GATEWAY)
    };
    match timeout(UPSTREAM, answer).await {
        Ok(Ok((status, body))) => (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), body),
        Ok(Err(status)) => (status, Bytes::new()),
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, Bytes::new()),
    }
}

async fn report_forever(proxy: &Proxy) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let report = round(proxy).await;
        println!("{}", serde_json::to_string(&report).expect("plain data serialises"));
    }
}

async fn round(proxy: &Proxy) -> Report {
    let (found, dns) = timed(proxy.find()).await;
    let connect = match found {
        Some(backend) => timed(TcpStream::connect(backend)).await.1,
        None => Err("not tried".into()),
    };
    Report { dns, connect, small: request(SMALL).await, large: request(LARGE).await }
}

/// Runs `work` for as long as a proxy would: its result, and how long it took or why it failed.
async fn timed<T, E: std::fmt::Display>(
    work: impl Future<Output = Result<T, E>>,
) -> (Option<T>, Result<u64, String>) {
    let start = Instant::now();
    match timeout(UPSTREAM, work).await {
        Ok(Ok(value)) => (Some(value), Ok(millis(start))),
        Ok(Err(error)) => (None, Err(error.to_string())),
        Err(_) => (None, Err(format!("no answer after {} ms", UPSTREAM.as_millis()))),
    }
}

/// One request to the proxy, as its client sees it.
async fn request(bytes: usize) -> Request {
    let own = SocketAddrV4::new(Ipv4Addr::LOCALHOST, READY_PORT);
    let start = Instant::now();
    let status = match timeout(CLIENT, web::fetch(own, "front", bytes)).await {
        Ok(Ok((200, body))) if body.len() != bytes => 0,
        Ok(Ok((status, _))) => status,
        Ok(Err(_)) | Err(_) => 0,
    };
    Request { bytes, status, ms: millis(start) }
}

fn millis(start: Instant) -> u64 {
    start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}
