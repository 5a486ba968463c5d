//! What goes wrong on the node, and how it is told to the harness.

use serde::{Deserialize, Serialize};

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// Something is set that is not ours.
    #[error("{what} is in a foreign state: {found}")]
    Foreign {
        /// What was to be touched.
        what: String,
        /// What is set there.
        found: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The kernel refused a request over netlink.
    #[error("{doing}: {source}")]
    Netlink {
        /// What was being done.
        doing: String,
        /// The kernel's answer.
        source: Box<rtnetlink::Error>,
    },
    /// A tool of the node failed.
    #[error("`{command}`: {why}")]
    Command {
        /// What was run.
        command: String,
        /// The start of its standard error, or why it could not be started.
        why: String,
    },
    /// Anything that the node lacks.
    #[error("{0}")]
    Unfit(String),
}

impl StepError {
    /// Wraps an I/O error with the file's path.
    pub(crate) fn io(path: impl AsRef<std::path::Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().display().to_string();
        move |source| StepError::Io { path, source }
    }

    /// Wraps a netlink error with what was being done.
    pub(crate) fn netlink(doing: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> Self {
        let doing = doing.into();
        move |source| StepError::Netlink { doing, source: Box::new(source) }
    }

    /// Something is set that is not ours.
    pub(crate) fn foreign(what: impl Into<String>, found: impl Into<String>) -> Self {
        StepError::Foreign { what: what.into(), found: found.into() }
    }
}

/// The agent's reply to the harness: one JSON document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AgentReply<T> {
    /// It worked.
    Ok(T),
    /// Something is set that is not ours.
    Foreign {
        /// What was to be touched.
        what: String,
        /// What is set there.
        found: String,
    },
    /// It did not work.
    Failed {
        /// Why.
        why: String,
    },
}

impl<T> From<Result<T, StepError>> for AgentReply<T> {
    fn from(result: Result<T, StepError>) -> Self {
        match result {
            Ok(value) => AgentReply::Ok(value),
            Err(StepError::Foreign { what, found }) => AgentReply::Foreign { what, found },
            Err(other) => AgentReply::Failed { why: other.to_string() },
        }
    }
}

/// Runs a tool of the node and returns its standard output.
pub(crate) fn run(argv: &[&str], stdin: Option<&str>) -> Result<String, StepError> {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };
    let fail = |why: String| StepError::Command { command: argv.join(" "), why };
    let mut child = Command::new(argv[0])
        .args(&argv[1..])
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| fail(e.to_string()))?;
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        pipe.write_all(text.as_bytes()).map_err(|e| fail(e.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|e| fail(e.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(fail(format!("{} ({})", stderr.trim().lines().next().unwrap_or("no message"), output.status)))
}
