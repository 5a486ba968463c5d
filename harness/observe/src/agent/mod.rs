//! What runs on nodes and in pods on behalf of the observer: `loopdrill observer …`.
//!
//! Each prints one [`Observation`] a line on standard output, forever, until it is told to stop, nobody reads
//! any more, or (with `--until-eof`) standard input ends. It changes nothing on the node.

mod counters;
mod dns;
mod links;
mod options;
mod output;
mod probe;
mod snmp;
mod udp;
mod wire;

use crate::metrics::etcd::scrape_local;
use crate::sink::Sink;
use loopdrill_model::{Observation, Source};
use options::{Command, Options};
use std::process::ExitCode;
use tokio::sync::mpsc;

/// The port on which probes answer each other.
pub(crate) const PROBE_PORT: u16 = 29_741;

const USAGE: &str =
    "usage: loopdrill observer counters|etcd|probe [--node NAME] [--interval 1s] [--until-eof]
                       [--etcd-port PORT] [--peers FILE]";

/// Runs `loopdrill observer ARGS`.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let options = match Options::parse(args, std::env::var("NODE_NAME").ok()) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("loopdrill observer: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("loopdrill observer: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(options));
    // Reading standard input blocks a thread that nobody can end; it is no reason to stay.
    runtime.shutdown_background();
    code
}

async fn run(options: Options) -> ExitCode {
    let (sender, observations) = mpsc::channel(1024);
    let work = start(&options, sender);
    tokio::select! {
        ended = output::print(observations) => match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("loopdrill observer: cannot write observations: {error}");
                ExitCode::FAILURE
            }
        },
        () = work => ExitCode::SUCCESS,
        () = output::told_to_stop(options.until_eof) => ExitCode::SUCCESS,
    }
}

async fn start(options: &Options, sender: mpsc::Sender<Observation>) {
    let node = options.node.clone();
    let sink = Sink::new(sender);
    let ended = match options.command {
        Command::Counters => counters::run(node, options.interval, sink).await,
        Command::Etcd => {
            let source = Source::metrics(&format!("etcd/{node}"));
            scrape_local(source, options.etcd_port, options.interval, sink).await
        }
        Command::Probe => probe::run(node, options.peers.clone(), options.interval, sink).await,
    };
    if ended.is_err() {
        tracing::debug!("nobody reads the observations any more");
    }
}
