//! Commands on nodes that are containers.

use crate::engine::Engine;
use async_trait::async_trait;
use bollard::{
    container::LogOutput,
    errors::Error,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
};
use futures::StreamExt;
use loopdrill_cluster::{ExecOutput, NodeAccess, NodeError, NodePipe};
use std::{
    collections::BTreeSet,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

type Output = Pin<Box<dyn futures::Stream<Item = Result<LogOutput, Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// How long a node's service manager may take to answer after its machine was started.
const BOOT: Duration = Duration::from_secs(60);

/// The nodes of one cluster, which are containers of the same names.
#[derive(Debug, Clone)]
pub struct DockerNodes {
    engine: Engine,
    agent: String,
    names: BTreeSet<String>,
}

impl DockerNodes {
    /// Access to these nodes; `agent` is the path of this binary on each of them.
    #[must_use]
    pub fn new(engine: Engine, agent: &str, names: impl IntoIterator<Item = String>) -> Self {
        DockerNodes { engine, agent: agent.into(), names: names.into_iter().collect() }
    }

    /// The nodes' names.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Runs a shell script on a node.
    pub(crate) async fn sh(&self, node: &str, script: &str) -> Result<ExecOutput, NodeError> {
        self.exec(node, &["bash", "-euc", script], None).await
    }

    /// Runs `argv` on a node with its standard input from a reader.
    pub(crate) async fn exec_reader(
        &self,
        node: &str,
        argv: &[&str],
        mut stdin: impl AsyncRead + Unpin + Send,
    ) -> Result<ExecOutput, NodeError> {
        let (id, mut output, mut input) = self.start(node, argv, true).await?;
        let mut result = ExecOutput::default();
        let feed = async {
            // A command may end before it has read everything; its exit code tells whether that was wrong.
            let _ = tokio::io::copy_buf(
                &mut tokio::io::BufReader::with_capacity(1 << 20, &mut stdin),
                &mut input,
            )
            .await;
            let _ = input.shutdown().await;
        };
        let collect = collect(node, &mut output, &mut result);
        let ((), collected) = tokio::join!(feed, collect);
        collected?;
        result.code = self.exit_code(node, &id).await?;
        Ok(result)
    }

    async fn start(
        &self,
        node: &str,
        argv: &[&str],
        stdin: bool,
    ) -> Result<(String, Output, Input), NodeError> {
        if !self.names.contains(node) {
            return Err(NodeError::Down { node: node.into(), why: "it is no node of this cluster".into() });
        }
        let options = CreateExecOptions {
            attach_stdin: Some(stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.to_vec()),
            ..Default::default()
        };
        let docker = &self.engine.docker;
        let exec = docker.create_exec(node, options).await.map_err(|e| node_error(node, &e))?;
        let start = StartExecOptions { output_capacity: Some(64 * 1024), ..Default::default() };
        match docker.start_exec(&exec.id, Some(start)).await.map_err(|e| node_error(node, &e))? {
            StartExecResults::Attached { output, input } => Ok((exec.id, output, input)),
            StartExecResults::Detached => {
                Err(NodeError::Engine { node: node.into(), why: "it detached from the command".into() })
            }
        }
    }

    /// A code that may be the command's own, or of a command that its node took along when it went down.
    async fn or_down(&self, node: &str, code: i64) -> Result<i64, NodeError> {
        // Not to be started (126), or killed (137): the engine may learn a little later that the node is gone.
        if code != 126 && code != 137 {
            return Ok(code);
        }
        let deadline = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < deadline {
            if !self.is_powered(node).await? {
                let why = "it went down while a command ran on it".into();
                return Err(NodeError::Down { node: node.into(), why });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(code)
    }

    /// The exit code of a command whose output has ended; the engine may notice the end a little later.
    async fn exit_code(&self, node: &str, id: &str) -> Result<i64, NodeError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let state = self.engine.docker.inspect_exec(id).await.map_err(|e| node_error(node, &e))?;
            match state.exit_code {
                Some(code) if state.running != Some(true) => return self.or_down(node, code).await,
                _ if Instant::now() > deadline => {
                    let why = "a command's output ended and the command did not".to_string();
                    return Err(NodeError::Engine { node: node.into(), why });
                }
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

async fn collect(node: &str, output: &mut Output, result: &mut ExecOutput) -> Result<(), NodeError> {
    while let Some(chunk) = output.next().await {
        match chunk.map_err(|e| node_error(node, &e))? {
            LogOutput::StdErr { message } => result.stderr.extend_from_slice(&message),
            other => result.stdout.extend_from_slice(&other.into_bytes()),
        }
    }
    Ok(())
}

fn node_error(node: &str, error: &Error) -> NodeError {
    match error {
        Error::DockerResponseServerError { status_code: 404 | 409, message } => {
            NodeError::Down { node: node.into(), why: message.clone() }
        }
        other => NodeError::Engine { node: node.into(), why: other.to_string() },
    }
}

#[async_trait]
impl NodeAccess for DockerNodes {
    fn agent(&self) -> &str {
        &self.agent
    }

    async fn exec(&self, node: &str, argv: &[&str], stdin: Option<&[u8]>) -> Result<ExecOutput, NodeError> {
        if let Some(bytes) = stdin {
            return self.exec_reader(node, argv, bytes).await;
        }
        let (id, mut output, _input) = self.start(node, argv, false).await?;
        let mut result = ExecOutput::default();
        collect(node, &mut output, &mut result).await?;
        result.code = self.exit_code(node, &id).await?;
        Ok(result)
    }

    async fn exec_stdin(
        &self,
        node: &str,
        argv: &[&str],
    ) -> Result<Pin<Box<dyn AsyncWrite + Send>>, NodeError> {
        let (_, mut output, input) = self.start(node, argv, true).await?;
        let (node, command) = (node.to_string(), argv.join(" "));
        let drain = tokio::spawn(async move {
            while let Some(Ok(chunk)) = output.next().await {
                tracing::debug!(node, command, "{}", chunk.to_string().trim_end());
            }
        });
        Ok(Box::pin(HeldStdin { input: Some(input), drain: Some(drain) }))
    }

    async fn exec_pipe(&self, node: &str, argv: &[&str]) -> Result<NodePipe, NodeError> {
        let (_, mut output, input) = self.start(node, argv, true).await?;
        let (mut writer, reader) = tokio::io::duplex(256 * 1024);
        tokio::spawn(async move {
            while let Some(Ok(chunk)) = output.next().await {
                if let LogOutput::StdErr { .. } = chunk {
                    continue;
                }
                // Nobody listens any more.
                if writer.write_all(&chunk.into_bytes()).await.is_err() {
                    return;
                }
            }
        });
        Ok(NodePipe {
            stdin: Box::pin(HeldStdin { input: Some(input), drain: None }),
            stdout: Box::pin(reader),
        })
    }

    async fn power_off(&self, node: &str) -> Result<(), NodeError> {
        match self.engine.docker.kill_container(node, None).await {
            // It is off already.
            Err(Error::DockerResponseServerError { status_code: 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(node_error(node, &error)),
        }
    }

    async fn power_on(&self, node: &str) -> Result<(), NodeError> {
        // The entrypoint does again what a start needs: mounts, and configuration where the address changed.
        match self.engine.docker.start_container(node, None).await {
            Err(Error::DockerResponseServerError { status_code: 304, .. }) | Ok(()) => {}
            Err(error) => return Err(node_error(node, &error)),
        }
        let deadline = Instant::now() + BOOT;
        loop {
            let booted = self.exec(node, &["systemctl", "is-active", "--quiet", "containerd"], None).await;
            match booted {
                Ok(output) if output.code == 0 => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                _ if Instant::now() > deadline => {
                    let why = format!("containerd is not running {} s after its start", BOOT.as_secs());
                    return Err(NodeError::Down { node: node.into(), why });
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn is_powered(&self, node: &str) -> Result<bool, NodeError> {
        let found =
            self.engine.docker.inspect_container(node, None).await.map_err(|e| node_error(node, &e))?;
        Ok(found.state.and_then(|state| state.running).unwrap_or(false))
    }
}

/// The standard input of a command on a node. Dropping it closes its side of the connection, which the command
/// reads as the end of its input; so does the death of this process.
struct HeldStdin {
    input: Option<Input>,
    drain: Option<tokio::task::JoinHandle<()>>,
}

impl HeldStdin {
    fn input(&mut self) -> Pin<&mut (dyn AsyncWrite + Send)> {
        self.input.as_mut().expect("only the destructor takes it").as_mut()
    }
}

impl Drop for HeldStdin {
    fn drop(&mut self) {
        // The other half of the connection may live on in a reader, so this half has to be closed by name.
        if let (Some(mut input), Ok(runtime)) = (self.input.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let _ = input.shutdown().await;
            });
        }
        if let Some(drain) = self.drain.take() {
            drain.abort();
        }
    }
}

impl AsyncWrite for HeldStdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.input().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.input().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.input().poll_shutdown(cx)
    }
}
