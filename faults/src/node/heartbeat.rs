//! The harness's pulse: one byte a second to the node for each change that is in force.
//!
//! When this process dies, the engine closes the other end, and the node ends the change at once.

use loopdrill_cluster::NodeAccess;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, task::AbortHandle};

const PERIOD: Duration = Duration::from_secs(1);

/// So many pipes may break in a row.
const PATIENCE: u32 = 3;
/// A pipe that took more beats than that was a good one.
const LASTING: u32 = 5;

type Key = (String, String);

static BEATING: LazyLock<Mutex<HashMap<Key, AbortHandle>>> = LazyLock::new(Mutex::default);

/// Starts the heartbeat of change `id` on `node`.
pub(super) fn start(nodes: &Arc<dyn NodeAccess>, node: &str, id: &str) {
    let task = tokio::spawn(beat(nodes.clone(), node.to_owned(), id.to_owned()));
    let key = (node.to_owned(), id.to_owned());
    if let Some(old) = registry().insert(key, task.abort_handle()) {
        old.abort();
    }
}

/// Stops it; the node ends the change.
pub(super) fn stop(node: &str, id: &str) {
    if let Some(task) = registry().remove(&(node.to_owned(), id.to_owned())) {
        task.abort();
    }
}

fn registry() -> std::sync::MutexGuard<'static, HashMap<Key, AbortHandle>> {
    BEATING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Beats until it is stopped. A broken pipe may be the engine's, so it is opened anew; when that does not
/// help either, the holder is gone, and with it the change.
async fn beat(nodes: Arc<dyn NodeAccess>, node: String, id: String) {
    let argv = [nodes.agent(), "node", "beat", &id].map(str::to_owned);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failures = 0;
    while failures < PATIENCE {
        failures += 1;
        match nodes.exec_stdin(&node, &argv).await {
            Ok(mut pipe) => {
                for beats in 0_u32.. {
                    tick.tick().await;
                    let sent = async { pipe.write_all(b"+").await.and(pipe.flush().await) };
                    if let Err(error) = sent.await {
                        tracing::debug!(node, id, %error, "the heartbeat's pipe broke");
                        break;
                    }
                    if beats == LASTING {
                        failures = 0;
                    }
                }
            }
            Err(error) => tracing::debug!(node, id, %error, "the heartbeat does not reach the node"),
        }
        tick.tick().await;
    }
    tracing::warn!(node, id, "the node does not take the heartbeat any more: the change has ended there");
}
