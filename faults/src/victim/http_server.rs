//! The server of victims that speak HTTP.

use axum::Router;
use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
    process::ExitCode,
};
use tokio::net::TcpListener;

/// Serves until the process ends.
pub(crate) async fn serve(port: u16, router: Router) -> ExitCode {
    let served = async { axum::serve(listen(port).await?, router).await };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot serve on port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Listens on every address.
pub(crate) async fn listen(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Ok(listener) => Ok(listener),
        // A kernel without IPv6.
        Err(_) => TcpListener::bind(("0.0.0.0", port)).await,
    }
}
