//! Readiness without words: a port that is open while the program gets its work done.

use super::http_server;
use tokio::task::JoinHandle;

/// An open port; closed when dropped.
pub(super) struct Ready(JoinHandle<()>);

impl Ready {
    /// Opens `port` on every address and accepts every connection.
    pub(super) async fn open(port: u16) -> std::io::Result<Self> {
        let listener = http_server::listen(port).await?;
        Ok(Self(tokio::spawn(async move {
            // A failed accept is one probe without an answer; the kubelet probes again.
            while listener.accept().await.is_ok() {}
        })))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.0.abort();
    }
}
