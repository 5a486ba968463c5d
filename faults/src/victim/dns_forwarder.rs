//! A name server of one node: it passes every question on to the server of its own pod, and the answer back.

use super::{ready::Ready, workload::READY_PORT};
use crate::overlay_mtu::dns::{Resolver, pass_on};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};
use tokio::net::UdpSocket;

/// Where it listens: below 1024 it would need a right for it.
pub(crate) const PORT: u16 = 5353;

pub(crate) async fn forward_forever() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cannot serve names on port {PORT}: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> io::Result<()> {
    let server = Resolver::from_system().map_err(io::Error::other)?.server();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let _ready = Ready::open(READY_PORT).await?;
    forward(Arc::new(socket), server).await
}

/// A question without an answer stays without one: who asked asks again.
async fn forward(socket: Arc<UdpSocket>, server: SocketAddr) -> io::Result<()> {
    let mut buffer = [0; 1500];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await?;
        let (socket, question) = (Arc::clone(&socket), buffer[..length].to_vec());
        tokio::spawn(async move {
            if let Ok(answer) = pass_on(server, &question).await {
                let _ = socket.send_to(&answer, client).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.expect("a port")
    }

    /// What is asked and answered is passed on as it is; nonsense reaches nobody.
    #[tokio::test]
    async fn a_question_goes_to_the_server_and_its_answer_back_to_who_asked() {
        let (server, front, client) = (socket().await, socket().await, socket().await);
        let (upstream, address) = (server.local_addr().expect("bound"), front.local_addr().expect("bound"));
        tokio::spawn(forward(Arc::new(front), upstream));
        client.connect(address).await.expect("a local address");
        client.send(b"x").await.expect("it listens");
        let question = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
        client.send(question).await.expect("it listens");
        let mut buffer = [0; 1500];
        let (length, asker) = server.recv_from(&mut buffer).await.expect("a question");
        assert_eq!(&buffer[..length], question);
        let answer = [&question[..], b"answered"].concat();
        server.send_to(&answer, asker).await.expect("it waits");
        let length = client.recv(&mut buffer).await.expect("an answer");
        assert_eq!(&buffer[..length], answer);
    }
}
