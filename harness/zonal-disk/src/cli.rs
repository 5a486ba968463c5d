//! `loopdrill zonal-disk …`: what the pods of the driver run.

use crate::server::{self, NodePlace, ServerError};
use clap::Parser;
use std::path::PathBuf;

/// Zonal disks for a lab: a CSI driver.
#[derive(Debug, Parser)]
#[command(name = "loopdrill zonal-disk")]
pub enum Command {
    /// Create, delete, attach and detach disks; one for the whole cluster.
    Controller {
        /// Socket on which the provisioner and the attacher find the driver.
        #[arg(long)]
        socket: PathBuf,
        /// Directory of all disks.
        #[arg(long)]
        store: PathBuf,
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
        store: PathBuf,
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

/// Runs a part of the driver, until SIGTERM or until it cannot go on.
///
/// # Errors
/// Why it cannot.
pub fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let served = runtime.map_err(ServerError::Runtime)?.block_on(async {
        match &command {
            Command::Controller { socket, store } => server::controller(socket, store).await,
            Command::Node { socket, registry, store, node, zone } => {
                server::node(NodePlace { socket, registry, store, node, zone }).await
            }
            Command::Probe { socket } => server::probe(socket).await,
        }
    });
    Ok(served?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }

    /// The pods' command lines are those of this program.
    #[test]
    fn the_manifests_call_what_there_is() {
        let mut calls = Vec::new();
        crate::manifests("image").iter().for_each(|object| calls_of(object, &mut calls));
        assert_eq!(calls.len(), 2, "a controller and a node");
        for call in calls {
            let place = ["--node=n".to_owned(), "--zone=z".to_owned()];
            let args = call.iter().chain(if call[1] == "node" { &place[..] } else { &[] });
            Command::try_parse_from(args).unwrap_or_else(|e| panic!("{call:?}: {e}"));
        }
    }

    /// The arguments of containers that run this program.
    fn calls_of(value: &serde_json::Value, calls: &mut Vec<Vec<String>>) {
        match value {
            serde_json::Value::Array(items) => {
                let words: Vec<_> = items.iter().filter_map(|w| w.as_str().map(String::from)).collect();
                if words.first().is_some_and(|w| w == "zonal-disk") && words.len() > 1 && words[1] != "probe"
                {
                    calls.push(words);
                }
                items.iter().for_each(|v| calls_of(v, calls));
            }
            serde_json::Value::Object(fields) => fields.values().for_each(|v| calls_of(v, calls)),
            _ => {}
        }
    }

    #[test]
    fn a_probe_of_nothing_fails() {
        let socket = PathBuf::from("/nonexistent/csi.sock");
        let error = run(Command::Probe { socket }).expect_err("nothing listens");
        assert!(error.to_string().starts_with("no driver answers on /nonexistent/csi.sock"), "{error}");
    }

    #[test]
    fn a_node_without_zone_is_refused_with_the_next_step() {
        let place = PathBuf::from("/nonexistent");
        let (socket, registry, store) = (place.clone(), place.clone(), place);
        let command = Command::Node { socket, registry, store, node: "n".into(), zone: String::new() };
        let error = run(command).expect_err("no zone").to_string();
        assert!(error.contains("label it with topology.kubernetes.io/zone"), "{error}");
    }
}
