//! The `loopdrill` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    loopdrill_cli::main()
}
