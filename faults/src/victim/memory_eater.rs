//! A workload that keeps what it once needed: its memory grows, a mebibyte at a time, until somebody stops it.

use std::{process::ExitCode, time::Duration};

const BITE: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn eat_forever() -> ExitCode {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        // Pages count when they are written to.
        eaten.push(vec![eaten.len() as u8 | 1; BITE]);
        std::hint::black_box(&eaten);
        tokio::time::sleep(PAUSE).await;
    }
}
