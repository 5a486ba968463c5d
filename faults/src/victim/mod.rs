//! The victims: small workloads that show a symptom by themselves, and what faults need to run them.
//!
//! [`main`] is the inside, run in a pod by `args: ["victim", PROGRAM, …]`; [`Workload`] and [`until`] are
//! the outside. A program does useful work for as long as it can, writes nothing that would tell what was
//! injected, and ends at once on SIGTERM.

mod api_caller;
mod cloud_reader;
mod disk_writer;
mod latch;
mod look;
mod memory_eater;
pub mod place;
mod pods;
mod ready;
mod service;
#[cfg(test)]
pub(crate) mod testing;
mod wait;
mod workload;

pub use disk_writer::records_found;
pub use latch::Latch;
pub use look::Look;
pub use pods::{create, delete_pods, log_of, pods_of, scale, unscheduled, wait_ready};
pub use wait::{Seen, until};
pub use workload::{Claim, READY_PORT, VICTIM_LABEL, Workload};
pub(crate) use {
    look::seen,
    pods::{api, describe, is_ready, look_at_all, newest, wait_for_namespace},
    workload::{metadata, typed},
};

use std::{future::Future, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// Runs the victim program that `args` name; see the module.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let program = args.first().map(String::as_str);
    match program {
        Some("sleep") => run(std::future::pending()),
        Some("api-caller") => run(api_caller::call_forever()),
        Some("cloud-reader") => match args.get(1) {
            Some(bucket) => run(cloud_reader::read_forever(bucket.clone(), args.get(2).cloned())),
            None => refuse("cloud-reader needs the bucket to read from"),
        },
        Some("disk-writer") => match args.get(1) {
            Some(dir) => run(disk_writer::write_forever(dir.clone())),
            None => refuse("disk-writer needs the folder to write to"),
        },
        Some("memory-eater") => run(memory_eater::eat_forever()),
        Some("api-writer") => run(crate::etcd_disk::write_forever()),
        Some("payload-server") => match args.get(1).map_or(Ok(0), |millis| millis.parse()) {
            Ok(millis) => run(crate::overlay_mtu::serve_backend(READY_PORT, Duration::from_millis(millis))),
            Err(_) => refuse("payload-server takes the milliseconds that it thinks before an answer"),
        },
        Some("api-hammer") => run(crate::decoys::hammer_forever()),
        Some("lease-holder") => run(crate::dominoes::hold_forever()),
        Some("http-front") => match args.get(1) {
            Some(backend) => run(crate::overlay_mtu::serve_front(backend.clone())),
            None => refuse("http-front needs the name of its backend"),
        },
        Some("service") => run(service::serve()),
        Some(other) => refuse(&format!("there is no victim program {other:?}")),
        None => refuse(
            "a victim program must be named: sleep, api-caller, cloud-reader, disk-writer, memory-eater, api-writer, payload-server, http-front, api-hammer, lease-holder or service",
        ),
    }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}

/// Runs `work` on a small runtime until it ends or the kubelet says that the pod must.
pub fn run(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return refuse(&format!("no runtime: {e}")),
    };
    runtime.block_on(async {
        let (mut term, mut int) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(term), Ok(int)) => (term, int),
            (Err(e), _) | (_, Err(e)) => return refuse(&format!("no signal handler: {e}")),
        };
        tokio::select! {
            code = work => code,
            _ = term.recv() => ExitCode::SUCCESS,
            _ = int.recv() => ExitCode::SUCCESS,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        for args in [
            vec![],
            vec!["dance".to_owned()],
            vec!["disk-writer".to_owned()],
            vec!["cloud-reader".to_owned()],
        ] {
            assert_eq!(format!("{:?}", main(&args)), format!("{:?}", ExitCode::from(2)), "{args:?}");
        }
    }
}
