//! Readiness without words: a port that is open while the program gets its work done.

use std::net::{Ipv6Addr, SocketAddr};
use tokio::{net::TcpListener, task::JoinHandle};

/// An open port; closed when dropped.
pub(super) struct Ready(JoinHandle<()>);

impl Ready {
    /// Opens `port` on every address and accepts whoever knocks.
    pub(super) async fn open(port: u16) -> std::io::Result<Self> {
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let listener = match TcpListener::bind(any).await {
            Ok(listener) => listener,
            // A kernel without IPv6.
            Err(_) => TcpListener::bind(("0.0.0.0", port)).await?,
        };
        Ok(Self(tokio::spawn(async move {
            // A failed accept is one knock that was not heard; the kubelet knocks again.
            while listener.accept().await.is_ok() {}
        })))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.0.abort();
    }
}
