//! The node's own counters, in the network namespace that this runs in.

use super::{links, snmp};
use crate::backoff::every;
use crate::reason::reason;
use crate::sink::{NobodyListens, Sink};
use futures::TryStreamExt;
use loopdrill_model::signal::Interface;
use loopdrill_model::{Signal, Source};
use rtnetlink::Handle;
use std::time::Duration;

/// Why there are no counters.
#[derive(Debug, thiserror::Error)]
enum CountersError {
    #[error("rtnetlink does not answer: {0}")]
    Netlink(#[from] rtnetlink::Error),
    #[error("cannot read {file}: {source}")]
    Read { file: &'static str, source: std::io::Error },
    #[error("/proc/net/snmp has another format")]
    Format,
}

/// Counts every `interval`.
pub(super) async fn run(node: String, interval: Duration, sink: Sink) -> Result<(), NobodyListens> {
    let source = Source::node(&node);
    let handle = match rtnetlink::new_connection() {
        Ok((connection, handle, _)) => {
            tokio::spawn(connection);
            handle
        }
        Err(error) => return sink.lost(&source, format!("cannot open rtnetlink: {error}")).await,
    };
    let mut clock = every(interval);
    loop {
        clock.tick().await;
        match count(&node, &handle).await {
            Ok(signals) => {
                sink.works(&source).await?;
                for signal in signals {
                    sink.send(&source, signal).await?;
                }
            }
            Err(error) => sink.lost(&source, reason(&error)).await?,
        }
    }
}

async fn count(node: &str, handle: &Handle) -> Result<Vec<Signal>, CountersError> {
    let snmp = snmp::parse(node, &read("/proc/net/snmp")?).ok_or(CountersError::Format)?;
    let mut signals: Vec<_> = interfaces(node, handle).await?.into_iter().map(Signal::Interface).collect();
    signals.push(Signal::IpCounters(snmp));
    Ok(signals)
}

async fn interfaces(node: &str, handle: &Handle) -> Result<Vec<Interface>, CountersError> {
    let routes = read("/proc/net/route")?;
    // There is none where the kernel has no IPv6.
    let routes_v6 = std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let messages: Vec<_> = handle.link().get().execute().try_collect().await?;
    let default = links::default_route(&routes).or_else(|| links::default_route_v6(&routes_v6));
    Ok(links::interfaces(node, &messages, default))
}

fn read(file: &'static str) -> Result<String, CountersError> {
    std::fs::read_to_string(file).map_err(|source| CountersError::Read { file, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn counts_on_this_machine() {
        let (tx, mut rx) = mpsc::channel(64);
        let task = tokio::spawn(run("here".into(), Duration::from_millis(50), Sink::new(tx)));
        let mut counted = 0;
        while counted < 2 {
            let seen = tokio::time::timeout(Duration::from_secs(300), rx.recv())
                .await
                .expect("in time")
                .expect("runs");
            match seen.signal {
                Signal::IpCounters(c) => {
                    assert_eq!(c.node, "here");
                    counted += 1;
                }
                Signal::SourceState(state) => assert_eq!(state.lost, None),
                Signal::Interface(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
        task.abort();
    }
}
