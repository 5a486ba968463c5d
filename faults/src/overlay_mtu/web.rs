//! The HTTP of the victim: a backend that answers with as many bytes as are asked for, and a client that uses
//! a fresh connection for each request, so that no earlier one hides what the network does now.

use crate::victim::http_server;
use axum::{Router, body::Bytes, extract::Query, routing::get};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::{io, net::SocketAddrV4, process::ExitCode, time::Duration};
use tokio::net::TcpStream;

/// More is never asked for.
const MOST: usize = 1 << 20;

/// The query of every request.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// How many bytes the answer must have.
    pub(super) bytes: usize,
}

/// The backend: `GET /?bytes=N`. It thinks for `pause` before each answer.
pub(crate) async fn serve(port: u16, pause: Duration) -> ExitCode {
    http_server::serve(port, backend(pause)).await
}

pub(super) fn backend(pause: Duration) -> Router {
    let answer = async move |Query(wanted): Query<Wanted>| {
        tokio::time::sleep(pause).await;
        Bytes::from(vec![b'.'; wanted.bytes.min(MOST)])
    };
    Router::new().route("/", get(answer))
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("no request: {0}")]
    Request(#[from] http::Error),
}

/// `GET /?bytes=N` on a fresh connection: status and length of the answer.
pub(super) async fn fetch(server: SocketAddrV4, host: &str, bytes: usize) -> Result<(u16, Bytes), WebError> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = http::Request::get(format!("/?bytes={bytes}"))
        .header(http::header::HOST, host)
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    };
    let answer = answer.await;
    driver.abort();
    answer
}
