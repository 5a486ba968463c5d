//! `loopdrill cloud …`: what the pods of the lab's cloud run.

use crate::{
    ecr::Backend,
    front::{self, FrontError, Options},
    plugin,
};
use clap::Parser;
use std::{net::SocketAddr, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// The lab's cloud.
#[derive(Debug, Parser)]
#[command(name = "loopdrill cloud")]
enum Command {
    /// The endpoint of the cloud, in front of moto.
    Front {
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
        /// Where the front is.
        #[arg(long, value_name = "HOST:PORT")]
        endpoint: String,
        /// The region.
        #[arg(long, default_value = crate::REGION)]
        region: String,
    },
}

/// Runs a part of the cloud with `args`, which start after `cloud`.
///
/// It serves until SIGTERM, and ends with 1 and an error on standard error when it cannot, 2 on wrong usage.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let name = "loopdrill cloud".to_owned();
    let command = match Command::try_parse_from(std::iter::once(&name).chain(args)) {
        Ok(command) => command,
        Err(usage) => {
            // The usage text is all there is to say; without a standard error there is nobody to say it to.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    log_to_stderr();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(FrontError::Runtime)?;
    match command {
        Command::Front { listen, moto, account, region, seed, registry, registry_account } => {
            let registry =
                registry.zip(registry_account).map(|(host, account)| Backend::new(&host, &account));
            let options = Options { listen, moto, account, region, seed, registry };
            Ok(runtime.block_on(front::serve(options))?)
        }
        Command::Credentials { endpoint, region } => {
            let answer = runtime.block_on(plugin::answer(std::io::stdin(), endpoint, region))?;
            println!("{answer}");
            Ok(())
        }
    }
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
}
