//! `loopdrill target`.

use crate::{Failure, target};
use loopdrill_faults::rights::by_api_alone;
use loopdrill_model::ExitStatus;
use std::path::PathBuf;

/// What `loopdrill target` does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print a commented target file for a cluster, from what is seen there. Reads only
    Init(Init),
}

/// Options of `loopdrill target init`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// The context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: String,
    /// The kubeconfig, instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The program's own image, as the cluster's nodes pull it
    #[arg(long, value_name = "IMAGE", default_value = "REGISTRY/loopdrill@sha256:DIGEST")]
    image: String,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill target init --context staging >staging.yaml
  loopdrill run --context staging --target staging.yaml --dry-run";

pub(crate) async fn main(command: Command) -> Result<ExitStatus, Failure> {
    let Command::Init(args) = command;
    let sight = target::see(&args.context, args.kubeconfig.as_deref()).await?;
    let faults: Vec<_> = by_api_alone().map(|id| id.to_string()).collect();
    print!("{}", loopdrill_fence::init(&sight.seen, &args.image, &faults));
    Ok(ExitStatus::Ready)
}
