//! Access to a cluster in whatever state it is: nodes that are down, an API server that does not answer. What an
//! undo works with.

use crate::{AGENT, DockerNodes, Engine, LabError, engine, kubeconfig, labels};
use kube::{
    Client,
    config::{KubeConfigOptions, Kubeconfig},
};

/// Access to the nodes of a lab or kind cluster, and a client for its API where its kubeconfig is at hand. Starts
/// nothing and asks the cluster nothing.
///
/// # Errors
/// [`LabError::NotFound`] when the cluster is gone, [`LabError::NoEngine`] and the like.
pub async fn reach(name: &str) -> Result<(Result<Client, LabError>, DockerNodes), LabError> {
    let engine = Engine::connect().await?;
    let containers = engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?;
    if containers.is_empty() {
        return Err(LabError::NotFound { name: name.into(), known: Vec::new() });
    }
    let names: Vec<String> = containers.iter().map(engine::name).collect();
    let nodes = DockerNodes::new(engine, AGENT, names);
    Ok((client(name).await, nodes))
}

async fn client(name: &str) -> Result<Client, LabError> {
    let path = kubeconfig::path(name)?;
    let file = || LabError::NotReady {
        what: format!("a client for {name}: {}", path.display()),
        seconds: 0,
        log: "  the kubeconfig cannot be used; `loopdrill lab kubeconfig` writes it anew".into(),
    };
    let config = Kubeconfig::read_from(&path).map_err(|_| file())?;
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .map_err(|_| file())?;
    Client::try_from(config).map_err(|e| LabError::kube("be reached", e))
}
