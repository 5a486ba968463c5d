//! Labs: made, attached to by name, taken down.

use crate::{
    DockerNodes, Engine, LabError, LabSpec, PodImage, Profile, Progress, addons, cloud, engine,
    inventory::{self, LabFile},
    kubeconfig, labels,
    make::{self, Making},
    node_image, owner, probe, state,
    teardown::{self, Teardown},
};
use bollard::models::ContainerSummary;
use kube::Client;
use loopdrill_cluster::{ClusterFacts, NodeAccess, Target, aws::AwsTarget};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How a lab is made.
#[derive(Clone)]
pub struct UpOptions {
    /// The node image that the user named; [`node_image::choose`] decides without one.
    pub node_image: Option<String>,
    /// The static binary that becomes node agent and pod image: this one, usually.
    pub binary: PathBuf,
    /// The lab outlives this process. Otherwise a sweep removes it once this process is gone.
    pub keep: bool,
    /// Leave a lab that failed to come up as it is, for a look around.
    pub keep_failed: bool,
    /// Storage and registry. Without them a lab is up sooner and lacks those capabilities.
    pub addons: bool,
    /// What runs in the lab from the start; needs the addons.
    pub profile: Option<Profile>,
    /// Prometheus, Alertmanager, kube-state-metrics and node_exporter.
    pub monitoring: bool,
    /// A cloud's identity: moto, and web identity tokens of this cluster.
    pub cloud: bool,
    /// Hears one line a phase.
    pub progress: Progress,
    /// Stops the making; what has been made is taken down.
    pub cancel: CancellationToken,
}

impl UpOptions {
    /// A kept lab with everything in it, made of this program.
    ///
    /// # Errors
    /// [`LabError::Io`] when this program's own path is not known.
    pub fn new(progress: Progress) -> Result<Self, LabError> {
        let binary = std::env::current_exe();
        Ok(UpOptions {
            node_image: None,
            binary: binary.map_err(|source| LabError::io("find this program's own file".into(), source))?,
            keep: true,
            keep_failed: false,
            addons: true,
            profile: None,
            monitoring: false,
            cloud: false,
            progress,
            cancel: CancellationToken::new(),
        })
    }
}

/// A cluster whose nodes are containers: a lab of ours, or one that the `kind` CLI made.
pub struct Lab {
    name: String,
    ours: bool,
    nodes: Arc<DockerNodes>,
    client: Client,
    file: LabFile,
    kubeconfig: PathBuf,
}

impl Lab {
    /// Makes a lab. When that fails, or is cancelled, or the future is dropped, nothing is left behind.
    ///
    /// # Errors
    /// Any [`LabError`]; each says what to do next.
    pub async fn up(spec: &LabSpec, options: &UpOptions) -> Result<Lab, LabError> {
        spec.validate()?;
        let pod_image = pod_image(&options.binary).await?;
        let engine = Engine::connect().await?;
        for name in teardown::sweep().await? {
            (options.progress)(&format!("removed lab {name}, which a dead run had left behind"));
        }
        make::refuse_existing(&engine, &spec.name).await?;
        make::require_space(&engine).await?;
        state::create(&state::dir())?;
        owner::remember_boot().map_err(|source| LabError::io("write to the state folder".into(), source))?;
        let choice = node_image::choose(&engine, options.node_image.as_deref(), &options.progress);
        let image = cancellable(options, choice).await?;
        (options.progress)(&format!("node image {image}"));

        let mut guard = Teardown::new(&spec.name);
        let making = Making {
            engine: &engine,
            spec,
            options,
            image: &image,
            pod_image: &pod_image,
            started: Instant::now(),
        };
        let made = match making.launch().await {
            Ok(port) => cancellable(options, making.boot(port)).await,
            Err(error) => Err(error),
        };
        guard.forget();
        match made {
            Err(error) if options.keep_failed && !matches!(error, LabError::Interrupted) => Err(error),
            Err(error) => {
                let error = make::root_cause(&engine, spec, error).await;
                (options.progress)("taking down what was started");
                make::roll_back(&engine, &spec.name).await?;
                Err(error)
            }
            Ok(lab) => Ok(lab),
        }
    }

    pub(crate) fn assemble(
        name: &str,
        ours: bool,
        nodes: DockerNodes,
        client: Client,
        file: LabFile,
        kubeconfig: PathBuf,
    ) -> Lab {
        Lab { name: name.into(), ours, nodes: Arc::new(nodes), client, file, kubeconfig }
    }

    /// Attaches to a lab that is up, by its name.
    ///
    /// # Errors
    /// [`LabError::NotFound`] with the names that exist, [`LabError::Incomplete`]; others when the lab does not
    /// answer.
    pub async fn attach(name: &str) -> Result<Lab, LabError> {
        let engine = Engine::connect().await?;
        let containers = inventory::ours(&engine, name).await?;
        if containers.is_empty() {
            return Err(inventory::not_found(name).await);
        }
        match inventory::lab_file(&engine, name).await {
            Some(file) => attach(&engine, name, &containers, true, file).await,
            None => Err(LabError::Incomplete { name: name.into() }),
        }
    }

    /// Attaches to a cluster that the `kind` CLI made (or to a lab, which is one, too). This binary and its image
    /// are put on the nodes; [`Lab::detach`] takes them off again.
    ///
    /// # Errors
    /// [`LabError::NotFound`] with the names that exist; others when the cluster does not answer.
    pub async fn attach_kind(name: &str, binary: &Path) -> Result<Lab, LabError> {
        let engine = Engine::connect().await?;
        let containers = engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?;
        let Some(first) = containers.first() else { return Err(inventory::not_found(name).await) };
        if engine::label(first, labels::LAB).is_some() {
            return Lab::attach(name).await;
        }
        let image = pod_image(binary).await?;
        let file = LabFile::foreign(name, first.image.as_deref().unwrap_or_default(), image.reference());
        let lab = attach(&engine, name, &containers, false, file).await?;
        image.ensure(&lab.nodes).await?;
        Ok(lab)
    }

    /// Attaches to a lab, or to a cluster that the `kind` CLI made, to look at it: nothing is put on its nodes. On
    /// nodes that are not ours there is no agent then, so they cannot be asked for anything.
    ///
    /// # Errors
    /// [`LabError::NotFound`] with the names that exist; others when the cluster does not answer.
    pub async fn look_at(name: &str) -> Result<Lab, LabError> {
        let engine = Engine::connect().await?;
        let containers = engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?;
        let Some(first) = containers.first() else { return Err(inventory::not_found(name).await) };
        if engine::label(first, labels::LAB).is_some() {
            return Lab::attach(name).await;
        }
        let file = LabFile::foreign(name, first.image.as_deref().unwrap_or_default(), "");
        attach(&engine, name, &containers, false, file).await
    }

    /// Forgets a cluster that is not ours; for what [`Lab::look_at`] attached to.
    ///
    /// # Errors
    /// [`LabError::Io`] when its files cannot be removed.
    pub fn forget(&self) -> Result<(), LabError> {
        if self.ours { Ok(()) } else { teardown::forget_files(&self.name) }
    }

    /// Takes off the nodes of a cluster that is not ours what [`Lab::attach_kind`] put there. Does nothing on a lab.
    ///
    /// # Errors
    /// [`LabError::Node`] when a node cannot be reached.
    pub async fn detach(&self, binary: &Path) -> Result<(), LabError> {
        if self.ours {
            return Ok(());
        }
        pod_image(binary).await?.remove(&self.nodes).await?;
        teardown::forget_files(&self.name)
    }

    /// Puts another binary on the nodes of a lab that is up, and into what runs it there; does nothing when it is
    /// there.
    ///
    /// # Errors
    /// As for [`PodImage::ensure`].
    pub async fn refresh(&mut self, binary: &Path) -> Result<(), LabError> {
        let image = pod_image(binary).await?;
        image.ensure(&self.nodes).await?;
        if image.reference() == self.file.pod_image {
            return Ok(());
        }
        if self.ours && self.file.addons {
            addons::install(&self.client, &self.nodes, &self.name, &image).await?;
        }
        if self.ours && self.file.cloud {
            cloud::refresh(&self.client, image.reference()).await?;
        }
        self.file.pod_image = image.reference().into();
        if self.ours {
            inventory::write_lab_file(&self.nodes, &self.name, &self.file).await?;
        }
        Ok(())
    }

    /// Takes a lab down: containers, volumes, its kubeconfig, and the network with the last lab. Does nothing when
    /// there is none; refuses a cluster that the `kind` CLI made.
    ///
    /// # Errors
    /// [`LabError::LeftBehind`] when something cannot be removed.
    pub async fn down(name: &str) -> Result<bool, LabError> {
        let engine = Engine::connect().await?;
        teardown::remove(&engine, name).await
    }

    /// The lab's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a lab of ours, or was made by the `kind` CLI.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.ours
    }

    /// A client with all rights.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Access to the nodes.
    #[must_use]
    pub fn nodes(&self) -> Arc<DockerNodes> {
        self.nodes.clone()
    }

    /// The image that holds this binary, present on all nodes.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.file.pod_image
    }

    /// Where its kubeconfig was written.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The cloud account that goes with it, where it has one.
    #[must_use]
    pub fn cloud(&self) -> Option<AwsTarget> {
        self.kubeconfig.parent().and_then(AwsTarget::find)?.ok()
    }

    /// What the cluster consists of and can do.
    ///
    /// # Errors
    /// [`LabError::Kube`] when the API server does not answer.
    pub async fn facts(&self) -> Result<ClusterFacts, LabError> {
        let nodes: Arc<dyn NodeAccess> = self.nodes.clone();
        let mut facts = probe::probe(&self.client, Some(&nodes)).await?;
        facts.node_image.clone_from(&self.file.node_image);
        if let Some(folder) = self.kubeconfig.parent() {
            facts.find_cloud(folder);
        }
        Ok(facts)
    }

    /// The lab as the target of a run.
    ///
    /// # Errors
    /// As for [`Lab::facts`].
    pub async fn target(&self, run: &str) -> Result<Target, LabError> {
        Ok(Target {
            name: self.name.clone(),
            client: self.client.clone(),
            nodes: Some(self.nodes.clone()),
            image: self.file.pod_image.clone(),
            run: run.into(),
            facts: Arc::new(self.facts().await?),
            kubeconfig: Some(self.kubeconfig.clone()),
        })
    }
}

async fn pod_image(binary: &Path) -> Result<PodImage, LabError> {
    let binary = binary.to_path_buf();
    let work = tokio::task::spawn_blocking(move || PodImage::of(&binary));
    work.await.unwrap_or_else(|error| {
        Err(LabError::Io {
            what: "read this program".into(),
            source: std::io::Error::other(error.to_string()),
        })
    })
}

async fn cancellable<T>(
    options: &UpOptions,
    work: impl std::future::Future<Output = Result<T, LabError>>,
) -> Result<T, LabError> {
    tokio::select! {
        biased;
        () = options.cancel.cancelled() => Err(LabError::Interrupted),
        done = work => done,
    }
}

async fn attach(
    engine: &Engine,
    name: &str,
    containers: &[ContainerSummary],
    ours: bool,
    file: LabFile,
) -> Result<Lab, LabError> {
    if let Some(dead) = containers.iter().find(|container| !inventory::runs(container)) {
        let node = engine::name(dead);
        let log = engine.log(&node, 5).await;
        let why = if containers.iter().any(inventory::runs) {
            format!("its container does not run; `docker start {node}` starts it again")
        } else {
            format!("the lab is stopped; `loopdrill lab start --name {name}` starts it again")
        };
        return Err(LabError::NodeDied { node, why, log });
    }
    let (nodes, plane, port) = inventory::access(engine, name, containers)?;
    let config = kubeconfig::fetch(&nodes, &plane, inventory::ADMIN, name, port).await?;
    let path = kubeconfig::path(name)?;
    kubeconfig::write(&path, &config)?;
    let client = kubeconfig::client(config).await?;
    client.apiserver_version().await.map_err(|error| LabError::kube("tell its version", error))?;
    if file.cloud {
        // Whoever needs the account finds out that it is not there; everything else works without.
        if let Err(error) = cloud::describe(&client, name).await {
            tracing::warn!("{error}");
        }
    }
    Ok(Lab::assemble(name, ours, nodes, client, file, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn making_and_attaching_can_be_spawned() {
        fn is_send(_: &impl Send) {}
        let options = UpOptions::new(Arc::new(|_: &str| {})).expect("a test knows its own file");
        let spec = LabSpec::default();
        is_send(&Lab::up(&spec, &options));
        is_send(&Lab::attach("x"));
        is_send(&Lab::attach_kind("x", Path::new("/x")));
        is_send(&Lab::down("x"));
    }
}
