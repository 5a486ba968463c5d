//! A service without fault: it says when it is ready, counts its requests by result and how long they took, and
//! writes structured lines that say where they are from. What profiles of labs run.
//!
//! With `DATA_DIR` it keeps a record of each request there.

use super::{http_server, workload::READY_PORT};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use serde_json::json;
use std::{
    env,
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Upper bounds of the histogram in seconds.
const BOUNDS: [f64; 4] = [0.001, 0.01, 0.1, 1.0];

#[derive(Default)]
struct Service {
    ok: AtomicU64,
    failed: AtomicU64,
    within: [AtomicU64; 4],
    micros: AtomicU64,
    data: Option<Mutex<File>>,
}

pub(crate) async fn serve() -> ExitCode {
    let service = match data() {
        Ok(data) => Arc::new(Service { data, ..Service::default() }),
        Err(error) => {
            eprintln!("cannot open the data: {error}");
            return ExitCode::FAILURE;
        }
    };
    let router = Router::new()
        .route("/", get(answer))
        .route("/ready", get(answer))
        .route("/metrics", get(metrics))
        .with_state(service);
    http_server::serve(READY_PORT, router).await
}

fn data() -> std::io::Result<Option<Mutex<File>>> {
    let Some(dir) = env::var_os("DATA_DIR") else { return Ok(None) };
    let file = OpenOptions::new().create(true).append(true).open(PathBuf::from(dir).join("requests"))?;
    Ok(Some(Mutex::new(file)))
}

async fn answer(State(service): State<Arc<Service>>) -> StatusCode {
    let began = Instant::now();
    let kept = service.keep().is_ok();
    service.count(kept, began);
    println!("{}", line(kept));
    if kept { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

impl Service {
    fn keep(&self) -> std::io::Result<()> {
        let Some(data) = &self.data else { return Ok(()) };
        let mut file = data.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{}", nanos())?;
        file.sync_data()
    }

    fn count(&self, kept: bool, began: Instant) {
        let took = began.elapsed();
        let counter = if kept { &self.ok } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        for (bound, bucket) in BOUNDS.iter().zip(&self.within) {
            if took.as_secs_f64() <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn told(&self) -> String {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let (ok, failed) = (get(&self.ok), get(&self.failed));
        let mut text = format!(
            "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {ok}\n\
             http_requests_total{{code=\"500\"}} {failed}\n# TYPE http_request_duration_seconds histogram\n"
        );
        for (bound, bucket) in BOUNDS.iter().zip(&self.within) {
            text.push_str(&format!(
                "http_request_duration_seconds_bucket{{le=\"{bound}\"}} {}\n",
                get(bucket)
            ));
        }
        let (all, micros) = (ok + failed, get(&self.micros));
        text.push_str(&format!(
            "http_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}\nhttp_request_duration_seconds_sum {}.{:06}\n\
             http_request_duration_seconds_count {all}\n",
            micros / 1_000_000,
            micros % 1_000_000
        ));
        text
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> String {
    service.told()
}

fn nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos())
}

/// One structured line. No caller sends a trace's id, so each request begins a trace of its own.
fn line(kept: bool) -> String {
    static SPANS: AtomicU64 = AtomicU64::new(1);
    let span = SPANS.fetch_add(1, Ordering::Relaxed);
    let from = |name: &str| env::var(name).unwrap_or_default();
    json!({
        "level": if kept { "info" } else { "error" },
        "message": "answered",
        "trace_id": format!("{:032x}", nanos()),
        "span_id": format!("{span:016x}"),
        "pod_name": from("POD_NAME"),
        "node_name": from("NODE_NAME"),
        "namespace": from("NAMESPACE"),
        "zone": from("ZONE"),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_result_and_duration() {
        let service = Service::default();
        service.count(true, Instant::now());
        service.count(false, Instant::now());
        let text = service.told();
        for line in [
            "http_requests_total{code=\"200\"} 1",
            "http_requests_total{code=\"500\"} 1",
            "http_request_duration_seconds_bucket{le=\"1\"} 2",
            "http_request_duration_seconds_count 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line:?} is not in\n{text}");
        }
    }
}
