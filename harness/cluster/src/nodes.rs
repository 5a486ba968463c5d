//! Commands on the nodes themselves, without the API server in between.

use async_trait::async_trait;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a command on a node left behind.
#[derive(Debug, Clone, Default)]
pub struct ExecOutput {
    /// Its exit code.
    pub code: i64,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl ExecOutput {
    /// Standard output as text, when the command succeeded.
    ///
    /// # Errors
    /// [`NodeError::Failed`] with the last lines of standard error otherwise.
    pub fn success(self, node: &str, argv: &[&str]) -> Result<String, NodeError> {
        if self.code == 0 {
            return Ok(String::from_utf8_lossy(&self.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&self.stderr);
        Err(NodeError::Failed {
            node: node.into(),
            command: argv.join(" "),
            code: self.code,
            stderr: stderr
                .trim()
                .lines()
                .rev()
                .take(5)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join("; "),
        })
    }
}

/// A command that runs on a node and is talked to.
pub struct NodePipe {
    /// Its standard input, which reads as closed on the node as soon as this, or this process, is gone. The
    /// command must take that as its end.
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
    /// Its standard output, which ends with the command or its node.
    pub stdout: Pin<Box<dyn AsyncRead + Send>>,
}

/// Why something on a node did not work.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The target is known by its API alone.
    #[error("there is no access to the nodes of this cluster; use a lab or a kind cluster")]
    NoAccess,
    /// The node does not exist or does not run.
    #[error("node {node} is not running: {why}")]
    Down {
        /// Its name.
        node: String,
        /// What the engine says.
        why: String,
    },
    /// A command ended with an error.
    #[error("`{command}` on node {node} ended with code {code}: {stderr}")]
    Failed {
        /// The node.
        node: String,
        /// The command.
        command: String,
        /// Its exit code.
        code: i64,
        /// The end of its standard error.
        stderr: String,
    },
    /// The engine that runs the nodes does not answer.
    #[error("the container engine failed for node {node}: {why}")]
    Engine {
        /// The node.
        node: String,
        /// What it says.
        why: String,
    },
}

/// Access to the nodes: for kind nodes through the container engine.
#[async_trait]
pub trait NodeAccess: Send + Sync {
    /// Path of this binary on every node.
    fn agent(&self) -> &str;

    /// Runs `argv` on `node` as root and waits for it.
    async fn exec(&self, node: &str, argv: &[&str], stdin: Option<&[u8]>) -> Result<ExecOutput, NodeError>;

    /// Runs `argv` on `node` and returns its standard input, which reads as closed on the node as soon as the
    /// returned writer, or this process, is gone.
    async fn exec_stdin(
        &self,
        node: &str,
        argv: &[&str],
    ) -> Result<Pin<Box<dyn AsyncWrite + Send>>, NodeError>;

    /// Runs `argv` on `node`, returning at once with its standard input and output, for commands that report for
    /// as long as somebody listens. Standard error is dropped.
    async fn exec_pipe(&self, node: &str, argv: &[&str]) -> Result<NodePipe, NodeError>;

    /// Stops the node's machine at once, as a power cut does.
    async fn power_off(&self, node: &str) -> Result<(), NodeError>;

    /// Starts the node's machine again. Does nothing when it runs.
    async fn power_on(&self, node: &str) -> Result<(), NodeError>;

    /// Whether the node's machine runs.
    async fn is_powered(&self, node: &str) -> Result<bool, NodeError>;
}
