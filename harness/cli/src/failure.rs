//! Errors at the command line's edge: one message with its causes, and the exit code.

use loopdrill_cluster::with_causes;
use loopdrill_drill::{SelectionError, SessionError};
use loopdrill_faults::journal::JournalError;
use loopdrill_model::ExitStatus;
use std::error::Error;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    status: ExitStatus,
    message: String,
}

impl Failure {
    pub(crate) fn new(status: ExitStatus, error: &dyn Error) -> Self {
        Self { status, message: with_causes(error) }
    }

    pub(crate) fn of(status: ExitStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The same failure, introduced by what did not work.
    pub(crate) fn before(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::of(ExitStatus::Usage, message)
    }

    /// Tells the user, and returns how the process ends.
    pub(crate) fn print(&self) -> ExitStatus {
        eprintln!("error: {}", self.message);
        self.status
    }
}

impl Failure {
    /// The same failure with a trouble that came on top; what could not be cleaned up decides the exit code.
    pub(crate) fn and(self, trouble: String) -> Self {
        let status = self.status.worst(ExitStatus::CleanupFailed);
        Self { status, message: format!("{}; and then: {trouble}", self.message) }
    }
}

impl From<loopdrill_lab::LabError> for Failure {
    fn from(e: loopdrill_lab::LabError) -> Self {
        Failure::new(e.exit(), &e)
    }
}

impl From<SelectionError> for Failure {
    fn from(e: SelectionError) -> Self {
        Failure::new(ExitStatus::Usage, &e)
    }
}

impl From<JournalError> for Failure {
    fn from(e: JournalError) -> Self {
        Failure::new(ExitStatus::Usage, &e)
    }
}

impl From<SessionError> for Failure {
    fn from(e: SessionError) -> Self {
        Failure::new(e.exit(), &e)
    }
}
