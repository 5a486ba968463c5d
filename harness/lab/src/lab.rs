//! Labs: made, reused by name, listed, taken down.

use crate::{
    LabError, PodImage, Progress, addons,
    boot::{self, Boot},
    engine::{self, Engine},
    image::AGENT,
    kubeconfig as config_file, labels,
    node::{self, NodePlan},
    node_image,
    nodes::DockerNodes,
    owner, probe,
    spec::{LabSpec, Role},
    state,
};
use bollard::models::ContainerSummary;
use futures::future::join_all;
use kube::Client;
use loopdrill_target::{ClusterFacts, NodeAccess, Target};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::TcpListener, path::PathBuf, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// The administrator's kubeconfig on a control-plane node.
const ADMIN: &str = "/etc/kubernetes/admin.conf";
/// One that works before kubeadm has given the administrators their role.
const SUPER_ADMIN: &str = "/etc/kubernetes/super-admin.conf";

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
            progress,
            cancel: CancellationToken::new(),
        })
    }
}

/// What a lab remembers about itself, on its control-plane node.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LabFile {
    version: u32,
    spec: LabSpec,
    node_image: String,
    pod_image: String,
}

/// A cluster whose nodes are containers: a lab of ours, or one that the `kind` CLI made.
pub struct Lab {
    name: String,
    ours: bool,
    nodes: Arc<DockerNodes>,
    client: Client,
    image: String,
    node_image: String,
    kubeconfig: PathBuf,
}

/// A cluster in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabSummary {
    /// Its name.
    pub name: String,
    /// Whether it is a lab of ours, or was made by the `kind` CLI.
    pub ours: bool,
    /// Whether all of it came up; a lab in the making, or the rest of one, did not.
    pub complete: bool,
    /// Whether it outlives the process that made it.
    pub kept: bool,
    /// Its nodes and whether they run.
    pub nodes: BTreeMap<String, bool>,
}

impl Lab {
    /// Makes a lab. When that fails, or is cancelled, or the future is dropped, nothing is left behind.
    ///
    /// # Errors
    /// Any [`LabError`]; each says what to do next.
    pub async fn up(spec: &LabSpec, options: &UpOptions) -> Result<Lab, LabError> {
        spec.validate()?;
        let binary = options.binary.clone();
        let pod_image = blocking(move || PodImage::of(&binary)).await?;
        let engine = Engine::connect().await?;
        refuse_existing(&engine, &spec.name).await?;
        require_space(&engine).await?;
        state::create(&state::dir())?;
        owner::remember_boot().map_err(|source| LabError::io("write to the state folder".into(), source))?;
        let image = cancellable(
            options,
            node_image::choose(&engine, options.node_image.as_deref(), &options.progress),
        )
        .await?;
        (options.progress)(&format!("node image {image}"));

        let mut guard = Teardown::new(&spec.name);
        let made = cancellable(options, make(&engine, spec, options, &image, &pod_image)).await;
        match made {
            Ok(lab) => {
                guard.forget();
                Ok(lab)
            }
            Err(error) if options.keep_failed && !matches!(error, LabError::Interrupted) => {
                guard.forget();
                Err(error)
            }
            Err(error) => {
                guard.forget();
                (options.progress)("taking down what was started");
                remove(&engine, &spec.name).await?;
                Err(error)
            }
        }
    }

    /// Attaches to a lab that is up, by its name.
    ///
    /// # Errors
    /// [`LabError::NotFound`] with the names that exist; others when the lab does not answer.
    pub async fn attach(name: &str) -> Result<Lab, LabError> {
        let engine = Engine::connect().await?;
        let containers = ours(&engine, name).await?;
        let file = match containers.is_empty() {
            true => None,
            false => lab_file(&engine, name).await,
        };
        let Some(file) = file else {
            let known = list().await?.into_iter().filter(|lab| lab.ours && lab.complete).map(|lab| lab.name);
            return Err(LabError::NotFound { name: name.into(), known: known.collect() });
        };
        attach(&engine, name, &containers, true, file.pod_image, file.node_image).await
    }

    /// Attaches to a cluster that the `kind` CLI made (or to a lab, which is one, too). This binary and its image
    /// are put on the nodes; [`Lab::detach`] takes them off again.
    ///
    /// # Errors
    /// [`LabError::NotFound`] with the names that exist; others when the cluster does not answer.
    pub async fn attach_kind(name: &str, binary: &std::path::Path) -> Result<Lab, LabError> {
        let engine = Engine::connect().await?;
        let containers = engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?;
        let node_image = containers.first().and_then(|found| found.image.clone());
        let Some(node_image) = node_image else {
            let known = list().await?.into_iter().map(|lab| lab.name);
            return Err(LabError::NotFound { name: name.into(), known: known.collect() });
        };
        if ours(&engine, name).await?.len() == containers.len() {
            return Lab::attach(name).await;
        }
        let binary = binary.to_path_buf();
        let image = blocking(move || PodImage::of(&binary)).await?;
        let reference = image.reference().to_string();
        let lab = attach(&engine, name, &containers, false, reference, node_image).await?;
        image.ensure(&lab.nodes).await?;
        Ok(lab)
    }

    /// Takes off the nodes of a cluster that is not ours what [`Lab::attach_kind`] put there. Does nothing on a lab.
    ///
    /// # Errors
    /// [`LabError::Node`] when a node cannot be reached.
    pub async fn detach(&self, binary: &std::path::Path) -> Result<(), LabError> {
        if self.ours {
            return Ok(());
        }
        let binary = binary.to_path_buf();
        blocking(move || PodImage::of(&binary)).await?.remove(&self.nodes).await
    }

    /// Puts another binary on the nodes of a lab that is up; does nothing when it is there.
    ///
    /// # Errors
    /// As for [`PodImage::ensure`].
    pub async fn refresh(&mut self, binary: &std::path::Path) -> Result<(), LabError> {
        let binary = binary.to_path_buf();
        let image = blocking(move || PodImage::of(&binary)).await?;
        if image.reference() == self.image {
            return image.ensure(&self.nodes).await;
        }
        image.ensure(&self.nodes).await?;
        self.image = image.reference().to_string();
        if self.ours {
            let engine = Engine::connect().await?;
            if let Some(mut file) = lab_file(&engine, &self.name).await {
                file.pod_image.clone_from(&self.image);
                addons::install(&self.client, &self.nodes, &self.name, &self.image).await?;
                write_lab_file(&self.nodes, &self.name, &file).await?;
            }
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
        remove(&engine, name).await
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
        &self.image
    }

    /// Where its kubeconfig was written.
    #[must_use]
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// What the cluster consists of and can do.
    ///
    /// # Errors
    /// [`LabError::Kube`] when the API server does not answer.
    pub async fn facts(&self) -> Result<ClusterFacts, LabError> {
        let nodes: Arc<dyn NodeAccess> = self.nodes.clone();
        let mut facts = probe::probe(&self.client, Some(&nodes)).await?;
        facts.node_image.clone_from(&self.node_image);
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
            image: self.image.clone(),
            run: run.into(),
            facts: Arc::new(self.facts().await?),
        })
    }
}

/// All clusters whose nodes are containers here.
///
/// # Errors
/// [`LabError::NoEngine`] and the like.
pub async fn list() -> Result<Vec<LabSummary>, LabError> {
    let engine = Engine::connect().await?;
    let mut labs = BTreeMap::<String, LabSummary>::new();
    for container in engine.containers(labels::KIND_CLUSTER).await? {
        let name = engine::label(&container, labels::KIND_CLUSTER).unwrap_or_default().to_string();
        let lab = labs.entry(name.clone()).or_insert_with(|| LabSummary {
            name,
            ours: engine::label(&container, labels::LAB).is_some(),
            complete: true,
            kept: engine::label(&container, labels::KEPT) != Some("false"),
            nodes: BTreeMap::new(),
        });
        lab.nodes.insert(engine::name(&container), runs(&container));
    }
    for lab in labs.values_mut().filter(|lab| lab.ours) {
        lab.complete = lab_file(&engine, &lab.name).await.is_some();
    }
    Ok(labs.into_values().collect())
}

/// Removes what dead runs left behind: labs of processes that are gone, unless the lab was to be kept and is
/// complete. Returns the names of what was removed.
///
/// # Errors
/// [`LabError::LeftBehind`] when something cannot be removed.
pub async fn sweep() -> Result<Vec<String>, LabError> {
    let engine = Engine::connect().await?;
    let mut labs = BTreeMap::<String, Vec<ContainerSummary>>::new();
    for container in engine.containers(labels::LAB).await? {
        let name = engine::label(&container, labels::LAB).unwrap_or_default().to_string();
        labs.entry(name).or_default().push(container);
    }
    let mut swept = Vec::new();
    for (name, containers) in labs {
        let orphaned =
            containers.iter().all(|c| engine::label(c, labels::OWNER).is_some_and(|o| !owner::alive(o)));
        let kept = containers.iter().any(|c| engine::label(c, labels::KEPT) == Some("true"));
        if orphaned && !(kept && lab_file(&engine, &name).await.is_some()) {
            remove(&engine, &name).await?;
            swept.push(name);
        }
    }
    Ok(swept)
}

/// The kubeconfig of a lab or kind cluster: written to its usual place, or merged into the user's own as well.
///
/// # Errors
/// [`LabError::NotFound`] and the like.
pub async fn kubeconfig(name: &str, merge: bool) -> Result<PathBuf, LabError> {
    let engine = Engine::connect().await?;
    let containers = engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?;
    if containers.is_empty() {
        let known = list().await?.into_iter().map(|lab| lab.name).collect();
        return Err(LabError::NotFound { name: name.into(), known });
    }
    let (nodes, plane, port) = access(&engine, name, &containers)?;
    let config = config_file::fetch(&nodes, &plane, ADMIN, name, port).await?;
    let path = config_file::path(name)?;
    config_file::write(&path, &config)?;
    if merge { config_file::merge(&config) } else { Ok(path) }
}

// --- making ------------------------------------------------------------------------------------------------

async fn make(
    engine: &Engine,
    spec: &LabSpec,
    options: &UpOptions,
    image: &str,
    pod_image: &PodImage,
) -> Result<Lab, LabError> {
    let started = Instant::now();
    let named = spec.named_nodes();
    let names: Vec<_> = named.iter().map(|(name, _)| name.clone()).collect();
    let nodes = DockerNodes::new(engine.clone(), AGENT, names.clone());
    let port = spec.api_port.map_or_else(free_port, Ok)?;
    let said = |what: &str| (options.progress)(&format!("{what} ({:.1} s)", started.elapsed().as_secs_f32()));

    engine.ensure_network().await?;
    let token = token();
    let shelf = addons::Shelf::create(engine, &spec.name, image, options.keep).await?;
    let plans: Vec<_> = named
        .iter()
        .map(|(name, node)| NodePlan {
            lab: spec.name.clone(),
            name: name.clone(),
            role: node.role,
            image: image.into(),
            keep: options.keep,
            api_port: (node.role == Role::ControlPlane).then_some(port),
            files: [boot::files(spec, name, node, &token), addons::files(&spec.name)].concat(),
            volumes_from: shelf.holder().to_string(),
        })
        .collect();
    start_all(engine, &plans).await?;
    shelf.hand_over(engine).await?;
    said(&format!("{} node containers started", plans.len()));

    let boot = Boot { engine, nodes: &nodes, spec, image, progress: &options.progress };
    let plane = boot.control_plane();
    let workers = boot.configure_workers();
    let control_plane = async {
        boot.prepare(&plane).await?;
        boot.control_plane_up().await?;
        said("control plane is starting");
        let admin = config_file::fetch(&nodes, &plane, SUPER_ADMIN, &spec.name, port).await?;
        let client = config_file::client(admin).await?;
        tokio::try_join!(boot.workers_may_join(), boot.api(&client, "/livez"))?;
        said("API server answers");
        Ok(client)
    };
    let (client, (), ()) = tokio::try_join!(control_plane, workers, pod_image.ensure(&nodes))?;
    tokio::try_join!(boot.start_workers(), async {
        boot.api(&client, "/readyz").await?;
        boot.converge(&client).await
    })?;
    boot.ready(&client).await?;
    said("all nodes and CoreDNS are ready");

    if options.addons {
        addons::install(&client, &nodes, &spec.name, pod_image.reference()).await?;
        said("storage and registry are ready");
    }
    let file = LabFile {
        version: 1,
        spec: spec.clone(),
        node_image: image.into(),
        pod_image: pod_image.reference().into(),
    };
    let config = config_file::fetch(&nodes, &plane, ADMIN, &spec.name, port).await?;
    let path = config_file::path(&spec.name)?;
    config_file::write(&path, &config)?;
    write_lab_file(&nodes, &spec.name, &file).await?;
    Ok(Lab {
        name: spec.name.clone(),
        ours: true,
        nodes: Arc::new(nodes),
        client: config_file::client(config).await?,
        image: pod_image.reference().into(),
        node_image: image.into(),
        kubeconfig: path,
    })
}

/// Starts all nodes at once; the first one alone only where it is not known yet what the engine allows.
async fn start_all(engine: &Engine, plans: &[NodePlan]) -> Result<(), LabError> {
    let (privileges, rest) = match (node::Privileges::known(engine).await, plans) {
        (Some(known), all) => (known, all),
        (None, [first, rest @ ..]) => (node::start_first(engine, first).await?, rest),
        (None, []) => return Ok(()),
    };
    // All are awaited, also when one fails: a start that goes on behind our back could outlive the clean-up.
    let results = join_all(rest.iter().map(|plan| node::start(plan, privileges))).await;
    results.into_iter().collect()
}

async fn write_lab_file(nodes: &DockerNodes, name: &str, file: &LabFile) -> Result<(), LabError> {
    let text = serde_json::to_vec_pretty(file).expect("names and numbers serialise");
    let plane = format!("{name}-control-plane");
    let script = format!("cat >{0}.new && mv {0}.new {0}", labels::LAB_FILE);
    let argv = ["bash", "-euc", &script];
    nodes.exec(&plane, &argv, Some(&text)).await?.success(&plane, &argv)?;
    Ok(())
}

async fn lab_file(engine: &Engine, name: &str) -> Option<LabFile> {
    let content = engine.file(&format!("{name}-control-plane"), labels::LAB_FILE).await?;
    serde_json::from_slice(&content).ok()
}

/// A bootstrap token, for nodes that are added by hand.
fn token() -> String {
    use rand::Rng;
    let mut rng = rand::rng();
    let mut word = |length: usize| -> String {
        let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect()
    };
    format!("{}.{}", word(6), word(16))
}

fn free_port() -> Result<u16, LabError> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|source| LabError::io("find a free port".into(), source))
}

async fn refuse_existing(engine: &Engine, name: &str) -> Result<(), LabError> {
    let found = engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?;
    match found.first() {
        None => Ok(()),
        Some(first) => {
            let what = if engine::label(first, labels::LAB).is_some() { "a lab" } else { "a kind cluster" };
            Err(LabError::Exists { name: name.into(), what })
        }
    }
}

/// Refuses to start on a disk that the first pods would fill.
async fn require_space(engine: &Engine) -> Result<(), LabError> {
    const NEEDED: u64 = 3 << 30;
    let info = engine.docker.info().await.map_err(|e| LabError::engine("describe itself", &e))?;
    let Some(root) = info.docker_root_dir else { return Ok(()) };
    // The engine may be on another machine, whose disk is its own affair.
    let Ok(stat) = nix::sys::statvfs::statvfs(root.as_str()) else { return Ok(()) };
    let free = stat.blocks_available() * stat.fragment_size();
    if free >= NEEDED {
        return Ok(());
    }
    Err(LabError::NoSpace {
        what: format!("{} MiB are free under {root}, a lab needs {}", free >> 20, NEEDED >> 20),
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LabError> + Send + 'static,
) -> Result<T, LabError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(LabError::Io { what: "do the work".into(), source: std::io::Error::other(error.to_string()) })
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

// --- attaching ---------------------------------------------------------------------------------------------

async fn ours(engine: &Engine, name: &str) -> Result<Vec<ContainerSummary>, LabError> {
    engine.containers(&format!("{}={name}", labels::LAB)).await
}

/// Access to the nodes of a cluster, the name of its control-plane node, and the port of its API server.
fn access(
    engine: &Engine,
    name: &str,
    containers: &[ContainerSummary],
) -> Result<(DockerNodes, String, u16), LabError> {
    let is_node = |c: &&ContainerSummary| {
        engine::label(c, labels::KIND_ROLE).is_some_and(|role| role == "control-plane" || role == "worker")
    };
    let names = containers.iter().filter(is_node).map(engine::name);
    let nodes = DockerNodes::new(engine.clone(), AGENT, names);
    let plane = containers.iter().find(|c| engine::label(c, labels::KIND_ROLE) == Some("control-plane"));
    match plane.map(|plane| (engine::name(plane), config_file::port_of(plane))) {
        Some((plane, Some(port))) => Ok((nodes, plane, port)),
        Some((plane, None)) => Err(LabError::NodeDied {
            node: plane,
            why: "its container does not run".into(),
            log: format!(
                "  start the lab's containers with `docker start`, or remove it (`loopdrill lab down --name {name}`)"
            ),
        }),
        None => Err(LabError::NotFound { name: name.into(), known: Vec::new() }),
    }
}

async fn attach(
    engine: &Engine,
    name: &str,
    containers: &[ContainerSummary],
    ours: bool,
    image: String,
    node_image: String,
) -> Result<Lab, LabError> {
    let (nodes, plane, port) = access(engine, name, containers)?;
    if let Some(dead) = containers.iter().find(|container| !runs(container)) {
        let node = engine::name(dead);
        let log = engine.log(&node, 5).await;
        let why = format!("its container does not run; `docker start {node}` starts it again");
        return Err(LabError::NodeDied { node, why, log });
    }
    let config = config_file::fetch(&nodes, &plane, ADMIN, name, port).await?;
    let path = config_file::path(name)?;
    config_file::write(&path, &config)?;
    let client = config_file::client(config).await?;
    client.apiserver_version().await.map_err(|error| LabError::kube("tell its version", error))?;
    Ok(Lab { name: name.into(), ours, nodes: Arc::new(nodes), client, image, node_image, kubeconfig: path })
}

fn runs(container: &ContainerSummary) -> bool {
    container.state.is_some_and(|state| state == bollard::models::ContainerSummaryStateEnum::RUNNING)
}

// --- taking down -------------------------------------------------------------------------------------------

async fn remove(engine: &Engine, name: &str) -> Result<bool, LabError> {
    let found = ours(engine, name).await?;
    if found.is_empty() {
        if !engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?.is_empty() {
            return Err(LabError::Exists {
                name: name.into(),
                what: "a kind cluster that is not ours to remove",
            });
        }
        forget_files(name)?;
        engine.release_network().await?;
        return Ok(false);
    }
    let names: Vec<_> = found.iter().map(engine::name).collect();
    let results = join_all(names.iter().map(|node| engine.remove(node))).await;
    for (node, result) in names.iter().zip(results) {
        if let Err(error) = result {
            let (what, why) = (format!("container {node}"), error.to_string());
            return Err(LabError::LeftBehind { name: name.into(), what, why });
        }
    }
    forget_files(name)?;
    engine.release_network().await?;
    Ok(true)
}

fn forget_files(name: &str) -> Result<(), LabError> {
    config_file::unmerge(name)?;
    let folder = state::dir().join("labs").join(name);
    match std::fs::remove_dir_all(&folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(LabError::io(format!("remove {}", folder.display()), source)),
    }
}

/// Takes a half-made lab down when the future that makes it is dropped, or panics.
struct Teardown {
    name: Option<String>,
}

impl Teardown {
    fn new(name: &str) -> Self {
        Teardown { name: Some(name.into()) }
    }

    fn forget(&mut self) {
        self.name = None;
    }
}

impl Drop for Teardown {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        // Whatever runtime is being left cannot be waited on from here, so the work has its own.
        let work = std::thread::spawn(move || -> Result<bool, LabError> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|source| LabError::io("start a runtime".into(), source))?;
            runtime.block_on(Lab::down(&name))
        });
        if let Ok(Err(error)) = work.join() {
            tracing::error!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_shape_that_kubeadm_wants() {
        let token = token();
        let (id, secret) = token.split_once('.').expect("two parts");
        assert_eq!((id.len(), secret.len()), (6, 16));
        assert_ne!(token, super::token());
    }
}
