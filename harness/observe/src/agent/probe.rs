//! Probes between pods, and to the cluster's DNS.
//!
//! Once an interval each peer is asked at three sizes; all answers are awaited together, so that no round
//! takes longer than another, however many peers are gone. Plain threads: sockets' error queues are read
//! with `poll`.

mod peers;
mod round;

use super::{dns, udp, wire};
use crate::sink::{NobodyListens, Sink};
use loopdrill_model::signal::{Probe, ProbePath, ProbeResult};
use loopdrill_model::{Signal, Source};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use round::Prober;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What has no answer after this is lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the threads tell: a probe, or that something does not work.
pub(super) type News = Result<Probe, String>;

/// Probes every `interval`.
pub(super) async fn run(
    node: String,
    peers: PathBuf,
    interval: Duration,
    sink: Sink,
) -> Result<(), NobodyListens> {
    let source = Source::probe(&node);
    let (tell, mut news) = mpsc::channel::<News>(1024);
    let started = (|| {
        let responder = udp::socket(super::PROBE_PORT)?;
        thread("answers", move || answer_all(&responder))?;
        let (prober, teller) = (Prober::new(node.clone(), peers), tell.clone());
        thread("probes", move || probe(prober, interval, &teller))?;
        thread("dns", move || ask_dns(&node, interval, &tell))
    })();
    if let Err(error) = started {
        return sink.lost(&source, format!("cannot probe: {error}")).await;
    }
    while let Some(news) = news.recv().await {
        match news {
            Ok(probe) => {
                sink.works(&source).await?;
                sink.send(&source, Signal::Probe(probe)).await?;
            }
            Err(why) => sink.lost(&source, why).await?,
        }
    }
    Ok(())
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).stack_size(256 << 10).spawn(work).map(drop)
}

/// Waits until one of the sockets has something, or until `deadline`. `false` when the time is over.
pub(super) fn wait<'a>(sockets: impl Iterator<Item = &'a UdpSocket>, deadline: Instant) -> bool {
    let mut fds: Vec<_> = sockets.map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)).collect();
    let left = deadline.saturating_duration_since(Instant::now());
    // Rounded up: a wait of 0 ms would spin.
    let millis = u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
    let _ = poll(&mut fds, PollTimeout::from(millis));
    !left.is_zero()
}

/// Sends every question back. Where the network refuses the answer as too big, the asker is told: to it the
/// answer would be lost, and an honest network would look like a hole.
fn answer_all(socket: &UdpSocket) {
    let (mut buffer, mut news) = (vec![0; 65_536], Vec::new());
    loop {
        wait(std::iter::once(socket), Instant::now() + Duration::from_secs(60));
        while let Some(undelivered) = udp::undelivered(socket, &mut buffer) {
            let datagram = wire::read(&buffer[..undelivered.bytes]);
            if let (Some(datagram), Some(to), udp::Refusal::TooBig { mtu }) =
                (datagram, undelivered.to, undelivered.refusal)
            {
                wire::write_too_big(&mut news, datagram.sequence, mtu);
                let _ = socket.send_to(&news, to).or_else(|_| socket.send_to(&news, to));
            }
        }
        loop {
            match socket.recv_from(&mut buffer) {
                Ok((bytes, from)) if wire::answer(&mut buffer[..bytes]) => {
                    // An error that an earlier answer left takes the first attempt.
                    let answer = &buffer[..bytes];
                    let _ = socket.send_to(answer, from).or_else(|_| socket.send_to(answer, from));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The same refusal that the error queue tells.
                Err(_) => {}
            }
        }
    }
}

fn probe(mut prober: Prober, interval: Duration, tell: &mpsc::Sender<News>) {
    while prober.round(interval, PATIENCE, &mut |news| tell.blocking_send(news).is_ok()).is_some() {}
}

fn ask_dns(node: &str, interval: Duration, tell: &mpsc::Sender<News>) {
    let Some(resolver) =
        std::fs::read_to_string("/etc/resolv.conf").ok().and_then(|t| dns::Resolver::parse(&t))
    else {
        let _ = tell.blocking_send(Err("the pod has no IPv4 name server".into()));
        return;
    };
    let mut id = 0u16;
    loop {
        let began = Instant::now();
        id = id.wrapping_add(1);
        let question = match dns::question(id, &resolver.domain) {
            Ok(question) => question,
            Err(error) => {
                let _ = tell.blocking_send(Err(format!("the cluster's domain cannot be asked for: {error}")));
                return;
            }
        };
        let result = ask(&resolver, id, &question, began + PATIENCE);
        let probe = Probe {
            from: node.into(),
            to: resolver.server.to_string(),
            path: ProbePath::Dns,
            bytes: u32::try_from(question.len()).unwrap_or(0),
            result,
        };
        if tell.blocking_send(Ok(probe)).is_err() {
            return;
        }
        std::thread::sleep(interval.saturating_sub(began.elapsed()));
    }
}

fn ask(resolver: &dns::Resolver, id: u16, question: &[u8], deadline: Instant) -> ProbeResult {
    let began = Instant::now();
    let refused = |error: io::Error| ProbeResult::Refused(error.to_string());
    // A new port each time: one that conntrack keeps on a dead server would never recover.
    let socket = match udp::socket(0).and_then(|s| s.connect((resolver.server, 53)).map(|()| s)) {
        Ok(socket) => socket,
        Err(error) => return refused(error),
    };
    if let Err(error) = socket.send(question) {
        return refused(error);
    }
    let mut buffer = [0; 1500];
    let mut in_time = true;
    while in_time {
        // We may have been late ourselves: whatever has arrived by then counts.
        in_time = wait(std::iter::once(&socket), deadline);
        if let Some(undelivered) = udp::undelivered(&socket, &mut buffer) {
            return round::result_of(undelivered.refusal);
        }
        while let Ok(bytes) = socket.recv(&mut buffer) {
            match dns::answer(id, &buffer[..bytes]) {
                Some(Ok(())) => return ProbeResult::Passed { micros: micros(began) },
                Some(Err(why)) => return ProbeResult::Refused(why.into()),
                None => {}
            }
        }
    }
    ProbeResult::Lost
}

/// Microseconds since `began`.
pub(super) fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}
