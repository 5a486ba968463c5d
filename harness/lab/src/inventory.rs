//! The clusters on this machine: which there are, which are whole, how to reach them.

use crate::{
    AGENT, DockerNodes, Engine, LabError, LabSpec, Profile, UpOptions, engine, kubeconfig as config_file,
    labels,
};
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use loopdrill_cluster::NodeAccess;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The administrator's kubeconfig on a control-plane node.
pub(crate) const ADMIN: &str = "/etc/kubernetes/admin.conf";

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

/// The kubeconfig of a lab or kind cluster: written to its usual place, or merged into the user's own as well.
///
/// # Errors
/// [`LabError::NotFound`] and the like.
pub async fn kubeconfig(name: &str, merge: bool) -> Result<PathBuf, LabError> {
    let engine = Engine::connect().await?;
    let containers = engine.containers(&format!("{}={name}", labels::KIND_CLUSTER)).await?;
    if containers.is_empty() {
        return Err(not_found(name).await);
    }
    let (nodes, plane, port) = access(&engine, name, &containers)?;
    let config = config_file::fetch(&nodes, &plane, ADMIN, name, port).await?;
    let path = config_file::path(name)?;
    config_file::write(&path, &config)?;
    if merge { config_file::merge(name, &config) } else { Ok(path) }
}

/// The error for a name that no cluster has, with the names that there are.
pub(crate) async fn not_found(name: &str) -> LabError {
    match list().await {
        Ok(labs) => {
            LabError::NotFound { name: name.into(), known: labs.into_iter().map(|lab| lab.name).collect() }
        }
        Err(error) => error,
    }
}

/// What a lab remembers about itself, on its control-plane node. Its presence says that the lab is complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LabFile {
    version: u32,
    spec: LabSpec,
    pub(crate) node_image: String,
    pub(crate) pod_image: String,
    #[serde(default)]
    pub(crate) addons: bool,
    #[serde(default)]
    pub(crate) cloud: bool,
    #[serde(default)]
    pub(crate) monitoring: bool,
    #[serde(default)]
    pub(crate) profile: Option<String>,
}

/// Since this version the file says all that a lab is made of.
const WHOLE: u32 = 2;

impl LabFile {
    pub(crate) fn new(spec: &LabSpec, node_image: &str, pod_image: &str, addons: bool) -> Self {
        LabFile {
            version: WHOLE,
            spec: spec.clone(),
            node_image: node_image.into(),
            pod_image: pod_image.into(),
            addons,
            cloud: false,
            monitoring: false,
            profile: None,
        }
    }

    /// Whether a lab of that specification, image and these options would be the same, but for its name.
    pub(crate) fn was_made_of(&self, spec: &LabSpec, image: &str, options: &UpOptions) -> bool {
        self.version == WHOLE
            && LabSpec { name: spec.name.clone(), ..self.spec.clone() } == *spec
            && self.node_image == image
            && (self.addons, self.cloud, self.monitoring)
                == (options.addons, options.cloud, options.monitoring)
            && self.profile.as_deref() == options.profile.map(Profile::name)
    }

    /// What there is to know about a cluster that the `kind` CLI made.
    pub(crate) fn foreign(name: &str, node_image: &str, pod_image: &str) -> Self {
        LabFile::new(&LabSpec::named(name), node_image, pod_image, false)
    }
}

pub(crate) async fn write_lab_file(nodes: &DockerNodes, name: &str, file: &LabFile) -> Result<(), LabError> {
    let text = serde_json::to_vec_pretty(file).expect("names and numbers serialise");
    let plane = format!("{name}-control-plane");
    let script = format!("cat >{0}.new && mv {0}.new {0}", labels::LAB_FILE);
    let argv = ["bash", "-euc", &script];
    nodes.exec(&plane, &argv, Some(&text)).await?.success(&plane, &argv)?;
    Ok(())
}

pub(crate) async fn lab_file(engine: &Engine, name: &str) -> Option<LabFile> {
    let content = engine.file(&format!("{name}-control-plane"), labels::LAB_FILE).await?;
    serde_json::from_slice(&content).ok()
}

/// The containers of a lab of ours.
pub(crate) async fn ours(engine: &Engine, name: &str) -> Result<Vec<ContainerSummary>, LabError> {
    engine.containers(&format!("{}={name}", labels::LAB)).await
}

/// Access to the nodes of a cluster, the name of its control-plane node, and the port of its API server.
pub(crate) fn access(
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
        Some((node, None)) => {
            let why =
                format!("its container does not run; `loopdrill lab start --name {name}` starts it again");
            Err(LabError::NodeDied { node, why, log: String::new() })
        }
        None => Err(LabError::NotFound { name: name.into(), known: Vec::new() }),
    }
}

pub(crate) fn runs(container: &ContainerSummary) -> bool {
    container.state == Some(ContainerSummaryStateEnum::RUNNING)
}
