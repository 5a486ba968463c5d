//! One round of probes to all peers.

use super::peers::{self, Peers};
use super::{News, micros, wait};
use crate::agent::{PROBE_PORT, udp, wire};
use loopdrill_model::signal::{Probe, ProbePath, ProbeResult};
use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What is asked before the interface's MTU is known.
const USUAL_MTU: u32 = 1450;

/// Asks the peers.
pub(super) struct Prober {
    node: String,
    file: PathBuf,
    port: u16,
    peers: Peers,
    /// A connected socket a peer, so that what the network says is known to be about that peer.
    sockets: HashMap<String, (Ipv4Addr, UdpSocket)>,
    sequence: u32,
    /// Questions that wait for an answer, by sequence number.
    open: HashMap<u32, Asked>,
}

/// A question that waits for its answer.
struct Asked {
    to: String,
    bytes: u32,
    at: Instant,
}

/// What `round` calls with each result; `false` when nobody wants more.
type Tell<'a> = &'a mut dyn FnMut(News) -> bool;

impl Prober {
    pub(super) fn new(node: String, file: PathBuf) -> Self {
        Self {
            node,
            file,
            port: PROBE_PORT,
            peers: Peers::new(),
            sockets: HashMap::new(),
            sequence: 0,
            open: HashMap::new(),
        }
    }

    /// Asks every peer at every size and listens for `interval`. What has no answer after `patience` is lost,
    /// which may be rounds later: where machines are busy, answers are late and not lost. `None` when nobody
    /// wants more.
    pub(super) fn round(&mut self, interval: Duration, patience: Duration, tell: Tell<'_>) -> Option<()> {
        let deadline = Instant::now() + interval;
        match peers::read(&self.file) {
            Ok(peers) => self.set_peers(peers),
            Err(why) => tell(Err(why)).then_some(())?,
        }
        for bytes in peers::sizes(peers::mtu().unwrap_or(USUAL_MTU)) {
            for to in self.peers.keys().cloned().collect::<Vec<_>>() {
                self.ask(to, bytes, tell)?;
            }
        }
        while wait(self.sockets.values().map(|(_, s)| s), deadline) {
            self.hear(tell)?;
        }
        // We may have been late ourselves: whatever has arrived by now counts.
        self.hear(tell)?;
        self.expire(patience, tell)
    }

    fn expire(&mut self, patience: Duration, tell: Tell<'_>) -> Option<()> {
        let lost: Vec<_> = self.open.extract_if(|_, asked| asked.at.elapsed() > patience).collect();
        lost.into_iter().try_for_each(|(_, asked)| self.told(asked.to, asked.bytes, ProbeResult::Lost, tell))
    }

    fn set_peers(&mut self, mut peers: Peers) {
        peers.remove(&self.node);
        self.sockets.retain(|node, (address, _)| peers.get(node) == Some(address));
        let sockets = &self.sockets;
        self.open.retain(|_, asked| sockets.contains_key(&asked.to));
        self.peers = peers;
    }

    fn ask(&mut self, to: String, bytes: u32, tell: Tell<'_>) -> Option<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let mut datagram = Vec::new();
        wire::write(&mut datagram, wire::Kind::Question, sequence, bytes as usize);
        let at = Instant::now();
        match self.socket(&to).and_then(|socket| send(socket, &datagram)) {
            Ok(()) => {
                self.open.insert(sequence, Asked { to, bytes, at });
                Some(())
            }
            Err(result) => self.told(to, bytes, result, tell),
        }
    }

    fn socket(&mut self, node: &str) -> Result<&UdpSocket, ProbeResult> {
        let refused = |error: std::io::Error| ProbeResult::Refused(error.to_string());
        let address =
            *self.peers.get(node).ok_or_else(|| ProbeResult::Refused("no address is known".into()))?;
        if !self.sockets.contains_key(node) {
            let socket = udp::socket(0).map_err(refused)?;
            socket.connect((address, self.port)).map_err(refused)?;
            self.sockets.insert(node.into(), (address, socket));
        }
        Ok(&self.sockets[node].1)
    }

    /// Takes whatever has arrived on any socket.
    fn hear(&mut self, tell: Tell<'_>) -> Option<()> {
        let (mut buffer, mut results) = (vec![0; 65_536], Vec::new());
        for (_, socket) in self.sockets.values() {
            while let Some(undelivered) = udp::undelivered(socket, &mut buffer) {
                let datagram = wire::read(&buffer[..undelivered.bytes]);
                if let Some(asked) = datagram.and_then(|d| self.open.remove(&d.sequence)) {
                    results.push((asked, result_of(undelivered.refusal)));
                }
            }
            loop {
                match socket.recv(&mut buffer) {
                    Ok(bytes) => {
                        let heard = wire::read(&buffer[..bytes]).filter(|d| d.kind != wire::Kind::Question);
                        let Some(datagram) = heard else { continue };
                        let Some(asked) = self.open.remove(&datagram.sequence) else { continue };
                        let result = match datagram.kind {
                            wire::Kind::TooBig => ProbeResult::TooBig { mtu: datagram.mtu },
                            _ => ProbeResult::Passed { micros: micros(asked.at) },
                        };
                        results.push((asked, result));
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    // The same refusal that the error queue has told already.
                    Err(_) => {}
                }
            }
        }
        results.into_iter().try_for_each(|(asked, result)| self.told(asked.to, asked.bytes, result, tell))
    }

    fn told(&self, to: String, bytes: u32, result: ProbeResult, tell: Tell<'_>) -> Option<()> {
        tell(Ok(Probe { from: self.node.clone(), to, path: ProbePath::Overlay, bytes, result })).then_some(())
    }
}

fn send(socket: &UdpSocket, datagram: &[u8]) -> Result<(), ProbeResult> {
    // An error that an earlier datagram left is told on the first attempt and says nothing about this one.
    let sent = socket.send(datagram).or_else(|_| socket.send(datagram));
    match sent {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
            let mtu = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::IpMtu).unwrap_or(0);
            Err(ProbeResult::TooBig { mtu: u32::try_from(mtu).unwrap_or(0) })
        }
        Err(error) => Err(ProbeResult::Refused(error.to_string())),
    }
}

/// What a refusal means for a probe.
pub(super) fn result_of(refusal: udp::Refusal) -> ProbeResult {
    match refusal {
        udp::Refusal::TooBig { mtu } => ProbeResult::TooBig { mtu },
        udp::Refusal::Undeliverable(why) => ProbeResult::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prober whose one peer is on loopback.
    fn prober(port: u16) -> (Prober, tempfile::TempPath) {
        let file = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        std::fs::write(&file, r#"{"here":"127.0.0.1","there":"127.0.0.1"}"#).expect("written");
        let mut prober = Prober::new("here".into(), file.to_path_buf());
        prober.port = port;
        (prober, file)
    }

    /// What is told of the first three questions. Rounds go on until then: a busy machine may take its time to answer.
    fn results(prober: &mut Prober, patience: Duration) -> Vec<(String, u32, ProbeResult)> {
        let (mut all, interval) = (Vec::new(), Duration::from_millis(50));
        while all.len() < 3 {
            let mut tell = |news: News| {
                all.push(news.expect("a probe"));
                true
            };
            prober.round(interval, patience, &mut tell).expect("wanted");
        }
        all.truncate(3);
        all.into_iter().map(|p: Probe| (p.to, p.bytes, p.result)).collect()
    }

    /// Ends a test that hangs, and judges nothing.
    const HANGS: Duration = Duration::from_secs(300);

    fn three_sizes(all: &[(String, u32, ProbeResult)]) -> bool {
        let sizes: std::collections::BTreeSet<_> = all.iter().map(|(_, bytes, _)| bytes).collect();
        sizes.len() == 3
    }

    #[test]
    fn answers_pass_at_every_size_and_never_to_oneself() {
        let responder = udp::socket(0).expect("a socket");
        let port = responder.local_addr().expect("bound").port();
        std::thread::spawn(move || super::super::answer_all(&responder));
        let (mut prober, _file) = prober(port);
        let all = results(&mut prober, HANGS);
        assert!(three_sizes(&all), "{all:?}");
        assert!(
            all.iter().all(|(to, _, r)| to == "there" && matches!(r, ProbeResult::Passed { .. })),
            "{all:?}"
        );
    }

    #[test]
    fn silence_is_lost_and_a_closed_port_is_refused() {
        let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = silent.local_addr().expect("bound");
        let (mut prober, _file) = prober(address.port());
        let all = results(&mut prober, Duration::ZERO);
        assert!(three_sizes(&all) && all.iter().all(|(_, _, r)| *r == ProbeResult::Lost), "{all:?}");
        // Closed, and held, so that no other test gets the port: connected to itself it takes nothing from others.
        silent.connect(address).expect("loopback");
        for _ in 0..2 {
            let all = results(&mut prober, HANGS);
            let refused = |r: &ProbeResult| matches!(r, ProbeResult::Refused(why) if why.contains("refused"));
            assert!(three_sizes(&all) && all.iter().all(|(_, _, r)| refused(r)), "{all:?}");
        }
    }
}
