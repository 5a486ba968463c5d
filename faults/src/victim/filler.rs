//! A workload that keeps more than there is room for: it writes until that fails, and ends with code 1.

use super::{ready::Ready, workload::READY_PORT};
use std::{fs::File, io::Write, path::Path, process::ExitCode, time::Duration};

static PIECE: [u8; 64 << 10] = [7; 64 << 10];
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn fill(dir: String) -> ExitCode {
    let Ok(_ready) = Ready::open(READY_PORT).await else { return ExitCode::FAILURE };
    let path = Path::new(&dir).join("spool");
    let written = async {
        let mut file = File::options().create(true).append(true).open(&path)?;
        loop {
            file.write_all(&PIECE)?;
            tokio::time::sleep(PAUSE).await;
        }
    };
    let written: std::io::Result<std::convert::Infallible> = written.await;
    match written {
        Ok(never) => match never {},
        Err(e) => {
            eprintln!("write {}: {e}", path.display());
            ExitCode::FAILURE
        }
    }
}
