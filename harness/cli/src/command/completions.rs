//! `loopdrill completions`.

use crate::Failure;
use clap_complete::Shell;
use loopdrill_model::ExitStatus;

/// Options of `loopdrill completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell to complete for
    shell: Shell,
}

pub(crate) fn main(args: &Args, command: &mut clap::Command) -> Result<ExitStatus, Failure> {
    clap_complete::generate(args.shell, command, "loopdrill", &mut std::io::stdout());
    Ok(ExitStatus::Ready)
}
