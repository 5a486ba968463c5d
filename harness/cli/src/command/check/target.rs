//! The cluster that is checked: never implicit, and only read.

use crate::{Failure, cluster::binary, kubeconfig};
use loopdrill_checklist::{Config, Snapshot};
use loopdrill_lab::Lab;
use loopdrill_model::ExitStatus;
use loopdrill_survey::{Ask, Cluster};
use std::{path::PathBuf, sync::Arc};

/// Which cluster.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TargetArgs {
    /// The lab of this name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "context"])]
    pub(crate) lab: Option<String>,
    /// The cluster of this name that the kind CLI made
    #[arg(long, value_name = "NAME", conflicts_with = "context")]
    pub(crate) kind: Option<String>,
    /// The cluster of this context of your kubeconfig
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// The kubeconfig, instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "context")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Also start one small probe pod on each node, in a namespace of its own, and remove it again
    #[arg(long)]
    pub(crate) probes: bool,
}

/// Takes the snapshot of the cluster.
pub(crate) async fn survey(
    args: &TargetArgs,
    namespaces: &[String],
    config: &Config,
) -> Result<Snapshot, Failure> {
    let cluster = reach(args).await?;
    let probes = if args.probes { Some(image(args).await?) } else { None };
    if let Some(Ok((_, image))) = &probes {
        eprintln!(
            "starting one probe pod on each node in namespace loopdrill-observer, with image {image}; they are removed again"
        );
    }
    let ask = Ask {
        namespaces: namespaces.to_vec(),
        system: config.system_namespaces.clone(),
        external_monitoring: config.external_monitoring.clone(),
        probes: probes.as_ref().map(|p| p.as_ref().map(|(_, image)| image.clone()).map_err(Clone::clone)),
    };
    let snapshot =
        loopdrill_survey::take(&cluster, &ask).await.map_err(|e| Failure::new(ExitStatus::NoCluster, &e));
    if let Some(Ok((lab, _))) = probes {
        lab.detach(&binary()?).await?;
    }
    snapshot
}

async fn reach(args: &TargetArgs) -> Result<Cluster, Failure> {
    if let Some(name) = args.lab.as_ref().or(args.kind.as_ref()) {
        let (client, nodes) = loopdrill_lab::reach(name).await?;
        let client = match client {
            Ok(client) => client,
            // The kind CLI keeps its clusters' contexts in the user's own kubeconfig.
            Err(_) if args.kind.is_some() => kubeconfig::reach(&format!("kind-{name}"), None).await?.client,
            Err(e) => return Err(e.into()),
        };
        return Ok(Cluster { name: name.clone(), client, nodes: Some(Arc::new(nodes)) });
    }
    let Some(context) = &args.context else {
        return Err(Failure::usage(
            "say what to check: --lab NAME, --kind NAME, --context CONTEXT, --snapshot FILE, or manifests",
        ));
    };
    let client = kubeconfig::reach(context, args.kubeconfig.as_deref()).await?.client;
    Ok(Cluster { name: context.clone(), client, nodes: None })
}

/// The image that probes run, and the lab that has to be left as it was.
async fn image(args: &TargetArgs) -> Result<Result<(Lab, String), String>, Failure> {
    let lab = match (&args.lab, &args.kind) {
        (Some(name), _) => Lab::attach(name).await?,
        (None, Some(name)) => Lab::attach_kind(name, &binary()?).await?,
        (None, None) => {
            return Ok(Err(
                "there is no image to start probes from on a cluster that is neither lab nor kind".into(),
            ));
        }
    };
    let image = lab.image().to_string();
    Ok(Ok((lab, image)))
}
