//! A workload that lives from a server: it connects to it every second, and ends with code 1 and a line in its log when it
//! cannot, in the words of the clients that most programs use.

use super::{ready::Ready, tls, workload::READY_PORT};
use crate::overlay_mtu::dns::{DnsError, Resolver};
use std::{net::SocketAddrV4, process::ExitCode, time::Duration};
use tokio::{net::TcpStream, time::timeout};

const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(3);

/// Which server, and how it is spoken to.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// It must have a certificate that the one in the mounted folder vouches for.
    pub(crate) tls: bool,
}

pub(crate) async fn call_forever(server: Server) -> ExitCode {
    let mut ready = None;
    loop {
        match call(&server).await {
            Ok(()) if ready.is_none() => ready = Ready::open(READY_PORT).await.ok(),
            Ok(()) => {}
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn call(Server { host, port, tls }: &Server) -> Result<(), String> {
    let resolver = Resolver::from_system().map_err(|e| e.to_string())?;
    let address = resolver.lookup(host).await.map_err(|e| unresolved(host, &e))?;
    let address = SocketAddrV4::new(address, *port);
    let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
    let stream = match connected {
        Ok(connected) => connected.map_err(|e| format!("dial tcp {host}:{port}: connect: {}", words(&e)))?,
        Err(_) => return Err(format!("dial tcp {host}:{port}: i/o timeout")),
    };
    if *tls { tls::greet(stream, host).await } else { Ok(()) }
}

fn unresolved(host: &str, error: &DnsError) -> String {
    match error {
        DnsError::Silence => format!("dial tcp: lookup {host}: i/o timeout"),
        _ => format!("dial tcp: lookup {host}: no such host"),
    }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
        _ => error.to_string(),
    }
}
