//! Observations that arrive as lines from our own processes on nodes and in pods.

use crate::sink::{NobodyListens, Sink};
use loopdrill_model::{Observation, Signal, Source};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

const LONGEST_LINE: usize = 256 << 10;

/// Why reading ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The other end closed.
    Closed,
    /// Nothing came for too long.
    Silent,
    /// Reading failed, or what came is not ours.
    Failed(String),
    /// The observer has no receiver any more.
    NobodyListens,
}

impl Ended {
    /// What to say about the source.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Closed => "the process ended".into(),
            Self::Silent => "the process has gone silent".into(),
            Self::Failed(why) => why.clone(),
            Self::NobodyListens => "nobody listens".into(),
        }
    }
}

/// Silences of the length of our patience after which the other end is given up. Before that it may only be
/// slow, as everything is on a machine that is overloaded, and starting it anew would make that worse.
const SILENCES: u32 = 3;

/// Passes on the lines of `input`, stamped with our own clock, until it ends or is given up. After a silence of
/// `patience` the source counts as lost. Each line may only tell of what its process can know.
pub(crate) async fn pass_on(
    input: impl AsyncRead,
    expected: &Source,
    patience: Duration,
    sink: &Sink,
) -> Ended {
    tokio::pin!(input);
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 16 << 10]);
    let mut silences = 0;
    loop {
        let read = match tokio::time::timeout(patience, input.read(&mut chunk)).await {
            Err(_) if silences + 1 == SILENCES => return Ended::Silent,
            Err(_) => {
                silences += 1;
                match sink.lost(expected, Ended::Silent.why()).await {
                    Ok(()) => continue,
                    Err(NobodyListens) => return Ended::NobodyListens,
                }
            }
            Ok(Err(error)) => return Ended::Failed(io_reason(&error)),
            Ok(Ok(0)) => return Ended::Closed,
            Ok(Ok(read)) => read,
        };
        silences = 0;
        buffer.extend_from_slice(&chunk[..read]);
        let mut from = 0;
        while let Some(end) = memchr::memchr(b'\n', &buffer[from..]) {
            let line = &buffer[from..from + end];
            from += end + 1;
            match one(line, expected, sink).await {
                Ok(Ok(())) => {}
                Ok(Err(NobodyListens)) => return Ended::NobodyListens,
                Err(why) => return Ended::Failed(why),
            }
        }
        buffer.drain(..from);
        if buffer.len() > LONGEST_LINE {
            return Ended::Failed(format!("a line of more than {LONGEST_LINE} bytes came"));
        }
    }
}

fn io_reason(error: &io::Error) -> String {
    format!("reading failed: {error}")
}

async fn one(line: &[u8], expected: &Source, sink: &Sink) -> Result<Result<(), NobodyListens>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(Ok(()));
    }
    let seen: Observation = serde_json::from_slice(line).map_err(|_| unreadable(line))?;
    if &seen.source != expected {
        return Err(format!("the process tells of {} instead of {expected}", seen.source));
    }
    Ok(match seen.signal {
        Signal::SourceState(state) => match state.lost {
            Some(why) => sink.lost(expected, why).await,
            None => sink.works(expected).await,
        },
        signal @ (Signal::Metric(_)
        | Signal::Histogram(_)
        | Signal::Interface(_)
        | Signal::IpCounters(_)
        | Signal::Probe(_)) => sink.works(expected).await.and(sink.send(expected, signal).await),
        _ => return Err("the process tells of what it cannot know".into()),
    })
}

/// The beginning of what is no observation: most likely an error message.
fn unreadable(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).take(120).collect();
    format!("the process printed `{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use loopdrill_model::signal::{Metric, SourceState};
    use tokio::sync::mpsc;

    fn line(source: &Source, signal: Signal) -> String {
        let seen = Observation { at: Timestamp::UNIX_EPOCH, source: source.clone(), signal };
        serde_json::to_string(&seen).expect("plain data") + "\n"
    }

    async fn read(input: &str) -> (Ended, Vec<Observation>) {
        let (tx, mut rx) = mpsc::channel(64);
        let ended =
            pass_on(input.as_bytes(), &Source::node("n"), Duration::from_secs(1), &Sink::new(tx)).await;
        let mut all = Vec::new();
        while let Some(o) = rx.recv().await {
            all.push(o);
        }
        (ended, all)
    }

    #[tokio::test]
    async fn lines_get_our_clock_and_states_are_told_once() {
        let source = Source::node("n");
        let metric = Signal::Metric(Metric { name: "m".into(), labels: [].into(), value: 1.0 });
        let state = Signal::SourceState(SourceState { name: source.clone(), lost: None });
        let (ended, all) = read(&format!("{}{}\n", line(&source, state), line(&source, metric))).await;
        assert!(matches!(ended, Ended::Closed));
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|o| o.at > Timestamp::UNIX_EPOCH));
    }

    #[tokio::test]
    async fn what_a_process_cannot_know_is_refused() {
        for (source, signal) in [
            ("n", Signal::Tick),
            ("other", Signal::Metric(Metric { name: "m".into(), labels: [].into(), value: 1.0 })),
        ] {
            let (ended, all) = read(&line(&Source::node(source), signal)).await;
            assert!(matches!(ended, Ended::Failed(_)) && all.is_empty(), "{ended:?}");
        }
        let (ended, _) = read("exec: loopdrill: not found\n").await;
        assert_eq!(ended.why(), "the process printed `exec: loopdrill: not found`");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_noticed() {
        let (silent, mut other_end) = tokio::io::duplex(4096);
        let (tx, mut rx) = mpsc::channel(16);
        let (source, began) = (Source::node("n"), tokio::time::Instant::now());
        let seen = source.clone();
        let task =
            tokio::spawn(async move { pass_on(silent, &seen, Duration::from_secs(5), &Sink::new(tx)).await });
        let lost = |o: Option<Observation>| match o.map(|o| o.signal) {
            Some(Signal::SourceState(state)) => state.lost.is_some(),
            other => panic!("not a state: {other:?}"),
        };
        assert!(lost(rx.recv().await));
        assert_eq!(began.elapsed().as_secs(), 5);
        let state = Signal::SourceState(SourceState { name: source.clone(), lost: None });
        tokio::io::AsyncWriteExt::write_all(&mut other_end, line(&source, state).as_bytes())
            .await
            .expect("open");
        assert!(!lost(rx.recv().await), "it was only slow");
        assert!(lost(rx.recv().await));
        assert!(matches!(task.await.expect("runs"), Ended::Silent));
        assert_eq!(began.elapsed().as_secs(), 20);
    }
}
