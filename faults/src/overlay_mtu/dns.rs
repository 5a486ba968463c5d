//! A resolver of the few things a victim needs: one A record from the servers in `/etc/resolv.conf`.
//!
//! The C library's resolver loads shared libraries, which an image without files does not have.

use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE, header_buffer, rdata::RData};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{net::UdpSocket, time::timeout};

/// One server's time to answer; another try follows.
const ANSWER: Duration = Duration::from_millis(800);
const TRIES: usize = 2;
/// Where name servers listen.
const PORT: u16 = 53;

/// Why a name was not resolved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DnsError {
    #[error("/etc/resolv.conf names no server")]
    NoServer,
    #[error("{0:?} cannot be asked for")]
    Name(String),
    #[error("the name server cannot be asked: {0}")]
    Io(#[from] io::Error),
    #[error("no answer from the name server")]
    Silence,
    #[error("the name server says no: {0:?}")]
    Refused(RCODE),
    #[error("the name server's answer is not understood: {0}")]
    Malformed(simple_dns::SimpleDnsError),
    #[error("the name has no address")]
    NoAddress,
}

/// Where names are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolver {
    server: IpAddr,
    domain: Option<String>,
}

impl Resolver {
    /// As `/etc/resolv.conf` says: the first server, the first search domain.
    pub(crate) fn from_system() -> Result<Self, DnsError> {
        Self::parse(&std::fs::read_to_string("/etc/resolv.conf")?)
    }

    /// The server that is asked.
    pub(crate) fn server(&self) -> SocketAddr {
        SocketAddr::new(self.server, PORT)
    }

    fn parse(text: &str) -> Result<Self, DnsError> {
        let word = |key: &str| {
            text.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some(key)).then(|| words.next()).flatten()
            })
        };
        let server = word("nameserver").and_then(|s| s.parse().ok()).ok_or(DnsError::NoServer)?;
        Ok(Self { server, domain: word("search").map(str::to_owned) })
    }

    /// The first address of a name in the search domain.
    pub(crate) async fn lookup(&self, name: &str) -> Result<Ipv4Addr, DnsError> {
        let full = self.domain.as_ref().map_or_else(|| name.to_owned(), |domain| format!("{name}.{domain}"));
        let id = u16::try_from(std::process::id() & 0xffff).unwrap_or_default();
        let query = query(id, &full)?;
        for _ in 0..TRIES {
            if let Ok(answer) = timeout(ANSWER, ask(self.server(), id, &query)).await {
                return address(&answer?);
            }
        }
        Err(DnsError::Silence)
    }
}

/// A server's answer to a question that somebody else has asked.
pub(crate) async fn pass_on(server: SocketAddr, question: &[u8]) -> Result<Vec<u8>, DnsError> {
    let id = header_buffer::id(question).map_err(DnsError::Malformed)?;
    timeout(ANSWER, ask(server, id, question)).await.map_err(|_| DnsError::Silence)?.map_err(DnsError::Io)
}

async fn ask(server: SocketAddr, id: u16, query: &[u8]) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = [0; 1500];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if header_buffer::id(&buffer[..length]).is_ok_and(|answered| answered == id) {
            return Ok(buffer[..length].to_vec());
        }
    }
}

/// A question for the address of `name`.
fn query(id: u16, name: &str) -> Result<Vec<u8>, DnsError> {
    let refused = |_| DnsError::Name(name.into());
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let asked = Name::new(name.trim_end_matches('.')).map_err(refused)?;
    packet.questions.push(Question::new(asked, TYPE::A.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(refused)
}

/// The first address of an answer.
fn address(answer: &[u8]) -> Result<Ipv4Addr, DnsError> {
    let answer = Packet::parse(answer).map_err(DnsError::Malformed)?;
    if answer.rcode() != RCODE::NoError {
        return Err(DnsError::Refused(answer.rcode()));
    }
    let first = answer.answers.iter().find_map(|record| match &record.rdata {
        RData::A(a) => Some(Ipv4Addr::from(a.address)),
        _ => None,
    });
    first.ok_or(DnsError::NoAddress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_and_domain_count() {
        let text =
            "search demo.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
        let resolver = Resolver::parse(text).expect("resolver");
        assert_eq!(resolver.server, IpAddr::from([10, 96, 0, 10]));
        assert_eq!(resolver.domain.as_deref(), Some("demo.svc.cluster.local"));
        assert!(matches!(Resolver::parse("search x\n"), Err(DnsError::NoServer)));
    }

    /// An answer to the question for `a.b` with these records (type, data).
    fn answer(code: u8, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = query(7, "a.b").expect("query");
        (message[2], message[3]) = (0x84, code);
        message[7] = u8::try_from(records.len()).expect("few");
        for (kind, data) in records {
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 30]);
            message.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
            message.extend(*data);
        }
        message
    }

    #[test]
    fn the_first_address_is_taken_behind_an_alias() {
        let found = address(&answer(0, &[(5, &[1, b'c', 0]), (1, &[10, 96, 3, 4]), (1, &[1, 1, 1, 1])]));
        assert_eq!(found.expect("address"), Ipv4Addr::new(10, 96, 3, 4));
    }

    #[test]
    fn refusals_and_nonsense_are_errors() {
        assert!(matches!(address(&answer(3, &[])), Err(DnsError::Refused(RCODE::NameError))));
        assert!(matches!(address(&answer(0, &[])), Err(DnsError::NoAddress)));
        let whole = answer(0, &[(1, &[10, 96, 3, 4])]);
        for length in 0..whole.len() {
            assert!(address(&whole[..length]).is_err(), "cut at {length}");
        }
        assert!(query(7, &"x".repeat(64)).is_err());
        assert!(query(7, &["x"; 130].join(".")).is_err(), "names end at 255 bytes");
    }
}
