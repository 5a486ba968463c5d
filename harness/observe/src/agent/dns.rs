//! A question to the cluster's DNS, small enough that only DNS itself can be the reason for no answer.

use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, SimpleDnsError, TYPE, header_buffer};
use std::net::Ipv4Addr;

/// What `/etc/resolv.conf` of a pod says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolver {
    pub(super) server: Ipv4Addr,
    /// Such as `cluster.local`.
    pub(super) domain: String,
}

impl Resolver {
    /// Reads `resolv.conf`. The cluster's domain is the search entry behind `svc.`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words = |keyword| {
            text.lines()
                .filter_map(move |l| l.trim().strip_prefix(keyword))
                .flat_map(str::split_ascii_whitespace)
        };
        let server = words("nameserver ").find_map(|w| w.parse().ok())?;
        let domain = words("search ").find_map(|w| w.strip_prefix("svc.")).unwrap_or("cluster.local");
        Some(Self { server, domain: domain.trim_end_matches('.').into() })
    }
}

/// The question for the address of the API server's Service.
///
/// # Errors
/// [`SimpleDnsError`] when the cluster's domain is none.
pub(super) fn question(id: u16, domain: &str) -> Result<Vec<u8>, SimpleDnsError> {
    let name = format!("kubernetes.default.svc.{domain}");
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(&name)?, TYPE::A.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec()
}

/// The result of the answer to question `id`: fine, or what the server said. `None` when it answers another.
///
/// The header says all of that. What the records hold is not read: it cannot be why there is no answer.
pub(super) fn answer(id: u16, packet: &[u8]) -> Option<Result<(), &'static str>> {
    let is_answer = header_buffer::has_flags(packet, PacketFlag::RESPONSE).ok()?;
    if header_buffer::id(packet).ok()? != id || !is_answer {
        return None;
    }
    Some(match header_buffer::rcode(packet).ok()? {
        RCODE::NoError if header_buffer::answers(packet).ok()? > 0 => Ok(()),
        RCODE::NoError => Err("no address"),
        RCODE::FormatError => Err("FORMERR"),
        RCODE::ServerFailure => Err("SERVFAIL"),
        RCODE::NameError => Err("NXDOMAIN"),
        RCODE::Refused => Err("REFUSED"),
        _ => Err("another error"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_pods_resolv_conf() {
        let text = "search shop.svc.example.org svc.example.org example.org\nnameserver 10.96.0.10\noptions ndots:5\n";
        let resolver = Resolver::parse(text).expect("complete");
        assert_eq!(resolver, Resolver { server: Ipv4Addr::new(10, 96, 0, 10), domain: "example.org".into() });
        assert_eq!(Resolver::parse("nameserver fd00::a\n"), None);
        assert_eq!(Resolver::parse(""), None);
    }

    #[test]
    fn a_question_and_its_answers() {
        let asked = question(0x1234, "cluster.local").expect("a domain");
        assert_eq!(&asked[12..23], b"\x0akubernetes");
        assert_eq!(answer(0x1234, &asked), None, "a question is no answer");
        let mut reply = asked.clone();
        reply[2] |= 0x80;
        assert_eq!(answer(0x1234, &reply), Some(Err("no address")));
        reply[7] = 1;
        assert_eq!(answer(0x1234, &reply), Some(Ok(())));
        reply[3] = 3;
        assert_eq!(answer(0x1234, &reply), Some(Err("NXDOMAIN")));
        assert_eq!(answer(0x4321, &reply), None);
        assert_eq!(answer(0x1234, &reply[..11]), None);
        assert!(question(1, &"x".repeat(64)).is_err(), "labels end at 63 bytes");
    }
}
