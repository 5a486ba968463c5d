//! A question to the cluster's DNS, small enough that only DNS itself can be the reason for no answer.

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
pub(super) fn question(id: u16, domain: &str) -> Vec<u8> {
    let mut packet = Vec::with_capacity(64);
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in
        format!("kubernetes.default.svc.{domain}").split('.').filter(|l| !l.is_empty() && l.len() < 64)
    {
        packet.push(u8::try_from(label.len()).unwrap_or(0));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}

/// The result of the answer to question `id`: fine, or what the server said. `None` when it answers another.
pub(super) fn answer(id: u16, packet: &[u8]) -> Option<Result<(), &'static str>> {
    let header: [u8; 12] = packet.get(..12)?.try_into().ok()?;
    if u16::from_be_bytes([header[0], header[1]]) != id || header[2] & 0x80 == 0 {
        return None;
    }
    let answers = u16::from_be_bytes([header[6], header[7]]);
    Some(match header[3] & 0x0f {
        0 if answers > 0 => Ok(()),
        0 => Err("no address"),
        1 => Err("FORMERR"),
        2 => Err("SERVFAIL"),
        3 => Err("NXDOMAIN"),
        5 => Err("REFUSED"),
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
        let asked = question(0x1234, "cluster.local");
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
    }
}
