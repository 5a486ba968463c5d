//! `loopdrill abort`.

use crate::{Failure, target};
use loopdrill_model::ExitStatus;
use std::path::PathBuf;

/// Options of `loopdrill abort`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes an annotation to the run's Lease in the cluster; the run sees it within seconds, undoes and ends with \
code 130. What it leaves, or has left if it died, is undone then."
)]
pub(crate) struct Args {
    /// The context of the cluster that is drilled
    #[arg(long, value_name = "NAME")]
    context: String,
    /// The kubeconfig, instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

pub(crate) async fn main(args: &Args) -> Result<ExitStatus, Failure> {
    target::abort(&args.context, args.kubeconfig.as_deref()).await
}
