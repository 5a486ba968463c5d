//! `loopdrill zonal-disk …`: what the pods of the driver run.

use crate::server::{self, NodePlace, ServerError};
use clap::Parser;
use std::{path::PathBuf, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// Zonal disks for a lab: a CSI driver.
#[derive(Debug, Parser)]
#[command(name = "loopdrill zonal-disk")]
enum Command {
    /// Create, delete, attach and detach disks; one for the whole cluster.
    Controller {
        /// Socket on which the provisioner and the attacher find the driver.
        #[arg(long)]
        socket: PathBuf,
        /// Directory of all disks.
        #[arg(long)]
        shelf: PathBuf,
    },
    /// Mount attached disks; one on each node.
    Node {
        /// Socket on which the kubelet finds the driver; the path is the same for both.
        #[arg(long)]
        socket: PathBuf,
        /// Directory in which the kubelet looks for plugins.
        #[arg(long)]
        registry: PathBuf,
        /// Directory of the disks of this node's zone.
        #[arg(long)]
        shelf: PathBuf,
        /// The node's name.
        #[arg(long, env = "NODE_NAME")]
        node: String,
        /// The node's zone.
        #[arg(long, env = "NODE_ZONE")]
        zone: String,
    },
    /// Ask whether the driver behind a socket is ready.
    Probe {
        /// The driver's socket.
        #[arg(long)]
        socket: PathBuf,
    },
}

/// Runs a part of the driver with `args`, which start after `zonal-disk`.
///
/// It serves until SIGTERM, and ends with 1 and an error on standard error when it cannot, 2 on wrong usage.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let name = "loopdrill zonal-disk".to_owned();
    let command = match Command::try_parse_from(std::iter::once(&name).chain(args)) {
        Ok(command) => command,
        Err(usage) => {
            // The usage text is all there is to say; without a standard error there is nobody to say it to.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    log_to_stderr();
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(ServerError::Runtime)?.block_on(async {
        match command {
            Command::Controller { socket, shelf } => server::controller(socket, shelf).await,
            Command::Node { socket, registry, shelf, node, zone } => {
                server::node(NodePlace { socket, registry, shelf, node, zone }).await
            }
            Command::Probe { socket } => server::probe(socket).await,
        }
    })
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Somebody else's logger is as good as this one.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn a_probe_of_nothing_fails() {
        let socket = PathBuf::from("/nonexistent/csi.sock");
        let error = run(&Command::Probe { socket }).expect_err("nothing listens");
        assert!(error.to_string().starts_with("no driver answers on /nonexistent/csi.sock"), "{error}");
    }

    #[test]
    fn a_node_without_zone_is_refused_with_the_next_step() {
        let place = PathBuf::from("/nonexistent");
        let (socket, registry, shelf) = (place.clone(), place.clone(), place);
        let command = Command::Node { socket, registry, shelf, node: "n".into(), zone: String::new() };
        let error = run(&command).expect_err("no zone").to_string();
        assert!(error.contains("label it with topology.kubernetes.io/zone"), "{error}");
    }
}
