//! The command line.

use std::process::ExitCode;

/// stub
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
