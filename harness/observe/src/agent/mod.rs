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
use options::Command;
use tokio::sync::mpsc;

pub use options::Options;

/// The port on which probes answer each other.
pub(crate) const PROBE_PORT: u16 = 29_741;

/// Runs the agent on a runtime of its own.
///
/// # Errors
/// When the observations cannot be written.
pub fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(observe(&options));
    // Reading standard input blocks a thread that nobody can end; it is no reason to stay.
    runtime.shutdown_background();
    Ok(ended?)
}

async fn observe(options: &Options) -> std::io::Result<()> {
    let (sender, observations) = mpsc::channel(1024);
    tokio::select! {
        ended = output::print(observations) => ended,
        () = start(options, sender) => Ok(()),
        () = output::told_to_stop(options.until_eof) => Ok(()),
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
