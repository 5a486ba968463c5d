//! A context of a kubeconfig, always named.

use crate::Failure;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use loopdrill_model::ExitStatus;
use std::{path::Path, time::Duration};

/// A cluster that is reached by a context.
pub(crate) struct Reached {
    pub(crate) client: Client,
    /// What the kubeconfig calls its cluster and user, and the API server's address.
    pub(crate) names: Vec<String>,
}

/// The client for `context` of the file, or of $KUBECONFIG or ~/.kube/config. Asks nobody yet.
pub(crate) async fn reach(context: &str, file: Option<&Path>) -> Result<Reached, Failure> {
    let kubeconfig = file.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let kubeconfig = kubeconfig.map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    let Some(named) = kubeconfig.contexts.iter().find(|c| c.name == context) else {
        let known: Vec<_> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        let told = format!("there is no context {context} in the kubeconfig; there are: {known}");
        return Err(Failure::usage(told));
    };
    let mut names: Vec<String> = named.context.iter().map(|c| c.cluster.clone()).collect();
    names.extend(named.context.iter().filter_map(|c| c.user.clone()));
    let options = KubeConfigOptions { context: Some(context.into()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    names.push(config.cluster_url.to_string());
    config.connect_timeout = Some(Duration::from_secs(5));
    let client = Client::try_from(config).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    Ok(Reached { client, names })
}
