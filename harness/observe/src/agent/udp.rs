//! UDP sockets that send with don't-fragment and tell why a datagram did not arrive.

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

/// What the network said about a datagram of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is larger than this MTU.
    TooBig { mtu: u32 },
    /// It cannot be delivered.
    Undeliverable(String),
}

/// A socket whose datagrams carry don't-fragment whatever path MTU the kernel has learned: a hole in the path
/// shows every time, not only once. Does not block.
pub(super) fn socket(port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
    probe_mtu(&socket)?;
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[expect(unsafe_code, reason = "no crate that we have wraps IP_MTU_DISCOVER")]
fn probe_mtu(socket: &UdpSocket) -> io::Result<()> {
    let mode = libc::IP_PMTUDISC_PROBE;
    // SAFETY: the option takes an int; the pointer and the length are those of one that lives across the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            (&raw const mode).cast(),
            size_of_val(&mode) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A datagram of ours that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undelivered {
    /// Where it was to go.
    pub(super) to: Option<SocketAddrV4>,
    /// How much of its beginning came back.
    pub(super) bytes: usize,
    /// What was said about it.
    pub(super) refusal: Refusal,
}

/// The next entry of the socket's error queue; the datagram's beginning goes to `buffer`.
pub(super) fn undelivered(socket: &UdpSocket, buffer: &mut [u8]) -> Option<Undelivered> {
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags).ok()?;
    let error = message.cmsgs().ok()?.find_map(|c| match c {
        ControlMessageOwned::Ipv4RecvErr(error, _) => Some(error),
        _ => None,
    })?;
    let errno = i32::try_from(error.ee_errno).unwrap_or(0);
    let refusal = match errno {
        libc::EMSGSIZE => Refusal::TooBig { mtu: error.ee_info },
        other => Refusal::Undeliverable(io::Error::from_raw_os_error(other).to_string()),
    };
    Some(Undelivered { to: message.address.map(Into::into), bytes: message.bytes, refusal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_port_where_nobody_listens_is_undeliverable() {
        // Held, so that no other test gets the port: a socket that is connected to itself takes nothing from others.
        let held = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let closed = held.local_addr().expect("bound");
        held.connect(closed).expect("loopback");
        let ours = socket(0).expect("a socket");
        ours.connect(closed).expect("loopback");
        ours.send(b"0123456789abcdef").expect("sent");
        let (mut buffer, deadline) = ([0; 64], Instant::now() + Duration::from_secs(300));
        let told = loop {
            if let Some(told) = undelivered(&ours, &mut buffer) {
                break told;
            }
            assert!(Instant::now() < deadline, "nothing was said");
            std::thread::yield_now();
        };
        assert_eq!(&buffer[..told.bytes], b"0123456789abcdef");
        assert_eq!(told.to.map(std::net::SocketAddr::from), Some(closed));
        assert!(matches!(told.refusal, Refusal::Undeliverable(why) if why.contains("refused")));
    }
}
