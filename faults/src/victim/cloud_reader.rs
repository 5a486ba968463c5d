//! A workload that lives from the cloud: it takes on the role that its environment names, and reads an object in a
//! loop.
//!
//! When the cloud says no, to its token or to its session, it ends with code 1 and without a word, as so many real
//! programs do. When the cloud does not answer, or is too busy, that is no verdict on its identity: it ends so at its
//! start, when it can do nothing at all, and waits later.

use super::{ready::Ready, workload::READY_PORT};
use loopdrill_aws::{CloudError, PROBE, Workload};
use std::{path::Path, process::ExitCode, time::Duration};

const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn read_forever(bucket: String, cache: Option<String>) -> ExitCode {
    let mut workload = Workload::from_env(cache.map(|dir| Path::new(&dir).join("session"))).await;
    let mut ready = None;
    loop {
        match workload.read(&bucket, PROBE).await {
            Ok(()) if ready.is_none() => ready = Ready::open(READY_PORT).await.ok(),
            Ok(()) => {}
            Err(CloudError::Unreachable { .. } | CloudError::Throttled { .. }) if ready.is_some() => {}
            Err(_) => return ExitCode::from(1),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
