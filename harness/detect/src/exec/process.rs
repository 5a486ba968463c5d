//! One run of a command, with everything that it starts.

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_millis(1500);
/// How much of standard error is kept for the message.
const SAID: usize = 4096;

/// A command that runs in a process group of its own. Dropping it kills the group.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    said: JoinHandle<String>,
}

impl Process {
    /// Starts `command` by the shell, and gives its standard output. It is told where the cluster is, and nothing of ours.
    pub(super) fn start(command: &str, kubeconfig: Option<&Path>) -> std::io::Result<(Self, ChildStdout)> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).process_group(0).kill_on_drop(true);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("LOOPDRILL_")) {
            shell.env_remove(name);
        }
        if let Some(path) = kubeconfig {
            shell.env("KUBECONFIG", path);
        }
        let mut child = shell.spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(mut stderr)) = (stdout, stderr) else {
            return Err(std::io::Error::other("its output is not connected"));
        };
        // Read to the end, so that no command blocks on it; only the last of it is kept.
        let said = tokio::spawn(async move {
            let (mut kept, mut buffer) = (Vec::new(), [0; SAID]);
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                kept.extend_from_slice(&buffer[..count]);
                kept.drain(..kept.len().saturating_sub(SAID));
            }
            String::from_utf8_lossy(&kept).into_owned()
        });
        Ok((Self { child, group, said }, stdout))
    }

    /// Waits for its end by itself.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it with everything it has started, and returns the last line that it said on standard error.
    pub(super) async fn end(mut self) -> String {
        self.signal(Signal::SIGTERM);
        let _ = timeout(GRACE, self.child.wait()).await;
        // What the shell left behind in its group goes, too, and with it the last writer of standard error.
        self.signal(Signal::SIGKILL);
        let _ = timeout(GRACE, self.child.wait()).await;
        self.group = None;
        let said = timeout(GRACE, &mut self.said).await;
        let said = said.ok().and_then(Result::ok).unwrap_or_default();
        said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_string()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone has nothing left to be killed.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        self.said.abort();
    }
}
