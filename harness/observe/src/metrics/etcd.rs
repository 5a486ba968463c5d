//! etcd's metrics, which it tells without TLS on its node's loopback only.
//!
//! Where nodes are within reach, the observer's own process on the node asks there and goes on when the API
//! server is down. Elsewhere the kubelet forwards the port: etcd's pod lives in its node's network.

use super::scrape::{Connection, ScrapeError, tell, within};
use crate::backoff::every;
use crate::sink::{NobodyListens, Sink};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use loopdrill_model::Source;
use loopdrill_model::metrics::{Endpoint, Reader, asked};
use std::time::Duration;
use tokio::net::TcpStream;

/// Where kubeadm lets etcd tell its metrics.
pub(crate) const PORT: u16 = 2381;
const LIMIT: Duration = Duration::from_secs(3);

/// Scrapes etcd on this machine's loopback. For the process on the node.
pub(crate) async fn scrape_local(
    source: Source,
    port: u16,
    period: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let connect = || async move { Connection::over(TcpStream::connect(("127.0.0.1", port)).await?).await };
    scrape(source, period, sink, connect).await
}

/// Scrapes the etcd of pod `name` on `node` through a forwarded port.
pub(crate) async fn scrape_etcd_pod(
    pods: Api<Pod>,
    node: String,
    name: String,
    period: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let connect = || async {
        let mut forward = pods.portforward(&name, &[PORT]).await?;
        let stream =
            forward.take_stream(PORT).ok_or_else(|| std::io::Error::other("no stream was forwarded"))?;
        Connection::over(stream).await
    };
    scrape(Source::metrics(&format!("etcd/{node}")), period, sink, connect).await
}

async fn scrape<F>(
    source: Source,
    period: Duration,
    sink: Sink,
    connect: impl Fn() -> F,
) -> Result<(), NobodyListens>
where
    F: Future<Output = Result<Connection, ScrapeError>>,
{
    let mut clock = every(period);
    let mut open: Option<Connection> = None;
    loop {
        clock.tick().await;
        let result = within(LIMIT, async {
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => connect().await?,
            };
            let samples = connection.get("/metrics", asked(Endpoint::Etcd, &[Reader::Rules])).await?;
            Ok((connection, samples))
        });
        let result = result.await.map(|(connection, samples)| {
            open = Some(connection);
            samples
        });
        tell(&sink, &source, result).await?;
    }
}
