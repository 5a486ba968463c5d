//! The programs that victims run: `loopdrill victim PROGRAM …` in a pod, one line of a table each.
//!
//! A program does useful work for as long as it can, writes nothing that would tell what was injected, and ends at
//! once on SIGTERM.

use crate::{
    api_latency::one_seat,
    cross_az_pvc::frozen_kubelet,
    decoys, dominoes,
    etcd_disk::{self, slow_sync},
    overlay_mtu::{self, path},
    victim::{
        READY_PORT, api_caller,
        caller::{self, Server},
        cloud_reader, disk_writer, dns_forwarder, filler, memory_eater, service, teller,
        tls::{self, Thinks},
    },
};
use futures::{FutureExt, future::LocalBoxFuture};
use jiff::Timestamp;
use std::{future::Future, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// What a program does until it ends.
type Work = LocalBoxFuture<'static, ExitCode>;

/// A program's name, and how it is started with its arguments; an error says which one is missing.
type Program = (&'static str, fn(&[String]) -> Result<Work, &'static str>);

static PROGRAMS: [Program; 22] = [
    ("sleep", |_| Ok(std::future::pending().boxed_local())),
    ("api-caller", |_| Ok(api_caller::call_forever().boxed_local())),
    ("cloud-reader", |args| {
        let bucket = args.first().cloned().ok_or("the bucket to read from")?;
        Ok(cloud_reader::read_forever(bucket, args.get(1).cloned()).boxed_local())
    }),
    ("disk-writer", |args| {
        let dir = args.first().cloned().ok_or("the folder to write to")?;
        Ok(disk_writer::write_forever(dir).boxed_local())
    }),
    ("memory-eater", |_| Ok(memory_eater::eat_forever().boxed_local())),
    ("api-writer", |args| Ok(etcd_disk::write_forever(own_pause(args)?).boxed_local())),
    ("payload-server", |args| Ok(overlay_mtu::serve_backend(READY_PORT, thinks(args)?).boxed_local())),
    ("http-front", |args| {
        let backend = args.first().cloned().ok_or("the name of its backend")?;
        Ok(overlay_mtu::serve_proxy(backend).boxed_local())
    }),
    ("narrow-path", |args| Ok(path::narrow(path::Wanted::read(args)?).boxed_local())),
    ("stop-kubelet", |args| Ok(frozen_kubelet::stop_until(last_moment(args.first())?).boxed_local())),
    ("slow-sync", |args| Ok(slow_sync::delay_until(last_moment(args.first())?).boxed_local())),
    ("api-lister", |args| Ok(one_seat::list_until(last_moment(args.first())?).boxed_local())),
    ("api-hammer", |_| Ok(decoys::hammer_forever().boxed_local())),
    ("lease-holder", |_| Ok(dominoes::hold_forever().boxed_local())),
    ("service", |_| Ok(service::serve().boxed_local())),
    ("admission", |args| {
        let thinks = Thinks {
            time: thinks(args)?,
            until: args.get(1).map_or(Ok(Timestamp::MAX), |at| last_moment(Some(at)))?,
        };
        Ok(tls::allow_forever(thinks, args.get(2).cloned()).boxed_local())
    }),
    ("dns-forwarder", |_| Ok(dns_forwarder::forward_forever().boxed_local())),
    ("caller", |args| Ok(caller::call_forever(server(args, false)?).boxed_local())),
    ("tls-caller", |args| Ok(caller::call_forever(server(args, true)?).boxed_local())),
    ("filler", |args| {
        let dir = args.first().cloned().ok_or("the folder to write to")?;
        Ok(filler::fill(dir).boxed_local())
    }),
    ("tells", |args| {
        let (often, lines) = args.split_first().ok_or("once or often, and what to write")?;
        Ok(teller::tell_and_serve(often == "often", lines.to_vec()).boxed_local())
    }),
    ("ends", |args| {
        let code = args.first().and_then(|code| code.parse().ok()).ok_or("the exit code as a number")?;
        Ok(teller::tell_and_end(code, args[1..].to_vec()).boxed_local())
    }),
];

/// How long a server thinks before it answers.
fn thinks(args: &[String]) -> Result<Duration, &'static str> {
    let millis = args.first().map_or(Ok(0), |millis| millis.parse());
    millis.map(Duration::from_millis).map_err(|_| "the milliseconds to think as a number")
}

/// The last moment of what a program does, in seconds since 1970.
pub(crate) fn last_moment(arg: Option<&String>) -> Result<Timestamp, &'static str> {
    let moment = arg.and_then(|seconds| Timestamp::from_second(seconds.parse().ok()?).ok());
    moment.ok_or("its last moment as seconds since 1970")
}

/// The time that a client's own limit leaves between two calls; none where it has no limit.
fn own_pause(args: &[String]) -> Result<Option<Duration>, &'static str> {
    let millis = args.first().map(|millis| millis.parse().map(Duration::from_millis)).transpose();
    millis.map_err(|_| "the milliseconds of its own limit as a number")
}

/// The server that a caller's arguments name.
fn server(args: &[String], tls: bool) -> Result<Server, &'static str> {
    let host = args.first().cloned().ok_or("the name of its server")?;
    let port = args.get(1).and_then(|port| port.parse().ok()).ok_or("the port of its server")?;
    Ok(Server { host, port, tls })
}

/// Runs the victim program that `args` name; see the module.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    match program(args) {
        Ok(work) => run(work),
        Err(why) => refuse(&why),
    }
}

fn program(args: &[String]) -> Result<Work, String> {
    let names = || PROGRAMS.map(|(name, _)| name).join(", ");
    let Some((wanted, args)) = args.split_first() else {
        return Err(format!("a victim program must be named: one of {}", names()));
    };
    let (_, start) = PROGRAMS
        .iter()
        .find(|(name, _)| name == wanted)
        .ok_or_else(|| format!("there is no victim program {wanted:?}; there are {}", names()))?;
    start(args).map_err(|what| format!("{wanted} needs {what}"))
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}

/// Runs `work` on a small runtime until it ends or the kubelet says that the pod must.
fn run(work: impl Future<Output = ExitCode>) -> ExitCode {
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
    fn nonsense_is_refused_with_what_is_missing() {
        let refusal = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
            assert_eq!(format!("{:?}", main(&args)), format!("{:?}", ExitCode::from(2)), "{args:?}");
            program(&args).err().expect("refused")
        };
        assert!(refusal(&[]).ends_with("tells, ends"));
        assert!(refusal(&["dance"]).contains("no victim program \"dance\"; there are sleep, "));
        assert_eq!(refusal(&["disk-writer"]), "disk-writer needs the folder to write to");
        assert_eq!(refusal(&["cloud-reader"]), "cloud-reader needs the bucket to read from");
        assert_eq!(refusal(&["http-front"]), "http-front needs the name of its backend");
        assert_eq!(refusal(&["caller", "check"]), "caller needs the port of its server");
        assert!(refusal(&["payload-server", "soon"]).contains("milliseconds"));
        assert_eq!(refusal(&["admission", "soon"]), "admission needs the milliseconds to think as a number");
        assert!(refusal(&["admission", "5", "dusk"]).ends_with("its last moment as seconds since 1970"));
        assert_eq!(
            refusal(&["narrow-path", "10.0.0.1", "all"]),
            "narrow-path needs the network of the node's pods"
        );
        assert!(refusal(&["api-writer", "rarely"]).contains("milliseconds of its own limit"));
    }
}
