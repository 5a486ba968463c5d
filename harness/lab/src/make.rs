//! The making of a lab, from nothing to a cluster that can be drilled.

use crate::{
    AGENT, DockerNodes, Engine, Lab, LabError, LabSpec, PodImage, Profile, Role, UpOptions, addons,
    boot::{self, Boot},
    cloud, engine,
    inventory::{self, LabFile},
    kubeadm, kubeconfig, labels, lease, monitoring,
    node::{self, NodePlan, Privileges},
    node_image, profile, registry, teardown,
};
use futures::future::join_all;
use rand::Rng;
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// How long others may look whether the network can go.
pub(crate) const NETWORK_TURN: Duration = Duration::from_secs(30);
/// One that works before kubeadm has given the administrators their role.
const SUPER_ADMIN: &str = "/etc/kubernetes/super-admin.conf";

/// A lab in the making.
pub(crate) struct Making<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) spec: &'a LabSpec,
    pub(crate) options: &'a UpOptions,
    pub(crate) image: &'a str,
    pub(crate) pod_image: &'a PodImage,
    pub(crate) started: Instant,
}

impl Making<'_> {
    fn said(&self, what: &str) {
        (self.options.progress)(&format!("{what} ({:.1} s)", self.started.elapsed().as_secs_f32()));
    }

    /// Starts the node containers and returns the port of the API server. Takes a second or two, and is not to be
    /// cut off in the middle: the engine would go on behind our back.
    pub(crate) async fn launch(&self) -> Result<u16, LabError> {
        let port = port(self.spec.api_port)?;
        // Until the nodes are on it, the network looks as if nobody used it.
        let _network = lease::shared_within(labels::NETWORK_LEASE, NETWORK_TURN).await?;
        self.engine.ensure_network().await?;
        let (token, keep) = (token(), self.options.keep);
        let env = self.proxies().await;
        let volume_store =
            addons::VolumeStore::create(self.engine, &self.spec.name, self.image, keep).await?;
        let pulls = self.options.profile.filter(|p| p.nodes_may_pull()).map(|_| registry::node_credential());
        let plan = |(name, node): (String, &crate::NodeSpec)| NodePlan {
            lab: self.spec.name.clone(),
            role: node.role,
            image: self.image.into(),
            keep,
            api_port: (node.role == Role::ControlPlane).then_some(port),
            files: [
                boot::files(self.spec, &name, node, &token),
                addons::files(&self.spec.name),
                pulls.iter().cloned().collect(),
            ]
            .concat(),
            env: env.clone(),
            volumes_from: volume_store.holder().to_string(),
            name,
        };
        let plans: Vec<_> = self.spec.named_nodes().into_iter().map(plan).collect();
        start_all(self.engine, &plans).await?;
        volume_store.hand_over(self.engine).await?;
        self.said(&format!("{} node containers started", plans.len()));
        Ok(port)
    }

    /// A lab whose image has everything needs nothing from outside, and so gets no way there.
    async fn proxies(&self) -> Vec<(String, String)> {
        if self.image.starts_with(node_image::BUILT) {
            return Vec::new();
        }
        let networks = [
            kubeadm::POD_SUBNET,
            kubeadm::SERVICE_SUBNET,
            ".svc",
            ".cluster.local",
            "localhost",
            "127.0.0.1",
        ];
        let names = self.spec.named_nodes().into_iter().map(|(name, _)| name);
        let inside = networks.map(String::from).into_iter().chain(self.engine.subnets().await).chain(names);
        node::proxies(inside, |name| std::env::var(name).ok())
    }

    /// Makes a cluster of the running nodes, and a lab of the cluster.
    pub(crate) async fn boot(&self, port: u16) -> Result<Lab, LabError> {
        let names = self.spec.named_nodes().into_iter().map(|(name, _)| name);
        let nodes = DockerNodes::new(self.engine.clone(), AGENT, names);
        let boot = Boot {
            engine: self.engine,
            nodes: &nodes,
            spec: self.spec,
            image: self.image,
            progress: &self.options.progress,
            pod_mtu: self.options.profile.and_then(Profile::pod_mtu),
        };
        let plane = boot.control_plane();
        let client = self.cluster(&boot, &plane, port).await?;
        self.furnish(&client, &nodes).await?;
        let config = kubeconfig::fetch(&nodes, &plane, inventory::ADMIN, &self.spec.name, port).await?;
        self.hand_over(nodes, &config).await
    }

    /// Brings control plane and workers up, until all nodes are ready.
    async fn cluster(&self, boot: &Boot<'_>, plane: &str, port: u16) -> Result<kube::Client, LabError> {
        let control_plane = async {
            boot.prepare(plane).await?;
            boot.control_plane_up().await
        };
        // Both before any worker has credentials: kubeadm refuses to configure a node that has half an authority.
        tokio::try_join!(control_plane, boot.configure_workers())?;
        self.said("control plane is starting");
        let admin = kubeconfig::fetch(boot.nodes, plane, SUPER_ADMIN, &self.spec.name, port).await?;
        let client = kubeconfig::client(admin).await?;
        tokio::try_join!(boot.workers_may_join(), boot.api(&client, "/livez"))?;
        self.said("API server answers");
        tokio::try_join!(boot.start_workers(), async {
            boot.api(&client, "/readyz").await?;
            boot.converge(&client).await
        })?;
        boot.ready(&client).await?;
        self.said("all nodes and CoreDNS are ready");
        Ok(client)
    }

    /// Installs what the options ask for.
    async fn furnish(&self, client: &kube::Client, nodes: &DockerNodes) -> Result<(), LabError> {
        let (options, lab, image) = (self.options, &self.spec.name, self.pod_image.reference());
        // The program goes to the nodes only now: it would take from a cluster that starts what a small machine has too
        // little of, processor time.
        if options.addons {
            addons::install(client, nodes, lab, self.pod_image).await?;
            self.said("storage and registry are ready");
        } else {
            self.pod_image.ensure(nodes).await?;
        }
        if options.monitoring {
            monitoring::install(client, nodes, lab, &options.progress).await?;
            self.said("monitoring is ready");
        }
        if options.cloud {
            cloud::install(client, nodes, lab, image, &options.progress).await?;
            self.said("cloud identity is ready");
        }
        if let Some(profile) = options.profile {
            profile::install(client, image, profile).await?;
            self.said(&format!("the {} profile runs", profile.name()));
        }
        Ok(())
    }

    /// Writes down what the lab is, where the next command finds it.
    async fn hand_over(
        &self,
        nodes: DockerNodes,
        config: &kube::config::Kubeconfig,
    ) -> Result<Lab, LabError> {
        let name = &self.spec.name;
        let path = kubeconfig::path(name)?;
        kubeconfig::write(&path, config)?;
        let mut file = LabFile::new(self.spec, self.image, self.pod_image.reference(), self.options.addons);
        file.cloud = self.options.cloud;
        file.monitoring = self.options.monitoring;
        file.profile = self.options.profile.map(|profile| profile.name().into());
        inventory::write_lab_file(&nodes, name, &file).await?;
        let client = kubeconfig::client(config.clone()).await?;
        Ok(Lab::assemble(name, true, nodes, client, file, path))
    }
}

/// What a failure comes from when a node's container has ended meanwhile: everything else follows from that.
pub(crate) async fn root_cause(engine: &Engine, spec: &LabSpec, error: LabError) -> LabError {
    if matches!(error, LabError::Interrupted | LabError::NodeDied { .. }) {
        return error;
    }
    for (node, _) in spec.named_nodes() {
        let state = engine.docker.inspect_container(&node, None).await.ok().and_then(|found| found.state);
        if let Some(state) = state.filter(|state| state.running == Some(false) && state.started_at.is_some())
        {
            let ended = state.exit_code.is_some_and(|code| code != 0);
            if ended {
                let why = format!("its container ended with code {}", state.exit_code.unwrap_or_default());
                let log = engine.log(&node, 10).await;
                return LabError::NodeDied { node, why, log: log.trim_end().into() };
            }
        }
    }
    error
}

/// Starts all nodes at once; the first one alone only where it is not known yet what the engine allows.
async fn start_all(engine: &Engine, plans: &[NodePlan]) -> Result<(), LabError> {
    let Some((first, others)) = plans.split_first() else { return Ok(()) };
    let (privileges, rest) = match Privileges::known(engine).await {
        Some(known) => (known, plans),
        None => (node::start_first(engine, first).await?, others),
    };
    match start(rest, privileges).await {
        // The engine allows less than it did when we asked.
        Err(error) if privileges == Privileges::Full && node::is_refusal(&error) => {
            for plan in plans {
                engine.remove(&plan.name).await?;
            }
            Privileges::Reduced.remember(engine).await;
            start(plans, Privileges::Reduced).await
        }
        other => other,
    }
}

async fn start(plans: &[NodePlan], privileges: Privileges) -> Result<(), LabError> {
    // All are awaited, also when one fails: a start that goes on behind our back could outlive the clean-up.
    let results = join_all(plans.iter().map(|plan| node::start(plan, privileges))).await;
    results.into_iter().collect()
}

/// A bootstrap token, for nodes that are added by hand.
fn token() -> String {
    let mut rng = rand::rng();
    let mut word = |length: usize| -> String {
        let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect()
    };
    format!("{}.{}", word(6), word(16))
}

/// The port that the specification names, if it is free; any free one where it names none.
fn port(wanted: Option<u16>) -> Result<u16, LabError> {
    let listener = TcpListener::bind(("127.0.0.1", wanted.unwrap_or(0)));
    match (listener.and_then(|listener| listener.local_addr()), wanted) {
        (Ok(address), _) => Ok(address.port()),
        (Err(error), Some(port)) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(LabError::PortTaken { port })
        }
        (Err(source), _) => Err(LabError::io("find a free port".into(), source)),
    }
}

/// Refuses a name that is in use.
pub(crate) async fn refuse_existing(engine: &Engine, name: &str) -> Result<(), LabError> {
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
pub(crate) async fn require_space(engine: &Engine) -> Result<(), LabError> {
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

/// Takes down what was started, also what the engine finishes starting only now.
pub(crate) async fn roll_back(engine: &Engine, name: &str) -> Result<(), LabError> {
    while teardown::remove(engine, name).await? {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
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

    #[test]
    fn a_taken_port_is_named() {
        let held = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let number = held.local_addr().expect("bound").port();
        let error = port(Some(number)).expect_err("taken");
        assert!(matches!(error, LabError::PortTaken { port } if port == number), "{error}");
        assert_ne!(port(None).expect("any"), number);
    }
}
