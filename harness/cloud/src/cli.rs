//! `loopdrill cloud …`: what the pods of the lab's cloud run.

use crate::{
    ecr::Backend,
    plugin,
    proxy::{self, Options, ProxyError},
};
use clap::Parser;
use std::net::SocketAddr;

/// The lab's cloud.
#[derive(Debug, Parser)]
#[command(name = "loopdrill cloud")]
pub enum Command {
    /// The endpoint of the cloud, in front of moto.
    #[command(name = "front")]
    Proxy {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// Where moto listens.
        #[arg(long, value_name = "HOST:PORT")]
        moto: String,
        /// The account.
        #[arg(long, default_value = crate::ACCOUNT)]
        account: String,
        /// The region.
        #[arg(long, default_value = crate::REGION)]
        region: String,
        /// The secret number that the account's keys come from.
        #[arg(long, env = "LOOPDRILL_CLOUD_SEED", hide_env_values = true)]
        seed: u64,
        /// The host of the registry that holds the images; it listens on port 5000.
        #[arg(long, env = "LOOPDRILL_CLOUD_REGISTRY_HOST")]
        registry: Option<String>,
        /// Its account, as user:password.
        #[arg(long, env = "LOOPDRILL_CLOUD_REGISTRY_ACCOUNT", hide_env_values = true)]
        registry_account: Option<String>,
    },
    /// A credential provider for kubelets: from a pod's token to a password of the account's registry.
    Credentials {
        /// Where the proxy is.
        #[arg(long, value_name = "HOST:PORT")]
        endpoint: String,
        /// The region.
        #[arg(long, default_value = crate::REGION)]
        region: String,
    },
}

/// Runs a part of the cloud, until SIGTERM or until it cannot go on.
///
/// # Errors
/// Why it cannot.
pub fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(ProxyError::Runtime)?;
    match command {
        Command::Proxy { listen, moto, account, region, seed, registry, registry_account } => {
            let registry =
                registry.zip(registry_account).map(|(host, account)| Backend::new(&host, &account));
            let options = Options { listen, moto, account, region, seed, registry };
            Ok(runtime.block_on(proxy::serve(options))?)
        }
        Command::Credentials { endpoint, region } => {
            let answer = runtime.block_on(plugin::answer(std::io::stdin(), endpoint, region))?;
            println!("{answer}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }
}
