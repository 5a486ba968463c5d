//! Standard output, and what ends an agent.

use loopdrill_model::Observation;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Prints observations a line each, all that are there in one write.
pub(super) async fn print(mut observations: mpsc::Receiver<Observation>) -> io::Result<()> {
    let mut out = tokio::io::stdout();
    let mut lines = Vec::new();
    while let Some(observation) = observations.recv().await {
        push(&mut lines, &observation)?;
        while let Ok(observation) = observations.try_recv() {
            push(&mut lines, &observation)?;
        }
        out.write_all(&lines).await?;
        out.flush().await?;
        lines.clear();
    }
    Ok(())
}

fn push(lines: &mut Vec<u8>, observation: &Observation) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, observation)?;
    lines.push(b'\n');
    Ok(())
}

/// Returns on a signal to stop and, when asked to, at the end of standard input.
pub(super) async fn told_to_stop(until_eof: bool) {
    tokio::select! {
        () = signalled(SignalKind::terminate()) => {}
        () = signalled(SignalKind::interrupt()) => {}
        () = input_ends(), if until_eof => {}
    }
}

async fn signalled(kind: SignalKind) {
    match signal(kind) {
        Ok(mut arrives) => drop(arrives.recv().await),
        Err(_) => std::future::pending().await,
    }
}

async fn input_ends() {
    let (mut input, mut ignored) = (tokio::io::stdin(), [0; 64]);
    while matches!(input.read(&mut ignored).await, Ok(n) if n > 0) {}
}
