//! The container engine: the connection, the network of kind clusters, containers by label.

use crate::{LabError, labels};
use bollard::{
    Docker,
    errors::Error,
    models::{ContainerSummary, NetworkCreateRequest},
    query_parameters::{
        DownloadFromContainerOptions, ListContainersOptions, LogsOptions, RemoveContainerOptions,
    },
};
use futures::{StreamExt, TryStreamExt};
use std::{
    collections::HashMap,
    io::Read,
    time::{Duration, Instant},
};

/// How long an engine that is busy may take to remove a container.
const REMOVAL: Duration = Duration::from_secs(60);

/// A connection to the container engine.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) docker: Docker,
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, by default the local one, and asks whether it is there.
    ///
    /// # Errors
    /// [`LabError::NoEngine`] and [`LabError::EngineDenied`], which say what to do.
    pub async fn connect() -> Result<Self, LabError> {
        Self::of(Docker::connect_with_defaults()).await
    }

    async fn of(connection: Result<Docker, Error>) -> Result<Self, LabError> {
        let docker = connection.map_err(|e| no_engine(&e))?;
        let docker = docker.negotiate_version().await.map_err(|e| no_engine(&e))?;
        docker.ping().await.map_err(|e| no_engine(&e))?;
        Ok(Engine { docker })
    }

    /// All containers, running or not, that carry this label (`key` or `key=value`).
    pub(crate) async fn containers(&self, label: &str) -> Result<Vec<ContainerSummary>, LabError> {
        let filters = HashMap::from([("label".to_string(), vec![label.to_string()])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let list = self.docker.list_containers(Some(options)).await;
        list.map_err(|e| LabError::engine("list containers", &e))
    }

    /// Removes a container with its volumes. It may be gone already.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), LabError> {
        self.remove_with(name, true).await
    }

    /// Removes a container whose volumes belong to others as well.
    pub(crate) async fn remove_without_volumes(&self, name: &str) -> Result<(), LabError> {
        self.remove_with(name, false).await
    }

    async fn remove_with(&self, name: &str, volumes: bool) -> Result<(), LabError> {
        let options = RemoveContainerOptions { v: volumes, force: true, ..Default::default() };
        let started = Instant::now();
        loop {
            match self.docker.remove_container(name, Some(options.clone())).await {
                Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
                // Somebody else removes it (409), or the engine has not seen its end yet (500): both pass.
                Err(Error::DockerResponseServerError { status_code: 409 | 500, .. })
                    if started.elapsed() < REMOVAL =>
                {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(error) => return Err(LabError::engine(format!("remove container {name}"), &error)),
            }
        }
    }

    /// The last lines of a container's log.
    pub(crate) async fn log(&self, name: &str, lines: usize) -> String {
        let options =
            LogsOptions { stdout: true, stderr: true, tail: lines.to_string(), ..Default::default() };
        let chunks: Vec<_> = self.docker.logs(name, Some(options)).take(lines).collect().await;
        chunks.into_iter().flatten().map(|chunk| chunk.to_string()).collect()
    }

    /// A small file from a container, which need not run.
    pub(crate) async fn file(&self, name: &str, path: &str) -> Option<Vec<u8>> {
        let options = DownloadFromContainerOptions { path: path.into() };
        let tar: Vec<u8> = self
            .docker
            .download_from_container(name, Some(options))
            .try_fold(Vec::new(), |mut all, chunk| async move {
                all.extend_from_slice(&chunk);
                Ok(all)
            })
            .await
            .ok()?;
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut entry = archive.entries().ok()?.next()?.ok()?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Makes the network of all kind clusters unless it is there.
    pub(crate) async fn ensure_network(&self) -> Result<(), LabError> {
        if self.docker.inspect_network(labels::KIND_NETWORK, None).await.is_ok() {
            return Ok(());
        }
        let request = NetworkCreateRequest {
            name: labels::KIND_NETWORK.into(),
            driver: Some("bridge".into()),
            options: Some(HashMap::from([(
                "com.docker.network.bridge.enable_ip_masquerade".into(),
                "true".into(),
            )])),
            labels: Some(HashMap::from([(labels::NETWORK.into(), "true".into())])),
            ..Default::default()
        };
        match self.docker.create_network(request).await {
            // Somebody else was faster.
            Err(Error::DockerResponseServerError { status_code: 409, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(LabError::engine("create the network `kind`", &error)),
        }
    }

    /// The address ranges of that network.
    pub(crate) async fn subnets(&self) -> Vec<String> {
        let found = self.docker.inspect_network(labels::KIND_NETWORK, None).await.ok();
        let configs = found.and_then(|network| network.ipam?.config).unwrap_or_default();
        configs.into_iter().filter_map(|config| config.subnet).collect()
    }

    /// Removes that network if it is ours and nothing uses it any more.
    pub(crate) async fn release_network(&self) -> Result<(), LabError> {
        let Ok(network) = self.docker.inspect_network(labels::KIND_NETWORK, None).await else {
            return Ok(());
        };
        let ours = network.labels.is_some_and(|all| all.contains_key(labels::NETWORK));
        let used = network.containers.is_some_and(|all| !all.is_empty());
        if !ours || used {
            return Ok(());
        }
        match self.docker.remove_network(labels::KIND_NETWORK).await {
            // A container that is stopped, or that has come since we looked, keeps it: then it is not the last.
            Err(Error::DockerResponseServerError { status_code: 403 | 404 | 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(LabError::engine("remove the network `kind`", &error)),
        }
    }
}

fn no_engine(error: &Error) -> LabError {
    match LabError::engine("answer", error) {
        LabError::Engine { why, .. } => LabError::NoEngine { why },
        sorted => sorted,
    }
}

/// A container's label.
pub(crate) fn label<'a>(container: &'a ContainerSummary, key: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(key).map(String::as_str)
}

/// A container's name, without the slash that the engine puts before it.
pub(crate) fn name(container: &ContainerSummary) -> String {
    let first = container.names.as_ref().and_then(|names| names.first());
    first.map(|name| name.trim_start_matches('/').to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_an_engine_the_error_says_how_to_start_one() {
        for host in ["unix:///no/such/docker.sock", "http://127.0.0.1:1"] {
            let error = Engine::of(Docker::connect_with_host(host)).await.expect_err("nobody listens there");
            assert!(matches!(error, LabError::NoEngine { .. }), "{host}: {error:?}");
            assert!(error.to_string().contains("systemctl start docker"), "{error}");
        }
    }
}
