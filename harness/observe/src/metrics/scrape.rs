//! One answer of a metrics endpoint, through the API server or over a connection of its own.

use super::parse::{ParseError, Parser, Sample};
use crate::reason::reason;
use crate::sink::{NobodyListens, Sink};
use futures::AsyncBufReadExt;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use loopdrill_model::Source;
use loopdrill_model::metrics::Family;
use loopdrill_model::signal::SourceState;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScrapeError {
    /// Nothing within the time limit.
    #[error("{none} {0:?}", none = SourceState::NO_ANSWER)]
    Slow(Duration),
    /// The API server does not give them.
    #[error("the API server does not give them")]
    Api(#[source] Box<kube::Error>),
    /// The connection broke off.
    #[error("the connection broke off: {0}")]
    Broken(#[from] std::io::Error),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Connection(#[from] hyper::Error),
    /// Another status than 200.
    #[error("the endpoint answered with status {0}")]
    Status(u16),
    /// No metrics.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The request cannot be made.
    #[error("the request is malformed: {0}")]
    Request(#[from] http::Error),
}

impl From<kube::Error> for ScrapeError {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

/// What an endpoint told, and how much it said for that.
pub(crate) struct Answer {
    pub(crate) samples: Vec<Sample>,
    pub(crate) bytes: usize,
}

/// Gets `path` from the API server.
pub(crate) async fn through_api(
    client: &kube::Client,
    path: &str,
    families: Vec<&'static Family>,
) -> Result<Answer, ScrapeError> {
    let request = http::Request::get(path).header(http::header::ACCEPT, "text/plain").body(Vec::new())?;
    let body = client.request_stream(request).await?;
    futures::pin_mut!(body);
    let mut parser = Parser::new(families);
    loop {
        let chunk = body.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(Answer { bytes: parser.bytes(), samples: parser.finish()? });
        }
        parser.feed(chunk)?;
        let taken = chunk.len();
        body.consume_unpin(taken);
    }
}

/// A connection of our own to an endpoint without TLS.
pub(crate) struct Connection(SendRequest<Empty<Bytes>>);

impl Connection {
    pub(crate) async fn over(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, ScrapeError> {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to a metrics endpoint ended");
            }
        });
        Ok(Self(sender))
    }

    pub(crate) async fn get(
        &mut self,
        path: &str,
        families: Vec<&'static Family>,
    ) -> Result<Vec<Sample>, ScrapeError> {
        self.0.ready().await?;
        let request = http::Request::get(path).header(http::header::HOST, "localhost").body(Empty::new())?;
        let response = self.0.send_request(request).await?;
        if response.status() != http::StatusCode::OK {
            return Err(ScrapeError::Status(response.status().as_u16()));
        }
        let mut body = response.into_body();
        let mut parser = Parser::new(families);
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                parser.feed(data)?;
            }
        }
        Ok(parser.finish()?)
    }
}

/// Fails with [`ScrapeError::Slow`] after `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ScrapeError>>,
) -> Result<T, ScrapeError> {
    timeout(limit, work).await.unwrap_or(Err(ScrapeError::Slow(limit)))
}

/// Sends what a scrape gave, or that the source is lost.
pub(crate) async fn tell(
    sink: &Sink,
    source: &Source,
    result: Result<Vec<Sample>, ScrapeError>,
) -> Result<(), NobodyListens> {
    match result {
        Ok(samples) => {
            sink.works(source).await?;
            for sample in samples {
                sink.send(source, sample.signal).await?;
            }
            Ok(())
        }
        Err(error) => sink.lost(source, reason(&error)).await,
    }
}
