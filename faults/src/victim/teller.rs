//! A program that writes lines and then serves well for ever, or ends with a code. What it writes is of no meaning to it.

use super::{ready::Ready, workload::READY_PORT};
use std::{process::ExitCode, time::Duration};

/// Between two rounds of the lines.
const PAUSE: Duration = Duration::from_secs(2);

/// Writes `lines` once, and ends with `code`.
pub(crate) async fn tell_and_end(code: u8, lines: Vec<String>) -> ExitCode {
    lines.iter().for_each(|line| eprintln!("{line}"));
    ExitCode::from(code)
}

/// Serves, and writes `lines`, once or again and again.
pub(crate) async fn tell_and_serve(again: bool, lines: Vec<String>) -> ExitCode {
    let Ok(_ready) = Ready::open(READY_PORT).await else { return ExitCode::FAILURE };
    loop {
        lines.iter().for_each(|line| eprintln!("{line}"));
        if !again {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
