//! The cluster of a command: a lab made for it, a lab by name, or a cluster of the kind CLI.

use crate::{
    Failure,
    command::run::one,
    target::{self, Foreign, Named},
};
use clap::ValueEnum as _;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};
use loopdrill_cluster::{
    CloudFacts, ClusterFacts, ClusterHandle, NodeAccess, Target, aws::AwsTarget, objects,
};
use loopdrill_drill::{EventSender, Refused};
use loopdrill_kubernetes::well_known;
use loopdrill_lab::{Lab, LabError, LabSpec, Profile, Progress, UpOptions, lease};
use loopdrill_model::ExitStatus;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How long the nodes of a cluster that is not ours may take to become ready.
const NODES_READY: Duration = Duration::from_secs(60);

/// Which cluster, and what it is made of where it is made.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClusterArgs {
    /// Use the lab of this name; it is made where it is missing, and stays
    #[arg(long, value_name = "NAME", conflicts_with = "kind")]
    pub(crate) lab: Option<String>,
    /// Use the cluster of this name that the kind CLI made
    #[arg(long, value_name = "NAME", conflicts_with_all = ["spec", "profile", "with"])]
    pub(crate) kind: Option<String>,
    /// Use the cluster of this context of the kubeconfig, within the fence of its target file
    #[arg(long, value_name = "NAME", requires = "target", conflicts_with_all = ["lab", "kind", "keep", "spec", "profile", "with", "aws"])]
    pub(crate) context: Option<String>,
    /// The target file: which cluster the context must lead to, and how far drills may go there; `loopdrill target init`
    /// writes one
    #[arg(long, value_name = "FILE", requires = "context")]
    pub(crate) target: Option<PathBuf>,
    /// The kubeconfig, instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "context")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Keep the lab that is made for this run
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) made: LabArgs,
    /// The cloud account whose roles the cluster's workloads take on, for drills that revoke one: a YAML file with
    /// account_id, region, roles and bucket [default: the lab's own, where it has one]
    #[arg(long, value_name = "FILE")]
    pub(crate) aws: Option<PathBuf>,
}

/// What a lab is made of.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LabArgs {
    /// The lab's specification, where one is made (YAML: region, apiPort, nodes with role, zone, instanceType, labels)
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// The node image, where a lab is made; any with the contract of kindest/node
    #[arg(long, value_name = "IMAGE", env = "LOOPDRILL_NODE_IMAGE")]
    node_image: Option<String>,
    /// What runs from the start in a lab that is made: a bad or a good example for `loopdrill check`
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    profile: Option<Profile>,
    /// What a lab that is made has besides; may be given more than once
    #[arg(long, value_enum, value_name = "ADDON")]
    with: Vec<Addon>,
}

/// What a lab can have besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Addon {
    /// Prometheus with our rules, Alertmanager, kube-state-metrics, node_exporter
    Monitoring,
    /// A cloud account with web identity: moto for IAM, STS, S3 and ECR, and a role for victims
    CloudIdentity,
}

fn profile(name: &str) -> Result<Profile, String> {
    let known = Profile::ALL.map(Profile::name).join(", ");
    Profile::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| format!("the profiles are {known}"))
}

impl LabArgs {
    /// The specification of a lab of that name.
    pub(crate) fn spec(&self, name: &str) -> Result<LabSpec, Failure> {
        let mut spec = match (&self.spec, self.profile) {
            (Some(file), _) => LabSpec::read(file)?,
            (None, Some(profile)) => profile.spec(name),
            (None, None) => LabSpec::default(),
        };
        spec.name = name.into();
        spec.validate()?;
        Ok(spec)
    }

    /// How it is made.
    pub(crate) fn options(
        &self,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<UpOptions, Failure> {
        Ok(UpOptions {
            node_image: self.node_image.clone(),
            profile: self.profile,
            monitoring: self.with.contains(&Addon::Monitoring),
            cloud: self.with.contains(&Addon::CloudIdentity),
            cancel,
            ..UpOptions::new(progress)?
        })
    }

    /// Takes over what a suite says.
    fn settle(&mut self, target: &loopdrill_suite::Target, beside: &Path) -> Result<(), Failure> {
        one("--spec", &mut self.spec, target.spec.as_ref().map(|spec| beside.join(spec)))?;
        let named = target.profile.as_deref().map(profile).transpose().map_err(Failure::usage)?;
        one("--profile", &mut self.profile, named)?;
        let addon =
            |word: &String| Addon::from_str(word, false).map_err(|e| Failure::usage(format!("with: {e}")));
        let said = target.with.iter().map(addon).collect::<Result<Vec<_>, _>>()?;
        let mut given = (!self.with.is_empty()).then(|| self.with.clone());
        one("--with", &mut given, (!said.is_empty()).then_some(said))?;
        self.with = given.unwrap_or_default();
        Ok(())
    }

    /// Whether it is to be another lab than the usual one.
    fn is_special(&self) -> bool {
        self.spec.is_some() || self.profile.is_some() || !self.with.is_empty()
    }
}

impl ClusterArgs {
    /// Whether a cloud account goes with the cluster.
    pub(crate) fn has_cloud(&self) -> bool {
        let of_lab = |name: &String| AwsTarget::find(&loopdrill_lab::folder(name)).is_some();
        let to_come = self.made.with.contains(&Addon::CloudIdentity);
        self.aws.is_some() || to_come || self.lab.as_ref().is_some_and(of_lab)
    }

    /// Takes over what a suite says of its cluster, whose file is in the folder `beside`.
    pub(crate) fn settle(&mut self, target: &loopdrill_suite::Target, beside: &Path) -> Result<(), Failure> {
        if self.context.is_some() && *target != loopdrill_suite::Target::default() {
            return Err(Failure::usage(
                "--context and the suite name different clusters; leave one of them out",
            ));
        }
        one("--lab", &mut self.lab, target.lab.clone())?;
        one("--kind", &mut self.kind, target.kind.clone())?;
        self.made.settle(target, beside)?;
        if self.kind.is_some() && (self.lab.is_some() || self.made.is_special()) {
            return Err(Failure::usage(
                "options and suite name a cluster of the kind CLI and a lab, or what a lab is made of; leave one out",
            ));
        }
        Ok(())
    }

    /// The cloud account that was named.
    fn cloud(&self) -> Result<Option<CloudFacts>, Failure> {
        let read = |file: &PathBuf| AwsTarget::read(file).map(|aws| CloudFacts { aws, of_lab: false });
        self.aws.as_ref().map(read).transpose().map_err(|e| Failure::new(ExitStatus::Usage, &e))
    }
}

/// A cluster that is ours for the time of a command.
pub(crate) struct Cluster {
    pub(crate) target: Arc<Target>,
    pub(crate) handle: ClusterHandle,
    owner: Owner,
}

/// Whose the cluster is.
enum Owner {
    /// It is reached through the container engine.
    Engine { lab: Box<Lab>, after: After, _lease: lease::Lease },
    /// It is known by its kubeconfig alone.
    Foreign(Foreign),
}

/// What happens to the cluster when the command is done.
enum After {
    TakeDown,
    Stop,
    Stay,
    Detach(PathBuf),
}

/// An id that no other run on this machine is likely to have.
pub(crate) fn new_run_id() -> String {
    format!("{:06x}", rand::random::<u32>() & 0x00ff_ffff)
}

/// Provides the cluster. What is made for this run alone goes with it, also when this is cancelled.
pub(crate) async fn provide(
    args: &ClusterArgs,
    run: &str,
    events: &EventSender,
    cancel: &CancellationToken,
) -> Result<Cluster, Failure> {
    if let Some(named) = Named::of(args)? {
        let foreign = target::provide(&named, run, events, cancel).await?;
        let (target, handle) = (Arc::clone(&foreign.target), foreign.handle.clone());
        return Ok(Cluster { target, handle, owner: Owner::Foreign(foreign) });
    }
    let cloud = args.cloud()?;
    let sender = events.clone();
    let progress: Progress = Arc::new(move |line: &str| sender.progress(line));
    for swept in loopdrill_lab::sweep().await? {
        events.progress(format!("removed lab {swept}, which a dead run had left behind"));
    }
    let binary = binary()?;
    if let Some(name) = &args.kind {
        let lease = lease::exclusive(name)?;
        let lab = Lab::attach_kind(name, &binary).await?;
        wait_for_nodes(lab.client(), events, cancel).await;
        let handle = if lab.is_ours() {
            ClusterHandle::Lab { name: name.clone() }
        } else {
            ClusterHandle::Kind { name: name.clone() }
        };
        return finish(lab, handle, After::Detach(binary), run, lease, cloud).await;
    }
    let keep = args.keep || args.lab.is_some();
    if !keep && let Some((name, lease)) = warm(args, &progress, cancel).await? {
        events.progress(format!(
            "lab {name} was stopped and is what is wanted; it is stopped again in the end"
        ));
        let lab = match start(&name, &binary, &progress, cancel).await {
            Ok(lab) => lab,
            Err(failure) => {
                let stopped = Lab::stop(&name).await.map(drop).map_err(|e| e.to_string());
                return Err(stopped.err().into_iter().fold(failure, Failure::and));
            }
        };
        return finish(lab, ClusterHandle::Lab { name }, After::Stop, run, lease, cloud).await;
    }
    let name = args.lab.clone().unwrap_or_else(|| format!("loopdrill-{run}"));
    let lease = lease::exclusive(&name)?;
    let lab = match existing(&name, &binary, &progress, cancel).await? {
        Some(lab) => {
            events.progress(format!("lab {name} is there already"));
            if args.made.is_special() {
                events.progress("it stays as it was made: --spec, --profile and --with are for a new one");
            }
            lab
        }
        None => {
            let options = UpOptions { keep, ..args.made.options(progress, cancel.clone())? };
            Lab::up(&args.made.spec(&name)?, &options).await?
        }
    };
    let after = if keep { After::Stay } else { After::TakeDown };
    finish(lab, ClusterHandle::Lab { name }, after, run, lease, cloud).await
}

/// A cluster that was made a moment ago may still be waiting for its nodes; what is not ready in the end is for the
/// facts to tell.
async fn wait_for_nodes(client: &kube::Client, events: &EventSender, cancel: &CancellationToken) {
    let api = Api::<Node>::all(client.clone());
    let deadline = Instant::now() + NODES_READY;
    let mut told = false;
    while Instant::now() < deadline && !cancel.is_cancelled() {
        let unready =
            api.list(&ListParams::default()).await.map_or(1, |l| l.iter().filter(|n| !is_ready(n)).count());
        if unready == 0 {
            return;
        }
        if !std::mem::replace(&mut told, true) {
            events.progress(format!("waiting for {unready} node(s) to become ready"));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn is_ready(node: &Node) -> bool {
    // The taint goes a moment after the node is ready, and until then nothing is scheduled there.
    let tainted = objects::taints(node).iter().any(|t| t.key == well_known::NOT_READY);
    objects::node_is_ready(node) && !tainted
}

/// A stopped lab that is what would be made, and the lease on it.
async fn warm(
    args: &ClusterArgs,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Option<(String, lease::Lease)>, Failure> {
    let options = args.made.options(progress.clone(), cancel.clone())?;
    Ok(loopdrill_lab::matching(&args.made.spec("loopdrill")?, &options).await?)
}

async fn start(
    name: &str,
    binary: &Path,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Lab, Failure> {
    let mut lab = tokio::select! {
        () = cancel.cancelled() => return Err(LabError::Interrupted.into()),
        lab = Lab::start(name, progress) => lab?,
    };
    lab.refresh(binary).await?;
    Ok(lab)
}

async fn existing(
    name: &str,
    binary: &Path,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Option<Lab>, Failure> {
    if loopdrill_lab::is_stopped(name).await? {
        return start(name, binary, progress, cancel).await.map(Some);
    }
    match Lab::attach(name).await {
        Ok(mut lab) => {
            lab.refresh(binary).await?;
            Ok(Some(lab))
        }
        Err(LabError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

async fn finish(
    lab: Lab,
    handle: ClusterHandle,
    after: After,
    run: &str,
    lease: lease::Lease,
    cloud: Option<CloudFacts>,
) -> Result<Cluster, Failure> {
    match lab.target(run).await {
        Ok(mut target) => {
            if let Some(cloud) = cloud {
                Arc::make_mut(&mut target.facts).take_cloud(Ok(cloud));
            }
            let owner = Owner::Engine { lab: Box::new(lab), after, _lease: lease };
            Ok(Cluster { target: Arc::new(target), handle, owner })
        }
        Err(e) => {
            let failure = Failure::from(e);
            Err(give_back(&lab, &after).await.err().into_iter().fold(failure, Failure::and))
        }
    }
}

async fn give_back(lab: &Lab, after: &After) -> Result<(), String> {
    match after {
        After::TakeDown => Lab::down(lab.name()).await.map(drop).map_err(|e| e.to_string()),
        After::Stop => Lab::stop(lab.name()).await.map(drop).map_err(|e| e.to_string()),
        After::Stay => Ok(()),
        After::Detach(binary) => lab.detach(binary).await.map_err(|e| e.to_string()),
    }
}

impl Cluster {
    /// Gives the cluster back: a lab made for this run is taken down, a foreign cluster is left as it was.
    pub(crate) async fn release(self) -> Result<(), String> {
        match self.owner {
            Owner::Engine { lab, after, .. } => give_back(&lab, &after).await,
            Owner::Foreign(foreign) => foreign.release().await,
        }
    }

    /// The drills that are not run on this cluster; `None` where it is ours, and all of them may be.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        match &self.owner {
            Owner::Engine { .. } => None,
            Owner::Foreign(foreign) => Some(&foreign.refused),
        }
    }

    /// The kubeconfig, when the cluster outlives the run.
    pub(crate) fn kept_kubeconfig(&self) -> Option<&Path> {
        match &self.owner {
            Owner::Engine { lab, after: After::Stay, .. } => Some(lab.kubeconfig()),
            Owner::Engine { .. } | Owner::Foreign(_) => None,
        }
    }
}

/// This program's own file, which becomes node agent and pod image.
pub(crate) fn binary() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::new(ExitStatus::NoCluster, &e))
}

/// What the cluster of a dry run consists of: asked where it is there, else taken from the specification.
pub(crate) async fn facts(args: &ClusterArgs) -> Result<ClusterFacts, Failure> {
    let cloud = args.cloud()?;
    let mut facts = cluster_facts(args).await?;
    match (cloud, args.lab.as_ref().or(args.kind.as_ref())) {
        (Some(cloud), _) => facts.take_cloud(Ok(cloud)),
        (None, Some(name)) => facts.find_cloud(&loopdrill_lab::folder(name)),
        (None, None) => {}
    }
    Ok(facts)
}

async fn cluster_facts(args: &ClusterArgs) -> Result<ClusterFacts, Failure> {
    let name = args.kind.as_ref().or(args.lab.as_ref());
    if let Some(name) = name {
        match loopdrill_lab::reach(name).await {
            Ok((client, nodes)) => {
                let nodes: Arc<dyn NodeAccess> = Arc::new(nodes);
                return Ok(loopdrill_lab::probe(&client?, Some(&nodes)).await?);
            }
            Err(LabError::NotFound { .. }) if args.kind.is_none() => {}
            Err(e) => return Err(e.into()),
        }
    }
    let spec = args.made.spec(name.map_or("loopdrill", String::as_str))?;
    Ok(loopdrill_lab::planned_facts(&spec))
}
