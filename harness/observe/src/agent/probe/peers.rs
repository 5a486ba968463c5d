//! Who is asked: a file that the observer writes by way of the pod's annotation.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

/// Pod addresses by node.
pub(super) type Peers = BTreeMap<String, Ipv4Addr>;

/// Reads the file. An absent or empty one means that nobody is known yet.
pub(super) fn read(file: &Path) -> Result<Peers, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Peers::new()),
        Err(error) => Err(format!("cannot read {}: {error}", file.display())),
    }
}

fn parse(text: &str) -> Result<Peers, String> {
    if text.trim().is_empty() {
        return Ok(Peers::new());
    }
    serde_json::from_str(text).map_err(|error| format!("the list of peers is malformed: {error}"))
}

/// Payload sizes to ask with: small, in between, and as large as the pod's own interface allows.
pub(super) fn sizes(mtu: u32) -> [u32; 3] {
    const SMALL: u32 = 64;
    const HEADERS: u32 = 20 + 8;
    let full = mtu.saturating_sub(HEADERS).clamp(SMALL + 2, 65_000);
    [SMALL, (SMALL + full) / 2, full]
}

/// The MTU of the interface that packets to other pods leave by.
pub(super) fn mtu() -> Option<u32> {
    let routes = std::fs::read_to_string("/proc/net/route").ok()?;
    let interface = crate::agent::links::default_route(&routes)?;
    std::fs::read_to_string(format!("/sys/class/net/{interface}/mtu")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_observer_writes() {
        assert_eq!(parse(" \n"), Ok(Peers::new()));
        let peers = parse(r#"{"n2":"10.244.1.5"}"#).expect("well-formed");
        assert_eq!(peers.get("n2"), Some(&Ipv4Addr::new(10, 244, 1, 5)));
        assert!(parse(r#"{"n2":"fd00::1"}"#).is_err());
        assert!(parse("[").is_err());
        assert_eq!(read(Path::new("/nonexistent/peers")), Ok(Peers::new()));
    }

    #[test]
    fn sizes_rise_and_fit() {
        assert_eq!(sizes(1450), [64, 743, 1422]);
        for mtu in [0, 68, 576, 1250, 9000, u32::MAX] {
            let all = sizes(mtu);
            assert!(all[0] < all[1] && all[1] < all[2], "{mtu}: {all:?}");
        }
    }
}
