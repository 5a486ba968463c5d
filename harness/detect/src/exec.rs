//! `--detector exec:COMMAND`: any command that prints diagnoses, so that other tools can be scored.
//!
//! The command gets `KUBECONFIG`, and nothing that tells what was injected. It prints documents as
//! `loopdrill diagnose --output json` does: one before it exits, and it is run again; or one after the other for as
//! long as it runs, each of which replaces the last. What cannot be read is said and is no finding. Called in
//! afterwards, it is run once for each question.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod process;
mod wire;

use crate::{DetectError, Detector, memory::Memory};
use async_trait::async_trait;
use loopdrill_cluster::Target;
use loopdrill_model::{Diagnoses, Diagnosis, Timestamp};
use process::Process;
use std::{path::PathBuf, process::ExitStatus, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    process::ChildStdout,
    sync::{oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long output is still read after its command has ended.
const DRAIN: Duration = Duration::from_millis(500);

/// How a command is run.
#[derive(Debug, Clone, Copy)]
pub struct ExecOptions {
    /// Between the end of one run and the beginning of the next.
    pub pause: Duration,
    /// How long a run may take until its first document.
    pub first_document: Duration,
    /// It is run once, and not again.
    pub once: bool,
}

impl Default for ExecOptions {
    fn default() -> Self {
        Self { pause: Duration::from_secs(1), first_document: Duration::from_secs(50), once: false }
    }
}

/// `--detector exec:COMMAND`.
#[derive(Debug)]
pub struct Exec {
    name: String,
    command: String,
    options: ExecOptions,
}

impl Exec {
    /// The detector that `command` is, for the shell.
    #[must_use]
    pub fn new(command: &str, options: ExecOptions) -> Self {
        let program = command.split_whitespace().next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or(program);
        Self { name: format!("exec:{program}"), command: command.into(), options }
    }
}

#[async_trait]
impl Detector for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(
        self: Arc<Self>,
        target: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let mut core = Core {
            memory: Memory::with_gap(0.0),
            out,
            ready: Some(ready),
            kubeconfig: target.kubeconfig.clone(),
        };
        while !stop.is_cancelled() {
            if let Err(why) = self.once(&mut core, &stop).await {
                // Before the first document nothing has been injected: better no run than one without this detector.
                if core.ready.is_some() && !self.options.once {
                    return Err(DetectError::Failed(self.told(&why)));
                }
                core.lost(self.told(&why));
            }
            if self.options.once {
                break;
            }
            tokio::select! {
                () = sleep(self.options.pause) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }
}

impl Exec {
    fn told(&self, why: &str) -> String {
        format!("`{}`: {why}; run it by hand to see its whole output", self.command)
    }

    /// One run of the command, to its end or until `stop`; nothing of it is left afterwards.
    async fn once(&self, core: &mut Core, stop: &CancellationToken) -> Result<(), String> {
        let (mut process, stdout) = Process::start(&self.command, core.kubeconfig.as_deref())
            .map_err(|e| format!("it cannot be started: {e}"))?;
        let ended = tokio::select! {
            ended = self.listen(&mut process, stdout, core) => ended,
            () = stop.cancelled() => Ok(()),
        };
        let said = process.end().await;
        ended.map_err(|why| if said.is_empty() { why } else { format!("{why} (it said: {said})") })
    }

    /// Publishes what the command prints until it ends.
    async fn listen(
        &self,
        process: &mut Process,
        mut stdout: ChildStdout,
        core: &mut Core,
    ) -> Result<(), String> {
        let mut reader = wire::Reader::default();
        let mut buffer = vec![0; 1 << 16];
        let (mut documents, deadline) = (0_u64, Instant::now() + self.options.first_document);
        let mut end: Option<(ExitStatus, Instant)> = None;
        loop {
            let read = tokio::select! {
                biased;
                // Before any limit: what it has printed is there, however late we are to read it.
                read = stdout.read(&mut buffer) => read,
                // What it started may hold the output open after its end.
                () = sleep_until(end.map_or(deadline, |(_, drained)| drained)), if end.is_some() => break,
                ended = process.ended(), if end.is_none() => {
                    end = Some((ended.map_err(|e| e.to_string())?, Instant::now() + DRAIN));
                    continue;
                }
                () = sleep_until(deadline), if documents == 0 => {
                    return Err(format!("no document within {} s", self.options.first_document.as_secs()));
                }
            };
            match read.map_err(|e| format!("its output cannot be read: {e}"))? {
                0 => break,
                count => {
                    if let Some(found) = reader.feed(&buffer[..count], Timestamp::now())? {
                        documents += 1;
                        core.publish(found);
                    }
                }
            }
            // It may also write for ever.
            if end.is_some_and(|(_, drained)| Instant::now() >= drained + DRAIN) {
                break;
            }
        }
        let status = match end {
            Some((status, _)) => status,
            None => timeout(self.options.first_document, process.ended())
                .await
                .map_err(|_| "it closed its output and does not end".to_string())?
                .map_err(|e| e.to_string())?,
        };
        judge_end(status, documents, reader.is_broken_off())
    }
}

/// Exit codes 0 and 1 are those of `loopdrill diagnose`: no finding, and findings.
fn judge_end(status: ExitStatus, documents: u64, broken_off: bool) -> Result<(), String> {
    match status.code() {
        Some(0 | 1) if broken_off => Err("it ended in the middle of a document".into()),
        Some(0 | 1) if documents > 0 => Ok(()),
        Some(0) => Err("it ended without a document".into()),
        Some(code) => Err(format!("it failed with exit code {code}")),
        None => Err(format!("it was killed ({status})")),
    }
}

/// Where the findings of all runs come together.
struct Core {
    memory: Memory,
    out: watch::Sender<Diagnoses>,
    ready: Option<oneshot::Sender<()>>,
    kubeconfig: Option<PathBuf>,
}

impl Core {
    fn publish(&mut self, found: Vec<Diagnosis>) {
        let now = Timestamp::now();
        let diagnoses = self.memory.stamp(found, now);
        self.out.send_replace(Diagnoses { diagnoses, as_of: Some(now), trouble: Vec::new() });
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
    }

    /// What is not known any more is no finding.
    fn lost(&mut self, why: String) {
        self.out.send_replace(Diagnoses { trouble: vec![why], ..Diagnoses::default() });
    }
}

#[cfg(test)]
mod tests;
